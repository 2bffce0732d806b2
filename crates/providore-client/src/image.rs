//! Firmware images: what one must look like, receiving one, and the proof that a slot demands.

use core::fmt;

use providore_sign::MacKey;
use providore_wire::{FirmwareVersion, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::{BodyFault, Error, device::Verifier, exchange::PROBLEM};

/// What an image for this hardware looks like.
///
/// In the `Signed` dialect an image is bound to the question, and so to the version that was asked
/// for. In the `Original` dialect it is not: whoever can change a request on its way can ask for an
/// older one. Where that matters, read the version out of the image with
/// [`ImageCheck::with_opening`].
///
/// ```
/// use providore_client::ImageCheck;
///
/// // An ESP image: magic byte 0xE9, at least a header, at most the partition.
/// let check = ImageCheck::new(b"\xE9", 4096, 0x1A_0000);
/// ```
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct ImageCheck {
    magic: &'static [u8],
    min_len: u64,
    max_len: u64,
    opening: Option<fn(&[u8], &FirmwareVersion) -> bool>,
}

impl ImageCheck {
    /// How much of an image's beginning [`Self::with_opening`] gets to see, in bytes: an ESP image
    /// header, a segment header and the application descriptor.
    pub const OPENING_LEN: usize = 288;

    /// Images that begin with `magic` (at most [`Self::OPENING_LEN`] bytes count; may be empty) and
    /// have `min_len` to `max_len` bytes.
    pub const fn new(magic: &'static [u8], min_len: u64, max_len: u64) -> Self {
        Self {
            magic,
            min_len,
            max_len,
            opening: None,
        }
    }

    /// Adds the application's own look at the first bytes (up to [`Self::OPENING_LEN`]) and the
    /// version that was asked for; the whole image has been verified by then.
    pub const fn with_opening(mut self, check: fn(&[u8], &FirmwareVersion) -> bool) -> Self {
        self.opening = Some(check);
        self
    }

    /// Looks at what a manifest says.
    #[cfg(feature = "update")]
    pub(crate) fn check_length(&self, length: u64) -> Result<(), BodyFault> {
        if length > self.max_len {
            return Err(BodyFault::too_long(self.max_len));
        }
        if length < self.min_len {
            return Err(BodyFault::image_too_short(self.min_len));
        }
        Ok(())
    }

    /// Looks at the first bytes of an image, at least [`Self::OPENING_LEN`] if it has as many.
    #[cfg(feature = "update")]
    pub(crate) fn check_opening(
        &self,
        bytes: &[u8],
        version: &FirmwareVersion,
    ) -> Result<(), BodyFault> {
        let opening = bytes.get(..Self::OPENING_LEN).unwrap_or(bytes);
        if !opening.starts_with(self.magic) {
            return Err(BodyFault::ImageMagic);
        }
        match self.opening {
            Some(check) if !check(opening, version) => Err(BodyFault::CheckedOut),
            _ => Ok(()),
        }
    }
}

/// An image on its way: each chunk goes through here, then to the slot.
///
/// Nothing may be booted before [`finish`](Self::finish) has said yes.
#[must_use]
pub struct ReceivingImage<'a, K> {
    verifier: Verifier<'a, K>,
    version: FirmwareVersion,
    check: ImageCheck,
    digest: Sha256,
    length: u64,
    opening: [u8; ImageCheck::OPENING_LEN],
}

/// An image of which signature, freshness, size and kind have been checked to the last byte.
///
/// Only [`ReceivingImage::finish`] makes one, and the agent from an author's manifest, when all of
/// its chunks have been verified; [`FirmwareSlot::commit`](crate::FirmwareSlot)
/// demands it by value, so that committing without checking does not compile.
///
/// ```compile_fail
/// let forged = providore_client::VerifiedImage { length: 4096 };
/// ```
#[derive(Debug)]
#[must_use]
pub struct VerifiedImage {
    version: FirmwareVersion,
    length: u64,
    digest: [u8; 32],
    created: Timestamp,
}

impl<'a, K: MacKey> ReceivingImage<'a, K> {
    pub(crate) fn new(
        verifier: Verifier<'a, K>,
        version: FirmwareVersion,
        check: ImageCheck,
    ) -> Self {
        Self {
            verifier,
            version,
            check,
            digest: Sha256::new(),
            length: 0,
            opening: [0; ImageCheck::OPENING_LEN],
        }
    }

    /// Takes the next part of the image and gives it back, to be written.
    ///
    /// # Errors
    /// [`BodyFault::TooLong`], [`BodyFault::ImageMagic`] or [`BodyFault::Problem`] in
    /// [`Error::Body`] as soon as it shows, before those bytes are written; or what the key reports.
    pub fn chunk<'c>(&mut self, chunk: &'c [u8]) -> Result<&'c [u8], Error> {
        let start = usize::try_from(self.length).unwrap_or(usize::MAX);
        self.length = self.length.saturating_add(chunk.len() as u64);
        if self.length > self.check.max_len {
            return Err(BodyFault::too_long(self.check.max_len).into());
        }
        let free = self.opening.get_mut(start..).unwrap_or_default();
        for (slot, byte) in free.iter_mut().zip(chunk) {
            *slot = *byte;
        }
        self.look_at_opening()?;
        self.digest.update(chunk);
        self.verifier.update(chunk)?;
        Ok(chunk)
    }

    /// Ends the image.
    ///
    /// # Errors
    /// [`Error::NotVerified`], or [`BodyFault::ImageTooShort`], [`BodyFault::ImageMagic`],
    /// [`BodyFault::CheckedOut`] in [`Error::Body`].
    pub fn finish(self) -> Result<VerifiedImage, Error> {
        let opening = self.opening();
        let (magic, min_len) = (self.check.magic, self.check.min_len);
        let short = self.length < min_len.max(magic.len() as u64);
        let judged = self
            .check
            .opening
            .is_none_or(|check| check(opening, &self.version));
        let (created, _) = self.verifier.finish()?;
        if short {
            return Err(BodyFault::image_too_short(min_len).into());
        }
        if !judged {
            return Err(BodyFault::CheckedOut.into());
        }
        Ok(VerifiedImage {
            version: self.version,
            length: self.length,
            digest: self.digest.finalize().into(),
            created,
        })
    }

    fn opening(&self) -> &[u8] {
        let length = usize::try_from(self.length).unwrap_or(usize::MAX);
        self.opening.get(..length).unwrap_or(&self.opening)
    }

    fn look_at_opening(&self) -> Result<(), BodyFault> {
        let opening = self.opening();
        let expected = self.check.magic.iter();
        if expected.zip(opening).any(|(magic, byte)| magic != byte) {
            return Err(BodyFault::ImageMagic);
        }
        if opening.starts_with(PROBLEM) {
            return Err(BodyFault::Problem);
        }
        Ok(())
    }
}

impl<K> fmt::Debug for ReceivingImage<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivingImage")
            .field("version", &self.version)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

impl VerifiedImage {
    /// An image that this device may install, of which every chunk has been compared with what its
    /// author signed.
    #[cfg(feature = "update")]
    pub(crate) fn of_author(
        admitted: &providore_pki::manifest::AdmittedManifest<'_>,
        created: Timestamp,
    ) -> Self {
        let contents = admitted.manifest().contents();
        Self {
            version: contents.version().into(),
            length: contents.image_len(),
            digest: *contents.image_sha256(),
            created,
        }
    }

    /// The version that was asked for.
    #[must_use]
    pub const fn version(&self) -> &FirmwareVersion {
        &self.version
    }

    /// The size in bytes.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// The SHA-256 of the image: a slot that can read back compares what it holds.
    #[must_use]
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// When the server made the answer.
    #[must_use]
    pub const fn created(&self) -> Timestamp {
        self.created
    }
}
