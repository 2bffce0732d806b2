//! Two slots for firmware, and the record of which one runs.

use core::fmt;

use embedded_storage_async::nor_flash::NorFlash;
use providore_wire::FirmwareVersion;
use sha2::{Digest as _, Sha256};

use super::{
    BootImage, BootRecord, BootSectors, BootWrite, FlashLayout, Slot,
    layout::{MAX_WORD, READ_LEN, small},
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

/// An image on its way. What fills no word yet waits in memory.
struct Download {
    slot: Slot,
    written: u32,
    word: [u8; MAX_WORD],
    waiting: usize,
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

    async fn append(&mut self, to: &mut Download, mut chunk: &[u8]) -> Result<(), StoreError> {
        while !chunk.is_empty() {
            if to.waiting > 0 || chunk.len() < F::WRITE_SIZE {
                let free = to
                    .word
                    .get_mut(to.waiting..F::WRITE_SIZE)
                    .unwrap_or_default();
                let taken = free.len().min(chunk.len());
                let (now, later) = chunk.split_at(taken);
                for (slot, byte) in free.iter_mut().zip(now) {
                    *slot = *byte;
                }
                to.waiting = to.waiting.saturating_add(taken);
                chunk = later;
                if to.waiting >= F::WRITE_SIZE {
                    self.write_word(to).await?;
                }
            } else {
                let gone = (to.written as usize)
                    .checked_rem(F::ERASE_SIZE)
                    .unwrap_or(0);
                let taken = F::ERASE_SIZE.saturating_sub(gone).min(chunk.len());
                let odd = taken.checked_rem(F::WRITE_SIZE).unwrap_or(0);
                let (now, later) = chunk.split_at(taken.saturating_sub(odd));
                self.program(to, now).await?;
                chunk = later;
            }
        }
        Ok(())
    }

    /// Writes the word that has been waiting; what it lacks stays erased.
    async fn write_word(&mut self, to: &mut Download) -> Result<(), StoreError> {
        let mut word = to.word;
        for byte in word.iter_mut().skip(to.waiting) {
            *byte = 0xFF;
        }
        to.waiting = 0;
        let word = word.get(..F::WRITE_SIZE).unwrap_or_default();
        self.program(to, word).await
    }

    /// Writes words within a sector, which is erased first where they are its beginning.
    async fn program(&mut self, to: &mut Download, words: &[u8]) -> Result<(), StoreError> {
        let region = self.layout.slot(to.slot);
        let at = region.start.saturating_add(to.written);
        if to.written.checked_rem(small(F::ERASE_SIZE)) == Some(0) {
            let end = at.saturating_add(small(F::ERASE_SIZE));
            self.flash.erase(at, end).await.map_err(fault)?;
        }
        self.flash.write(at, words).await.map_err(fault)?;
        to.written = to.written.saturating_add(small(words.len()));
        Ok(())
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
        let Ok(offset) = u32::try_from(offset) else {
            return Ok(0);
        };
        let (slot, end) = match &self.download {
            Some(download) if offset >= download.written => {
                return Ok(download.read_waiting(offset, buffer));
            }
            Some(download) => (download.slot, download.written),
            None => {
                let active = self.sectors().await?.record().active();
                (active.other(), self.layout.capacity())
            }
        };
        let left = end.saturating_sub(offset) as usize;
        let wanted = buffer.len().min(left);
        let at = self.layout.slot(slot).start.saturating_add(offset);
        let buffer = buffer.get_mut(..wanted).unwrap_or_default();
        read_some(&mut self.flash, at, buffer).await
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
        let written = keep.saturating_sub(odd);
        self.download = Some(Download {
            slot: record.active().other(),
            written,
            word: [0xFF; MAX_WORD],
            waiting: 0,
        });
        Ok(written.into())
    }

    async fn write(&mut self, chunk: &[u8]) -> Result<(), StoreError> {
        let mut download = self.download.take().ok_or(StoreError::out_of_order())?;
        let length = download.length().saturating_add(small(chunk.len()));
        if length > self.layout.capacity() {
            self.download = Some(download);
            return Err(StoreError::full());
        }
        // A write that failed, or whose future was dropped, leaves no download to go on with.
        self.append(&mut download, chunk).await?;
        self.download = Some(download);
        Ok(())
    }

    async fn commit(&mut self, image: VerifiedImage) -> Result<(), StoreError> {
        let mut download = self.download.take().ok_or(StoreError::out_of_order())?;
        let (slot, length) = (download.slot, download.length());
        if download.waiting > 0 {
            self.write_word(&mut download).await?;
        }
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

impl Download {
    fn length(&self) -> u32 {
        self.written.saturating_add(small(self.waiting))
    }

    /// Reads from what has not been written yet.
    fn read_waiting(&self, offset: u32, buffer: &mut [u8]) -> usize {
        let begin = offset.saturating_sub(self.written) as usize;
        let waiting = self.word.get(begin..self.waiting).unwrap_or_default();
        for (slot, byte) in buffer.iter_mut().zip(waiting) {
            *slot = *byte;
        }
        waiting.len().min(buffer.len())
    }
}

async fn sectors<F: NorFlash>(
    flash: &mut F,
    layout: &FlashLayout,
) -> Result<BootSectors, StoreError> {
    let mut records = [[0; BootRecord::LEN]; 2];
    for (sector, record) in records.iter_mut().enumerate() {
        let at = layout.sector::<F>(sector);
        flash.read(at, record).await.map_err(fault)?;
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
    flash.read(at, &mut written).await.map_err(fault)?;
    if written == record.bytes {
        Ok(())
    } else {
        Err(StoreError::failed())
    }
}

/// Reads from anywhere: as much as is aligned, or a part of a word.
async fn read_some<F: NorFlash>(
    flash: &mut F,
    at: u32,
    buffer: &mut [u8],
) -> Result<usize, StoreError> {
    let skipped = at.checked_rem(small(F::READ_SIZE)).unwrap_or(0);
    let odd = buffer.len().checked_rem(F::READ_SIZE).unwrap_or(0);
    let whole = buffer.len().saturating_sub(odd);
    if skipped == 0 && whole > 0 {
        let aligned = buffer.get_mut(..whole).unwrap_or_default();
        flash.read(at, aligned).await.map_err(fault)?;
        return Ok(whole);
    }
    let mut word = [0; MAX_WORD];
    let word = word.get_mut(..F::READ_SIZE).unwrap_or_default();
    let begin = at.saturating_sub(skipped);
    flash.read(begin, word).await.map_err(fault)?;
    let rest = word.get(skipped as usize..).unwrap_or_default();
    for (slot, byte) in buffer.iter_mut().zip(rest) {
        *slot = *byte;
    }
    Ok(rest.len().min(buffer.len()))
}

pub(super) fn fault<E>(_: E) -> StoreError {
    StoreError::failed()
}

impl<F> fmt::Debug for FlashSlots<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlashSlots")
            .field("layout", &self.layout)
            .field("running", &self.running)
            .finish_non_exhaustive()
    }
}
