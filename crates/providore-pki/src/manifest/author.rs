//! Who signed a manifest, and whether a device may install what it describes.

use core::fmt;

use providore_wire::HardwareType;

use super::{Chunk, Contents, Manifest, ManifestError, sha256};
use crate::PublicKey;

/// The name of a key: the first 8 bytes of SHA-256 over its DER `SubjectPublicKeyInfo`.
///
/// It finds the key among those of the device, and proves nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyId([u8; Self::LEN]);

impl KeyId {
    /// Its length in bytes.
    pub const LEN: usize = 8;

    /// The name of this key.
    #[must_use]
    pub fn of(key: &PublicKey) -> Self {
        let digest = sha256(&key.spki_parts());
        Self(digest.first_chunk().copied().unwrap_or_default())
    }

    pub(super) fn new(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// The public keys of the authors whose firmware a device installs.
///
/// Have two at least, with the second private key in another safe place: when the first is lost or
/// stolen, a release signed by the second brings firmware with another list. A key is revoked by
/// not being in the list; there is no other way, as a device cannot be made to hear of one.
#[derive(Clone, Copy, Debug)]
pub struct AuthorKeys<'k>(&'k [PublicKey]);

impl<'k> AuthorKeys<'k> {
    /// The most keys.
    pub const MAX: usize = 4;

    /// Takes 1 to 4 different keys.
    ///
    /// # Errors
    /// [`AuthorKeysError`].
    pub fn new(keys: &'k [PublicKey]) -> Result<Self, AuthorKeysError> {
        if !(1..=Self::MAX).contains(&keys.len()) {
            return Err(AuthorKeysError::Count);
        }
        let is_repeated = |(at, key): (usize, &PublicKey)| keys.iter().take(at).any(|k| k == key);
        if keys.iter().enumerate().any(is_repeated) {
            return Err(AuthorKeysError::Repeated);
        }
        Ok(Self(keys))
    }

    /// Verifies that one of these authors has signed the manifest.
    ///
    /// As RFC 9053 has it, both spellings of an ECDSA signature count (s and its negative): what is
    /// signed is the same, and a manifest is not told from another by its signature.
    ///
    /// # Errors
    /// [`ManifestError::UnknownAuthor`], [`ManifestError::Signature`].
    pub fn verify<'a>(
        &self,
        manifest: Manifest<'a>,
    ) -> Result<VerifiedManifest<'a>, ManifestError> {
        let key_id = manifest.key_id();
        let digest = manifest.signed_digest();
        let mut refusal = ManifestError::UnknownAuthor(key_id);
        for key in self.0.iter().filter(|key| KeyId::of(key) == key_id) {
            if key.has_signed(&digest, manifest.signature()) {
                let contents = manifest.into_contents();
                return Ok(VerifiedManifest { key_id, contents });
            }
            refusal = ManifestError::Signature;
        }
        Err(refusal)
    }
}

/// Why keys are not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorKeysError {
    /// None, or more than 4.
    #[error("there are not 1 to 4 keys of authors")]
    Count,
    /// The second key is there for the day on which the first is not.
    #[error("a key of an author is there twice")]
    Repeated,
}

/// What a trusted author has signed; only [`AuthorKeys::verify`] makes one.
///
/// It is not yet what this device should install: [`VerifiedManifest::admit`] says that.
///
/// ```compile_fail
/// use providore_pki::manifest::{KeyId, Manifest, VerifiedManifest};
///
/// fn forge<'a>(key_id: KeyId, claimed: Manifest<'a>) -> VerifiedManifest<'a> {
///     VerifiedManifest { key_id, contents: claimed.unverified_contents().clone() }
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct VerifiedManifest<'a> {
    key_id: KeyId,
    contents: Contents<'a>,
}

impl<'a> VerifiedManifest<'a> {
    /// What its author says.
    #[must_use]
    pub fn contents(&self) -> &Contents<'a> {
        &self.contents
    }

    /// The key of its author.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// One chunk, counted from 0; `None` behind the last.
    #[must_use]
    pub fn chunk(&self, index: usize) -> Option<Chunk<'a>> {
        let sha256 = self.contents.chunk_digests().get(index)?;
        let size = self.contents.chunk_size().bytes();
        let offset = u64::try_from(index).ok()?.checked_mul(u64::from(size))?;
        let left = self.contents.image_len().checked_sub(offset)?;
        let length = u32::try_from(left).map_or(size, |left| left.min(size));
        Some(Chunk {
            index,
            offset,
            length,
            sha256,
        })
    }

    /// All chunks in their order.
    pub fn chunks(&self) -> impl Iterator<Item = Chunk<'a>> + '_ {
        (0..self.contents.chunk_count()).filter_map(|index| self.chunk(index))
    }

    /// Decides whether a device with this hardware, release and slot may install it.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn admit(self, installed: &Installed<'_>) -> Result<AdmittedManifest<'a>, Refusal> {
        let contents = &self.contents;
        if contents.hardware().as_str() != installed.hardware.as_str() {
            return Err(Refusal::OtherHardware);
        }
        if contents.sequence() <= installed.sequence {
            return Err(Refusal::NotNewer {
                installed: saturated(installed.sequence),
                offered: saturated(contents.sequence()),
            });
        }
        if contents.minimum_sequence() > installed.sequence {
            return Err(Refusal::NeedsIntermediate {
                installed: saturated(installed.sequence),
                minimum: saturated(contents.minimum_sequence()),
            });
        }
        if contents.image_len() > installed.slot_len {
            return Err(Refusal::TooLarge {
                image: saturated(contents.image_len()),
                slot: saturated(installed.slot_len),
            });
        }
        Ok(AdmittedManifest(self))
    }
}

/// What a device is and has.
#[derive(Clone, Copy, Debug)]
pub struct Installed<'d> {
    hardware: &'d HardwareType,
    sequence: u64,
    slot_len: u64,
}

impl<'d> Installed<'d> {
    /// The hardware, the highest sequence number that was ever installed (0: none), and the length
    /// of the slot that an image goes to.
    ///
    /// # Security
    /// The number has to be stored as safely as the firmware itself: who can lower it can have the
    /// device install an old release with a known hole.
    #[must_use]
    pub fn new(hardware: &'d HardwareType, sequence: u64, slot_len: u64) -> Self {
        Self {
            hardware,
            sequence,
            slot_len,
        }
    }
}

/// Why a device does not install what a trusted author has signed. Numbers over 2³² - 1 are told as
/// that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// For other hardware.
    #[error("the firmware is for other hardware")]
    OtherHardware,
    /// The release that is installed, or one before it.
    #[error("release {offered} is not newer than release {installed}, which is installed")]
    NotNewer {
        /// What the device has.
        installed: u32,
        /// What the manifest is for.
        offered: u32,
    },
    /// Another release has to be installed before.
    #[error("release {installed} has to be upgraded to release {minimum} or a later one first")]
    NeedsIntermediate {
        /// What the device has.
        installed: u32,
        /// What it needs.
        minimum: u32,
    },
    /// The image is larger than its slot.
    #[error("the image has {image} bytes, the slot {slot}")]
    TooLarge {
        /// Length of the image.
        image: u32,
        /// Length of the slot.
        slot: u32,
    },
}

#[inline(never)] // Six callers.
fn saturated(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// What this device may install; only [`VerifiedManifest::admit`] makes one.
///
/// ```compile_fail
/// use providore_pki::manifest::{AdmittedManifest, VerifiedManifest};
///
/// fn forge<'a>(manifest: VerifiedManifest<'a>) -> AdmittedManifest<'a> {
///     AdmittedManifest(manifest)
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct AdmittedManifest<'a>(VerifiedManifest<'a>);

impl<'a> AdmittedManifest<'a> {
    /// What was admitted.
    pub fn manifest(&self) -> &VerifiedManifest<'a> {
        &self.0
    }
}
