//! The files of a CA. A key that is there is never overwritten.

use std::{
    fs::{self, Permissions},
    io::{self, ErrorKind},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::{Path, PathBuf},
};

use providore_pki::{SoftwareKey, crl::RevocationList};
use providore_server_core::json_files::{make_folder, sync_folder, write_private};
use zeroize::Zeroizing;

use super::MAX_LISTS;
use crate::failure::{Failure, OrFail as _, Outcome};

/// The key that issues.
pub(crate) const ISSUER_KEY: &str = "issuer.key.pem";
/// The key of the root, which may be kept elsewhere.
pub(crate) const ROOT_KEY: &str = "root.key.pem";
/// The certificates, that of the issuing key first.
pub(crate) const CHAIN: &str = "chain.pem";
/// The revocation lists of the CAs above the issuing one.
pub(crate) const ROOT_LIST: &str = "root.crl.pem";

/// The longest file of a CA, in bytes: four certificates with long names take 16 KiB.
const MAX_LEN: u64 = 256 * 1024;

/// The folder of a CA.
#[derive(Debug, Clone)]
pub(crate) struct CaFiles {
    pub(crate) folder: PathBuf,
}

impl CaFiles {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.path(name).symlink_metadata().is_ok()
    }

    /// What a CA cannot do without and is not there.
    pub(crate) fn missing(&self) -> Vec<&'static str> {
        let needed = [ISSUER_KEY, CHAIN].into_iter();
        needed.filter(|name| !self.has(name)).collect()
    }

    /// Whether nothing of a CA is there.
    pub(crate) fn is_empty(&self) -> Outcome<bool> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
            entries => entries.or_fail(format!("look into {}", self.folder.display()))?,
        };
        let ours = [ISSUER_KEY, CHAIN, ROOT_KEY, ROOT_LIST];
        Ok(!entries
            .flatten()
            .any(|entry| ours.iter().any(|name| entry.file_name() == *name)))
    }

    /// Writes all files or, as far as the file system lets us, none. Nothing may be there yet.
    pub(crate) fn create(&self, files: &[(&str, &[u8])]) -> Outcome {
        let parent = self.folder.parent().unwrap_or(Path::new("."));
        let cannot = |what: &Path| format!("write {}", what.display());
        make_folder(parent).or_fail(cannot(parent))?;
        let staged = tempfile::Builder::new()
            .prefix(".tmp-ca-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(parent)
            .or_fail(cannot(parent))?;
        give_to_owner_of(parent, staged.path());
        for (name, bytes) in files {
            let path = staged.path().join(name);
            write_private(&path, bytes).or_fail(cannot(&path))?;
        }
        // A folder that is there and empty is replaced; one with something in it is not.
        match fs::rename(staged.path(), &self.folder) {
            Ok(()) => {
                let _ = staged.keep();
                sync_folder(parent).or_fail(cannot(parent))
            }
            // It is a mount, or has files of somebody else in it.
            Err(_) => self.fill(files),
        }
    }

    /// Writes one file after the other, the chain last: without it there is no CA.
    fn fill(&self, files: &[(&str, &[u8])]) -> Outcome {
        for (name, bytes) in files {
            let path = self.path(name);
            if self.has(name) {
                return Err(Failure::new(format!("{} is there already", path.display()))
                    .hint("a key is never overwritten: move the folder away"));
            }
            write_private(&path, bytes).or_fail(format!("write {}", path.display()))?;
        }
        Ok(())
    }

    /// Replaces one file. Never called for a key that another one would take the place of.
    pub(crate) fn replace(&self, name: &str, bytes: &[u8]) -> Outcome {
        let path = self.path(name);
        write_private(&path, bytes).or_fail(format!("write {}", path.display()))
    }

    /// Reads a key of the CA.
    pub(crate) fn key(&self, name: &str, password: Option<&str>) -> Outcome<SoftwareKey> {
        read_key(&self.path(name), password)
    }

    /// Whether a key file needs a password; `None` if it is not there.
    pub(crate) fn is_encrypted(&self, name: &str) -> Option<bool> {
        let text = read(&self.path(name)).ok()?;
        Some(is_encrypted(&text))
    }

    pub(crate) fn chain(&self) -> Outcome<String> {
        let path = self.path(CHAIN);
        let text = read(&path).or_fail(format!("read {}", path.display()))?;
        Ok(String::clone(&text))
    }

    /// The revocation lists of the CAs above; `None` if there is no such file.
    pub(crate) fn lists(&self) -> Outcome<Option<Vec<RevocationList>>> {
        let path = self.path(ROOT_LIST);
        let text = match read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            text => text.or_fail(format!("read {}", path.display()))?,
        };
        let lists = RevocationList::all_from_pem(&text, MAX_LISTS);
        lists.or_fail(format!("read {}", path.display())).map(Some)
    }
}

/// Reads a P-256 key from a file of PKCS#8, and says which kind it is if it is another one.
pub(crate) fn read_key(path: &Path, password: Option<&str>) -> Outcome<SoftwareKey> {
    let shown = path.display();
    let pem = read(path)
        .or_fail(format!("read the CA's key {shown}"))
        .map_err(|f| f.hint("restore it from a backup; do not make a new CA over it"))?;
    if is_encrypted(&pem) {
        let password = password.ok_or_else(|| {
            Failure::new(format!("{shown} is encrypted"))
                .hint("give its password in the environment: PROVIDORE_CA_PASSWORD")
        })?;
        return SoftwareKey::from_encrypted_pkcs8_pem(&pem, password.as_bytes())
            .or_fail(format!("use the CA's key {shown}"))
            .map_err(|f| f.hint("is PROVIDORE_CA_PASSWORD the password of this key?"));
    }
    SoftwareKey::from_pkcs8_pem(&pem)
        .or_fail(format!("use the CA's key {shown}"))
        .map_err(|failure| failure.hint(kind_of_key(&pem)))
}

/// What to do about a key that is not a P-256 key in PKCS#8.
fn kind_of_key(pem: &str) -> &'static str {
    const OTHER: &str = "providore issues with P-256 keys alone. Keep your root, of whatever kind, and \
                         sign a P-256 intermediate with it: docs/SERVER.md, \"A CA of your own\"";
    if pem.contains("BEGIN EC PRIVATE KEY") {
        "an old format: convert it with `openssl pkcs8 -topk8 -nocrypt -in KEY -out issuer.key.pem`"
    } else if pem.contains("PRIVATE KEY") {
        OTHER
    } else {
        "give a private key in PEM"
    }
}

fn is_encrypted(pem: &str) -> bool {
    pem.contains("BEGIN ENCRYPTED PRIVATE KEY")
}

/// A text file of a CA, erased from memory when it is no longer needed.
pub(crate) fn read(path: &Path) -> io::Result<Zeroizing<String>> {
    use io::Read as _;
    let mut text = Zeroizing::new(String::new());
    fs::File::open(path)?
        .take(MAX_LEN)
        .read_to_string(&mut text)?;
    Ok(text)
}

/// A command that root runs must not lock out a server that runs as somebody else.
fn give_to_owner_of(parent: &Path, folder: &Path) {
    if let Ok(owner) = fs::metadata(parent) {
        let _ = chown(folder, Some(owner.uid()), Some(owner.gid()));
    }
}
