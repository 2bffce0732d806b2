//! The private key of the certificate.
//!
//! Kept as PKCS#8 on P-256. A key of another kind (the Go client made PKCS#1 RSA keys) stays in
//! use until a new key has its certificate: the new one waits in `KEY.next` meanwhile, and the old
//! one ends up in `KEY.old`.

use alloc::sync::Arc;
use std::{
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use providore_pki::{Certificate, DeviceKey, KeyError, PublicKey, Signature, SoftwareKey};
use tracing::info;

use crate::{exit::Failure, files, settings::Settings};

/// The key to ask with, and where it has to go.
pub(crate) struct KeyFile {
    key: CurrentKey,
    path: PathBuf,
    waiting: bool,
}

/// The key that the agent asks with. It is shared, so that another one can take its place while the
/// agent runs.
#[derive(Debug, Clone)]
pub(crate) struct CurrentKey(Arc<Mutex<SoftwareKey>>);

impl CurrentKey {
    fn new(key: SoftwareKey) -> Self {
        Self(Arc::new(Mutex::new(key)))
    }

    fn lock(&self) -> MutexGuard<'_, SoftwareKey> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DeviceKey for CurrentKey {
    fn public_key(&mut self) -> Result<PublicKey, KeyError> {
        DeviceKey::public_key(&mut *self.lock())
    }

    fn sign(&mut self, message: &[u8]) -> Result<Signature, KeyError> {
        DeviceKey::sign(&mut *self.lock(), message)
    }
}

impl KeyFile {
    /// Opens the key, or makes one.
    pub(crate) fn open(settings: &Settings) -> Result<Self, Failure> {
        let path = settings.key_path.clone();
        let next = files::beside(&path, ".next");
        if let Some(key) = read_key(&next)? {
            let file = Self {
                key: CurrentKey::new(key),
                path,
                waiting: true,
            };
            return file.resume(&settings.cert_path);
        }
        let content = files::read(&path, MAX_LEN).map_err(|error| unreadable(&path, error))?;
        if let Some(key) = content.as_deref().and_then(decode) {
            return Ok(Self {
                key: CurrentKey::new(key),
                path,
                waiting: false,
            });
        }
        let waiting = content.is_some();
        if let Some(content) = &content {
            explain(&path, content);
        }
        let key = generate()?;
        write(&key, if waiting { &next } else { &path })?;
        Ok(Self {
            key: CurrentKey::new(key),
            path,
            waiting,
        })
    }

    /// The key, for the agent.
    pub(crate) fn key(&self) -> CurrentKey {
        self.key.clone()
    }

    /// Asks with another key from now on: the server refuses the present one. That stays in its place
    /// until the new one has a certificate.
    pub(crate) fn replace(&mut self) -> Result<(), Failure> {
        let key = generate()?;
        let next = files::beside(&self.path, ".next");
        write(&key, &next)?;
        info!("the key was revoked: a new one is in {}", next.display());
        *self.key.lock() = key;
        self.waiting = true;
        Ok(())
    }

    /// The certificate is stored: the key that it is for takes its place.
    pub(crate) fn settle(&mut self) -> Result<(), Failure> {
        if !self.waiting {
            return Ok(());
        }
        let old = files::beside(&self.path, ".old");
        let next = files::beside(&self.path, ".next");
        // A power cut before the end leaves the next key where it is: it is settled again.
        let moved = keep_as(&self.path, &old)
            .and_then(|()| keep_as(&next, &self.path))
            .and_then(|()| files::remove(&next))
            .and_then(|()| files::sync_folder(files::folder_of(&self.path)));
        moved.map_err(|error| unwritable(&self.path, error))?;
        self.waiting = false;
        info!(
            "new key in {}, the old one in {}",
            self.path.display(),
            old.display()
        );
        Ok(())
    }

    /// A power cut can come between storing the certificate and moving the key.
    fn resume(mut self, cert_path: &Path) -> Result<Self, Failure> {
        let stored = files::read(cert_path, MAX_LEN).ok().flatten();
        let spki = self.key.lock().public_key().to_spki_der();
        let is_for_this = |pem: &str| {
            let leaf = pem.split_inclusive("-----END CERTIFICATE-----").next();
            leaf.and_then(|leaf| Certificate::from_pem(leaf).ok())
                .is_some_and(|certificate| certificate.public_key_spki_der() == spki)
        };
        if stored.is_some_and(|pem| core::str::from_utf8(&pem).is_ok_and(is_for_this)) {
            self.settle()?;
        }
        Ok(self)
    }
}

fn write(key: &SoftwareKey, path: &Path) -> Result<(), Failure> {
    let pem = key.to_pkcs8_pem();
    let pem = pem.map_err(|error| Failure::local("the new key cannot be written", error))?;
    files::replace(path, pem.as_bytes()).map_err(|error| unwritable(path, error))
}

/// Keeps a key under another name as well, without a moment in which there is none.
fn keep_as(path: &Path, old: &Path) -> std::io::Result<()> {
    match files::read(path, MAX_LEN)? {
        Some(content) => files::replace(old, &content),
        None => Ok(()),
    }
}

fn read_key(path: &Path) -> Result<Option<SoftwareKey>, Failure> {
    let content = files::read(path, MAX_LEN).map_err(|error| unreadable(path, error))?;
    Ok(content.and_then(|content| decode(&content)))
}

fn decode(content: &[u8]) -> Option<SoftwareKey> {
    let text = core::str::from_utf8(content).ok()?;
    SoftwareKey::from_pkcs8_pem(text).ok()
}

fn explain(path: &Path, content: &[u8]) {
    let kind = match core::str::from_utf8(content).unwrap_or_default() {
        text if text.contains("BEGIN RSA PRIVATE KEY") => "an RSA key of the Go client",
        text if text.contains("BEGIN EC PRIVATE KEY") => "an EC key in the older SEC 1 form",
        text if text.contains("BEGIN PRIVATE KEY") => "a key of another kind than P-256",
        text if text.trim().is_empty() => "empty",
        _ => "not a private key in PEM",
    };
    info!(
        "{} is {kind}: making a P-256 key beside it; the old one stays in use until the new one \
         has a certificate",
        path.display()
    );
}

/// Makes a key of the system's random numbers.
pub(crate) fn generate() -> Result<SoftwareKey, Failure> {
    let mut scalar = zeroize::Zeroizing::new([0; 32]);
    loop {
        getrandom::fill(&mut *scalar)
            .map_err(|error| Failure::local("the system gives no random numbers", error))?;
        // One draw in 2^32 is not a key.
        if let Ok(key) = SoftwareKey::from_scalar(&scalar) {
            return Ok(key);
        }
    }
}

pub(crate) fn unreadable(path: &Path, error: std::io::Error) -> Failure {
    Failure::local(format!("{} cannot be read", path.display()), error)
}

pub(crate) fn unwritable(path: &Path, error: std::io::Error) -> Failure {
    Failure::local(format!("{} cannot be written", path.display()), error)
}

// An RSA-4096 key in PEM takes 3.2 KiB.
const MAX_LEN: u64 = 64 * 1024;
