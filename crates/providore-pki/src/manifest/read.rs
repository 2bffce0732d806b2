//! Reading a manifest.

use core::fmt;

use providore_wire::Name;

use super::{
    CHUNK_SHA256, CHUNK_SIZE, CONTENT_TYPE, ChunkSize, ES256, FORMAT, FORMAT_1, HARDWARE,
    HEADER_ALGORITHM, HEADER_CONTENT_TYPE, HEADER_KEY_ID, HEADER_MEMBERS, IMAGE_LEN, IMAGE_SHA256,
    KeyId, MEMBERS, MINIMUM_SEQUENCE, ManifestError, SEQUENCE, SHA256_LEN, SIGNATURE_LEN,
    TAG_SIGN1, VERSION,
    cbor::{Head, Major, Reader},
    sha256,
};

/// A manifest as it claims to be: well-formed, and signed by nobody knows whom.
///
/// [`AuthorKeys::verify`](super::AuthorKeys::verify) makes a proof of it.
#[derive(Clone)]
pub struct Manifest<'a> {
    protected: &'a [u8],
    payload: &'a [u8],
    signature: &'a [u8; SIGNATURE_LEN],
    key_id: KeyId,
    contents: Contents<'a>,
}

impl<'a> Manifest<'a> {
    /// The longest manifest in bytes.
    pub const MAX_LEN: usize = 64 * 1024;
    /// The most chunks: 64,000 bytes of digests, which leave room for the rest.
    pub const MAX_CHUNKS: usize = 2000;

    /// Reads a manifest, which is all there is.
    ///
    /// # Errors
    /// [`ManifestError`], other than [`ManifestError::UnknownAuthor`] and
    /// [`ManifestError::Signature`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ManifestError> {
        let mut error = ManifestError::TooLong;
        Self::read(bytes, &mut error).ok_or(error)
    }

    fn read(bytes: &'a [u8], error: &mut ManifestError) -> Option<Self> {
        if bytes.len() > Self::MAX_LEN {
            return None;
        }
        let mut reader = Reader::new(bytes, 0, error);
        reader.expect(Major::Tag, TAG_SIGN1)?;
        reader.expect(Major::Array, 4)?;
        let header = reader.within()?;
        let protected = header.rest();
        let key_id = read_header(header)?;
        // What stands in the unprotected header is signed by nobody.
        reader.map(0)?;
        let contents = reader.within()?;
        let payload = contents.rest();
        let contents = Contents::read(contents)?;
        let signature = reader.exact()?;
        reader.finish()?;
        Some(Self {
            protected,
            payload,
            signature,
            key_id,
            contents,
        })
    }

    /// What it says, whoever wrote it: to be shown, and not to be acted upon.
    #[must_use]
    pub fn unverified_contents(&self) -> &Contents<'a> {
        &self.contents
    }

    /// The key that it names as its author's.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    pub(super) fn signature(&self) -> &[u8; SIGNATURE_LEN] {
        self.signature
    }

    pub(super) fn into_contents(self) -> Contents<'a> {
        self.contents
    }

    /// SHA-256 of the `Sig_structure` (RFC 9052, 4.4), which is nowhere put together.
    pub(super) fn signed_digest(&self) -> [u8; SHA256_LEN] {
        with_signed(self.protected, self.payload, sha256)
    }
}

impl fmt::Debug for Manifest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manifest")
            .field("key_id", &self.key_id)
            .field("contents", &self.contents)
            .finish_non_exhaustive()
    }
}

/// Lends the parts of the `Sig_structure`: context, protected header, no external data, payload.
pub(super) fn with_signed<R>(
    protected: &[u8],
    payload: &[u8],
    then: impl FnOnce(&[&[u8]]) -> R,
) -> R {
    let protected_head = Head::new(Major::Bytes, protected.len() as u64);
    let payload_head = Head::new(Major::Bytes, payload.len() as u64);
    then(&[
        b"\x84\x6aSignature1",
        protected_head.as_bytes(),
        protected,
        b"\x40",
        payload_head.as_bytes(),
        payload,
    ])
}

fn read_header(mut reader: Reader<'_, '_>) -> Option<KeyId> {
    reader.map(HEADER_MEMBERS)?;
    reader.member(HEADER_ALGORITHM)?;
    let algorithm = reader.head(Major::Negative)?;
    reader.require(algorithm == ES256, ManifestError::UnsupportedAlgorithm)?;
    reader.member(HEADER_CONTENT_TYPE)?;
    let content_type = reader.text()?;
    let is_manifest = content_type == CONTENT_TYPE.as_bytes();
    reader.require(is_manifest, ManifestError::ContentType)?;
    reader.member(HEADER_KEY_ID)?;
    let key_id = KeyId::new(*reader.exact()?);
    reader.finish()?;
    Some(key_id)
}

/// What a manifest says about an image.
#[derive(Clone, PartialEq, Eq)]
pub struct Contents<'a> {
    hardware: Name<'a>,
    version: Name<'a>,
    sequence: u64,
    minimum_sequence: u64,
    image_len: u64,
    image_sha256: &'a [u8; SHA256_LEN],
    chunk_size: ChunkSize,
    digests: &'a [[u8; SHA256_LEN]],
}

impl<'a> Contents<'a> {
    /// What the image is made for; makes a [`HardwareType`](providore_wire::HardwareType).
    #[must_use]
    pub fn hardware(&self) -> Name<'a> {
        self.hardware
    }

    /// The name of the release, makes a [`FirmwareVersion`](providore_wire::FirmwareVersion);
    /// what is newer is said by [`Contents::sequence`].
    #[must_use]
    pub fn version(&self) -> Name<'a> {
        self.version
    }

    /// The place in the order of releases for this hardware, counted from 1.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The lowest sequence number from which a device may upgrade directly; 0 is any, also none.
    #[must_use]
    pub fn minimum_sequence(&self) -> u64 {
        self.minimum_sequence
    }

    /// Length of the image in bytes, at least 1.
    #[must_use]
    pub fn image_len(&self) -> u64 {
        self.image_len
    }

    /// SHA-256 of the image.
    #[must_use]
    pub fn image_sha256(&self) -> &'a [u8; SHA256_LEN] {
        self.image_sha256
    }

    /// Length of every chunk but the last, which may be shorter.
    #[must_use]
    pub fn chunk_size(&self) -> ChunkSize {
        self.chunk_size
    }

    /// How many chunks the image has, at least 1.
    #[must_use]
    pub fn chunk_count(&self) -> usize {
        self.digests.len()
    }

    /// SHA-256 of each chunk. Whoever installs takes
    /// [`VerifiedManifest::chunks`](super::VerifiedManifest::chunks), which only a verified manifest
    /// has.
    #[must_use]
    pub fn chunk_digests(&self) -> &'a [[u8; SHA256_LEN]] {
        self.digests
    }

    fn read(mut reader: Reader<'a, '_>) -> Option<Self> {
        reader.map(MEMBERS)?;
        let format = reader.number(FORMAT)?;
        reader.require(format == FORMAT_1, ManifestError::UnsupportedFormat)?;
        reader.member(HARDWARE)?;
        let hardware = match Name::parse(reader.text()?) {
            Ok(hardware) => hardware,
            Err(error) => return reader.fail(ManifestError::Hardware(error)),
        };
        reader.member(VERSION)?;
        let version = match Name::parse(reader.text()?) {
            Ok(version) => version,
            Err(error) => return reader.fail(ManifestError::Version(error)),
        };
        let sequence = reader.number(SEQUENCE)?;
        let minimum_sequence = reader.number(MINIMUM_SEQUENCE)?;
        if let Err(error) = check_sequence(sequence, minimum_sequence) {
            return reader.fail(error);
        }
        let image_len = reader.number(IMAGE_LEN)?;
        reader.member(IMAGE_SHA256)?;
        let image_sha256 = reader.exact()?;
        let Some(chunk_size) = ChunkSize::new(reader.number(CHUNK_SIZE)?) else {
            return reader.fail(ManifestError::ChunkSize);
        };
        let Some(chunks) = chunk_size.chunks_of(image_len) else {
            return reader.fail(ManifestError::ImageLen);
        };
        reader.member(CHUNK_SHA256)?;
        let (digests, rest) = reader.bytes()?.as_chunks();
        let is_complete = digests.len() == chunks && rest.is_empty();
        reader.require(is_complete, ManifestError::ChunkDigests)?;
        reader.finish()?;
        Some(Self {
            hardware,
            version,
            sequence,
            minimum_sequence,
            image_len,
            image_sha256,
            chunk_size,
            digests,
        })
    }
}

/// Sequence numbers count from 1, and a release can be reached from a lower one.
pub(super) fn check_sequence(sequence: u64, minimum: u64) -> Result<(), ManifestError> {
    if sequence == 0 {
        return Err(ManifestError::Sequence);
    }
    if minimum >= sequence {
        return Err(ManifestError::MinimumSequence);
    }
    Ok(())
}

impl fmt::Debug for Contents<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contents")
            .field("hardware", &self.hardware)
            .field("version", &self.version)
            .field("sequence", &self.sequence)
            .field("minimum_sequence", &self.minimum_sequence)
            .field("image_len", &self.image_len)
            .field("chunk_size", &self.chunk_size)
            .finish_non_exhaustive()
    }
}
