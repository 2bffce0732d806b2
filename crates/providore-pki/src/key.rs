//! The device's private key, which need not be in memory, and what it yields.
//!
//! All keys that sign here are ECDSA on P-256 with SHA-256 (FIPS 186-5), the curve that secure
//! elements, TLS stacks and the original's OpenSSL share.

#[cfg(any(sha2_backend_soft = "compact", test))]
#[cfg_attr(
    not(any(feature = "manifest", test)),
    expect(dead_code, reason = "only signatures of manifests are verified by it")
)]
mod compact;
#[cfg(any(not(sha2_backend_soft = "compact"), test))]
mod fast;
#[cfg(feature = "alloc")]
mod file;
mod software;

use core::fmt;

#[cfg(feature = "encrypted-keys")]
pub use file::EncryptionEntropy;
#[cfg(feature = "alloc")]
pub use file::KeyFileError;
pub use software::SoftwareKey;

// What a device takes whose program asks for little flash: docs/PORTING.md.
#[cfg(sha2_backend_soft = "compact")]
use compact as verifier;
#[cfg(not(sha2_backend_soft = "compact"))]
use fast as verifier;

use crate::tlv::{self, BackWriter, Full};

/// A P-256 private key: in memory, in a secure element, behind a bus.
///
/// Implementations take `&mut self`, since hardware has sessions; they never give the key away.
/// [`SoftwareKey`] is the implementation for hosts and for chips without a key store.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a device key",
    note = "wrap the secure element in a type that implements `DeviceKey`, or use `SoftwareKey`"
)]
pub trait DeviceKey: fmt::Debug {
    /// The public half.
    ///
    /// # Errors
    /// [`KeyError::Unavailable`] or [`KeyError::Refused`], if the hardware does not answer.
    fn public_key(&mut self) -> Result<PublicKey, KeyError>;

    /// Signs the SHA-256 digest of `message`; hashing is the implementation's part, as some
    /// elements hash themselves.
    ///
    /// # Errors
    /// [`KeyError::Unavailable`] or [`KeyError::Refused`], if the hardware does not sign.
    fn sign(&mut self, message: &[u8]) -> Result<Signature, KeyError>;
}

impl<K: DeviceKey + ?Sized> DeviceKey for &mut K {
    fn public_key(&mut self) -> Result<PublicKey, KeyError> {
        (**self).public_key()
    }

    fn sign(&mut self, message: &[u8]) -> Result<Signature, KeyError> {
        (**self).sign(message)
    }
}

/// Why a key did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Zero, or not below the order of the curve: happens to one in 2^32 random values, draw again.
    #[error("the 32 bytes are not a private key of P-256")]
    InvalidScalar,
    /// Not an uncompressed point on P-256.
    #[error("the bytes are not a public key of P-256")]
    InvalidPublicKey,
    /// One of the two numbers is zero or not below the order of the curve.
    #[error("the bytes are not a P-256 signature")]
    InvalidSignature,
    /// The key store did not answer; trying again may help.
    #[error("the key store does not answer")]
    Unavailable,
    /// The key store answered that it will not: no key, locked, not permitted.
    #[error("the key store refuses to use the key")]
    Refused,
}

/// A point on P-256, checked to be on the curve.
///
/// ```
/// use providore_pki::{KeyError, PublicKey, SoftwareKey};
///
/// let key = SoftwareKey::from_scalar(&[9; 32])?.public_key();
/// assert_eq!(PublicKey::from_sec1(&key.to_sec1())?, key);
/// assert!(PublicKey::from_sec1(&[4; 65]).is_err());
/// # Ok::<(), KeyError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; Self::SEC1_LEN]);

impl PublicKey {
    /// Length of the uncompressed point: `04 || x || y`.
    pub const SEC1_LEN: usize = 65;
    /// Length of the DER `SubjectPublicKeyInfo`.
    pub const SPKI_LEN: usize = 91;

    /// Reads an uncompressed point (SEC 1, 2.3.3), the only form RFC 5480 obliges anyone to read.
    ///
    /// # Errors
    /// [`KeyError::InvalidPublicKey`] for any other form and for a point off the curve.
    pub fn from_sec1(point: &[u8]) -> Result<Self, KeyError> {
        match point.try_into() {
            Ok(point) if verifier::is_point(point) => Ok(Self(*point)),
            _ => Err(KeyError::InvalidPublicKey),
        }
    }

    /// The uncompressed point.
    #[must_use]
    pub fn to_sec1(&self) -> [u8; Self::SEC1_LEN] {
        self.0
    }

    /// Reads the DER `SubjectPublicKeyInfo` of an uncompressed point, which has one spelling.
    ///
    /// # Errors
    /// [`KeyError::InvalidPublicKey`] for any other key and for a point off the curve.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, KeyError> {
        let point = der.strip_prefix(&SPKI_HEAD);
        Self::from_sec1(point.ok_or(KeyError::InvalidPublicKey)?)
    }

    /// The DER `SubjectPublicKeyInfo` (RFC 5480, 2), as it stands in requests and certificates.
    #[must_use]
    pub fn to_spki_der(&self) -> [u8; Self::SPKI_LEN] {
        let mut der = [0; Self::SPKI_LEN];
        for (to, from) in der.iter_mut().zip(self.spki_parts().into_iter().flatten()) {
            *to = *from;
        }
        der
    }

    /// What [`PublicKey::to_spki_der`] puts together.
    pub(crate) fn spki_parts(&self) -> [&[u8]; 2] {
        [&SPKI_HEAD, &self.0]
    }

    /// Whether `signature` is this key's, over the message whose SHA-256 is `digest`.
    #[cfg(feature = "manifest")]
    pub(crate) fn has_signed(&self, digest: &[u8; 32], signature: &[u8; 64]) -> bool {
        verifier::verifies(&self.0, digest, signature)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// An ECDSA signature on P-256; both numbers are in range.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature([u8; Self::FIXED_LEN]);

impl Signature {
    /// Length of `r || s`.
    pub const FIXED_LEN: usize = 64;
    /// The longest DER form: two integers of 33 bytes.
    pub const MAX_DER_LEN: usize = 72;

    /// Reads `r || s`, 32 bytes each, as most secure elements return it.
    ///
    /// # Errors
    /// [`KeyError::InvalidSignature`], if a number is zero or too large.
    pub fn from_fixed(bytes: &[u8; Self::FIXED_LEN]) -> Result<Self, KeyError> {
        p256::ecdsa::Signature::from_slice(bytes).map_err(|_| KeyError::InvalidSignature)?;
        Ok(Self(*bytes))
    }

    /// Reads the DER form `SEQUENCE { r INTEGER, s INTEGER }` (RFC 3279, 2.2.3).
    ///
    /// # Errors
    /// [`KeyError::InvalidSignature`], if it is not DER or a number is zero or too large.
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        let signature =
            p256::ecdsa::Signature::from_der(der).map_err(|_| KeyError::InvalidSignature)?;
        Ok(Self(signature.to_bytes().into()))
    }

    /// The two numbers, 32 bytes each.
    #[must_use]
    pub fn to_fixed(&self) -> [u8; Self::FIXED_LEN] {
        self.0
    }

    /// Writes the DER form into the tail of `buffer` and returns that part.
    pub fn write_der<'a>(&self, buffer: &'a mut [u8; Self::MAX_DER_LEN]) -> &'a [u8] {
        let mut writer = BackWriter::new(buffer);
        // Cannot be full: the buffer has the length of the longest form.
        let _ = self.write(&mut writer);
        writer.finish()
    }

    pub(crate) fn write(&self, writer: &mut BackWriter<'_>) -> Result<(), Full> {
        let end = writer.end();
        let (r, s) = self.0.split_at(32);
        writer.unsigned(s)?;
        writer.unsigned(r)?;
        writer.enclose(tlv::SEQUENCE, end)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(..)")
    }
}

// SubjectPublicKeyInfo { AlgorithmIdentifier { id-ecPublicKey, secp256r1 }, BIT STRING of 65 bytes }
const SPKI_HEAD: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn _object_safe(_: &dyn DeviceKey) {}

    #[test]
    fn a_signature_survives_both_forms() {
        let mut key = SoftwareKey::from_scalar(&[3; 32]).unwrap();
        for message in [&b""[..], b"a", b"abc", &[0; 300]] {
            let signature = DeviceKey::sign(&mut key, message).unwrap();
            let mut buffer = [0; Signature::MAX_DER_LEN];
            let der = signature.write_der(&mut buffer);
            assert_eq!(Signature::from_der(der), Ok(signature));
            assert_eq!(Signature::from_fixed(&signature.to_fixed()), Ok(signature));
        }
    }

    #[test]
    fn points_off_the_curve_and_empty_signatures_are_refused() {
        let mut point = SoftwareKey::from_scalar(&[3; 32])
            .unwrap()
            .public_key()
            .to_sec1();
        point[64] ^= 1;
        assert_eq!(
            PublicKey::from_sec1(&point),
            Err(KeyError::InvalidPublicKey)
        );
        assert_eq!(PublicKey::from_sec1(&[0]), Err(KeyError::InvalidPublicKey));
        assert_eq!(
            Signature::from_fixed(&[0; 64]),
            Err(KeyError::InvalidSignature)
        );
        assert_eq!(
            Signature::from_fixed(&[0xff; 64]),
            Err(KeyError::InvalidSignature)
        );
    }
}
