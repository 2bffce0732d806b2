//! Manifests of firmware: one beside each image whose author signed it.

use core::num::NonZeroUsize;
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use lru::LruCache;
use providore_pki::manifest::Manifest;

use super::files::{Stamp, absent, beneath, read_bounded};

/// The name of the manifest beside an image, which no image has.
pub const MANIFEST_FILE: &str = "release.manifest";

/// Manifests held in memory, of at most 64 KiB each: a fleet asks for few different ones.
const HELD: NonZeroUsize = NonZeroUsize::new(64).unwrap();

/// The manifests that are in use.
pub(super) struct Manifests(Mutex<LruCache<PathBuf, (Stamp, Bytes)>>);

impl Manifests {
    pub(super) fn new() -> Self {
        Self(Mutex::new(LruCache::new(HELD)))
    }

    /// The manifest in the folder of a release; blocks while it is read.
    pub(super) fn open(&self, root: &Path, folder: &Path) -> io::Result<Option<Bytes>> {
        let Some(path) = beneath(root, &folder.join(MANIFEST_FILE))? else {
            return Ok(None);
        };
        let stamp = match fs::metadata(&path) {
            Ok(metadata) => Stamp::of(&metadata),
            Err(error) => return absent(error),
        };
        if let Some((held, bytes)) = self.lock().get(&path)
            && *held == stamp
        {
            return Ok(Some(bytes.clone()));
        }
        let bytes = Bytes::from(read_bounded(&path, Manifest::MAX_LEN)?);
        self.lock().put(path, (stamp, bytes.clone()));
        Ok(Some(bytes))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, LruCache<PathBuf, (Stamp, Bytes)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
