//! Two images in memory, and a mark that says which one runs.

use alloc::vec::Vec;

use providore_wire::FirmwareVersion;
use sha2::{Digest as _, Sha256};

use super::{Power, power::Reach};
use crate::{FirmwareSlot, SlotState, StoreError, VerifiedImage};

/// A slot pair like that of a bootloader: erase and write go to the half that does not run, one
/// step switches.
#[derive(Debug, Clone)]
pub struct MemorySlot {
    running: Vec<u8>,
    other: Vec<u8>,
    state: SlotState,
    downloading: bool,
    written: u64,
    capacity: u64,
    sector: u64,
    power: Power,
}

impl Default for MemorySlot {
    fn default() -> Self {
        Self::running(b"")
    }
}

impl MemorySlot {
    /// A device that runs `image`, with room for any other.
    #[must_use]
    pub fn running(image: &[u8]) -> Self {
        Self {
            running: image.to_vec(),
            other: Vec::new(),
            state: SlotState::Settled,
            downloading: false,
            written: 0,
            capacity: u64::MAX,
            sector: 1,
            power: Power::new(),
        }
    }

    /// Room for `capacity` bytes, erased in sectors of `sector` bytes (at least 1): an image is
    /// written again from the beginning of the sector that it is resumed in.
    #[must_use]
    pub fn with_sectors(mut self, capacity: u64, sector: u64) -> Self {
        (self.capacity, self.sector) = (capacity, sector.max(1));
        self
    }

    /// Fails together with what else depends on `power`.
    #[must_use]
    pub fn with_power(mut self, power: &Power) -> Self {
        self.power = power.clone();
        self
    }

    /// The image that runs after a restart.
    #[must_use]
    pub fn image(&self) -> &[u8] {
        &self.running
    }

    /// What lies in the other half, verified or not.
    #[must_use]
    pub fn other_image(&self) -> &[u8] {
        &self.other
    }

    /// Whether the image that runs is on trial.
    #[must_use]
    pub fn is_on_trial(&self) -> bool {
        self.state == SlotState::OnTrial
    }

    /// Whether a download has begun and neither been committed nor aborted.
    #[must_use]
    pub const fn is_downloading(&self) -> bool {
        self.downloading
    }

    /// How many bytes have been written so far, those that were lost again among them.
    #[must_use]
    pub const fn written(&self) -> u64 {
        self.written
    }

    /// The power that every write depends on.
    pub const fn power_mut(&mut self) -> &mut Power {
        &mut self.power
    }

    /// What a restart does: a download that was under way is forgotten, what it wrote stays.
    pub const fn restart(&mut self) {
        self.downloading = false;
    }

    /// What a bootloader does with an image on trial that does not start: goes back by itself.
    pub fn fall_back(&mut self) {
        if self.is_on_trial() {
            self.go_back();
        }
    }

    fn swap(&mut self, state: SlotState) {
        core::mem::swap(&mut self.running, &mut self.other);
        self.state = state;
    }

    fn go_back(&mut self) {
        self.swap(SlotState::RolledBack);
    }

    fn kept(&self, keep: u64) -> usize {
        let keep = keep.min(self.other.len() as u64);
        let sectors = keep.div_euclid(self.sector);
        usize::try_from(sectors.saturating_mul(self.sector)).unwrap_or(usize::MAX)
    }
}

impl FirmwareSlot for MemorySlot {
    fn capacity(&self) -> u64 {
        self.capacity
    }

    async fn state(&mut self) -> Result<SlotState, StoreError> {
        Ok(self.state)
    }

    async fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, StoreError> {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = self.other.get(offset..).unwrap_or_default();
        for (slot, byte) in buffer.iter_mut().zip(rest) {
            *slot = *byte;
        }
        Ok(rest.len().min(buffer.len()))
    }

    async fn begin(&mut self, _: &FirmwareVersion, keep: u64) -> Result<u64, StoreError> {
        if self.is_on_trial() {
            // The other half holds the only way back.
            return Err(StoreError::out_of_order());
        }
        let kept = self.kept(keep);
        let reach = self.power.write();
        match reach {
            Reach::Nothing => {}
            // Torn, an erasure has left part of what it was to erase.
            Reach::Half => {
                let rest = self.other.len().saturating_sub(kept);
                let left = kept.saturating_add(rest.div_euclid(2));
                self.other.truncate(left);
            }
            Reach::Unheard | Reach::Whole => {
                self.other.truncate(kept);
                self.downloading = true;
                self.state = SlotState::Settled;
            }
        }
        reach.outcome()?;
        Ok(kept as u64)
    }

    async fn write(&mut self, chunk: &[u8]) -> Result<(), StoreError> {
        if !self.downloading {
            return Err(StoreError::out_of_order());
        }
        let end = (self.other.len() as u64).saturating_add(chunk.len() as u64);
        if end > self.capacity {
            return Err(StoreError::full());
        }
        let reach = self.power.write();
        let length = match reach {
            Reach::Nothing => 0,
            Reach::Half => chunk.len().div_euclid(2),
            Reach::Unheard | Reach::Whole => chunk.len(),
        };
        let part = chunk.get(..length).unwrap_or_default();
        self.other.extend_from_slice(part);
        if reach == Reach::Half {
            // The byte that was being written is neither the old one nor the new one.
            self.other.push(0x5a);
        }
        self.written = self.written.saturating_add(length as u64);
        reach.outcome()
    }

    async fn commit(&mut self, image: VerifiedImage) -> Result<(), StoreError> {
        if !self.downloading {
            return Err(StoreError::out_of_order());
        }
        let digest: [u8; 32] = Sha256::digest(&self.other).into();
        if digest != *image.digest() || self.other.len() as u64 != image.length() {
            return Err(StoreError::mismatch());
        }
        self.power.clone().step(|| {
            self.swap(SlotState::OnTrial);
            self.downloading = false;
        })
    }

    async fn abort(&mut self) -> Result<(), StoreError> {
        self.power.clone().step(|| self.downloading = false)
    }

    async fn confirm(&mut self) -> Result<(), StoreError> {
        if !self.is_on_trial() {
            return Ok(());
        }
        let power = self.power.clone();
        power.step(|| self.state = SlotState::Settled)
    }

    async fn roll_back(&mut self) -> Result<(), StoreError> {
        if !self.is_on_trial() {
            return Err(StoreError::out_of_order());
        }
        self.power.clone().step(|| self.go_back())
    }
}
