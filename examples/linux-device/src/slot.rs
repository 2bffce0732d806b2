//! Firmware as files: two slots, and a link that says which one runs.
//!
//! ```text
//! DIR/slot-a  DIR/slot-a.version    an image and its version
//! DIR/slot-b  DIR/slot-b.version    the other
//! DIR/current -> slot-b             what runs; switched by renaming a link over it
//! DIR/trial                         holds "slot-b" while that image is on trial
//! DIR/rolled-back                   holds "slot-b" after that image did not last
//! DIR/download                      an image that is not complete
//! ```

use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{FileExt as _, symlink},
    path::{Path, PathBuf},
};

use providore_client::{FirmwareSlot, SlotState, StoreError, VerifiedImage};
use providore_wire::FirmwareVersion;
use sha2::{Digest as _, Sha256};

use crate::{files, room};

/// The slots in a folder.
#[derive(Debug)]
pub(crate) struct FileSlot {
    dir: PathBuf,
    capacity: u64,
    download: Option<Download>,
    /// Whether the file system was found to have what this takes.
    is_suitable: bool,
}

#[derive(Debug)]
struct Download {
    file: File,
    length: u64,
}

impl FileSlot {
    /// Slots for images of at most `capacity` bytes.
    pub(crate) fn new(dir: PathBuf, capacity: u64) -> Self {
        Self {
            dir,
            capacity,
            download: None,
            is_suitable: false,
        }
    }

    /// The link to what runs.
    pub(crate) fn current(&self) -> PathBuf {
        self.dir.join(CURRENT)
    }

    /// The version that runs, as far as it was installed from here.
    pub(crate) fn version(&self) -> Option<FirmwareVersion> {
        let path = self.dir.join(version_file(self.running()?));
        let text = files::read(&path, VERSION_LEN).ok().flatten()?;
        FirmwareVersion::parse(&text).ok()
    }

    /// Whether what runs is on trial.
    pub(crate) fn is_on_trial(&self) -> bool {
        // A mark for the other slot is left from a switch that did not happen.
        self.running().is_some_and(|slot| self.marks(TRIAL, slot))
    }

    /// Whether what does not run is an image that did not last.
    fn is_rolled_back(&self) -> bool {
        self.marks(ROLLED_BACK, self.other())
    }

    fn marks(&self, mark: &str, slot: &str) -> bool {
        let marked = files::read(&self.dir.join(mark), VERSION_LEN);
        matches!(marked, Ok(Some(name)) if name == slot.as_bytes())
    }

    fn running(&self) -> Option<&'static str> {
        let target = fs::read_link(self.current()).ok()?;
        SLOTS.into_iter().find(|slot| Path::new(slot) == target)
    }

    /// The slot that does not run.
    fn other(&self) -> &'static str {
        let [a, b] = SLOTS;
        if self.running() == Some(a) { b } else { a }
    }

    /// What is fetched already is used again, or cleared before the rest is written.
    fn check_image(&mut self, length: u64) -> Result<(), StoreError> {
        if length > self.capacity {
            return Err(StoreError::full());
        }
        files::make_folder(&self.dir).map_err(classify)?;
        if !self.is_suitable {
            room::check_abilities(&self.dir)?;
            self.is_suitable = true;
        }
        let here = fs::metadata(self.dir.join(DOWNLOAD)).map_or(0, |data| data.len());
        let checked = room::check(&self.dir, length.saturating_sub(here));
        if checked.is_err() {
            // It would stand in the way of everything else.
            let _ = files::remove(&self.dir.join(DOWNLOAD));
        }
        checked
    }

    fn begin_download(&mut self, keep: u64) -> io::Result<u64> {
        self.download = None;
        files::make_folder(&self.dir)?;
        for mark in [TRIAL, ROLLED_BACK] {
            files::remove(&self.dir.join(mark))?;
        }
        let path = self.dir.join(DOWNLOAD);
        if keep == 0 {
            files::remove(&path)?;
        }
        let mut file = files::open_to_write(&path)?;
        let length = keep.min(file.metadata()?.len());
        file.set_len(length)?;
        file.seek(SeekFrom::Start(length))?;
        self.download = Some(Download { file, length });
        Ok(length)
    }

    fn append(&mut self, chunk: &[u8]) -> Result<(), StoreError> {
        let download = self.download.as_mut().ok_or(StoreError::out_of_order())?;
        let end = download.length.saturating_add(chunk.len() as u64);
        if end > self.capacity {
            return Err(StoreError::full());
        }
        room::check(&self.dir, chunk.len() as u64)?;
        download.file.write_all(chunk).map_err(classify)?;
        download.length = end;
        Ok(())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match File::open(self.dir.join(DOWNLOAD)) {
            Ok(file) => file.read_at(buffer, offset),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// Puts the download into the slot that does not run, marks it, and switches, in this order:
    /// a power cut between two steps leaves what runs as it is.
    fn install(&self, version: &FirmwareVersion) -> io::Result<()> {
        let slot = self.other();
        let named = self.dir.join(version_file(slot));
        files::replace(&named, version.as_str().as_bytes())?;
        fs::rename(self.dir.join(DOWNLOAD), self.dir.join(slot))?;
        files::replace(&self.dir.join(TRIAL), slot.as_bytes())?;
        self.switch_to(slot)
    }

    fn switch_to(&self, slot: &str) -> io::Result<()> {
        let temporary = self.dir.join("current.tmp");
        files::remove(&temporary)?;
        symlink(slot, &temporary)?;
        fs::rename(&temporary, self.current())?;
        files::sync_folder(&self.dir)
    }

    /// Without a trial there is nothing to write.
    fn end_trial(&self) -> io::Result<()> {
        if !self.dir.join(TRIAL).exists() {
            return Ok(());
        }
        files::remove(&self.dir.join(TRIAL))?;
        files::sync_folder(&self.dir)
    }

    /// Marks what runs as what did not last, which counts once it does not run any more.
    fn go_back(&self) -> io::Result<()> {
        let previous = self.other();
        let failed = self.running().unwrap_or_default();
        files::replace(&self.dir.join(ROLLED_BACK), failed.as_bytes())?;
        if self.dir.join(previous).is_file() {
            self.switch_to(previous)?;
        } else {
            // The first image that ever was: there is nothing to go back to.
            files::remove(&self.current())?;
        }
        self.end_trial()
    }
}

impl FirmwareSlot for FileSlot {
    fn capacity(&self) -> u64 {
        self.capacity
    }

    async fn state(&mut self) -> Result<SlotState, StoreError> {
        Ok(if self.is_on_trial() {
            SlotState::OnTrial
        } else if self.is_rolled_back() {
            SlotState::RolledBack
        } else {
            SlotState::Settled
        })
    }

    async fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, StoreError> {
        self.read_at(offset, buffer).map_err(classify)
    }

    async fn check_room(&mut self, length: u64) -> Result<(), StoreError> {
        self.check_image(length)
    }

    async fn begin(&mut self, _: &FirmwareVersion, keep: u64) -> Result<u64, StoreError> {
        if self.is_on_trial() {
            return Err(StoreError::out_of_order());
        }
        self.begin_download(keep).map_err(classify)
    }

    async fn write(&mut self, chunk: &[u8]) -> Result<(), StoreError> {
        self.append(chunk)
    }

    async fn commit(&mut self, image: VerifiedImage) -> Result<(), StoreError> {
        let download = self.download.take().ok_or(StoreError::out_of_order())?;
        download.file.sync_all().map_err(classify)?;
        let (length, digest) = measure(&self.dir.join(DOWNLOAD)).map_err(classify)?;
        if length != image.length() || digest != *image.digest() {
            return Err(StoreError::mismatch());
        }
        self.install(image.version()).map_err(classify)
    }

    async fn abort(&mut self) -> Result<(), StoreError> {
        self.download = None;
        files::remove(&self.dir.join(DOWNLOAD)).map_err(classify)
    }

    async fn confirm(&mut self) -> Result<(), StoreError> {
        self.end_trial().map_err(classify)
    }

    async fn roll_back(&mut self) -> Result<(), StoreError> {
        if !self.is_on_trial() {
            return Err(StoreError::out_of_order());
        }
        self.go_back().map_err(classify)
    }
}

/// Length and SHA-256 of what a file really holds.
fn measure(path: &Path) -> io::Result<(u64, [u8; 32])> {
    let mut file = File::open(path)?;
    let (mut length, mut digest) = (0_u64, Sha256::new());
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = file.read(&mut buffer)?;
        match buffer.get(..read) {
            Some(part) if read > 0 => digest.update(part),
            _ => return Ok((length, digest.finalize().into())),
        }
        length = length.saturating_add(read as u64);
    }
}

fn version_file(slot: &str) -> String {
    format!("{slot}.version")
}

fn classify(error: io::Error) -> StoreError {
    let kind = match error.kind() {
        io::ErrorKind::StorageFull => StoreError::full(),
        _ => StoreError::failed(),
    };
    kind.with_source(error)
}

const SLOTS: [&str; 2] = ["slot-a", "slot-b"];
const CURRENT: &str = "current";
const TRIAL: &str = "trial";
const ROLLED_BACK: &str = "rolled-back";
const DOWNLOAD: &str = "download";
const VERSION_LEN: u64 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_a_slot() {
        let folders = tempfile::tempdir().unwrap();
        let mut count = 0;
        let make = || {
            count += 1;
            FileSlot::new(folders.path().join(count.to_string()), 8192)
        };
        let restart = |slot: FileSlot| FileSlot::new(slot.dir, slot.capacity);
        providore_testkit::conformance::firmware_slot(make, restart);
    }
}
