//! That it decides as `p256` does.
#![expect(
    clippy::arithmetic_side_effects,
    reason = "operators of p256, which do not overflow"
)]

extern crate alloc;

use alloc::vec::Vec;

use p256::{
    FieldBytes, ProjectivePoint, Scalar, U256,
    elliptic_curve::{
        Field as _, PrimeField as _,
        ops::Reduce as _,
        sec1::{FromSec1Point as _, Sec1Point, ToSec1Point as _},
    },
};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use super::super::{SoftwareKey, compact, fast};

const P: &str = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";
const N: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

fn number(hex: &str) -> U256 {
    U256::from_be_hex(hex)
}

fn bytes(number: &U256) -> [u8; 32] {
    number.to_be_bytes().as_slice().try_into().unwrap()
}

fn scalar(number: &U256) -> Scalar {
    Scalar::reduce(&FieldBytes::from(bytes(number)))
}

fn sec1(point: &ProjectivePoint) -> [u8; 65] {
    let point = point.to_affine().to_sec1_point(false);
    point.as_bytes().try_into().unwrap()
}

fn uncompressed(x: &U256, y: &U256) -> [u8; 65] {
    joined(&[&[4], &bytes(x), &bytes(y)])
}

fn signature(r: &[u8; 32], s: &[u8; 32]) -> [u8; 64] {
    joined(&[r, s])
}

fn joined<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    parts.concat().try_into().unwrap()
}

/// What both say, which has to be the same.
fn verifies(sec1: &[u8; 65], digest: &[u8; 32], signature: &[u8; 64]) -> bool {
    let verifies = compact::verifies(sec1, digest, signature);
    assert_eq!(verifies, fast::verifies(sec1, digest, signature));
    verifies
}

fn is_point(sec1: &[u8; 65]) -> bool {
    let is_point = compact::is_point(sec1);
    assert_eq!(is_point, fast::is_point(sec1));
    is_point
}

/// Signs with any nonce: s = (e + r·d) / k.
fn sign(d: &Scalar, digest: &[u8; 32], k: &Scalar) -> [u8; 64] {
    let [_, r @ ..]: [u8; 33] = sec1(&(ProjectivePoint::GENERATOR * k))[..33]
        .try_into()
        .unwrap();
    let r = Scalar::reduce(&FieldBytes::from(r));
    let hashed = Scalar::reduce(&FieldBytes::from(*digest));
    let s = (hashed + r * d) * k.invert().unwrap();
    signature(&r.to_repr().into(), &s.to_repr().into())
}

/// RFC 6979, A.2.5, with SHA-256.
#[test]
fn known_signatures_verify() {
    let key = uncompressed(
        &number("60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"),
        &number("7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"),
    );
    for (message, r, s) in [
        (
            "sample",
            "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716",
            "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
        ),
        (
            "test",
            "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367",
            "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083",
        ),
    ] {
        let signature = signature(&bytes(&number(r)), &bytes(&number(s)));
        let digest = |message: &str| Sha256::digest(message).into();
        assert!(verifies(&key, &digest(message), &signature));
        assert!(!verifies(&key, &digest("other"), &signature));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_signatures_verify(d: [u8; 32], message: Vec<u8>) {
        let Ok(key) = SoftwareKey::from_scalar(&d) else { return Ok(()) };
        let signature = key.sign(&message).unwrap().to_fixed();
        let digest = Sha256::digest(&message).into();
        assert!(verifies(&key.public_key().to_sec1(), &digest, &signature));
    }

    /// In the key, the digest or the signature.
    #[test]
    fn a_changed_bit_is_noticed(d: [u8; 32], digest: [u8; 32], at in 0..(65 + 32 + 64_usize), bit in 0..8_u8) {
        let d = scalar(&number_of(&d));
        let key = sec1(&(ProjectivePoint::GENERATOR * d));
        let signed = sign(&d, &digest, &scalar(&number_of(&digest)));
        let mut all: [u8; 65 + 32 + 64] = joined(&[&key, &digest, &signed]);
        all[at] ^= 1_u8 << bit;
        let (key, rest) = all.split_first_chunk().unwrap();
        let (digest, rest) = rest.split_first_chunk().unwrap();
        let verified = verifies(key, digest, rest.try_into().unwrap());
        assert!(!verified);
        is_point(key);
    }

    #[test]
    fn random_bytes_are_judged_alike(x: [u8; 32], y: [u8; 32], digest: [u8; 32], r: [u8; 32], s: [u8; 32]) {
        let key = uncompressed(&number_of(&x), &number_of(&y));
        is_point(&key);
        verifies(&key, &digest, &signature(&r, &s));
        verifies(&sec1(&ProjectivePoint::GENERATOR), &digest, &signature(&r, &s));
    }

    /// Keys, nonces and digests near 0 and n, where sums are doublings or infinite.
    #[test]
    fn small_numbers_verify(d in -9..9_i32, k in -9..9_i32, e in -9..9_i32) {
        let of = |n: i32| {
            let size = Scalar::from(n.unsigned_abs());
            if n < 0 { -size } else { size }
        };
        let (d, k, e) = (of(d), of(k), of(e));
        prop_assume!(!bool::from(d.is_zero() | k.is_zero()));
        let digest: [u8; 32] = e.to_repr().into();
        let signed = sign(&d, &digest, &k);
        let is_zero = signed[32..] == [0; 32];
        assert_eq!(verifies(&sec1(&(ProjectivePoint::GENERATOR * d)), &digest, &signed), !is_zero);
    }
}

fn number_of(bytes: &[u8; 32]) -> U256 {
    U256::from_be_slice(bytes)
}

/// 0, 1 and what is around p, n, their difference and the end.
fn edges() -> Vec<[u8; 32]> {
    let (p, n) = (number(P), number(N));
    let middles = [U256::ZERO, p, n, p.wrapping_sub(&n)];
    let around = |middle: U256| {
        [
            middle.wrapping_sub(&U256::ONE),
            middle,
            middle.wrapping_add(&U256::ONE),
        ]
    };
    middles
        .into_iter()
        .flat_map(around)
        .map(|edge| bytes(&edge))
        .collect()
}

#[test]
fn numbers_at_the_edges_are_judged_alike() {
    let keys = [Scalar::ONE, -Scalar::ONE, Scalar::from(7_u32)];
    for key in keys.map(|d| sec1(&(ProjectivePoint::GENERATOR * d))) {
        for (r, s) in edges()
            .iter()
            .flat_map(|r| edges().into_iter().map(move |s| (r, s)))
        {
            for digest in [[0; 32], [0xff; 32], bytes(&number(N)), *r] {
                verifies(&key, &digest, &signature(r, &s));
            }
        }
    }
}

#[test]
fn only_points_on_the_curve_are_points() {
    for (x, y) in edges()
        .iter()
        .flat_map(|x| edges().into_iter().map(move |y| (x, y)))
    {
        is_point(&uncompressed(&number_of(x), &number_of(&y)));
    }
    let generator = sec1(&ProjectivePoint::GENERATOR);
    assert!(is_point(&generator));
    for tag in [0, 1, 2, 3, 5, 6, 7, 0xff] {
        let mut other = generator;
        other[0] = tag;
        assert!(!is_point(&other), "{tag}");
    }
}

/// A coordinate plus p is the same coordinate, in a form that is refused.
#[test]
fn coordinates_are_below_p() {
    let mut found = 0;
    for x in 0..32_u32 {
        let x = U256::from_u32(x);
        let Some(point) = point_at(&x) else { continue };
        let y = number_of(sec1(&point).last_chunk().unwrap());
        assert!(is_point(&uncompressed(&x, &y)));
        assert!(!is_point(&uncompressed(&x.wrapping_add(&number(P)), &y)));
        found += 1;
    }
    assert!(found > 8);
    let x = number("d7325d7646cd60d80a92738ceb345f844cffaf35841022cab176f692de8de1d7");
    let y = U256::from_u32(5);
    assert!(is_point(&uncompressed(&x, &y)));
    assert!(!is_point(&uncompressed(&x, &y.wrapping_add(&number(P)))));
}

fn point_at(x: &U256) -> Option<ProjectivePoint> {
    let compressed: [u8; 33] = joined(&[&[2], &bytes(x)]);
    let point = Sec1Point::<p256::NistP256>::from_bytes(compressed).unwrap();
    ProjectivePoint::from_sec1_point(&point).into_option()
}

/// Whether a signature by `r` counts, of which the sum is this point.
fn counts(r: &U256, sum: ProjectivePoint) -> bool {
    // The key for which any digest and s lead to this sum: (s·R - e·G) / r.
    let digest = [0x5a; 32];
    let (s, hashed) = (Scalar::from(1234_u32), scalar(&number_of(&digest)));
    let key = (sum * s - ProjectivePoint::GENERATOR * hashed) * scalar(r).invert().unwrap();
    let signature = signature(&bytes(r), &s.to_repr().into());
    verifies(&sec1(&key), &digest, &signature)
}

#[test]
fn an_x_above_the_order_verifies() {
    let (p, n) = (number(P), number(N));
    let mut found = 0;
    for x in (1..32_u32).map(U256::from_u32) {
        // The x of the sum is r + n: only the second comparison finds it.
        let beyond = x.wrapping_add(&n);
        if let Some(sum) = point_at(&beyond) {
            assert!(counts(&x, sum));
            assert!(!counts(&beyond, sum));
            found += 1;
        }
        // It is r + n - p, which is r + n modulo p, but not r modulo n.
        if let Some(sum) = point_at(&x) {
            assert!(counts(&x, sum));
            assert!(!counts(&x.wrapping_add(&p.wrapping_sub(&n)), sum));
            found += 1;
        }
    }
    assert!(found > 16);
}

/// e = -r·d: the sum is the point at infinity, of which no r is the x.
#[test]
fn a_sum_at_infinity_is_refused() {
    for (d, r) in [(1_u32, 1_u32), (7, 1), (7, 1234), (1 << 31, 77)] {
        let (d, r) = (Scalar::from(d), Scalar::from(r));
        let digest: [u8; 32] = (-(r * d)).to_repr().into();
        let key = sec1(&(ProjectivePoint::GENERATOR * d));
        let r: [u8; 32] = r.to_repr().into();
        assert!(!verifies(&key, &digest, &signature(&r, &[1; 32])));
    }
}
