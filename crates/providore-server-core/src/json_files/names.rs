//! Ids, types and versions as names of folders, on any file system.
//!
//! Where the file system can tell `Lamp` from `lamp` and takes a colon, a folder is called as what it is
//! for. Elsewhere (exFAT, a share of Windows) the letters that it would lose are percent-encoded:
//! `AA:bb` lies in `%41%41%3Abb`. No id has a percent sign, so that none collide.

use alloc::{collections::BTreeMap, format, string::String};
use std::{
    fs::{self, File},
    io::ErrorKind,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// The folder or file for a name below `root`: the one that is there, or else the one to make.
#[must_use]
pub fn named(root: &Path, name: &str) -> PathBuf {
    let plain = root.join(name);
    if is_plain(name) {
        return plain;
    }
    let encoded = root.join(encode(name));
    if encoded.symlink_metadata().is_ok() || !is_able(root) {
        return encoded;
    }
    plain
}

/// The name that a folder or file made by [`named`] stands for; `None` if it is not encoded as we do.
#[must_use]
pub fn name_of(file: &str) -> Option<String> {
    if !file.contains('%') {
        return Some(file.into());
    }
    let mut name = String::new();
    let mut rest = file;
    while let Some((before, after)) = rest.split_once('%') {
        name.push_str(before);
        let (digits, left) = after.split_at_checked(2)?;
        name.push(char::from(u8::from_str_radix(digits, 16).ok()?));
        rest = left;
    }
    name.push_str(rest);
    (encode(&name) == file).then_some(name)
}

/// A name that every file system keeps as it is.
fn is_plain(name: &str) -> bool {
    name.bytes().all(is_plain_byte)
}

fn is_plain_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._~+@".contains(&byte)
}

fn encode(name: &str) -> String {
    let letter = |byte: u8| match byte {
        byte if is_plain_byte(byte) => String::from(char::from(byte)),
        byte => format!("%{byte:02X}"),
    };
    name.bytes().map(letter).collect()
}

/// Whether the file system of a folder keeps names as they are, tried once for each file system. Where
/// nothing can be written, nothing has to be made either.
fn is_able(root: &Path) -> bool {
    static TRIED: Mutex<BTreeMap<u64, bool>> = Mutex::new(BTreeMap::new());
    let there = root.ancestors().find(|folder| folder.is_dir());
    let there = there.unwrap_or(Path::new("."));
    let Ok(device) = fs::metadata(there).map(|found| found.dev()) else {
        return true;
    };
    let mut tried = TRIED.lock().unwrap_or_else(PoisonError::into_inner);
    *tried.entry(device).or_insert_with(|| keeps_names(there))
}

fn keeps_names(folder: &Path) -> bool {
    let id = std::process::id();
    let (probe, lower) = (
        folder.join(format!(".tmp-Probe:{id}")),
        folder.join(format!(".tmp-probe:{id}")),
    );
    match File::create_new(&probe) {
        Ok(_) => {
            let keeps = lower.symlink_metadata().is_err();
            let _ = fs::remove_file(&probe);
            keeps
        }
        Err(error) => matches!(
            error.kind(),
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem | ErrorKind::StorageFull
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_names_do_not_collide_on_any_file_system() {
        let names = ["Lamp", "lamp", "LAMP", "a:b", "a%3Ab", "a b", "A:B", "%"];
        let mut encoded: alloc::vec::Vec<_> = names
            .iter()
            .map(|name| encode(name).to_lowercase())
            .collect();
        encoded.sort();
        encoded.dedup();
        assert_eq!(encoded.len(), names.len());
        for name in names {
            assert_eq!(name_of(&encode(name)).as_deref(), Some(name));
        }
        assert_eq!(encode("kitchen-lamp.2_~+@"), "kitchen-lamp.2_~+@");
        for other in ["%", "%4", "%zz", "%61", "%3a"] {
            assert_eq!(name_of(other), None, "{other}");
        }
    }
}
