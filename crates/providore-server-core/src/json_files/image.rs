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

use super::files::{Stamp, absent, open_plain};
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

/// Images that are hashed at the same time. Two that share a lock by chance wait for each other.
const LOCKS: usize = 16;

/// The digests of the images that are in use, so that each file is hashed once, also if many devices
/// ask for it at once.
#[derive(Debug)]
pub(super) struct Digests {
    known: Mutex<LruCache<Name, [u8; 32]>>,
    /// Whoever hashes an image holds one; who waits for it takes no thread.
    hashing: [Arc<async_lock::Mutex<()>>; LOCKS],
}

type Name = (PathBuf, Stamp);

/// A file that may not be hashed yet.
struct Opened {
    file: Arc<File>,
    size: u64,
    name: Name,
}

impl Digests {
    pub(super) fn new(capacity: core::num::NonZeroUsize) -> Self {
        Self {
            known: Mutex::new(LruCache::new(capacity)),
            hashing: core::array::from_fn(|_| Arc::default()),
        }
    }

    /// Opens the image that `find` finds; waits while it is hashed for the first time.
    pub(super) async fn open(
        self: &Arc<Self>,
        find: impl FnOnce() -> io::Result<Option<PathBuf>> + Send + 'static,
    ) -> io::Result<Option<FileImage>> {
        let open = move || find()?.map_or(Ok(None), |path| open(&path));
        let Some(opened) = blocking::unblock(open).await? else {
            return Ok(None);
        };
        if let Some(sha256) = self.find(&opened.name) {
            return Ok(Some(opened.with_digest(sha256)));
        }
        let turn = self.lock_of(&opened.name).lock_arc().await;
        if let Some(sha256) = self.find(&opened.name) {
            return Ok(Some(opened.with_digest(sha256)));
        }
        let digests = Arc::clone(self);
        // Goes on to its end if nobody waits any more, and holds the lock for as long.
        let hash = move || {
            let sha256 = digest(&opened.file, opened.size)?;
            digests.lock().put(opened.name.clone(), sha256);
            drop(turn);
            Ok(Some(opened.with_digest(sha256)))
        };
        blocking::unblock(hash).await
    }

    fn find(&self, name: &Name) -> Option<[u8; 32]> {
        self.lock().get(name).copied()
    }

    fn lock_of(&self, (path, _): &Name) -> &Arc<async_lock::Mutex<()>> {
        let bytes = path.as_os_str().as_encoded_bytes();
        let sum = bytes
            .iter()
            .fold(0_u8, |sum, byte| sum.wrapping_mul(31) ^ byte);
        let [first, ..] = &self.hashing;
        self.hashing.get(usize::from(sum) % LOCKS).unwrap_or(first)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, LruCache<Name, [u8; 32]>> {
        self.known
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Opened {
    fn with_digest(self, sha256: [u8; 32]) -> FileImage {
        FileImage {
            file: self.file,
            size: self.size,
            sha256,
        }
    }
}

fn open(path: &Path) -> io::Result<Option<Opened>> {
    let file = match open_plain(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Ok(None),
        Err(error) => return absent(error),
    };
    let metadata = file.metadata()?;
    Ok(Some(Opened {
        file: Arc::new(file),
        size: metadata.len(),
        name: (path.to_path_buf(), Stamp::of(&metadata)),
    }))
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
