//! AES-GCM for where code is dear: one block after the other, multiplied bit by bit.
//!
//! The library's takes 9 KiB on a small processor, what is here less than one, and the few kilobytes
//! of a configuration do not need its speed. The tests compare the two. No branch and no address
//! depends on a key or on what is encrypted. What is never inlined is called from several places.

mod aes;

use core::hint::black_box;

use aes::Aes128;

use super::record::Nonce;
use crate::ComputedTag;

/// AES-128 in Galois/counter mode (NIST SP 800-38D) with nonces of 96 bits and nothing that is
/// authenticated in clear.
pub(super) struct Aes128Gcm(Aes128);

/// Sixteen bytes, high to low.
type Block = [u32; 4];

impl Aes128Gcm {
    pub(super) fn new(key: &[u8; 16]) -> Self {
        Self(Aes128::new(key))
    }

    /// Encrypts in place: the tag.
    #[expect(clippy::unnecessary_wraps, reason = "as the library's")]
    pub(super) fn seal(&self, nonce: &Nonce, text: &mut [u8]) -> Option<[u8; 16]> {
        self.apply_keystream(nonce, text);
        Some(self.tag(nonce, text))
    }

    /// Decrypts in place what has this tag; leaves what has another as it is.
    pub(super) fn open(&self, nonce: &Nonce, text: &mut [u8], tag: &[u8; 16]) -> Option<()> {
        let mut computed = [0; 32];
        for (slot, byte) in computed.iter_mut().zip(self.tag(nonce, text)) {
            *slot = byte;
        }
        if !ComputedTag::from_bytes(computed).begins_with(tag) {
            return None;
        }
        self.apply_keystream(nonce, text);
        Some(())
    }

    /// GCTR of section 6.5, from the block behind the one that is the tag's.
    fn apply_keystream(&self, nonce: &Nonce, text: &mut [u8]) {
        let mut counter = TAG_COUNTER;
        for chunk in text.chunks_mut(16) {
            counter = counter.wrapping_add(1);
            xor(chunk, &self.keystream(nonce, counter));
        }
    }

    /// Section 7.1, steps 5 and 6.
    fn tag(&self, nonce: &Nonce, text: &[u8]) -> [u8; 16] {
        let mut key = [0; 4];
        self.0.encrypt(&mut key);
        let mut sum = [0; 16];
        for chunk in text.chunks(16) {
            xor(&mut sum, chunk);
            multiply(&mut sum, &key);
        }
        let bits = (text.len() as u64).wrapping_mul(8);
        xor(&mut sum, &u128::from(bits).to_be_bytes());
        multiply(&mut sum, &key);
        xor(&mut sum, &self.keystream(nonce, TAG_COUNTER));
        sum
    }

    #[inline(never)]
    fn keystream(&self, nonce: &Nonce, counter: u32) -> [u8; 16] {
        let [first, second, third] = *nonce;
        let mut block = [first, second, third, counter];
        self.0.encrypt(&mut block);
        bytes(&block)
    }
}

/// The counter of the block that hides the tag (section 7.1, step 2).
const TAG_COUNTER: u32 = 1;

/// Algorithm 1 of section 6.3, with masks where it has branches.
#[inline(never)]
fn multiply(block: &mut [u8; 16], key: &Block) {
    let mut product = [0; 4];
    let mut power = *key;
    for word in words(block) {
        for shift in (0..32).rev() {
            add_if(word >> shift & 1, &mut product, &power);
            multiply_by_x(&mut power);
        }
    }
    *block = bytes(&product);
}

/// Adds if the bit is one. Hidden masks, so that no compiler makes a branch of them.
#[inline(never)]
fn add_if(bit: u32, sum: &mut [u32], part: &[u32]) {
    let mask = black_box(0_u32.wrapping_sub(bit));
    for (sum, part) in sum.iter_mut().zip(part) {
        *sum ^= part & mask;
    }
}

/// By x: the first bit is the constant term of a polynomial.
#[inline(never)]
fn multiply_by_x(power: &mut [u32]) {
    let mut carry = 0;
    for part in power.iter_mut() {
        let out = *part << 31;
        *part = *part >> 1 | carry;
        carry = out;
    }
    add_if(carry >> 31, power, &[0xe100_0000]);
}

#[inline(never)]
fn words(block: &[u8; 16]) -> Block {
    let mut words = [0; 4];
    for (word, bytes) in words.iter_mut().zip(block.as_chunks().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    words
}

#[inline(never)]
fn bytes(block: &Block) -> [u8; 16] {
    let mut bytes = [0; 16];
    for (slots, word) in bytes.as_chunks_mut().0.iter_mut().zip(block) {
        *slots = word.to_be_bytes();
    }
    bytes
}

#[inline(never)]
fn xor(slots: &mut [u8], bytes: &[u8]) {
    for (slot, byte) in slots.iter_mut().zip(bytes) {
        *slot ^= byte;
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::{super::library, *};

    proptest! {
        #[test]
        fn it_is_the_mode_of_the_library(
            key in any::<[u8; 16]>(),
            nonce in any::<[u32; 3]>(),
            text in vec(any::<u8>(), 0..200),
            flip in any::<usize>(),
        ) {
            let (ours, theirs) = (Aes128Gcm::new(&key), library::Aes128Gcm::new(&key));
            let mut sealed = text.clone();
            let tag = ours.seal(&nonce, &mut sealed).unwrap();
            let mut expected = text.clone();
            prop_assert_eq!(tag, theirs.seal(&nonce, &mut expected).unwrap());
            prop_assert_eq!(&sealed, &expected);

            let mut wrong = tag;
            wrong[flip % 16] ^= 1 << (flip / 16 % 8);
            prop_assert_eq!(ours.open(&nonce, &mut sealed, &wrong), None);
            prop_assert_eq!(&sealed, &expected);
            prop_assert_eq!(theirs.open(&nonce, &mut expected, &tag), Some(()));
            prop_assert_eq!(ours.open(&nonce, &mut sealed, &tag), Some(()));
            prop_assert_eq!(sealed, text);
        }
    }

    /// The first bit is the constant term, so that a block with it alone is one.
    #[test]
    fn one_times_a_block_is_the_block() {
        let key = 0xb83b_5337_08bf_535d_0aa6_e529_80d5_3b78_u128.to_be_bytes();
        let one = (1_u128 << 127).to_be_bytes();
        let product = |left: [u8; 16], right| {
            let mut product = left;
            multiply(&mut product, &words(&right));
            product
        };
        assert_eq!(product(one, key), key);
        assert_eq!(product(key, one), key);
        assert_eq!(product([0; 16], key), [0; 16]);
    }
}
