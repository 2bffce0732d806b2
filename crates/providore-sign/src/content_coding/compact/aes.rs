//! AES-128 (FIPS 197), encryption only: a fifth of the code of the library's, and many times slower.
//!
//! It has neither a table, whose cache lines would tell the key, nor a branch that depends on one:
//! four bytes at a time, each in a quarter of a word, are inverted by multiplying.

use core::hint::black_box;

use zeroize::Zeroizing;

/// A key; erased when dropped. The keys of the rounds are made anew for each block.
pub(super) struct Aes128(Zeroizing<[u32; 4]>);

impl Aes128 {
    pub(super) fn new(key: &[u8; 16]) -> Self {
        Self(Zeroizing::new(super::words(key)))
    }

    /// CIPHER of section 5.1, of columns as words: the first row is the first byte.
    #[inline(never)]
    pub(super) fn encrypt(&self, block: &mut [u32; 4]) {
        let mut key = self.0.clone();
        let mut constant = 1 << 24;
        add(block, &key);
        for round in 1..=ROUNDS {
            for column in block.iter_mut() {
                *column = substitute(*column);
            }
            shift_rows(block);
            if round < ROUNDS {
                for column in block.iter_mut() {
                    *column = mix(*column);
                }
            }
            next_key(&mut key, constant);
            constant = double(constant);
            add(block, &key);
        }
    }
}

const ROUNDS: usize = 10;

/// The lowest bit of each byte.
const ONES: u32 = 0x0101_0101;

/// All but the highest bit of each byte.
const LOW: u32 = 0x7f7f_7f7f;

fn add(block: &mut [u32; 4], key: &[u32; 4]) {
    for (column, key) in block.iter_mut().zip(key) {
        *column ^= key;
    }
}

/// SHIFTROWS of section 5.1.2.
fn shift_rows(block: &mut [u32; 4]) {
    let [a, b, c, d] = *block;
    let column = |first, second, third, fourth| {
        first & 0xff00_0000 | second & 0x00ff_0000 | third & 0x0000_ff00 | fourth & 0x0000_00ff
    };
    *block = [
        column(a, b, c, d),
        column(b, c, d, a),
        column(c, d, a, b),
        column(d, a, b, c),
    ];
}

/// MIXCOLUMNS of section 5.1.3, for one.
fn mix(column: u32) -> u32 {
    let next = column.rotate_left(8);
    double(column ^ next) ^ next ^ column.rotate_left(16) ^ column.rotate_left(24)
}

/// One round of KEYEXPANSION (section 5.2).
fn next_key(key: &mut [u32; 4], constant: u32) {
    let [.., last] = *key;
    let mut before = substitute(last.rotate_left(8)) ^ constant;
    for word in key {
        *word ^= before;
        before = *word;
    }
}

/// SBOX of section 5.1.1, of four bytes: the inverse, which is the power of 254, and then a sum of
/// its rotations.
#[inline(never)]
fn substitute(bytes: u32) -> u32 {
    let mut power = bytes;
    for _ in 0..6 {
        power = multiply(multiply(power, power), bytes);
    }
    let mut rotated = multiply(power, power);
    let mut sum = rotated ^ 0x6363_6363;
    for _ in 0..4 {
        rotated = (rotated & LOW) << 1 | rotated >> 7 & ONES;
        sum ^= rotated;
    }
    sum
}

/// The products of four pairs of bytes (section 4.2).
#[inline(never)]
fn multiply(left: u32, right: u32) -> u32 {
    let (mut product, mut part, mut rest) = (0, left, right);
    for _ in 0..8 {
        // Hidden, so that no compiler makes a branch of it.
        let bits = black_box(rest & ONES);
        product ^= part & (bits << 8).wrapping_sub(bits);
        part = double(part);
        rest >>= 1;
    }
    product
}

/// Four bytes times two: XTIMES of section 4.2.
#[expect(clippy::inline_always, reason = "a call takes as long as what it does")]
#[inline(always)]
fn double(bytes: u32) -> u32 {
    let over = bytes >> 7 & ONES;
    (bytes & LOW) << 1 ^ over ^ over << 1 ^ over << 3 ^ over << 4
}

#[cfg(test)]
mod tests {
    use aes_gcm::{KeyInit as _, aes, aes::cipher::BlockCipherEncrypt as _};
    use proptest::prelude::*;

    use super::{super::words, *};

    fn check(key: u128, plain: u128, expected: u128) {
        let mut block = words(&plain.to_be_bytes());
        Aes128::new(&key.to_be_bytes()).encrypt(&mut block);
        assert_eq!(block, words(&expected.to_be_bytes()));
    }

    /// FIPS 197, appendices B and C.1.
    #[test]
    fn blocks_are_those_of_the_standard() {
        check(
            0x2b7e_1516_28ae_d2a6_abf7_1588_09cf_4f3c,
            0x3243_f6a8_885a_308d_3131_98a2_e037_0734,
            0x3925_841d_02dc_09fb_dc11_8597_196a_0b32,
        );
        check(
            0x0001_0203_0405_0607_0809_0a0b_0c0d_0e0f,
            0x0011_2233_4455_6677_8899_aabb_ccdd_eeff,
            0x69c4_e0d8_6a7b_0430_d8cd_b780_70b4_c55a,
        );
    }

    proptest! {
        #[test]
        fn blocks_are_those_of_the_library(key in any::<u128>(), plain in any::<u128>()) {
            let mut block = plain.to_be_bytes().into();
            aes::Aes128::new(&key.to_be_bytes().into()).encrypt_block(&mut block);
            check(key, plain, u128::from_be_bytes(block.into()));
        }
    }

    #[test]
    fn every_byte_has_an_inverse_but_zero() {
        for byte in 0..=255 {
            let bytes = byte * ONES;
            let inverse = (0..253).fold(bytes, |power, _| multiply(power, bytes));
            let product = if byte == 0 { 0 } else { ONES };
            assert_eq!(multiply(inverse, bytes), product);
        }
    }
}
