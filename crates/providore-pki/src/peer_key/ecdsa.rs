//! ECDSA on P-256 and P-384 with SHA-256 or SHA-384 (RFC 5758, 3.2).
//!
//! OpenSSL signs requests with SHA-256 whatever the curve, hence the mixed pairs.

use p256::ecdsa::signature::hazmat::PrehashVerifier;
use rustls_pki_types::alg_id;
use sha2::{Digest, Sha256, Sha384};

use super::{KeyAlgorithm, KeyPolicyError, Scheme};

pub(super) static P256_SHA256: Scheme = Scheme {
    key_id: alg_id::ECDSA_P256,
    signature_id: alg_id::ECDSA_SHA256,
    verify: |key, message, signature| verify_p256(key, &Sha256::digest(message), signature),
};

pub(super) static P256_SHA384: Scheme = Scheme {
    key_id: alg_id::ECDSA_P256,
    signature_id: alg_id::ECDSA_SHA384,
    verify: |key, message, signature| verify_p256(key, &Sha384::digest(message), signature),
};

#[cfg(feature = "p384")]
pub(super) static P384_SHA256: Scheme = Scheme {
    key_id: alg_id::ECDSA_P384,
    signature_id: alg_id::ECDSA_SHA256,
    verify: |key, message, signature| verify_p384(key, &Sha256::digest(message), signature),
};

#[cfg(feature = "p384")]
pub(super) static P384_SHA384: Scheme = Scheme {
    key_id: alg_id::ECDSA_P384,
    signature_id: alg_id::ECDSA_SHA384,
    verify: |key, message, signature| verify_p384(key, &Sha384::digest(message), signature),
};

/// Uncompressed points only: RFC 5480, 2.2, obliges nobody to read the others.
pub(super) fn check_p256(point: &[u8]) -> Result<KeyAlgorithm, KeyPolicyError> {
    crate::PublicKey::from_sec1(point)
        .map(|_| KeyAlgorithm::P256)
        .map_err(|_| KeyPolicyError::Malformed)
}

#[cfg(feature = "p384")]
pub(super) fn check_p384(point: &[u8]) -> Result<KeyAlgorithm, KeyPolicyError> {
    if point.first() != Some(&4) {
        return Err(KeyPolicyError::Malformed);
    }
    p384::ecdsa::VerifyingKey::from_sec1_bytes(point)
        .map(|_| KeyAlgorithm::P384)
        .map_err(|_| KeyPolicyError::Malformed)
}

fn verify_p256(point: &[u8], digest: &[u8], signature: &[u8]) -> bool {
    use p256::ecdsa::{Signature, VerifyingKey};
    let Ok(key) = VerifyingKey::from_sec1_bytes(point) else {
        return false;
    };
    Signature::from_der(signature)
        .is_ok_and(|signature| key.verify_prehash(digest, &signature).is_ok())
}

#[cfg(feature = "p384")]
fn verify_p384(point: &[u8], digest: &[u8], signature: &[u8]) -> bool {
    use p384::ecdsa::{Signature, VerifyingKey};
    let Ok(key) = VerifyingKey::from_sec1_bytes(point) else {
        return false;
    };
    Signature::from_der(signature)
        .is_ok_and(|signature| key.verify_prehash(digest, &signature).is_ok())
}
