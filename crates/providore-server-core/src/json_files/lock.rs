//! File locks: waited for within a deadline, and with the name of whoever holds them.

use alloc::{format, string::String};
use core::time::Duration;
use std::{
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::MetadataExt as _,
    path::Path,
    thread,
};

use super::files::open_or_make;

/// How long a lock is waited for. Whoever holds one holds it for a write and a sync: a slow disk
/// takes a second, and a process that was stopped takes for ever.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a lock that is held is tried again.
const RETRY: Duration = Duration::from_millis(10);

/// Holds off every other process that calls this for the same file, which is made if it is not there.
/// The lock ends when the file is dropped. The file stays: removing it would let two processes hold
/// two locks.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] with the name of the holder after ten seconds; what the file system
/// reports.
pub fn lock_file(path: &Path) -> io::Result<File> {
    let file = open_or_make(path)?;
    exclusive(&file, path)?;
    Ok(file)
}

/// Takes the exclusive lock of a file.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] with the name of the holder after ten seconds; what the file system
/// reports.
#[expect(
    clippy::disallowed_methods,
    reason = "no file lock has a deadline; whoever calls this is on a thread that may block"
)]
pub(super) fn exclusive(file: &File, path: &Path) -> io::Result<()> {
    let mut waited = Duration::ZERO;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if waited < PATIENCE => {
                thread::sleep(RETRY);
                waited = waited.saturating_add(RETRY);
            }
            Err(TryLockError::WouldBlock) => return Err(held(file, path)),
        }
    }
}

fn held(file: &File, path: &Path) -> io::Error {
    let holder = holder(file).unwrap_or_else(|| "another process".into());
    let message = format!("{} is locked by {holder}", path.display());
    io::Error::new(io::ErrorKind::WouldBlock, message)
}

/// Who holds the lock of a file, as `process 4711 (name)`: `/proc/locks` names it by inode. `None` if
/// nobody does, or it cannot be told.
#[must_use]
pub fn holder(file: &File) -> Option<String> {
    let inode = format!(":{}", file.metadata().ok()?.ino());
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let line = locks.lines().find(|line| {
        let mut words = line.split_ascii_whitespace();
        !line.contains("->") && words.any(|word| word.ends_with(&inode))
    })?;
    // "1: FLOCK  ADVISORY  WRITE 4711 08:02:131081 0 EOF"
    let process = line.split_ascii_whitespace().nth(4)?;
    let name = fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
    Some(match name.trim() {
        "" => format!("process {process}"),
        name => format!("process {process} ({name})"),
    })
}
