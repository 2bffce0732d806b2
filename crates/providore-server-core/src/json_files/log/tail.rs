//! What a process that died has left behind the last whole line.

use alloc::{format, vec::Vec};
use core::fmt;
use std::{
    ffi::OsString,
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use super::line;
use crate::json_files::files::write_private;

/// The certificate log did not end with a whole line, and was repaired.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogRepair {
    /// The last line was whole but for its end, which was added.
    Ended {
        /// Where the line begins, in bytes.
        at: u64,
    },
    /// What stood behind the last whole line could not be read. It was moved to a file of its own.
    Moved {
        /// Where it began, in bytes.
        at: u64,
        /// How long it was, in bytes.
        length: u64,
        /// Where it is now.
        to: PathBuf,
    },
}

impl fmt::Display for LogRepair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended { at } => {
                write!(f, "the entry at byte {at} had no line end; it is kept")
            }
            Self::Moved { at, length, to } => write!(
                f,
                "the last {length} bytes, from byte {at}, are not an entry; they are now in {}",
                to.display()
            ),
        }
    }
}

/// Makes the file end with a whole line, and says where that is. Whoever calls this holds the lock,
/// so nobody is in the middle of writing.
pub(super) fn mend(file: &mut File, path: &Path) -> io::Result<(u64, Option<LogRepair>)> {
    let whole = end_of_last_line(file)?;
    let length = file.metadata()?.len();
    if whole >= length {
        return Ok((whole, None));
    }
    file.seek(SeekFrom::Start(whole))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    if let Ok(Some(_)) = line::parse(&tail) {
        file.write_all(b"\n")?;
        file.sync_all()?;
        let end = length.saturating_add(1);
        return Ok((end, Some(LogRepair::Ended { at: whole })));
    }
    let to = beside(path, whole);
    write_private(&to, &tail)?;
    file.set_len(whole)?;
    file.sync_all()?;
    let length = tail.len() as u64;
    let moved = LogRepair::Moved {
        at: whole,
        length,
        to,
    };
    Ok((whole, Some(moved)))
}

/// A name that no earlier repair has used: the same bytes may be torn twice.
fn beside(path: &Path, at: u64) -> PathBuf {
    let named = |count: u32| {
        let mut name = OsString::from(path);
        name.push(format!(".torn-{at}-{count}"));
        PathBuf::from(name)
    };
    let mut free = (1..1000).map(named).filter(|name| !name.exists());
    free.next().unwrap_or_else(|| named(1000))
}

/// Whether there is something behind the last whole line.
pub(super) fn is_torn(file: &mut File) -> io::Result<bool> {
    Ok(end_of_last_line(file)? < file.metadata()?.len())
}

/// Where the last whole line ends.
fn end_of_last_line(file: &mut File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut block = [0; 4096];
    while end > 0 {
        let start = end.saturating_sub(block.len() as u64);
        let length = usize::try_from(end.saturating_sub(start)).unwrap_or(0);
        let part = block.get_mut(..length).unwrap_or_default();
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(part)?;
        if let Some(newline) = part.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start.saturating_add(newline as u64).saturating_add(1));
        }
        end = start;
    }
    Ok(0)
}
