//! Files: written whole or not at all, read only below their folder.
//!
//! Everything that is made here is for its owner alone, and belongs to whoever owns the folder around
//! it: a command that root runs must not lock out a server that runs as somebody else.

use alloc::{format, vec::Vec};
use core::sync::atomic::{AtomicBool, Ordering};
use std::{
    fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions},
    io::{self, Write as _},
    os::unix::fs::{
        DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown,
    },
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

/// Replaces a file so that a reader, a crash or a power cut sees the old bytes or the new ones. It is
/// on disk when this returns.
///
/// A new file is readable by its owner only. One that was there keeps its owner, and its mode unless
/// everybody could read it. A link stays: what it leads to is replaced.
///
/// # Errors
/// What the file system reports; the old file is then still there.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = &resolve(path)?;
    let folder = folder_of(path);
    make_folder(folder)?;
    let mut file = temporary_in(folder)?;
    file.write_all(bytes)?;
    file.as_file()
        .set_permissions(Permissions::from_mode(mode_of(path).unwrap_or(0o600)))?;
    file.as_file().sync_all()?;
    replace(file, path)
}

fn mode_of(path: &Path) -> Option<u32> {
    let found = fs::metadata(path).ok()?;
    let mode = found.permissions().mode() & 0o777;
    // What everybody may read was never meant: these files hold secrets.
    Some(if mode.trailing_zeros() >= 3 {
        mode
    } else {
        0o600
    })
}

/// The file that a path leads to, which need not be there yet.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_path_buf();
    // More links in a row are a circle to the kernel, too.
    for _ in 0..40 {
        let Ok(link) = path.symlink_metadata() else {
            return Ok(path);
        };
        if !link.is_symlink() {
            return Ok(path);
        }
        let target = folder_of(&path).join(fs::read_link(&path)?);
        // Who may write the target could do it without us. A command that root runs writes nothing else
        // for the owner of the data folder.
        let is_theirs = target
            .metadata()
            .is_ok_and(|found| found.uid() == link.uid());
        if link.uid() != 0 && !is_theirs && target.exists() {
            let what = format!("{} is a link of another owner", path.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
        }
        path = target;
    }
    Err(io::Error::other(format!(
        "{}: too many links",
        path.display()
    )))
}

/// A file that is mounted by itself, as into a container, has no folder to rename in.
fn explain(error: tempfile::PersistError, path: &Path) -> io::Error {
    match error.error.kind() {
        kind @ (io::ErrorKind::ResourceBusy | io::ErrorKind::CrossesDevices) => {
            let shown = path.display();
            io::Error::new(
                kind,
                format!("{shown} is mounted by itself and cannot be replaced: mount its folder"),
            )
        }
        _ => error.error,
    }
}

/// Makes a folder, and those above it that are missing, so that they are still there after a power
/// cut.
///
/// # Errors
/// What the file system reports.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let parent = folder_of(folder);
    make_folder(parent)?;
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => keep_owner(&File::open(folder)?, parent, parent),
    }
    sync_folder(parent)
}

/// Opens a file for reading and appending that is made if it is not there.
pub(super) fn open_or_make(path: &Path) -> io::Result<File> {
    let folder = folder_of(path);
    make_folder(folder)?;
    let is_new = !path.exists();
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)?;
    if is_new {
        keep_owner(&file, folder, folder);
    }
    Ok(file)
}

/// A file without a name of its own yet. It is locked, so that [`sweep`](super::sweep::sweep) can tell
/// it from one whose process has died.
///
/// # Errors
/// What the file system reports.
pub fn temporary_in(folder: &Path) -> io::Result<NamedTempFile> {
    let file = tempfile::Builder::new()
        .prefix(TEMPORARY)
        .tempfile_in(folder)?;
    // A file system without locks has its files swept when they are old.
    let _ = file.as_file().try_lock();
    Ok(file)
}

/// What the names of temporary files and folders begin with.
pub(super) const TEMPORARY: &str = ".tmp";

/// Gives a file its name, which nothing else may have: [`io::ErrorKind::AlreadyExists`].
///
/// Where the file system can neither rename without replacing nor link (exFAT), the caller has to hold
/// a lock that keeps others from making the same name.
///
/// # Errors
/// What the file system reports.
pub fn place(file: NamedTempFile, path: &Path) -> io::Result<()> {
    let folder = folder_of(path);
    make_folder(folder)?;
    keep_owner(file.as_file(), folder, folder);
    match file.persist_noclobber(path) {
        Ok(_) => {}
        Err(error) if path.symlink_metadata().is_ok() => {
            let _ = error.file.close();
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Err(error) => error.file.persist(path).map(|_| ())?,
    }
    sync_folder(folder)
}

/// Gives a file its name in place of whatever has it now.
///
/// # Errors
/// What the file system reports; what had the name is then still there.
pub fn replace(file: NamedTempFile, path: &Path) -> io::Result<()> {
    let folder = folder_of(path);
    make_folder(folder)?;
    keep_owner(file.as_file(), path, folder);
    file.persist(path).map_err(|error| explain(error, path))?;
    sync_folder(folder)
}

/// Gives a new file to whoever owns the file it replaces, or else the folder. Nobody but root can, and
/// need.
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

/// Puts the names in a folder on disk. A file system that cannot do that says so each time, after a
/// file is in its place: that is told once ([`folders_cannot_be_synced`]), and is no failure of the
/// write.
///
/// # Errors
/// What the file system reports.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        Err(error) if is_no_ability(error.kind()) => {
            CANNOT_SYNC.store(true, Ordering::Relaxed);
            Ok(())
        }
        outcome => outcome,
    }
}

/// EINVAL, ENOTSUP, ENOSYS.
fn is_no_ability(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
    )
}

/// Whether a folder was met whose file system cannot sync folders: after a power cut the newest files
/// there may have their old content. Tell the operator once.
#[must_use]
pub fn folders_cannot_be_synced() -> bool {
    CANNOT_SYNC.load(Ordering::Relaxed)
}

static CANNOT_SYNC: AtomicBool = AtomicBool::new(false);

/// The folder of a file.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
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

/// A path below `root`, links resolved; `None` if there is nothing, or it is not there but elsewhere.
pub(super) fn beneath(root: &Path, path: &Path) -> io::Result<Option<PathBuf>> {
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

/// Opens a plain file. A named pipe is none: its opening would wait for somebody who writes to it.
pub(super) fn open_plain(path: &Path) -> io::Result<File> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a plain file",
        ));
    }
    File::open(path)
}

/// The bytes of a file of at most `limit` bytes.
pub(super) fn read_bounded(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    use io::Read as _;
    let mut bytes = Vec::new();
    open_plain(path)?
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
