//! Two images in memory, and a mark that says which one runs.

use alloc::vec::Vec;

use providore_wire::FirmwareVersion;
use sha2::{Digest as _, Sha256};

use super::Power;
use crate::{FirmwareSlot, StoreError, VerifiedImage};

/// A slot pair like that of a bootloader: erase and write go to the half that does not run, one
/// step switches.
#[derive(Debug, Clone, Default)]
pub struct MemorySlot {
    running: Vec<u8>,
    other: Vec<u8>,
    downloading: bool,
    trial: bool,
    power: Power,
}

impl MemorySlot {
    /// A device that runs `image`.
    #[must_use]
    pub fn running(image: &[u8]) -> Self {
        Self {
            running: image.to_vec(),
            ..Self::default()
        }
    }

    /// The image that runs after a restart.
    #[must_use]
    pub fn image(&self) -> &[u8] {
        &self.running
    }

    /// Whether that image is on trial.
    #[must_use]
    pub const fn is_on_trial(&self) -> bool {
        self.trial
    }

    /// Whether a download has begun and neither been committed nor aborted.
    #[must_use]
    pub const fn is_downloading(&self) -> bool {
        self.downloading
    }

    /// The power that every write depends on.
    pub const fn power_mut(&mut self) -> &mut Power {
        &mut self.power
    }

    fn swap(&mut self) {
        core::mem::swap(&mut self.running, &mut self.other);
    }
}

impl FirmwareSlot for MemorySlot {
    async fn begin(&mut self, _: &FirmwareVersion) -> Result<(), StoreError> {
        if self.trial {
            // The other half holds the only way back.
            return Err(StoreError::out_of_order());
        }
        self.power.step()?;
        self.other.clear();
        self.downloading = true;
        Ok(())
    }

    async fn write(&mut self, chunk: &[u8]) -> Result<(), StoreError> {
        if !self.downloading {
            return Err(StoreError::out_of_order());
        }
        self.power.step()?;
        self.other.extend_from_slice(chunk);
        Ok(())
    }

    async fn commit(&mut self, image: VerifiedImage) -> Result<(), StoreError> {
        if !self.downloading {
            return Err(StoreError::out_of_order());
        }
        let digest: [u8; 32] = Sha256::digest(&self.other).into();
        if digest != *image.digest() || self.other.len() as u64 != image.length() {
            return Err(StoreError::mismatch());
        }
        self.power.step()?;
        self.swap();
        self.downloading = false;
        self.trial = true;
        Ok(())
    }

    async fn abort(&mut self) -> Result<(), StoreError> {
        self.power.step()?;
        self.downloading = false;
        Ok(())
    }

    async fn confirm(&mut self) -> Result<(), StoreError> {
        self.power.step()?;
        self.trial = false;
        Ok(())
    }

    async fn roll_back(&mut self) -> Result<(), StoreError> {
        if !self.trial {
            return Err(StoreError::out_of_order());
        }
        self.power.step()?;
        self.swap();
        self.trial = false;
        Ok(())
    }
}
