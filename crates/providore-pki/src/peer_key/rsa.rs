//! RSA PKCS#1 v1.5 with SHA-256, for the deployed Go client; verifying only.
//!
//! The arithmetic is aws-lc-rs: no stable RustCrypto crate verifies RSA of this generation.

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use der::{Decode, asn1::UintRef};
use rustls_pki_types::alg_id;

use super::{KeyAlgorithm, KeyPolicyError, Scheme};
use crate::elements::Elements;

pub(super) static RSA_SHA256: Scheme = Scheme {
    key_id: alg_id::RSA_ENCRYPTION,
    signature_id: alg_id::RSA_PKCS1_SHA256,
    verify: |key, message, signature| {
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key)
            .verify(message, signature)
            .is_ok()
    },
};

/// `RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER }` (RFC 8017, A.1.1).
pub(super) fn check(key: &[u8]) -> Result<KeyAlgorithm, KeyPolicyError> {
    let mut elements = Elements::of_sequence(key)?;
    let modulus = unsigned(elements.raw()?)?;
    let exponent = unsigned(elements.raw()?)?;
    elements.finish()?;

    let bits = bit_length(modulus);
    if bits < MIN_BITS {
        return Err(KeyPolicyError::RsaTooShort { bits });
    }
    if bits > MAX_BITS {
        return Err(KeyPolicyError::RsaTooLong { bits });
    }
    if is_even(modulus) {
        return Err(KeyPolicyError::Malformed);
    }
    let exponent_bits = bit_length(exponent);
    if is_even(exponent) || !(MIN_EXPONENT_BITS..=MAX_EXPONENT_BITS).contains(&exponent_bits) {
        return Err(KeyPolicyError::RsaExponent);
    }
    Ok(KeyAlgorithm::Rsa)
}

fn unsigned(der: &[u8]) -> Result<&[u8], KeyPolicyError> {
    UintRef::from_der(der)
        .map(|number| number.as_bytes())
        .map_err(|_| KeyPolicyError::Malformed)
}

/// Of a number without leading zero bytes.
fn bit_length(number: &[u8]) -> usize {
    let Some((first, rest)) = number.split_first() else {
        return 0;
    };
    let first_bits = first.checked_ilog2().map_or(0, |log| log.saturating_add(1));
    usize::try_from(first_bits)
        .unwrap_or(usize::MAX)
        .saturating_add(rest.len().saturating_mul(8))
}

fn is_even(number: &[u8]) -> bool {
    number.last().is_none_or(|last| last & 1 == 0)
}

const MIN_BITS: usize = 2048;
const MAX_BITS: usize = 4096;
// 65537 is the smallest odd number of 17 bits that is above 2^16.
const MIN_EXPONENT_BITS: usize = 17;
const MAX_EXPONENT_BITS: usize = 33;
