//! Two slots for firmware, and the record of which one runs.

use core::fmt;

use embedded_storage_async::nor_flash::NorFlash;
use providore_wire::FirmwareVersion;
use sha2::{Digest as _, Sha256};

use super::{
    BootImage, BootRecord, BootSectors, BootWrite, FlashLayout, Slot,
    layout::{READ_LEN, small},
    words::{Words, copy, fault, read_exact, read_some},
};
use crate::{FirmwareSlot, SlotState, StoreError, VerifiedImage};

/// [`FirmwareSlot`] over two regions of a flash, one of which runs.
///
/// A sector is erased when the download comes to it, and nothing but the image is written until the
/// commit. A download is resumed at the beginning of the sector where it was cut off.
///
/// To be made once after each restart: it takes for running what was to run when it was first used.
/// After [`roll_back`](FirmwareSlot::roll_back) the image that still runs is left alone until the
/// restart, and an image that was never started is not confirmed.
pub struct FlashSlots<F> {
    flash: F,
    layout: FlashLayout,
    running: Option<Slot>,
    download: Option<Download>,
}

/// An image on its way.
struct Download {
    slot: Slot,
    words: Words,
}

/// What a bootloader does at every start, where it has a flash driver with these traits: reads the
/// record, writes the next one if there is one, and says which slot to run. See
/// [`BootSectors::decide`].
///
/// # Errors
/// [`StoreError::out_of_order`] for a layout that does not fit; a fault of the medium.
pub async fn start<F: NorFlash>(
    flash: &mut F,
    layout: &FlashLayout,
    trial_boots: u8,
) -> Result<Slot, StoreError> {
    layout.check(flash)?;
    let boot = sectors(flash, layout).await?.decide(trial_boots);
    if let Some(record) = &boot.write {
        // A record that cannot be written must not keep the device from starting.
        let _ = write_record(flash, layout, record).await;
    }
    Ok(boot.slot)
}

impl<F: NorFlash> FlashSlots<F> {
    /// Slots in these regions.
    ///
    /// # Errors
    /// [`StoreError::out_of_order`] if the regions overlap, do not fit the flash or its sectors, or
    /// if the flash has words of more than 32 bytes.
    pub fn new(flash: F, layout: FlashLayout) -> Result<Self, StoreError> {
        layout.check(&flash)?;
        Ok(Self {
            flash,
            layout,
            running: None,
            download: None,
        })
    }

    /// Says which slot runs, where the firmware knows it by itself: a bootloader that could not write
    /// its record may have started the other one, which is then not taken for the one on trial.
    #[must_use]
    pub fn with_running(mut self, slot: Slot) -> Self {
        self.running = Some(slot);
        self
    }

    /// The flash.
    pub fn release(self) -> F {
        self.flash
    }

    /// The record of which slot runs.
    ///
    /// # Errors
    /// A fault of the medium.
    pub async fn record(&mut self) -> Result<BootRecord, StoreError> {
        Ok(self.sectors().await?.record().clone())
    }

    async fn sectors(&mut self) -> Result<BootSectors, StoreError> {
        let sectors = sectors(&mut self.flash, &self.layout).await?;
        self.running.get_or_insert(sectors.record().active());
        Ok(sectors)
    }

    async fn replace(&mut self, now: &BootSectors, next: &BootRecord) -> Result<(), StoreError> {
        write_record(&mut self.flash, &self.layout, &now.replace_by(next)).await
    }

    /// Whether the slot that is to run after the next restart runs already.
    fn is_running(&self, record: &BootRecord) -> bool {
        self.running == Some(record.active())
    }

    /// How much of the image has come.
    fn length(&self, download: &Download) -> u32 {
        let start = self.layout.slot(download.slot).start;
        download.words.position().saturating_sub(start)
    }

    /// The SHA-256 of the first bytes of a slot, as they can be read.
    async fn digest(&mut self, slot: Slot, mut left: u32) -> Result<[u8; 32], StoreError> {
        let mut at = self.layout.slot(slot).start;
        let mut digest = Sha256::new();
        let mut part = [0; READ_LEN];
        while left > 0 {
            self.flash.read(at, &mut part).await.map_err(fault)?;
            let length = left.min(small(READ_LEN));
            digest.update(part.get(..length as usize).unwrap_or_default());
            (at, left) = (at.saturating_add(length), left.saturating_sub(length));
        }
        Ok(digest.finalize().into())
    }
}

impl<F: NorFlash> FirmwareSlot for FlashSlots<F> {
    fn capacity(&self) -> u64 {
        self.layout.capacity().into()
    }

    async fn state(&mut self) -> Result<SlotState, StoreError> {
        Ok(self.sectors().await?.record().state())
    }

    async fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, StoreError> {
        let slot = match &self.download {
            Some(download) => download.slot,
            None => self.sectors().await?.record().active().other(),
        };
        let region = self.layout.slot(slot);
        let at = u32::try_from(offset).unwrap_or(u32::MAX);
        let at = region.start.saturating_add(at);
        let mut end = region.start.saturating_add(self.layout.capacity());
        if let Some(Download { words, .. }) = &self.download {
            end = words.written();
            if let Some(waiting) = at.checked_sub(end) {
                let rest = words.waiting().get(waiting as usize..);
                return Ok(copy(rest.unwrap_or_default(), buffer));
            }
        }
        let wanted = buffer.len().min(end.saturating_sub(at) as usize);
        match buffer.get_mut(..wanted) {
            Some(buffer) if wanted > 0 => read_some(&mut self.flash, at, buffer).await,
            _ => Ok(0),
        }
    }

    async fn begin(&mut self, _: &FirmwareVersion, keep: u64) -> Result<u64, StoreError> {
        let now = self.sectors().await?;
        let record = now.record();
        if record.state() == SlotState::OnTrial || !self.is_running(record) {
            // The other slot holds the only way back, or what runs until the restart.
            return Err(StoreError::out_of_order());
        }
        self.download = None;
        if record.state() == SlotState::RolledBack {
            let next = record.next(record.active(), SlotState::Settled);
            self.replace(&now, &next).await?;
        }
        let keep = u32::try_from(keep)
            .unwrap_or(u32::MAX)
            .min(self.layout.capacity());
        let odd = keep.checked_rem(small(F::ERASE_SIZE)).unwrap_or(0);
        let kept = keep.saturating_sub(odd);
        let slot = record.active().other();
        let at = self.layout.slot(slot).start.saturating_add(kept);
        self.download = Some(Download {
            slot,
            words: Words::new(at, true),
        });
        Ok(kept.into())
    }

    async fn write(&mut self, chunk: &[u8]) -> Result<(), StoreError> {
        let mut download = self.download.take().ok_or(StoreError::out_of_order())?;
        let length = self.length(&download);
        if length.saturating_add(small(chunk.len())) > self.layout.capacity() {
            self.download = Some(download);
            return Err(StoreError::full());
        }
        // A write that failed, or whose future was dropped, leaves no download to go on with.
        download.words.append(&mut self.flash, chunk).await?;
        self.download = Some(download);
        Ok(())
    }

    async fn commit(&mut self, image: VerifiedImage) -> Result<(), StoreError> {
        let mut download = self.download.take().ok_or(StoreError::out_of_order())?;
        let (slot, length) = (download.slot, self.length(&download));
        download.words.pad(&mut self.flash).await?;
        if u64::from(length) != image.length() {
            return Err(StoreError::mismatch());
        }
        let sha256 = self.digest(slot, length).await?;
        if sha256 != *image.digest() {
            return Err(StoreError::mismatch());
        }
        let now = self.sectors().await?;
        let next = now.record().trial(slot, BootImage { length, sha256 });
        self.replace(&now, &next).await
    }

    async fn abort(&mut self) -> Result<(), StoreError> {
        self.download = None;
        Ok(())
    }

    async fn confirm(&mut self) -> Result<(), StoreError> {
        let now = self.sectors().await?;
        let record = now.record();
        if record.state() != SlotState::OnTrial {
            return Ok(());
        }
        if !self.is_running(record) {
            return Err(StoreError::out_of_order());
        }
        let next = record.next(record.active(), SlotState::Settled);
        self.replace(&now, &next).await
    }

    async fn roll_back(&mut self) -> Result<(), StoreError> {
        let now = self.sectors().await?;
        let record = now.record();
        if record.state() != SlotState::OnTrial {
            return Err(StoreError::out_of_order());
        }
        let next = record.next(record.active().other(), SlotState::RolledBack);
        self.replace(&now, &next).await
    }
}

async fn sectors<F: NorFlash>(
    flash: &mut F,
    layout: &FlashLayout,
) -> Result<BootSectors, StoreError> {
    let mut records = [[0; BootRecord::LEN]; 2];
    for (sector, record) in records.iter_mut().enumerate() {
        let at = layout.sector::<F>(sector);
        read_exact(flash, at, record).await?;
    }
    let [first, second] = &records;
    Ok(BootSectors::read(first, second))
}

/// Erases the sector that does not hold the newest record, and writes the next one there.
async fn write_record<F: NorFlash>(
    flash: &mut F,
    layout: &FlashLayout,
    record: &BootWrite,
) -> Result<(), StoreError> {
    let at = layout.sector::<F>(record.sector);
    let end = at.saturating_add(small(F::ERASE_SIZE));
    flash.erase(at, end).await.map_err(fault)?;
    flash.write(at, &record.bytes).await.map_err(fault)?;
    let mut written = [0; BootRecord::LEN];
    read_exact(flash, at, &mut written).await?;
    if written == record.bytes {
        Ok(())
    } else {
        Err(StoreError::failed())
    }
}

impl<F> fmt::Debug for FlashSlots<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlashSlots")
            .field("layout", &self.layout)
            .field("running", &self.running)
            .finish_non_exhaustive()
    }
}
