//! The MAC key: a trait that a locked hardware key can implement, and the key in software.

use core::fmt;

use hmac::digest::CtOutput;
use providore_wire::Signature;
use sha2::Sha256;

use crate::mac::{Keyed, Running};

/// A key that computes HMAC-SHA-256 (RFC 2104) over data it is given in pieces.
///
/// The key itself never leaves: the ESP32-S2's HMAC peripheral with its key in eFuse fits as well
/// as [`SoftwareKey`]. One computation runs at a time.
///
/// # Contract
/// [`begin`](Self::begin) starts a computation and drops one that was not finished.
/// [`update`](Self::update) and [`finish`](Self::finish) without a computation fail with
/// [`KeyError::NotStarted`]; `finish` ends it. Pieces may have any length, also none, and their
/// borders do not change the tag. `providore-testkit` has a conformance suite.
pub trait MacKey {
    /// Starts a computation.
    ///
    /// # Errors
    /// [`KeyError`] if the key cannot be used now.
    fn begin(&mut self) -> Result<(), KeyError>;

    /// Adds data.
    ///
    /// # Errors
    /// [`KeyError::NotStarted`], or that the hardware failed.
    fn update(&mut self, data: &[u8]) -> Result<(), KeyError>;

    /// Ends the computation.
    ///
    /// # Errors
    /// [`KeyError::NotStarted`], or that the hardware failed.
    fn finish(&mut self) -> Result<ComputedTag, KeyError>;
}

impl<K: MacKey + ?Sized> MacKey for &mut K {
    fn begin(&mut self) -> Result<(), KeyError> {
        (**self).begin()
    }

    fn update(&mut self, data: &[u8]) -> Result<(), KeyError> {
        (**self).update(data)
    }

    fn finish(&mut self) -> Result<ComputedTag, KeyError> {
        (**self).finish()
    }
}

/// Why a key did not compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The secret is empty, or longer than [`SoftwareKey::MAX_SECRET_LEN`].
    #[error("secret is empty or too long")]
    SecretLength,
    /// The message holds what no signature can cover: a character that no header carries, or more
    /// than fits.
    #[error("the message cannot be signed")]
    Message,
    /// The memory lent for the header fields is too short:
    /// [`HeaderInstructions::MAX_LEN`](crate::HeaderInstructions::MAX_LEN) bytes always suffice.
    #[error("the memory lent for header fields is too short")]
    Memory,
    /// `update` or `finish` without `begin`.
    #[error("no computation was begun")]
    NotStarted,
    /// The hardware that holds the key reported a fault, named by its driver: `Hardware(&"busy")`.
    /// The reference keeps errors short.
    #[error("key hardware: {0}")]
    Hardware(&'static &'static str),
}

/// A tag that was computed here and not sent yet: secret, since who reads it can forge the message.
///
/// Comparing is in constant time; printing shows nothing. [`ComputedTag::publish`] turns it into
/// the [`Signature`] of a message.
// At words: else a small processor copies it byte by byte.
#[repr(align(4))]
pub struct ComputedTag(CtOutput<Sha256>);

impl ComputedTag {
    /// For implementors of [`MacKey`]: the 32 bytes that the hardware computed.
    #[must_use]
    pub fn from_bytes(tag: [u8; 32]) -> Self {
        Self(CtOutput::new(tag.into()))
    }

    /// The tag as part of a message that is about to be sent.
    #[must_use]
    pub fn publish(self) -> Signature {
        Signature::new((*self.0.as_bytes()).into())
    }

    /// The tag as a secret of its own: what a key derives.
    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes().as_ref()
    }

    /// Whether a received signature is this tag, in constant time.
    #[must_use]
    pub fn matches(&self, signature: &Signature) -> bool {
        self.0 == CtOutput::new((*signature.as_bytes()).into())
    }

    /// Whether a received tag of half the length is the beginning of this one, in constant time.
    pub(crate) fn begins_with(&self, half: &[u8; 16]) -> bool {
        let mut whole = *self.as_bytes();
        for (slot, byte) in whole.iter_mut().zip(half) {
            *slot = *byte;
        }
        self.0 == CtOutput::new(whole.into())
    }
}

impl fmt::Debug for ComputedTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ComputedTag(..)")
    }
}

/// An HMAC-SHA-256 key in memory, erased when dropped.
///
/// A clone taken between `begin` and `finish` carries on the computation, which is how a server
/// keeps the state behind a large body instead of hashing it again for each answer.
///
/// ```
/// use providore_sign::{MacKey, SoftwareKey};
///
/// let mut key = SoftwareKey::new(b"correct horse battery staple")?;
/// key.begin()?;
/// key.update(b"GET\n")?;
/// key.update(b"/config")?;
/// let signature = key.finish()?.publish();
/// assert_eq!(format!("{key:?}"), "SoftwareKey(..)");
/// # Ok::<(), providore_sign::KeyError>(())
/// ```
#[derive(Clone)]
pub struct SoftwareKey {
    keyed: Keyed,
    running: Option<Running>,
}

impl SoftwareKey {
    /// The longest secret in bytes: four HMAC blocks, far above the 64 that add strength.
    pub const MAX_SECRET_LEN: usize = 256;

    /// A key from a device's secret. Secrets of the `Original` dialect are used as the bytes of
    /// their text: one that looks like hex or base64 is not decoded.
    ///
    /// # Errors
    /// [`KeyError::SecretLength`]; in particular the empty secret, with which a deployed firmware
    /// was built by accident, is refused.
    pub fn new(secret: &[u8]) -> Result<Self, KeyError> {
        if secret.is_empty() || secret.len() > Self::MAX_SECRET_LEN {
            return Err(KeyError::SecretLength);
        }
        Ok(Self {
            keyed: Keyed::new(secret).ok_or(KeyError::SecretLength)?,
            running: None,
        })
    }

    /// A key from what another key computed.
    pub(crate) fn from_tag(tag: &ComputedTag) -> Self {
        Self {
            keyed: Keyed::from_tag(tag.as_bytes()),
            running: None,
        }
    }

    /// A computation of its own over this key, which other computations may share: what a server
    /// uses for each message.
    #[must_use]
    pub const fn share(&self) -> SharedKey<'_> {
        SharedKey::new(&self.keyed)
    }
}

impl MacKey for SoftwareKey {
    #[inline]
    fn begin(&mut self) -> Result<(), KeyError> {
        self.running = Some(self.keyed.begin());
        Ok(())
    }

    #[inline]
    fn update(&mut self, data: &[u8]) -> Result<(), KeyError> {
        let running = self.running.as_mut().ok_or(KeyError::NotStarted)?;
        running.update(data);
        Ok(())
    }

    #[inline]
    fn finish(&mut self) -> Result<ComputedTag, KeyError> {
        let running = self.running.take().ok_or(KeyError::NotStarted)?;
        Ok(self.keyed.finish(running))
    }
}

/// One computation over a [`SoftwareKey`] that is borrowed; see [`SoftwareKey::share`].
#[derive(Clone)]
pub struct SharedKey<'k> {
    keyed: &'k Keyed,
    running: Option<Running>,
}

impl<'k> SharedKey<'k> {
    pub(crate) const fn new(keyed: &'k Keyed) -> Self {
        Self {
            keyed,
            running: None,
        }
    }
}

impl MacKey for SharedKey<'_> {
    #[inline]
    fn begin(&mut self) -> Result<(), KeyError> {
        self.running = Some(self.keyed.begin());
        Ok(())
    }

    #[inline]
    fn update(&mut self, data: &[u8]) -> Result<(), KeyError> {
        let running = self.running.as_mut().ok_or(KeyError::NotStarted)?;
        running.update(data);
        Ok(())
    }

    #[inline]
    fn finish(&mut self) -> Result<ComputedTag, KeyError> {
        let running = self.running.take().ok_or(KeyError::NotStarted)?;
        Ok(self.keyed.finish(running))
    }
}

impl fmt::Debug for SharedKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedKey(..)")
    }
}

impl fmt::Debug for SoftwareKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SoftwareKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn _object_safe(_: &dyn MacKey) {}

    #[test]
    fn unusable_secrets_are_refused() {
        assert_eq!(SoftwareKey::new(b"").unwrap_err(), KeyError::SecretLength);
        assert_eq!(
            SoftwareKey::new(&[7; 257]).unwrap_err(),
            KeyError::SecretLength
        );
        assert!(SoftwareKey::new(&[7; 256]).is_ok());
    }

    #[test]
    fn a_tag_begins_with_its_first_half_alone() {
        let bytes = core::array::from_fn(|at| u8::try_from(at).unwrap());
        let tag = ComputedTag::from_bytes(bytes);
        let half: [u8; 16] = bytes[..16].try_into().unwrap();
        assert!(tag.begins_with(&half));
        assert!(!tag.begins_with(&bytes[16..].try_into().unwrap()));
        for bit in 0..128_usize {
            let mut other = half;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!tag.begins_with(&other));
        }
    }

    #[test]
    fn a_tag_matches_only_itself() {
        let tag = ComputedTag::from_bytes([7; 32]);
        assert!(tag.matches(&Signature::new([7; 32])));
        for bit in 0..256_usize {
            let mut other = [7; 32];
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!tag.matches(&Signature::new(other)));
        }
    }
}
