//! The certificate of the day.

#[cfg(feature = "certificates")]
mod renew;
#[cfg(feature = "certificates")]
pub use renew::{CertificateFault, Identity};

/// What became of the certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateStep {
    /// The stored one is good.
    Kept {
        /// When it will be renewed, in Unix seconds.
        renew_at_unix: u64,
    },
    /// The server refuses the device's key, which was revoked: give the agent a new key
    /// ([`Identity`]), and ask again.
    KeyRevoked,
    /// A new one has been stored, the old one kept as previous.
    Stored {
        /// When it ends, in Unix seconds.
        not_after_unix: u64,
    },
}
