//! Files that are whole or not there, and that only their owner reads.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown},
    path::{Path, PathBuf},
};

/// Replaces a file in one step: temporary file, fsync, rename, fsync of the folder.
///
/// Owner and mode stay as they are: an operator who gave a file to another program means it. A new file
/// has mode 0600. A link stays, and what it leads to is replaced. The folder is made if it is not there.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let path = &resolve(path)?;
    let folder = folder_of(path);
    make_folder(folder)?;
    let temporary = beside(path, ".tmp");
    remove(&temporary)?;
    let written = write_new(&temporary, content)
        .and_then(|file| keep_access(&file, path))
        .and_then(|()| fs::rename(&temporary, path).map_err(|error| explain(error, path)));
    if written.is_err() {
        // The first error is the one to tell.
        let _ = remove(&temporary);
    }
    written?;
    sync_folder(folder)
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
        // Who may write the target could do it without us; nobody else gets it written for him.
        let is_theirs = target
            .metadata()
            .is_ok_and(|found| found.uid() == link.uid());
        if link.uid() != 0 && !is_theirs && target.exists() {
            let what = format!("{} is a link of another owner", path.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
        }
        path = target;
    }
    let what = format!("{}: too many links", path.display());
    Err(io::Error::other(what))
}

/// Gives a new file the owner and the mode of the one whose place it takes.
fn keep_access(file: &File, replaced: &Path) -> io::Result<()> {
    let Ok(old) = fs::metadata(replaced) else {
        return Ok(());
    };
    // Only root can give a file away; the group of its own everybody can choose.
    if fchown(file, Some(old.uid()), Some(old.gid())).is_err() {
        let _ = fchown(file, None, Some(old.gid()));
    }
    let mode = old.permissions().mode() & 0o777;
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.sync_all()
}

/// A file that is mounted by itself, as into a container, has no folder to rename in.
fn explain(error: io::Error, path: &Path) -> io::Error {
    match error.kind() {
        io::ErrorKind::ResourceBusy | io::ErrorKind::CrossesDevices => io::Error::new(
            error.kind(),
            format!(
                "{} is mounted by itself and cannot be replaced: mount its folder",
                path.display()
            ),
        ),
        _ => error,
    }
}

/// Reads a file of at most `limit` bytes; `None` if it is not there.
pub(crate) fn read(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut content = Vec::new();
    file.take(limit.saturating_add(1))
        .read_to_end(&mut content)?;
    if content.len() as u64 > limit {
        return Err(io::Error::from(io::ErrorKind::FileTooLarge));
    }
    Ok(Some(content))
}

/// Removes a file, if it is there.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Opens a new file that only its owner reads.
pub(crate) fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// Opens a file to change it, which only its owner reads; a new one, if it is not there.
pub(crate) fn open_to_write(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

/// Makes a folder that only its owner enters, if it is not there.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
}

/// Makes renames and removals in a folder durable.
///
/// A file system that cannot sync folders says so after the file is in its place: that is said once, and
/// is no failure.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    static SAID: std::sync::Once = std::sync::Once::new();
    match File::open(folder)?.sync_all() {
        // EINVAL, ENOTSUP
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
            ) =>
        {
            SAID.call_once(|| {
                tracing::warn!(
                    "the file system of {} cannot sync folders: after a power cut the newest files may be \
                     missing",
                    folder.display()
                );
            });
            Ok(())
        }
        outcome => outcome,
    }
}

/// The path with something appended to its last part.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The folder that a path is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Whether others than the owner may read a file.
pub(crate) fn is_wide(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|data| data.permissions().mode() & 0o077 != 0)
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<File> {
    let mut file = create_new(path)?;
    file.write_all(content)?;
    file.sync_all()?;
    Ok(file)
}
