//! The header in front of the records (RFC 8188 section 2.1), and what goes into it.

use core::fmt;

use heapless::Vec;

use super::EncodeError;

/// The length of the fixed part: salt, record size, length of the key's name.
pub(super) const FIXED_LEN: usize = Salt::LEN + 4 + 1;

/// 16 random bytes for one content: it cannot be copied, and encoding uses it up.
///
/// Two contents with one key and one salt give both away (section 4.3).
///
/// ```
/// use providore_sign::content_coding::{EncodeError, Salt};
///
/// let mut random = [7; 16];
/// assert!(Salt::take(&mut random).is_ok());
/// assert_eq!(random, [0; 16]);
/// assert_eq!(Salt::take(&mut random).unwrap_err(), EncodeError::SaltUsed);
/// ```
///
/// ```compile_fail
/// # use providore_sign::content_coding::Salt;
/// let salt = Salt::take(&mut [7; 16]).unwrap();
/// let again = salt.clone();
/// ```
#[derive(Debug, PartialEq, Eq)]
pub struct Salt([u8; Self::LEN]);

impl Salt {
    /// The length in bytes.
    pub const LEN: usize = 16;

    /// Takes fresh random bytes out of `random` and leaves zeros, which no second call accepts.
    ///
    /// # Errors
    /// [`EncodeError::SaltUsed`] if there are only zeros: taken before, or never filled.
    pub fn take(random: &mut [u8; Self::LEN]) -> Result<Self, EncodeError> {
        let taken = core::mem::take(random);
        if taken == [0; Self::LEN] {
            return Err(EncodeError::SaltUsed);
        }
        Ok(Self(taken))
    }

    pub(super) const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

/// The length of a record with its tag: `rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordSize(u16);

impl RecordSize {
    /// The least that section 2.1 allows: a tag, a delimiter and one byte of content.
    pub const MIN: Self = Self(18);

    /// What providore sends: half a percent of overhead, and a device has 4 KiB to lend.
    pub const DEFAULT: Self = Self(4096);

    /// The most that is sent or accepted: a TLS record has as much, and a peer that asks a device
    /// to hold more wants its memory.
    pub const MAX: Self = Self(16_384);

    /// What a record adds to its content: tag and delimiter.
    pub(super) const OVERHEAD: usize = 17;

    /// A record size within the limits.
    ///
    /// # Errors
    /// [`EncodeError::RecordSize`].
    pub const fn new(size: u32) -> Result<Self, EncodeError> {
        if size < Self::MIN.0 as u32 || size > Self::MAX.0 as u32 {
            return Err(EncodeError::RecordSize { size });
        }
        // Lossless: MAX fits.
        Ok(Self((size & 0xffff) as u16))
    }

    /// The length in bytes: also what a buffer must hold.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0 as usize
    }

    /// How much content fits into a record.
    #[must_use]
    pub const fn content(self) -> usize {
        self.get().saturating_sub(Self::OVERHEAD)
    }
}

impl Default for RecordSize {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The input keying material of content, and what the header calls it.
///
/// In the `Signed` dialect that is the sub-key for [`Purpose::Content`], without a name.
///
/// [`Purpose::Content`]: crate::subkeys::Purpose::Content
#[derive(Clone, Copy)]
pub struct ContentKey<'a> {
    secret: &'a [u8],
    id: &'a [u8],
}

impl<'a> ContentKey<'a> {
    /// The longest name in bytes: as long as a device's id may be. The format has room for 255.
    pub const MAX_ID_LEN: usize = 64;

    /// A key without a name.
    #[must_use]
    pub const fn new(secret: &'a [u8]) -> Self {
        Self { secret, id: &[] }
    }

    /// A key with a name, which section 2.1 wants to be UTF-8.
    ///
    /// # Errors
    /// [`EncodeError::KeyIdLength`].
    pub const fn with_id(self, id: &'a str) -> Result<Self, EncodeError> {
        if id.len() > Self::MAX_ID_LEN {
            return Err(EncodeError::KeyIdLength);
        }
        Ok(Self {
            id: id.as_bytes(),
            ..self
        })
    }

    pub(super) const fn secret(&self) -> &'a [u8] {
        self.secret
    }

    pub(super) const fn id(&self) -> &'a [u8] {
        self.id
    }
}

impl fmt::Debug for ContentKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContentKey(..)")
    }
}

/// The header of encoded content: to be sent in front of its records.
#[derive(Debug, Clone)]
#[must_use]
pub struct Header(Vec<u8, { FIXED_LEN + ContentKey::MAX_ID_LEN }>);

impl Header {
    pub(super) fn new(
        salt: Salt,
        size: RecordSize,
        key: &ContentKey<'_>,
    ) -> Result<Self, EncodeError> {
        let id_len = u8::try_from(key.id.len()).map_err(|_| EncodeError::KeyIdLength)?;
        let mut bytes = Vec::new();
        let (Salt(salt), size) = (salt, u32::from(size.0).to_be_bytes());
        for part in [&salt[..], &size, &[id_len], key.id] {
            // `with_id` has seen to it that all fits.
            bytes
                .extend_from_slice(part)
                .map_err(|_| EncodeError::KeyIdLength)?;
        }
        Ok(Self(bytes))
    }

    /// The bytes on the wire.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}
