//! The records of the devices file: when they are read again, and how the file is changed.

use alloc::{string::String, sync::Arc, vec::Vec};
use core::sync::atomic::{AtomicU32, Ordering};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError, RwLock},
};

use providore_wire::DeviceId;

use super::{
    devices::{self, DeviceEdit, Devices, LoadError, Parsed},
    files::{Stamp, absent, read_bounded, write_private},
    lock::lock_file,
    render::render,
};
use crate::Device;

/// The longest devices file in bytes: 100,000 devices with ten releases each.
const MAX_DEVICES_FILE: usize = 256 * 1024 * 1024;

/// How often look-ups look at the file between two refreshes: what a stranger can cause is a few
/// hundred calls of `stat` a second, and reading a file that did change.
const MAX_LOOKS: u32 = 200;

/// The devices file, and what it held when it was last good.
pub(super) struct Records {
    path: PathBuf,
    devices: RwLock<Arc<Devices>>,
    /// The file that was read last, also one that could not be used.
    seen: Mutex<Option<Stamp>>,
    /// How often a look-up has looked at the file since the last refresh.
    looks: AtomicU32,
    /// What a look-up found, for the next refresh to tell.
    found: Mutex<Option<Result<bool, LoadError>>>,
    /// What looks like a slip in it and was not told yet.
    doubts: Mutex<Vec<String>>,
}

impl Records {
    /// Reads the file; one that is not there is an empty one.
    pub(super) fn open(path: PathBuf) -> Result<Self, LoadError> {
        let (parsed, stamp) = load(&path)?;
        Ok(Self {
            path,
            devices: RwLock::new(Arc::new(parsed.devices)),
            seen: Mutex::new(stamp),
            looks: AtomicU32::new(0),
            found: Mutex::new(None),
            doubts: Mutex::new(parsed.doubts),
        })
    }

    /// Members of the file that look like a slip, since this was last asked.
    pub(super) fn take_doubts(&self) -> Vec<String> {
        core::mem::take(&mut *self.doubts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// All records of one moment.
    pub(super) fn all(&self) -> Arc<Devices> {
        Arc::clone(&self.devices.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn find(&self, id: &DeviceId) -> Option<Arc<Device>> {
        let devices = self.devices.read().unwrap_or_else(PoisonError::into_inner);
        devices.get(id).cloned()
    }

    /// Sees before a look-up whether the file changed, so that a device which was just added is known
    /// and one that was just disabled is not let in. Strangers and devices alike cause it, so that the
    /// time taken tells nothing; and not more often than [`MAX_LOOKS`] between two refreshes.
    pub(super) async fn look(self: &Arc<Self>) {
        if self.looks.fetch_add(1, Ordering::Relaxed) >= MAX_LOOKS || !self.is_changed() {
            return;
        }
        let records = Arc::clone(self);
        blocking::unblock(move || {
            let outcome = records.read_if_changed();
            if !matches!(outcome, Ok(false)) {
                let found = records.found.lock();
                *found.unwrap_or_else(PoisonError::into_inner) = Some(outcome);
            }
        })
        .await;
    }

    /// Whether it may have changed; nobody waits for one who reads it just now.
    fn is_changed(&self) -> bool {
        let Ok(seen) = self.seen.try_lock() else {
            return false;
        };
        stamp(&self.path).is_ok_and(|stamp| stamp != *seen)
    }

    /// Reads the file again if it changed. Fails once for each state of the file.
    pub(super) fn refresh(&self) -> Result<bool, LoadError> {
        self.looks.store(0, Ordering::Relaxed);
        let found = self
            .found
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match (found, self.read_if_changed()) {
            (Some(found), Ok(false)) => found,
            (_, now) => now,
        }
    }

    fn read_if_changed(&self) -> Result<bool, LoadError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = stamp(&self.path).map_err(LoadError::Read)?;
        if stamp == *seen {
            return Ok(false);
        }
        *seen = stamp;
        if stamp.is_none() {
            // Gone is not the same as empty: nobody is locked out by a slip of an editor.
            return Err(LoadError::Read(io::ErrorKind::NotFound.into()));
        }
        let (parsed, stamp) = load(&self.path)?;
        *seen = stamp;
        *self.devices.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(parsed.devices);
        *self.doubts.lock().unwrap_or_else(PoisonError::into_inner) = parsed.doubts;
        Ok(true)
    }

    /// Lets `edit` change the entries, of a file that is made if it is not there.
    pub(super) fn edit<T, E: From<LoadError>>(
        &self,
        edit: impl FnOnce(&mut DeviceEdit) -> Result<T, E>,
    ) -> Result<T, E> {
        let _lock = lock_beside(&self.path).map_err(LoadError::Write)?;
        let old = match read_bounded(&self.path, MAX_DEVICES_FILE) {
            Ok(bytes) => bytes,
            // Not an empty file, which is a damaged one.
            Err(error) => absent(error)
                .map_err(LoadError::Read)?
                .unwrap_or_else(|| b"{}".to_vec()),
        };
        let mut entries = devices::entries(&old)?;
        let value = edit(&mut entries)?;
        self.replace(&old, &entries)?;
        Ok(value)
    }

    /// Lets `amend` change the entries, of a file that is there: one that is gone is not an empty
    /// one. It is written only if `amend` says that it changed something, and in use here in any case.
    pub(super) fn amend(
        &self,
        amend: impl FnOnce(&mut DeviceEdit) -> bool,
    ) -> Result<(), LoadError> {
        let _lock = lock_beside(&self.path).map_err(LoadError::Write)?;
        let stamp = stamp(&self.path).map_err(LoadError::Read)?;
        let bytes = read_bounded(&self.path, MAX_DEVICES_FILE).map_err(LoadError::Read)?;
        let mut entries = devices::entries(&bytes)?;
        if amend(&mut entries) {
            return self.replace(&bytes, &entries);
        }
        self.install(devices::parse(&bytes)?.devices, stamp);
        Ok(())
    }

    /// Writes the file and uses it. Whoever calls this holds the lock.
    fn replace(&self, old: &[u8], entries: &DeviceEdit) -> Result<(), LoadError> {
        let bytes = render(old, entries)?;
        // What is read back is what every later start will read.
        let devices = devices::parse(&bytes)?.devices;
        write_private(&self.path, &bytes).map_err(LoadError::Write)?;
        let stamp = stamp(&self.path).map_err(LoadError::Read)?;
        // An editor knows no lock: what it wrote since is seen at the next look.
        let is_ours = read_bounded(&self.path, MAX_DEVICES_FILE).is_ok_and(|now| now == bytes);
        self.install(devices, stamp.filter(|_| is_ours));
        Ok(())
    }

    fn install(&self, devices: Devices, stamp: Option<Stamp>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        *seen = stamp;
        *self.devices.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(devices);
    }
}

fn load(path: &Path) -> Result<(Parsed, Option<Stamp>), LoadError> {
    // The stamp comes first: a change between the two reads is then seen as one at the next look.
    let stamp = stamp(path).map_err(LoadError::Read)?;
    if stamp.is_none() {
        let (devices, doubts) = (Devices::default(), Vec::new());
        return Ok((Parsed { devices, doubts }, None));
    }
    let bytes = read_bounded(path, MAX_DEVICES_FILE).map_err(LoadError::Read)?;
    Ok((devices::parse(&bytes)?, stamp))
}

fn stamp(path: &Path) -> io::Result<Option<Stamp>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(Stamp::of(&metadata))),
        Err(error) => absent(error),
    }
}

/// Holds off other processes that change the same file. The lock file stays: removing it would
/// let two of them hold two locks.
fn lock_beside(path: &Path) -> io::Result<File> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".lock");
    lock_file(&path.with_file_name(name))
}
