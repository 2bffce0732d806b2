//! What processes that were killed have left behind: temporary files, with the secrets in them.

use core::time::Duration;
use std::{
    fs::{self, DirEntry, File},
    path::Path,
    time::SystemTime,
};

use super::{Layout, files::TEMPORARY};

/// How deep temporary files lie below the folders of a layout: TYPE/VERSION.
const DEPTH: u8 = 2;

/// A temporary file that nobody has locked is not touched while it is younger: its process may be
/// about to lock it.
const YOUNG: Duration = Duration::from_secs(5);

/// The same for a folder, which has no lock, and for file systems without locks.
const OLD: Duration = Duration::from_secs(3600);

/// Removes temporary files below the folders of a layout and in `more`, and says how many. What is
/// being written at this moment is left alone.
#[must_use]
pub fn sweep(layout: &Layout, more: &[&Path], now: SystemTime) -> usize {
    let named = layout.devices.parent();
    let folders = [
        &layout.config,
        &layout.firmware,
        &layout.certificates,
        &layout.failures,
    ];
    let deep = folders
        .into_iter()
        .map(|folder| sweep_below(folder, now, DEPTH));
    let flat = more.iter().copied().chain(named);
    let flat = flat.map(|folder| sweep_below(folder, now, 0));
    deep.chain(flat).fold(0, usize::saturating_add)
}

fn sweep_below(folder: &Path, now: SystemTime, depth: u8) -> usize {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    let mut swept = 0_usize;
    for entry in entries.flatten() {
        // Of the entry itself: a link is not followed.
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        let is_ours = entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(TEMPORARY.as_bytes());
        let removed = match (is_ours, kind.is_dir()) {
            (true, true) => is_older(&entry, now, OLD) && fs::remove_dir_all(entry.path()).is_ok(),
            (true, false) => is_orphan(&entry, now) && fs::remove_file(entry.path()).is_ok(),
            (false, true) if depth > 0 => {
                let below = sweep_below(&entry.path(), now, depth.saturating_sub(1));
                swept = swept.saturating_add(below);
                false
            }
            (false, _) => false,
        };
        swept = swept.saturating_add(usize::from(removed));
    }
    swept
}

/// Whether the process that wrote a file is gone: its lock went with it.
fn is_orphan(entry: &DirEntry, now: SystemTime) -> bool {
    let Ok(file) = File::open(entry.path()) else {
        return false;
    };
    match file.try_lock() {
        Ok(()) => is_older(entry, now, YOUNG),
        Err(fs::TryLockError::WouldBlock) => false,
        Err(fs::TryLockError::Error(_)) => is_older(entry, now, OLD),
    }
}

fn is_older(entry: &DirEntry, now: SystemTime, than: Duration) -> bool {
    let modified = entry.metadata().and_then(|found| found.modified());
    modified.is_ok_and(|modified| now.duration_since(modified).is_ok_and(|age| age > than))
}
