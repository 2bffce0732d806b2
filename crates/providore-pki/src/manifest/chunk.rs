//! Chunks: an image is checked piece by piece, each before it is written.

use super::{Manifest, SHA256_LEN, sha256};

/// The length of a chunk: a power of two from 1 KiB to 1 MiB.
///
/// A device needs this much memory to check a chunk before it writes it, and 32 bytes of manifest
/// for each chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChunkSize(u32);

impl ChunkSize {
    /// 1 KiB: of less the digests would be over 3 % of the image.
    pub const MIN: Self = Self(1024);
    /// 1 MiB: more is more than a device has.
    pub const MAX: Self = Self(1024 * 1024);

    /// `None` for what is not a power of two from 1 KiB to 1 MiB.
    ///
    /// ```
    /// use providore_pki::manifest::ChunkSize;
    ///
    /// assert_eq!(ChunkSize::new(4096).map(ChunkSize::bytes), Some(4096));
    /// assert_eq!(ChunkSize::new(4095), None);
    /// assert_eq!(ChunkSize::new(512), None);
    /// ```
    #[must_use]
    pub fn new(bytes: u64) -> Option<Self> {
        let size = Self(u32::try_from(bytes).ok()?);
        let accepted = size.0.is_power_of_two() && (Self::MIN..=Self::MAX).contains(&size);
        accepted.then_some(size)
    }

    /// The smallest size from 64 KiB up with which an image of this length fits into a manifest;
    /// `None` if it is empty or over 2000 MiB.
    #[must_use]
    pub fn for_image(image_len: u64) -> Option<Self> {
        [64, 128, 256, 512, 1024]
            .map(|kib| Self(1024_u32.saturating_mul(kib)))
            .into_iter()
            .find(|size| size.chunks_of(image_len).is_some())
    }

    /// Its length in bytes.
    #[must_use]
    pub fn bytes(self) -> u32 {
        self.0
    }

    /// How many chunks an image has; `None` if it is empty or there are more than a manifest holds.
    pub(super) fn chunks_of(self, image_len: u64) -> Option<usize> {
        // No image of 4 GiB has so few chunks.
        let image_len = u32::try_from(image_len).ok()?;
        let chunks = image_len.div_ceil(self.0) as usize;
        (chunks > 0 && chunks <= Manifest::MAX_CHUNKS).then_some(chunks)
    }
}

impl Default for ChunkSize {
    /// 64 KiB, which is good for images up to 125 MiB.
    fn default() -> Self {
        Self(64 * 1024)
    }
}

/// What a verified manifest says of one chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk<'a> {
    pub(super) index: usize,
    pub(super) offset: u64,
    pub(super) length: u32,
    pub(super) sha256: &'a [u8; SHA256_LEN],
}

impl Chunk<'_> {
    /// Its place among the chunks, counted from 0.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// Where it begins in the image.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// How many bytes it has: the chunk size, or for the last one what is left.
    #[must_use]
    pub fn length(&self) -> u32 {
        self.length
    }

    /// SHA-256 of its bytes.
    #[must_use]
    pub fn sha256(&self) -> &[u8; SHA256_LEN] {
        self.sha256
    }

    /// Checks the bytes of this chunk, all of them, before they are written.
    ///
    /// # Errors
    /// [`ChunkError`]. Nothing of the chunk may be written then; it may be fetched again.
    pub fn verify<'b>(&self, bytes: &'b [u8]) -> Result<VerifiedChunk<'b>, ChunkError> {
        let index = self.index;
        if bytes.len() as u64 != u64::from(self.length) {
            return Err(ChunkError::Length { index });
        }
        if sha256(&[bytes]) != *self.sha256 {
            return Err(ChunkError::Digest { index });
        }
        Ok(VerifiedChunk {
            offset: self.offset,
            bytes,
        })
    }
}

/// Bytes that the author has signed for this place of the image; only [`Chunk::verify`] makes one.
///
/// ```compile_fail
/// use providore_pki::manifest::VerifiedChunk;
///
/// let forged = VerifiedChunk { offset: 0, bytes: b"anything" };
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct VerifiedChunk<'b> {
    offset: u64,
    bytes: &'b [u8],
}

impl<'b> VerifiedChunk<'b> {
    /// Where they belong in the image.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &'b [u8] {
        self.bytes
    }
}

/// Why the bytes are not those of the chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChunkError {
    /// More or fewer than it has.
    #[error("chunk {index} has another length than the manifest says")]
    Length {
        /// Which chunk, counted from 0.
        index: usize,
    },
    /// Other bytes.
    #[error("chunk {index} has another digest than the manifest says")]
    Digest {
        /// Which chunk, counted from 0.
        index: usize,
    },
}
