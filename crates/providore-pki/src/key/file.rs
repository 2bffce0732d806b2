//! Key files: PKCS#8 (RFC 5958), plain or under a password (RFC 8018, PBES2).

use alloc::{string::String, vec::Vec};

use p256::{
    SecretKey,
    ecdsa::SigningKey,
    pkcs8::{DecodePrivateKey, EncodePrivateKey},
};
use zeroize::Zeroizing;

use super::{PublicKey, SoftwareKey};
use crate::pem;

/// Why a key file was not read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// Not one PEM block.
    #[error("the key file is not PEM")]
    NotPem,
    /// A PEM block, but not the kind of key that was asked for.
    #[error("the PEM block is not a key of the expected kind")]
    UnexpectedLabel,
    /// Not PKCS#8, or not a key on P-256.
    #[error("the key file does not hold a P-256 key")]
    NotP256,
    /// The password is wrong, or the file is damaged or encrypted by an unsupported method.
    #[error("the key file cannot be decrypted")]
    NotDecrypted,
    /// The key cannot be encoded; not known to happen.
    #[error("the key cannot be encoded")]
    NotEncoded,
}

impl SoftwareKey {
    /// Reads PKCS#8 as OpenSSL writes it.
    ///
    /// # Errors
    /// [`KeyFileError::NotP256`].
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, KeyFileError> {
        let key = SecretKey::from_pkcs8_der(der).map_err(|_| KeyFileError::NotP256)?;
        Ok(Self(SigningKey::from(key)))
    }

    /// Reads a `PRIVATE KEY` block.
    ///
    /// ```
    /// use providore_pki::SoftwareKey;
    ///
    /// let key = SoftwareKey::from_scalar(&[7; 32])?;
    /// let stored = key.to_pkcs8_pem()?;
    /// let again = SoftwareKey::from_pkcs8_pem(&stored)?;
    /// assert_eq!(again.public_key(), key.public_key());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`KeyFileError::NotPem`], [`KeyFileError::UnexpectedLabel`] (also for a key that needs a
    /// password), [`KeyFileError::NotP256`].
    pub fn from_pkcs8_pem(text: &str) -> Result<Self, KeyFileError> {
        Self::from_pkcs8_der(&block(text, PRIVATE_KEY)?)
    }

    /// Writes PKCS#8, overwritten on drop.
    ///
    /// # Errors
    /// [`KeyFileError::NotEncoded`].
    pub fn to_pkcs8_der(&self) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
        let document = self.0.to_pkcs8_der();
        Ok(document.map_err(|_| KeyFileError::NotEncoded)?.to_bytes())
    }

    /// Writes a `PRIVATE KEY` block, overwritten on drop.
    ///
    /// # Errors
    /// [`KeyFileError::NotEncoded`].
    pub fn to_pkcs8_pem(&self) -> Result<Zeroizing<String>, KeyFileError> {
        let text = pem::encode(PRIVATE_KEY, &self.to_pkcs8_der()?);
        text.map(Zeroizing::new).ok_or(KeyFileError::NotEncoded)
    }
}

impl PublicKey {
    /// Reads a `PUBLIC KEY` block as OpenSSL writes it.
    ///
    /// ```
    /// use providore_pki::{PublicKey, SoftwareKey};
    ///
    /// let key = SoftwareKey::from_scalar(&[7; 32])?.public_key();
    /// assert_eq!(PublicKey::from_spki_pem(&key.to_spki_pem()?)?, key);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`KeyFileError::NotPem`], [`KeyFileError::UnexpectedLabel`], [`KeyFileError::NotP256`].
    pub fn from_spki_pem(text: &str) -> Result<Self, KeyFileError> {
        let der = block(text, PUBLIC_KEY)?;
        Self::from_spki_der(&der).map_err(|_| KeyFileError::NotP256)
    }

    /// Writes a `PUBLIC KEY` block.
    ///
    /// # Errors
    /// [`KeyFileError::NotEncoded`].
    pub fn to_spki_pem(&self) -> Result<String, KeyFileError> {
        pem::encode(PUBLIC_KEY, &self.to_spki_der()).ok_or(KeyFileError::NotEncoded)
    }
}

fn block(text: &str, label: &str) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let (found, der) = pem::decode(text.as_bytes()).ok_or(KeyFileError::NotPem)?;
    let der = Zeroizing::new(der);
    if found == label {
        Ok(der)
    } else {
        Err(KeyFileError::UnexpectedLabel)
    }
}

const PRIVATE_KEY: &str = "PRIVATE KEY";
const PUBLIC_KEY: &str = "PUBLIC KEY";

#[cfg(feature = "encrypted-keys")]
pub use encrypted::EncryptionEntropy;

#[cfg(feature = "encrypted-keys")]
mod encrypted {
    use super::{KeyFileError, SoftwareKey, String, Zeroizing, block, pem};
    use pkcs8::{
        EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef,
        pkcs5::{pbes2, scrypt},
    };

    /// Fresh random bytes for the encryption of one key file.
    #[derive(Clone, Copy, Debug)]
    pub struct EncryptionEntropy {
        salt: [u8; 16],
        iv: [u8; 16],
    }

    impl EncryptionEntropy {
        /// Salt and initial vector; neither is secret, both are used once.
        #[must_use]
        pub fn new(salt: [u8; 16], iv: [u8; 16]) -> Self {
            Self { salt, iv }
        }
    }

    impl SoftwareKey {
        /// Writes an `ENCRYPTED PRIVATE KEY` block: AES-256-CBC under a key that scrypt makes of
        /// the password (N = 2^14, r = 8, p = 5: OWASP's cost for 16 MiB, within OpenSSL's limit).
        ///
        /// # Errors
        /// [`KeyFileError::NotEncoded`].
        pub fn to_encrypted_pkcs8_pem(
            &self,
            password: &[u8],
            entropy: &EncryptionEntropy,
        ) -> Result<String, KeyFileError> {
            let plain = self.to_pkcs8_der()?;
            encrypt(&plain, password, entropy)
                .and_then(|der| pem::encode(ENCRYPTED_PRIVATE_KEY, der.as_bytes()))
                .ok_or(KeyFileError::NotEncoded)
        }

        /// Reads an `ENCRYPTED PRIVATE KEY` block of PBES2 with scrypt or PBKDF2-HMAC-SHA-2 and
        /// AES, which is what OpenSSL writes since 1.1.
        ///
        /// The file names the cost of its decryption: read only files that the operator trusts.
        ///
        /// # Errors
        /// [`KeyFileError::NotPem`], [`KeyFileError::UnexpectedLabel`] (also for a key without
        /// password), [`KeyFileError::NotDecrypted`], [`KeyFileError::NotP256`].
        pub fn from_encrypted_pkcs8_pem(text: &str, password: &[u8]) -> Result<Self, KeyFileError> {
            let der: Zeroizing<_> = block(text, ENCRYPTED_PRIVATE_KEY)?;
            let plain = EncryptedPrivateKeyInfoRef::try_from(der.as_slice())
                .ok()
                .and_then(|file| file.decrypt(password).ok())
                .ok_or(KeyFileError::NotDecrypted)?;
            Self::from_pkcs8_der(plain.as_bytes())
        }
    }

    fn encrypt(
        plain: &[u8],
        password: &[u8],
        entropy: &EncryptionEntropy,
    ) -> Option<pkcs8::SecretDocument> {
        let cost = scrypt::Params::new(14, 8, 5).ok()?;
        let parameters =
            pbes2::Parameters::generate_scrypt_aes256cbc(cost, &entropy.salt, entropy.iv).ok()?;
        let info = PrivateKeyInfoRef::try_from(plain).ok()?;
        info.encrypt_with_params(parameters, password).ok()
    }

    const ENCRYPTED_PRIVATE_KEY: &str = "ENCRYPTED PRIVATE KEY";
}
