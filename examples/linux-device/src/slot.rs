//! Firmware as files: two slots, and a link that says which one runs.
//!
//! ```text
//! DIR/slot-a  DIR/slot-a.version    an image and its version
//! DIR/slot-b  DIR/slot-b.version    the other
//! DIR/current -> slot-b             what runs; switched by renaming a link over it
//! DIR/trial                         holds "slot-b" while that image is on trial
//! DIR/download                      an image that is not complete
//! ```

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use providore_client::{FirmwareSlot, StoreError, VerifiedImage};
use providore_wire::FirmwareVersion;
use sha2::{Digest as _, Sha256};

use crate::files;

/// The slots in a folder.
#[derive(Debug)]
pub(crate) struct FileSlot {
    dir: PathBuf,
    download: Option<File>,
}

impl FileSlot {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            download: None,
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
        let marked = files::read(&self.dir.join(TRIAL), VERSION_LEN)
            .ok()
            .flatten();
        // A mark for the other slot is left from a switch that did not happen.
        marked.is_some_and(|slot| self.running().is_some_and(|name| slot == name.as_bytes()))
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

    fn begin_download(&mut self) -> io::Result<()> {
        files::make_folder(&self.dir)?;
        files::remove(&self.dir.join(TRIAL))?;
        let path = self.dir.join(DOWNLOAD);
        files::remove(&path)?;
        self.download = Some(files::create_new(&path)?);
        Ok(())
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

    fn end_trial(&self) -> io::Result<()> {
        files::remove(&self.dir.join(TRIAL))?;
        if self.dir.is_dir() {
            files::sync_folder(&self.dir)?;
        }
        Ok(())
    }

    fn go_back(&self) -> io::Result<()> {
        let previous = self.other();
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
    async fn begin(&mut self, _: &FirmwareVersion) -> Result<(), StoreError> {
        if self.is_on_trial() {
            return Err(StoreError::out_of_order());
        }
        self.begin_download().map_err(classify)
    }

    async fn write(&mut self, chunk: &[u8]) -> Result<(), StoreError> {
        let download = self.download.as_mut().ok_or(StoreError::out_of_order())?;
        download.write_all(chunk).map_err(classify)
    }

    async fn commit(&mut self, image: VerifiedImage) -> Result<(), StoreError> {
        let download = self.download.take().ok_or(StoreError::out_of_order())?;
        download.sync_all().map_err(classify)?;
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
const DOWNLOAD: &str = "download";
const VERSION_LEN: u64 = 64;
