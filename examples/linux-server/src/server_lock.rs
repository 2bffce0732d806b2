//! Devices belong to one server at a time.
//!
//! Two servers do not know of each other which requests were answered, and two first starts would each
//! make a certificate authority. So a server locks its folder before it makes or reads anything.

use std::{
    fs::{File, TryLockError},
    io::{self, ErrorKind, Read as _, Seek as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown},
    path::{Path, PathBuf},
};

use providore_server_core::json_files::{Layout, lock_holder, make_folder};

use crate::failure::{Failure, OrFail as _, Outcome};

/// The file that is locked. It stays: removing it would let two servers hold two locks.
const NAME: &str = "server.lock";

/// `ENOLCK`: an NFS server without a lock manager.
const NO_LOCKS: i32 = 37;

/// The locks of this process, until it is dropped.
#[must_use]
pub(crate) struct ServerLock {
    _files: Vec<File>,
}

impl ServerLock {
    /// Locks the data folder and the folder of the devices file: two servers with the same devices harm
    /// each other also if they have different data folders.
    pub(crate) fn take(data: &Path, layout: &Layout) -> Outcome<Self> {
        let devices = layout.devices.parent().unwrap_or(Path::new("."));
        let mut folders: Vec<PathBuf> = Vec::new();
        for folder in [data, devices] {
            make_folder(folder).or_fail(format!("make the folder {}", folder.display()))?;
            let folder = folder.canonicalize();
            let folder = folder.or_fail("find the data folder")?;
            if !folders.contains(&folder) {
                folders.push(folder);
            }
        }
        let files = folders.iter().map(|folder| lock(folder));
        Ok(Self {
            _files: files.collect::<Outcome<_>>()?,
        })
    }
}

fn lock(folder: &Path) -> Outcome<File> {
    let path = folder.join(NAME);
    let mut file = open(folder, &path).or_fail(format!("open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(taken(folder, &mut file)),
        Err(TryLockError::Error(error)) if cannot_lock(&error) => tracing::warn!(
            "{} is on a file system without locks: see to it that only one server runs on it",
            folder.display()
        ),
        Err(TryLockError::Error(error)) => {
            return Err(error).or_fail(format!("lock {}", path.display()));
        }
    }
    let noted = file.set_len(0).and_then(|()| {
        file.rewind()?;
        writeln!(file, "{}", std::process::id())
    });
    noted.or_fail(format!("write {}", path.display()))?;
    Ok(file)
}

fn open(folder: &Path, path: &Path) -> io::Result<File> {
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    // A first start by root must not lock out a service that runs as the folder's owner.
    let owner = folder.metadata()?;
    let _ = fchown(&file, Some(owner.uid()), Some(owner.gid()));
    Ok(file)
}

fn cannot_lock(error: &io::Error) -> bool {
    error.kind() == ErrorKind::Unsupported || error.raw_os_error() == Some(NO_LOCKS)
}

/// Who holds it: the system knows, or else the file does.
fn taken(folder: &Path, file: &mut File) -> Failure {
    let written = |file: &mut File| {
        let mut text = String::new();
        file.take(20).read_to_string(&mut text).ok()?;
        let process: u32 = text.trim().parse().ok()?;
        Some(format!("process {process}"))
    };
    let holder = lock_holder(file).or_else(|| written(file));
    let holder = holder.unwrap_or_else(|| "another process".into());
    let folder = folder.display();
    Failure::new(format!("a server runs on {folder} already: {holder}")).hint(
        "stop it first, or name another folder with --data. Commands such as `device add` work \
         beside a server",
    )
}
