//! Two slots for firmware, and the record by which the bootloader of ESP-IDF chooses one.
//!
//! `esp-bootloader-esp-idf` can write this record too, in two steps: the slot, then its state. Cut off
//! between them, a board runs an image that nobody watches; and a record that was torn in half is an
//! error there for good. Here each change is one sector that is erased and written once, a torn half
//! counts for nothing (as in the bootloader), and the other half is never touched before this one is
//! good. docs of the format: ESP-IDF, "Over The Air Updates", and `esp_flash_partitions.h`.

mod record;

use embedded_storage::nor_flash::NorFlash;
use providore_client::{FirmwareSlot, SlotState, StoreError, VerifiedImage};
use providore_wire::FirmwareVersion;
use sha2::{Digest as _, Sha256};

pub use record::{BootRecord, Entry, ImageState, SECTOR_LEN};

/// The slots of a device, as its [`FirmwareSlot`].
///
/// # Power cuts
/// `commit` and `roll_back` leave the image before or the image after, and the record says which.
/// So does `confirm`; cut off in its middle, the image before runs again, as if the trial had failed.
/// A bootloader without roll-back (the one that `espflash` brings) does all of this but one thing:
/// it does not go back from an image that crashes before [`FirmwareSlot::state`] is asked.
#[derive(Debug)]
pub struct OtaSlots<F> {
    record: BootRecord<F>,
    slots: [F; 2],
    running: usize,
    /// Since this start: until the next, the record names an image that does not run yet.
    committed: bool,
    download: Option<Download>,
}

/// What is being written.
#[derive(Debug)]
struct Download {
    /// How much of the image the flash has.
    written: u32,
    page: Page,
    /// How much of the page is filled.
    filled: usize,
    /// Up to where the slot is erased.
    erased: u32,
}

/// As much as flash is programmed with at once. Aligned, since the chip's driver copies through a
/// sector on the stack otherwise.
#[derive(Debug)]
#[repr(C, align(4))]
struct Page([u8; PAGE_LEN]);

const PAGE_LEN: usize = 256;

impl<F: NorFlash> OtaSlots<F> {
    /// The partition `otadata`, the partitions `ota_0` and `ota_1`, and which of these runs: 0 or 1.
    ///
    /// # Errors
    /// [`StoreError::failed`] for another slot than these two, or an `otadata` of other than two sectors.
    pub fn new(otadata: F, slots: [F; 2], running: usize) -> Result<Self, StoreError> {
        if running > 1 {
            return Err(StoreError::failed());
        }
        Ok(Self {
            record: BootRecord::new(otadata)?,
            slots,
            running,
            committed: false,
            download: None,
        })
    }

    /// What is in the record, for a log.
    ///
    /// # Errors
    /// A fault of the flash.
    pub fn newest(&mut self) -> Result<Option<Entry>, StoreError> {
        Ok(self.record.newest()?.map(|(_, entry)| entry))
    }

    fn found(&mut self) -> Result<SlotState, StoreError> {
        let Some(entry) = self.newest()? else {
            return Ok(SlotState::Settled);
        };
        Ok(match entry.state {
            ImageState::New | ImageState::PendingVerify if entry.slot() == self.running => {
                SlotState::OnTrial
            }
            ImageState::New if self.committed => SlotState::OnTrial,
            ImageState::Valid | ImageState::Undefined if entry.slot() == self.running => {
                SlotState::Settled
            }
            // It was chosen and does not run, or must not run again.
            _ => SlotState::RolledBack,
        })
    }

    /// Makes the record say that what runs is good, whatever it said before: a later entry then has
    /// something to go back to.
    fn settle(&mut self) -> Result<(), StoreError> {
        let newest = self.record.newest()?;
        let good = |entry: &Entry| {
            let kept = matches!(entry.state, ImageState::Valid | ImageState::Undefined);
            kept && entry.slot() == self.running
        };
        let Some((sector, entry)) = newest else {
            return self.record.write(0, Entry::first(self.running));
        };
        if good(&entry) {
            return Ok(());
        }
        let other = 1 - sector;
        match self.record.read(other)? {
            // The entry of what runs is there: the one above it goes.
            Some(older) if good(&older) => self.record.erase(sector),
            _ => self
                .record
                .write(other, entry.next(self.running, ImageState::Valid)?),
        }
    }

    fn slot(&mut self) -> &mut F {
        let [first, second] = &mut self.slots;
        if self.running == 0 { second } else { first }
    }

    fn room(&self) -> u32 {
        let [first, second] = &self.slots;
        let shorter = first.capacity().min(second.capacity());
        u32::try_from(shorter).unwrap_or(u32::MAX)
    }

    /// Writes the page that is filled, or what there is of it at the end of the image.
    fn flush(&mut self) -> Result<(), StoreError> {
        let Some(mut download) = self.download.take() else {
            return Err(StoreError::out_of_order());
        };
        let outcome = self.program(&mut download);
        if outcome.is_ok() {
            self.download = Some(download);
        }
        outcome
    }

    fn program(&mut self, download: &mut Download) -> Result<(), StoreError> {
        let sector = SECTOR_LEN as u32;
        if download.written >= download.erased {
            let end = download.written.saturating_add(sector);
            self.slot()
                .erase(download.written, end)
                .map_err(|_| StoreError::failed())?;
            download.erased = end;
        }
        let Page(page) = &mut download.page;
        if let Some(rest) = page.get_mut(download.filled..) {
            rest.fill(0xff);
        }
        self.slot()
            .write(download.written, page)
            .map_err(|_| StoreError::failed())?;
        download.written = download.written.saturating_add(download.filled as u32);
        download.filled = 0;
        Ok(())
    }

    fn digest(&mut self, length: u64) -> Result<[u8; 32], StoreError> {
        let (mut digest, mut at) = (Sha256::new(), 0);
        let mut page = Page([0; PAGE_LEN]);
        while at < length {
            let read = self.read_some(at, &mut page.0)?;
            let wanted = (length - at).min(read as u64);
            let Some(part) = page
                .0
                .get(..wanted as usize)
                .filter(|part| !part.is_empty())
            else {
                return Err(StoreError::mismatch());
            };
            digest.update(part);
            at += wanted;
        }
        Ok(digest.finalize().into())
    }

    /// Flash is read in words.
    fn read_some(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, StoreError> {
        let room = self.room();
        let Some(offset) = u32::try_from(offset).ok().filter(|offset| *offset < room) else {
            return Ok(0);
        };
        let length = buffer.len().min((room - offset) as usize);
        let mut done = 0;
        while done < length {
            let at = offset + done as u32;
            let begin = at - at % PAGE_LEN as u32;
            let mut page = Page([0; PAGE_LEN]);
            self.slot()
                .read(begin, &mut page.0)
                .map_err(|_| StoreError::failed())?;
            let rest = page.0.get((at - begin) as usize..).unwrap_or_default();
            let room = buffer.get_mut(done..length).unwrap_or_default();
            for (slot, byte) in room.iter_mut().zip(rest) {
                *slot = *byte;
            }
            done += rest.len().min(room.len());
        }
        Ok(length)
    }

    /// `commit`, for what somebody else has verified.
    pub(crate) fn switch(&mut self, length: u64, sha256: &[u8; 32]) -> Result<(), StoreError> {
        let download = self
            .download
            .as_ref()
            .ok_or_else(StoreError::out_of_order)?;
        let written = u64::from(download.written) + download.filled as u64;
        if download.filled > 0 {
            self.flush()?;
        }
        self.download = None;
        if written != length || self.digest(length)? != *sha256 {
            return Err(StoreError::mismatch());
        }
        let target = 1 - self.running;
        let (sector, entry) = match self.record.newest()? {
            Some((sector, entry)) => (1 - sector, entry.next(target, ImageState::New)?),
            // `begin` has settled, so that there is one.
            None => return Err(StoreError::out_of_order()),
        };
        self.record.write(sector, entry)?;
        self.committed = true;
        Ok(())
    }

    /// Changes the state of the image on trial.
    fn judge(&mut self, state: ImageState) -> Result<(), StoreError> {
        let newest = self.record.newest()?;
        let (sector, entry) = newest.ok_or_else(StoreError::out_of_order)?;
        self.record.write(sector, Entry { state, ..entry })
    }
}

impl<F: NorFlash> FirmwareSlot for OtaSlots<F> {
    fn capacity(&self) -> u64 {
        u64::from(self.room())
    }

    async fn state(&mut self) -> Result<SlotState, StoreError> {
        self.found()
    }

    async fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, StoreError> {
        self.read_some(offset, buffer)
    }

    async fn begin(&mut self, _: &FirmwareVersion, keep: u64) -> Result<u64, StoreError> {
        if self.found()? == SlotState::OnTrial {
            // The other slot holds the only way back.
            return Err(StoreError::out_of_order());
        }
        self.settle()?;
        let keep = u32::try_from(keep).unwrap_or(u32::MAX).min(self.room());
        let kept = keep - keep % SECTOR_LEN as u32;
        self.download = Some(Download {
            written: kept,
            page: Page([0xff; PAGE_LEN]),
            filled: 0,
            erased: kept,
        });
        Ok(u64::from(kept))
    }

    async fn write(&mut self, mut chunk: &[u8]) -> Result<(), StoreError> {
        let room = self.room();
        while !chunk.is_empty() {
            let download = self
                .download
                .as_mut()
                .ok_or_else(StoreError::out_of_order)?;
            if download.written as usize + download.filled + chunk.len() > room as usize {
                return Err(StoreError::full());
            }
            let free = download
                .page
                .0
                .get_mut(download.filled..)
                .unwrap_or_default();
            let (now, later) = chunk.split_at(free.len().min(chunk.len()));
            for (slot, byte) in free.iter_mut().zip(now) {
                *slot = *byte;
            }
            download.filled += now.len();
            chunk = later;
            if download.filled == PAGE_LEN {
                self.flush()?;
            }
        }
        if self.download.is_none() {
            return Err(StoreError::out_of_order());
        }
        Ok(())
    }

    async fn commit(&mut self, image: VerifiedImage) -> Result<(), StoreError> {
        self.switch(image.length(), image.digest())
    }

    async fn abort(&mut self) -> Result<(), StoreError> {
        self.download = None;
        Ok(())
    }

    async fn confirm(&mut self) -> Result<(), StoreError> {
        if self.found()? != SlotState::OnTrial {
            return Ok(());
        }
        self.judge(ImageState::Valid)
    }

    async fn roll_back(&mut self) -> Result<(), StoreError> {
        if self.found()? != SlotState::OnTrial {
            return Err(StoreError::out_of_order());
        }
        self.judge(ImageState::Invalid)
    }
}

#[cfg(test)]
mod tests;
