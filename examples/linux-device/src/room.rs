//! Whether firmware finds a place in a folder: asked before it is fetched.

use std::{fs, io, os::unix::fs::symlink, path::Path};

use providore_client::StoreError;

use crate::files;

/// Whether so many bytes more leave enough for what has to be kept.
pub(crate) fn check(folder: &Path, more: u64) -> Result<(), StoreError> {
    // Where nobody can tell, writing will.
    let Ok(found) = rustix::fs::statvfs(folder) else {
        return Ok(());
    };
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let needed = more.saturating_add(KEPT);
    if free >= needed {
        return Ok(());
    }
    let folder = folder.display();
    let what = format!(
        "no room in {folder}: needs {needed} bytes, {KEPT} of them for records, has {free}"
    );
    Err(StoreError::full().with_source(io::Error::new(io::ErrorKind::StorageFull, what)))
}

/// Whether links can be made here and put over one another, which is how firmware is switched in one
/// step. exFAT, FAT and shares of Windows cannot.
pub(crate) fn check_abilities(folder: &Path) -> Result<(), StoreError> {
    let (probe, place) = (folder.join("probe.tmp"), folder.join("probe"));
    let clear = || files::remove(&probe).and_then(|()| files::remove(&place));
    let link = || symlink("nothing", &probe).and_then(|()| fs::rename(&probe, &place));
    let tried = clear().and_then(|()| link()).and_then(|()| link());
    let cleared = clear();
    match tried.and(cleared) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::StorageFull => {
            Err(StoreError::full().with_source(error))
        }
        Err(error) => {
            let folder = folder.display();
            let what = format!(
                "{folder} is on a file system on which no symbolic link can be made and replaced \
                 ({error}): put --firmware-dir on another, such as ext4"
            );
            Err(StoreError::unsuitable().with_source(io::Error::new(error.kind(), what)))
        }
    }
}

/// What is left for records: a configuration has at most 1 MiB and is there twice while it is replaced;
/// everything else together takes some 100 KiB.
const KEPT: u64 = 2 * 1024 * 1024;
