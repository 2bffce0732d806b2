//! The firmware of the day.

#[cfg(feature = "server-trusted-firmware")]
mod trusted;

use providore_sign::MacKey;
use providore_wire::FirmwareVersion;

use super::{Agent, AgentError};
use crate::Parts;

/// What became of the firmware; [`Agent::offered_firmware`] is the version that it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FirmwareStep {
    /// Nothing else waits.
    UpToDate,
    /// A version waits and was refused before; it is not tried again.
    Skipped,
    /// A version has been written and runs after the next restart, on trial: restart, then
    /// call [`Agent::confirm_firmware`] or [`Agent::reject_firmware`]. Until then nothing else is
    /// installed.
    OnTrial,
    /// A version waits, and is nothing that this device may install. The server was told.
    #[cfg(feature = "update")]
    Refused,
    /// The firmware on trial did not work, and the slot went back: restart now.
    #[cfg(feature = "update")]
    Restart,
}

impl<K: MacKey, P: Parts> Agent<'_, K, P> {
    /// The version that the server named last, be it installed, skipped or refused; `None` if it had
    /// nothing else than what runs, and after [`Self::confirm_firmware`].
    pub const fn offered_firmware(&self) -> Option<&FirmwareVersion> {
        self.offered.as_ref()
    }

    /// Asks once whether firmware waits; if so downloads, checks and commits it.
    ///
    /// # Errors
    /// [`AgentError`]; the image that runs stays. [`AgentError::NoAuthor`] without authors, if the
    /// feature `server-trusted-firmware` is off.
    pub async fn check_firmware(&mut self) -> Result<FirmwareStep, AgentError> {
        if self.on_trial {
            return Ok(FirmwareStep::OnTrial);
        }
        #[cfg(feature = "update")]
        if self.has_authors() {
            return self.update_firmware().await;
        }
        self.take_offer().await
    }

    /// The firmware on trial works: it stays. In the `Signed` dialect the server is told, unless it
    /// is not to be asked now.
    ///
    /// # Errors
    /// [`AgentError::Slot`], [`AgentError::NoAuthor`]; the trial then goes on.
    pub async fn confirm_firmware(&mut self) -> Result<(), AgentError> {
        #[cfg(feature = "update")]
        if self.has_authors() {
            return self.confirm_update().await;
        }
        self.confirm_offer().await
    }

    /// The firmware on trial does not work: the previous one runs next, and this version is not
    /// installed again. The server is told as by [`confirm_firmware`](Self::confirm_firmware).
    ///
    /// # Errors
    /// [`AgentError::Storage`], [`AgentError::Slot`], [`AgentError::NoAuthor`]; the trial then goes
    /// on.
    pub async fn reject_firmware(&mut self) -> Result<(), AgentError> {
        #[cfg(feature = "update")]
        if self.has_authors() {
            return self.reject_update("refused by the application").await;
        }
        self.reject_offer().await
    }
}

/// Nobody to be trusted with firmware.
#[cfg(not(feature = "server-trusted-firmware"))]
#[expect(
    clippy::unused_async,
    reason = "the feature puts the real ones in their place"
)]
impl<K: MacKey, P: Parts> Agent<'_, K, P> {
    async fn take_offer(&mut self) -> Result<FirmwareStep, AgentError> {
        Err(AgentError::NoAuthor)
    }

    async fn confirm_offer(&mut self) -> Result<(), AgentError> {
        Err(AgentError::NoAuthor)
    }

    async fn reject_offer(&mut self) -> Result<(), AgentError> {
        Err(AgentError::NoAuthor)
    }
}
