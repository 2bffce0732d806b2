//! ECDSA verification by `p256`.

use p256::ecdsa::VerifyingKey;

/// Whether this is an uncompressed point on the curve (SEC 1, 2.3.4).
pub(super) fn is_point(sec1: &[u8; 65]) -> bool {
    VerifyingKey::from_sec1_bytes(sec1).is_ok()
}

/// Whether `signature` is `r || s` of the key with this point, over the message with this digest.
#[cfg(any(feature = "manifest", test))]
pub(super) fn verifies(sec1: &[u8; 65], digest: &[u8; 32], signature: &[u8; 64]) -> bool {
    use p256::ecdsa::{Signature, signature::hazmat::PrehashVerifier as _};
    let key = VerifyingKey::from_sec1_bytes(sec1);
    let signature = Signature::from_slice(signature);
    key.is_ok_and(|key| {
        signature.is_ok_and(|signature| key.verify_prehash(digest, &signature).is_ok())
    })
}
