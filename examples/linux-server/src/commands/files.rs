//! Files that may be too large for memory: copied in pieces, hashed on the way, in place at once.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read, Write as _},
    path::{Path, PathBuf},
};

use providore_server_core::{
    FileName,
    json_files::{lock_file, make_folder, place, replace, temporary_in},
};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

/// How much is read at a time.
const CHUNK: usize = 256 * 1024;

/// The size and the SHA-256 of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sum {
    /// The size in bytes.
    pub(crate) size: u64,
    /// The digest of the whole.
    pub(crate) sha256: [u8; 32],
}

impl Sum {
    /// Reads a file through.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        pump(&mut File::open(path)?, |_| Ok(()))
    }

    /// The digest in lower-case hex.
    pub(crate) fn hex(&self) -> String {
        base16ct::lower::encode_string(&self.sha256)
    }
}

/// A copy on the right file system, on disk, that has no name yet.
pub(crate) struct Staged {
    temporary: NamedTempFile,
    /// What was copied.
    pub(crate) sum: Sum,
}

impl Staged {
    /// Copies `source` into a temporary file in `folder`; `each` sees what was copied, in pieces.
    pub(crate) fn copy(
        source: &Path,
        folder: &Path,
        mut each: impl FnMut(&[u8]),
    ) -> io::Result<Self> {
        // Before it is opened: to open a named pipe might wait for ever.
        if !fs::metadata(source)?.is_file() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "not a plain file"));
        }
        let mut from = File::open(source)?;
        make_folder(folder)?;
        // Readable by its owner only, as `tempfile` makes all of them.
        let mut temporary = temporary_in(folder)?;
        let sum = pump(&mut from, |bytes| {
            each(bytes);
            temporary.write_all(bytes)
        })?;
        temporary.as_file().sync_all()?;
        Ok(Self { temporary, sum })
    }

    /// Gives it its name, which nothing else may have: [`ErrorKind::AlreadyExists`].
    pub(crate) fn place(self, path: &Path) -> io::Result<()> {
        place(self.temporary, path)
    }

    /// Gives it its name in place of whatever has it now.
    pub(crate) fn replace(self, path: &Path) -> io::Result<()> {
        replace(self.temporary, path)
    }
}

/// Holds off other commands that work on the same folder, until it is dropped. Waits for them, but not
/// for ever.
pub(crate) fn lock(folder: &Path) -> io::Result<File> {
    lock_file(&folder.join(".lock"))
}

/// The bytes of a file of at most `limit` bytes.
pub(crate) fn read_bounded(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = limit.saturating_add(1) as u64;
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        let what = format!("longer than {limit} bytes");
        return Err(io::Error::new(ErrorKind::FileTooLarge, what));
    }
    Ok(bytes)
}

/// A name that a file may have in our folders and that a terminal shows as it is; files that begin
/// with a dot are ours.
pub(crate) fn plain_name(name: &str) -> Option<FileName> {
    let hidden = name.split('/').any(|part| part.starts_with('.'));
    if hidden || name.chars().any(char::is_control) {
        return None;
    }
    name.parse().ok()
}

/// What lies in a folder, in the order of the names; nothing if there is none.
pub(crate) fn listing(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// The last part of a path as text; empty if it is none.
pub(crate) fn name_of(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default()
}

fn pump(from: &mut File, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<Sum> {
    let mut hash = Sha256::new();
    let mut size = 0_u64;
    let mut buffer = vec![0; CHUNK];
    loop {
        let length = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let bytes = buffer.get(..length).unwrap_or_default();
        hash.update(bytes);
        each(bytes)?;
        size = size.saturating_add(length as u64);
    }
    let sha256 = hash.finalize().into();
    Ok(Sum { size, sha256 })
}
