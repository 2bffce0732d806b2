//! The certificate of the day.

use providore_sign::MacKey;

use super::{Agent, AgentError};
use crate::Parts;

#[cfg(feature = "certificates")]
mod renew;
#[cfg(feature = "certificates")]
pub use renew::{CertificateFault, Identity};

/// What became of the certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateStep {
    /// The agent was given no identity to keep.
    Unmanaged,
    /// The stored one is good.
    Kept {
        /// When it will be renewed, in Unix seconds.
        renew_at_unix: u64,
    },
    /// A new one has been stored, the old one kept as previous.
    Stored {
        /// When it ends, in Unix seconds.
        not_after_unix: u64,
    },
}

impl<K: MacKey, P: Parts> Agent<'_, K, P> {
    #[cfg(feature = "certificates")]
    pub(super) async fn certificate_of_the_day(&mut self) -> Result<CertificateStep, AgentError> {
        if self.identity.is_none() {
            return Ok(CertificateStep::Unmanaged);
        }
        self.check_certificate().await
    }

    #[cfg(not(feature = "certificates"))]
    #[expect(
        clippy::unused_async,
        reason = "the feature `certificates` puts the real step here"
    )]
    pub(super) async fn certificate_of_the_day(&mut self) -> Result<CertificateStep, AgentError> {
        Ok(CertificateStep::Unmanaged)
    }
}
