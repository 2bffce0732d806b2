//! The releases that failed on devices: a file for each, named after the device and the version.
//!
//! Not in the devices file, which would be written anew as a whole for every report: when a bad release
//! meets a fleet, all devices report at once. Here a report makes a small file of its own, those of
//! many devices at the same time, and needs no lock: what an operator removes meanwhile is
//! another file or the same, and never a part of one.

use alloc::{string::String, vec::Vec};
use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

use providore_wire::{FirmwareVersion, Timestamp};
use serde::{Deserialize, Serialize};

use super::files::{absent, make_folder, place, read_bounded, sync_folder, temporary_in};
use super::names::{name_of, named};
use crate::Failure;

/// The longest file in bytes: a reason with every character escaped.
const MAX_FILE: usize = 8 * 1024;

/// What a file holds; the rest is its name.
#[derive(Serialize, Deserialize)]
struct Content {
    at: i64,
    rolled_back: bool,
    reason: String,
}

/// All failures in a device's folder. A file that cannot be read counts: rather no release than one
/// that failed.
pub(super) fn all(folder: &Path) -> io::Result<Vec<Failure>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return Ok(absent(error)?.unwrap_or_default()),
    };
    let mut failures = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        // What is no version was not put there by us, or is the rest of a file that was never whole.
        let version = name.to_str().and_then(name_of);
        let version = version.and_then(|version| version.parse().ok());
        if let Some(version) = version {
            let bytes = match read_bounded(&folder.join(&name), MAX_FILE) {
                // Forgotten since.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                read => read.unwrap_or_default(),
            };
            failures.push(failure(version, &bytes));
        }
    }
    Ok(failures)
}

fn failure(version: FirmwareVersion, bytes: &[u8]) -> Failure {
    let content = serde_json::from_slice::<Content>(bytes).ok();
    let read = content.and_then(|content| {
        let at = Timestamp::from_unix(content.at)?;
        Some(Failure::new(
            version.clone(),
            at,
            content.rolled_back,
            &content.reason,
        ))
    });
    read.unwrap_or_else(|| {
        let reason = "what was written down of it cannot be read";
        Failure::new(
            version,
            Timestamp::from_unix(0).unwrap_or(Timestamp::MAX),
            false,
            reason,
        )
    })
}

/// Writes a failure down, unless that release has one already.
pub(super) fn note(folder: &Path, failure: &Failure) -> io::Result<()> {
    let path = named(folder, failure.version.as_str());
    if path.exists() {
        return sync_folder(folder);
    }
    make_folder(folder)?;
    let content = Content {
        at: failure.at.unix(),
        rolled_back: failure.rolled_back,
        reason: failure.reason().into(),
    };
    let mut file = temporary_in(folder)?;
    file.write_all(&serde_json::to_vec(&content)?)?;
    file.as_file().sync_all()?;
    match place(file, &path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => sync_folder(folder),
    }
}

/// Forgets the failure of a release, if there is one.
pub(super) fn forget(folder: &Path, version: &FirmwareVersion) -> io::Result<()> {
    match fs::remove_file(named(folder, version.as_str())) {
        Ok(()) => sync_folder(folder),
        Err(error) => absent(error).map(|_: Option<()>| ()),
    }
}
