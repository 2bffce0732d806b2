//! A P-256 key in memory.

use core::fmt;

use p256::ecdsa::{SigningKey, signature::Signer};
use zeroize::Zeroizing;

use super::{DeviceKey, KeyError, PublicKey, Signature};

/// A P-256 private key in memory: overwritten on drop, never printed.
///
/// ```
/// use providore_pki::{KeyError, SoftwareKey};
///
/// let random = [7; 32]; // from the generator of the hardware or the operating system
/// let key = SoftwareKey::from_scalar(&random)?;
/// assert_eq!(format!("{key:?}"), "SoftwareKey(..)");
///
/// // Zero and numbers beyond the order of the curve are no keys: draw again.
/// assert_eq!(SoftwareKey::from_scalar(&[0xff; 32]).err(), Some(KeyError::InvalidScalar));
/// # Ok::<(), KeyError>(())
/// ```
#[derive(Clone)]
pub struct SoftwareKey(pub(super) SigningKey);

impl SoftwareKey {
    /// Takes 32 fresh random bytes, or the bytes of [`SoftwareKey::to_scalar`], as the private key.
    ///
    /// # Errors
    /// [`KeyError::InvalidScalar`] for zero and for numbers not below the order of the curve.
    pub fn from_scalar(scalar: &[u8; 32]) -> Result<Self, KeyError> {
        SigningKey::from_slice(scalar)
            .map(Self)
            .map_err(|_| KeyError::InvalidScalar)
    }

    /// The private key, to be stored where only the device can read it.
    #[must_use]
    pub fn to_scalar(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes().into())
    }

    /// The public half.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        let mut sec1 = [0; PublicKey::SEC1_LEN];
        let point = self.0.verifying_key().to_sec1_point(false);
        for (to, from) in sec1.iter_mut().zip(point.as_bytes()) {
            *to = *from;
        }
        PublicKey(sec1)
    }

    /// Signs the SHA-256 digest of `message`, deterministically (RFC 6979): no generator is asked,
    /// so none can leak the key by repeating itself.
    ///
    /// # Errors
    /// [`KeyError::Refused`]; not known to happen.
    pub fn sign(&self, message: &[u8]) -> Result<Signature, KeyError> {
        let signature: p256::ecdsa::Signature =
            self.0.try_sign(message).map_err(|_| KeyError::Refused)?;
        Signature::from_fixed(&signature.to_bytes().into())
    }
}

impl DeviceKey for SoftwareKey {
    fn public_key(&mut self) -> Result<PublicKey, KeyError> {
        Ok(Self::public_key(self))
    }

    fn sign(&mut self, message: &[u8]) -> Result<Signature, KeyError> {
        Self::sign(self, message)
    }
}

impl fmt::Debug for SoftwareKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SoftwareKey(..)")
    }
}
