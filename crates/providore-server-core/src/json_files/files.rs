//! Files: written whole or not at all, read only below their folder.

use alloc::vec::Vec;
use std::{
    fs::{self, File, Metadata, Permissions},
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown},
    path::{Path, PathBuf},
};

/// Replaces a file so that a reader, a crash or a power cut sees the old bytes or the new ones,
/// and makes it readable by its owner only. It is on disk when this returns.
///
/// # Errors
/// What the file system reports; the old file is then still there.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file()
        .set_permissions(Permissions::from_mode(0o600))?;
    keep_owner(file.as_file(), path, folder);
    file.as_file().sync_all()?;
    file.persist(path)?;
    sync_folder(folder)
}

/// Gives a new file to whoever owns the file it replaces, or else the folder: a command run by root
/// must not lock out a server that runs as somebody else. Nobody but root can, and need.
pub(super) fn keep_owner(file: &File, replaced: &Path, folder: &Path) {
    if let Ok(owner) = fs::metadata(replaced).or_else(|_| fs::metadata(folder)) {
        let _ = fchown(file, Some(owner.uid()), Some(owner.gid()));
    }
}

/// Whether only the owner may read or write the file.
///
/// # Errors
/// What the file system reports.
pub fn file_mode_is_private(path: &Path) -> io::Result<bool> {
    Ok(fs::metadata(path)?.permissions().mode().trailing_zeros() >= 6)
}

pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Which bytes a file held when it was read, as far as its metadata tells. The date is that of the
/// last change, which nobody can set: copies keep the date of their original, and builds that are
/// to be repeatable give all files the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    seconds: i64,
    nanoseconds: i64,
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.len(),
            seconds: metadata.ctime(),
            nanoseconds: metadata.ctime_nsec(),
        }
    }
}

/// The file `parts` below `root`, links resolved; `None` if there is none, or it is not there but
/// elsewhere.
pub(super) fn beneath(root: &Path, parts: &[&str]) -> io::Result<Option<PathBuf>> {
    let mut path = root.to_path_buf();
    path.extend(parts);
    let (path, root) = match (path.canonicalize(), root.canonicalize()) {
        (Ok(path), Ok(root)) => (path, root),
        (Err(error), _) | (_, Err(error)) => return absent(error),
    };
    Ok(path.starts_with(&root).then_some(path))
}

/// `None` for a file that is not there.
pub(super) fn absent<T>(error: io::Error) -> io::Result<Option<T>> {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(None),
        _ => Err(error),
    }
}

/// The bytes of a file of at most `limit` bytes.
pub(super) fn read_bounded(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    use io::Read as _;
    let mut bytes = Vec::new();
    File::open(path)?
        .take(limit.saturating_add(1) as u64)
        .read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "file over its limit",
        ));
    }
    Ok(bytes)
}
