//! Why a step failed.

use crate::{Error, StoreError, TransportError};

/// Why a step of the [`Agent`](crate::Agent) failed. The device keeps what it had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// The locator knows no server.
    #[error("no server was found")]
    NoServer,
    /// The application named no author whose firmware may be installed, and this build does not trust
    /// a server with firmware.
    #[error("no author's key was given")]
    NoAuthor,
    /// No answer arrived, or not all of it.
    #[error("the server was not heard")]
    Transport(#[from] TransportError),
    /// No question was asked, as without a clock in the `Original` dialect
    /// ([`Error::ClockNotSet`]), or an answer arrived and does not count.
    #[error("no answer that counts")]
    Answer(#[source] Error),
    /// A record was not read or written.
    #[error("a record could not be kept")]
    Storage(#[source] StoreError),
    /// Firmware was not written or switched.
    #[error("the firmware could not be kept")]
    Slot(#[source] StoreError),
    /// Firmware arrived that its author did not sign.
    #[cfg(feature = "update")]
    #[error("the firmware is not installed")]
    Firmware(#[from] super::FirmwareFault),
    /// The certificate is genuine and cannot be used.
    #[cfg(feature = "certificates")]
    #[error("the certificate cannot be used")]
    Certificate(#[from] super::CertificateFault),
}

impl AgentError {
    /// Why there is no answer that counts, if that is what failed.
    #[must_use]
    pub const fn answer(&self) -> Option<&Error> {
        match self {
            Self::Answer(error) => Some(error),
            _ => None,
        }
    }

    /// Whether another candidate may do better: nobody answered, or nobody with the key did.
    pub(super) const fn blames_the_server(&self) -> bool {
        match self {
            Self::Transport(_) => true,
            #[cfg(feature = "update")]
            Self::Firmware(_) => true,
            Self::Answer(error) => !matches!(
                error,
                Error::Key(_) | Error::ClockNotSet | Error::NotInDialect | Error::Declined { .. }
            ),
            _ => false,
        }
    }
}

impl From<Error> for AgentError {
    fn from(error: Error) -> Self {
        Self::Answer(error)
    }
}
