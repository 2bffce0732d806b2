//! Writing a manifest: the author's side.

use alloc::vec::Vec;

use providore_wire::{FirmwareVersion, HardwareType};
use sha2::{Digest as _, Sha256};

use super::{
    AuthorKeys, CHUNK_SHA256, CHUNK_SIZE, CONTENT_TYPE, ChunkSize, ES256, FORMAT, FORMAT_1,
    HARDWARE, HEADER_ALGORITHM, HEADER_CONTENT_TYPE, HEADER_KEY_ID, HEADER_MEMBERS, IMAGE_LEN,
    IMAGE_SHA256, KeyId, MEMBERS, MINIMUM_SEQUENCE, Manifest, ManifestError, SEQUENCE, SHA256_LEN,
    TAG_SIGN1, VERSION,
    cbor::{Major, write_head, write_string},
    read::{check_sequence, with_signed},
};
use crate::{DeviceKey, KeyError};

/// What an author says of a release, apart from its image.
#[derive(Clone, Debug)]
pub struct Release {
    hardware: HardwareType,
    version: FirmwareVersion,
    sequence: u64,
    minimum_sequence: u64,
    chunk_size: ChunkSize,
}

impl Release {
    /// A release that any device of this hardware may upgrade to, in chunks of 64 KiB.
    ///
    /// Sequence numbers count from 1 and rise with each release for the hardware.
    #[must_use]
    pub fn new(hardware: HardwareType, version: FirmwareVersion, sequence: u64) -> Self {
        Self {
            hardware,
            version,
            sequence,
            minimum_sequence: 0,
            chunk_size: ChunkSize::default(),
        }
    }

    /// Only for devices that have this release or a later one; the others need an intermediate.
    #[must_use]
    pub fn with_minimum_sequence(mut self, minimum: u64) -> Self {
        self.minimum_sequence = minimum;
        self
    }

    /// In chunks of another size.
    #[must_use]
    pub fn with_chunk_size(mut self, size: ChunkSize) -> Self {
        self.chunk_size = size;
        self
    }
}

/// Takes an image in pieces of any length and signs its manifest.
#[derive(Debug)]
pub struct ManifestBuilder {
    release: Release,
    image: Sha256,
    image_len: u64,
    chunk: Sha256,
    in_chunk: usize,
    digests: Vec<u8>,
}

impl ManifestBuilder {
    /// Begins with an empty image.
    ///
    /// # Errors
    /// [`WriteError::Manifest`] with [`ManifestError::Sequence`] or
    /// [`ManifestError::MinimumSequence`].
    pub fn new(release: Release) -> Result<Self, WriteError> {
        check_sequence(release.sequence, release.minimum_sequence)?;
        Ok(Self {
            release,
            image: Sha256::new(),
            image_len: 0,
            chunk: Sha256::new(),
            in_chunk: 0,
            digests: Vec::new(),
        })
    }

    /// Appends to the image.
    ///
    /// # Errors
    /// [`WriteError::Manifest`] with [`ManifestError::ImageLen`], if there are too many chunks.
    pub fn update(&mut self, mut bytes: &[u8]) -> Result<(), WriteError> {
        let too_long = ManifestError::ImageLen;
        let size = self.release.chunk_size.bytes() as usize;
        self.image.update(bytes);
        let length = self.image_len.checked_add(bytes.len() as u64);
        self.image_len = length.ok_or(too_long)?;
        if self.image_len > 0 && self.release.chunk_size.chunks_of(self.image_len).is_none() {
            return Err(too_long.into());
        }
        while !bytes.is_empty() {
            let room = size.saturating_sub(self.in_chunk);
            let (piece, rest) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
            self.chunk.update(piece);
            self.in_chunk = self.in_chunk.saturating_add(piece.len());
            bytes = rest;
            if self.in_chunk >= size {
                self.end_chunk();
            }
        }
        Ok(())
    }

    /// Signs what was gathered.
    ///
    /// The result is read and verified before it is handed out, so that a key store that fails
    /// makes no release.
    ///
    /// # Errors
    /// [`WriteError::Manifest`] with [`ManifestError::ImageLen`] for an empty image, or with
    /// [`ManifestError::Signature`] for a signature that does not verify; [`WriteError::Key`].
    pub fn sign(mut self, author: &mut impl DeviceKey) -> Result<Vec<u8>, WriteError> {
        if self.in_chunk > 0 {
            self.end_chunk();
        }
        let key = author.public_key()?;
        let protected = header(KeyId::of(&key));
        let payload = self.payload();
        let signed = with_signed(&protected, &payload, |parts| parts.concat());
        let signature = author.sign(&signed)?;
        let mut manifest = Vec::new();
        let mut sink = |bytes: &[u8]| manifest.extend_from_slice(bytes);
        write_head(Major::Tag, TAG_SIGN1, &mut sink);
        write_head(Major::Array, 4, &mut sink);
        write_string(Major::Bytes, &protected, &mut sink);
        write_head(Major::Map, 0, &mut sink);
        write_string(Major::Bytes, &payload, &mut sink);
        write_string(Major::Bytes, &signature.to_fixed(), &mut sink);
        if let Ok(keys) = AuthorKeys::new(&[key]) {
            let _verified = keys.verify(Manifest::parse(&manifest)?)?;
        }
        Ok(manifest)
    }

    fn end_chunk(&mut self) {
        self.digests.extend_from_slice(&self.chunk.finalize_reset());
        self.in_chunk = 0;
    }

    fn payload(self) -> Vec<u8> {
        let image: [u8; SHA256_LEN] = self.image.finalize().into();
        let release = &self.release;
        let chunk_size = u64::from(release.chunk_size.bytes());
        let mut payload = Vec::new();
        let mut sink = |bytes: &[u8]| payload.extend_from_slice(bytes);
        write_head(Major::Map, u64::from(MEMBERS), &mut sink);
        write_number(FORMAT, FORMAT_1, &mut sink);
        write_key(HARDWARE, &mut sink);
        write_string(Major::Text, release.hardware.as_str().as_bytes(), &mut sink);
        write_key(VERSION, &mut sink);
        write_string(Major::Text, release.version.as_str().as_bytes(), &mut sink);
        write_number(SEQUENCE, release.sequence, &mut sink);
        write_number(MINIMUM_SEQUENCE, release.minimum_sequence, &mut sink);
        write_number(IMAGE_LEN, self.image_len, &mut sink);
        write_key(IMAGE_SHA256, &mut sink);
        write_string(Major::Bytes, &image, &mut sink);
        write_number(CHUNK_SIZE, chunk_size, &mut sink);
        write_key(CHUNK_SHA256, &mut sink);
        write_string(Major::Bytes, &self.digests, &mut sink);
        payload
    }
}

fn header(key_id: KeyId) -> Vec<u8> {
    let mut header = Vec::new();
    let mut sink = |bytes: &[u8]| header.extend_from_slice(bytes);
    write_head(Major::Map, u64::from(HEADER_MEMBERS), &mut sink);
    write_key(HEADER_ALGORITHM, &mut sink);
    write_head(Major::Negative, ES256, &mut sink);
    write_key(HEADER_CONTENT_TYPE, &mut sink);
    write_string(Major::Text, CONTENT_TYPE.as_bytes(), &mut sink);
    write_key(HEADER_KEY_ID, &mut sink);
    write_string(Major::Bytes, key_id.as_bytes(), &mut sink);
    header
}

fn write_key(key: u8, sink: &mut impl FnMut(&[u8])) {
    write_head(Major::Unsigned, u64::from(key), sink);
}

fn write_number(key: u8, value: u64, sink: &mut impl FnMut(&[u8])) {
    write_key(key, sink);
    write_head(Major::Unsigned, value, sink);
}

/// Why a manifest was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// A device would refuse it.
    #[error("no manifest can be made of this")]
    Manifest(#[from] ManifestError),
    /// The author's key did not sign.
    #[error("the author's key did not sign")]
    Key(#[from] KeyError),
}
