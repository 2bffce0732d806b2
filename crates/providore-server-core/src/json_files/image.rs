//! A firmware image in a file: read in pieces, never as a whole.

use alloc::{sync::Arc, vec};
use std::{
    fs::File,
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::Mutex,
};

use bytes::Bytes;
use lru::LruCache;
use sha2::{Digest as _, Sha256};

use super::files::{Stamp, absent};
use crate::{Image, StoreError};

/// How much is read at a time while a digest is computed.
const DIGEST_CHUNK: usize = 1024 * 1024;

/// An open image. The file may be renamed or replaced meanwhile; one that is overwritten in place
/// is served torn, and no device accepts it.
#[derive(Debug, Clone)]
pub struct FileImage {
    file: Arc<File>,
    size: u64,
    sha256: [u8; 32],
}

impl Image for FileImage {
    fn size(&self) -> u64 {
        self.size
    }

    fn sha256(&self) -> [u8; 32] {
        self.sha256
    }

    async fn read(&self, offset: u64, length: usize) -> Result<Bytes, StoreError> {
        let file = Arc::clone(&self.file);
        let left = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let length = length.min(left);
        let read = move || read_at(&file, offset, length);
        blocking::unblock(read)
            .await
            .map_err(|error| StoreError::new("read an image", error))
    }
}

fn read_at(file: &File, offset: u64, length: usize) -> io::Result<Bytes> {
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, offset)?;
    Ok(Bytes::from(bytes))
}

/// The digests of the images that are in use, so that each file is hashed once.
#[derive(Debug)]
pub(super) struct Digests(Mutex<LruCache<(PathBuf, Stamp), [u8; 32]>>);

impl Digests {
    pub(super) fn new(capacity: core::num::NonZeroUsize) -> Self {
        Self(Mutex::new(LruCache::new(capacity)))
    }

    /// Opens an image; blocks while it is hashed for the first time.
    pub(super) fn open(&self, path: &Path) -> io::Result<Option<FileImage>> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) => return absent(error),
        };
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Ok(None);
        }
        let name = (path.to_path_buf(), Stamp::of(&metadata));
        let known = self.lock().get(&name).copied();
        let sha256 = if let Some(sha256) = known {
            sha256
        } else {
            let sha256 = digest(&file, metadata.len())?;
            self.lock().put(name, sha256);
            sha256
        };
        Ok(Some(FileImage {
            file: Arc::new(file),
            size: metadata.len(),
            sha256,
        }))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, LruCache<(PathBuf, Stamp), [u8; 32]>> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn digest(file: &File, size: u64) -> io::Result<[u8; 32]> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; DIGEST_CHUNK];
    let mut offset = 0;
    while offset < size {
        let length = file.read_at(&mut buffer, offset)?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        hash.update(buffer.get(..length).unwrap_or_default());
        offset = offset.saturating_add(length as u64);
    }
    Ok(hash.finalize().into())
}
