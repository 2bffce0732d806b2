//! Other people's public keys: which are accepted, and verifying with them.

mod ecdsa;
#[cfg(feature = "rsa")]
mod rsa;

use der::Tag;
use rustls_pki_types::{
    AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
};

use crate::elements::{Elements, Malformed};

/// The kind of a public key that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyAlgorithm {
    /// ECDSA on P-256.
    P256,
    /// ECDSA on P-384 (feature `p384`).
    P384,
    /// RSA with a modulus of 2048 to 4096 bits (feature `rsa`).
    Rsa,
}

/// Why a public key is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyPolicyError {
    /// Not a `SubjectPublicKeyInfo`, or not a key of the algorithm it names.
    #[error("the public key is malformed")]
    Malformed,
    /// Another algorithm or curve, a curve given by its parameters, or a feature that is off.
    #[error("the algorithm of the public key is not supported")]
    UnsupportedAlgorithm,
    /// Below 2048 bits; 512 bits are factored in hours.
    #[error("the RSA key has {bits} bits, at least 2048 are needed")]
    RsaTooShort {
        /// Length of the modulus.
        bits: usize,
    },
    /// Above 4096 bits: each check would cost the server more than it gains.
    #[error("the RSA key has {bits} bits, at most 4096 are accepted")]
    RsaTooLong {
        /// Length of the modulus.
        bits: usize,
    },
    /// Even, below 65537 or above 33 bits (NIST SP 800-56B, 6.2.1, and the verifier's limit).
    #[error("the RSA key has an unusual exponent")]
    RsaExponent,
}

impl From<Malformed> for KeyPolicyError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// A public key that may verify signatures.
pub(crate) struct PeerKey<'a> {
    pub(crate) algorithm: KeyAlgorithm,
    /// The content of `subjectPublicKey`.
    pub(crate) key: &'a [u8],
    algorithm_id: &'a [u8],
}

impl<'a> PeerKey<'a> {
    pub(crate) fn from_spki_der(spki: &'a [u8]) -> Result<Self, KeyPolicyError> {
        let mut elements = Elements::of_sequence(spki)?;
        let algorithm_id = elements.content(Tag::Sequence)?;
        let key = elements.bit_string()?;
        elements.finish()?;
        Ok(Self {
            algorithm: accepted(algorithm_id, key)?,
            key,
            algorithm_id,
        })
    }

    /// Verifies with the algorithm that `signature_id` names.
    pub(crate) fn verify(
        &self,
        signature_id: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        SCHEMES
            .iter()
            .find(|scheme| {
                scheme.public_key_alg_id().as_ref() == self.algorithm_id
                    && scheme.signature_alg_id().as_ref() == signature_id
            })
            .ok_or(SignatureError::UnsupportedAlgorithm)?
            .verify_signature(self.key, message, signature)
            .map_err(|_| SignatureError::Invalid)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignatureError {
    UnsupportedAlgorithm,
    Invalid,
}

fn accepted(algorithm_id: &[u8], key: &[u8]) -> Result<KeyAlgorithm, KeyPolicyError> {
    if algorithm_id == alg_id::ECDSA_P256.as_ref() {
        return ecdsa::check_p256(key);
    }
    #[cfg(feature = "p384")]
    if algorithm_id == alg_id::ECDSA_P384.as_ref() {
        return ecdsa::check_p384(key);
    }
    #[cfg(feature = "rsa")]
    if algorithm_id == alg_id::RSA_ENCRYPTION.as_ref() {
        return rsa::check(key);
    }
    Err(KeyPolicyError::UnsupportedAlgorithm)
}

/// Every accepted pair of key and signature algorithm; SHA-1 is in none.
pub(crate) static SCHEMES: &[&dyn SignatureVerificationAlgorithm] = &[
    &ecdsa::P256_SHA256,
    &ecdsa::P256_SHA384,
    #[cfg(feature = "p384")]
    &ecdsa::P384_SHA256,
    #[cfg(feature = "p384")]
    &ecdsa::P384_SHA384,
    #[cfg(feature = "rsa")]
    &rsa::RSA_SHA256,
];

/// A pair of algorithms, in the form that both the request check and webpki use.
#[derive(Debug)]
struct Scheme {
    key_id: AlgorithmIdentifier,
    signature_id: AlgorithmIdentifier,
    /// Key, message, signature.
    verify: fn(&[u8], &[u8], &[u8]) -> bool,
}

impl SignatureVerificationAlgorithm for Scheme {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        if (self.verify)(public_key, message, signature) {
            Ok(())
        } else {
            Err(InvalidSignature)
        }
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.key_id
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.signature_id
    }
}
