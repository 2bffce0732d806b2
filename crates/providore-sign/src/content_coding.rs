//! Encryption of what is secret: the content coding `aes128gcm` of RFC 8188, as streams.
//!
//! ```text
//! content = header *record                                                        (section 2)
//! header  = salt (16) || rs (4, big endian) || idlen (1) || keyid (idlen)         (section 2.1)
//! record  = AEAD_AES_128_GCM(CEK, NONCE xor SEQ, data || delimiter || *0x00)
//! delimiter = 0x02 in the last record, 0x01 in all others
//!
//! PRK   = HMAC-SHA-256(salt, input keying material)                               (section 2.2)
//! CEK   = first 16 bytes of HMAC-SHA-256(PRK, "Content-Encoding: aes128gcm" || 0x00 || 0x01)
//! NONCE = first 12 bytes of HMAC-SHA-256(PRK, "Content-Encoding: nonce" || 0x00 || 0x01)
//! ```
//!
//! All records but the last have exactly `rs` bytes, with their tag of 16. Both directions work in
//! one record's worth of memory that the caller lends, and hand out what is ready piece by piece,
//! wherever the chunks that come in begin and end. Which buffer is erased when is the caller's
//! affair: a decoder leaves the last record's content in the one that it was lent.
//!
//! ```
//! use providore_sign::content_coding::{ContentKey, Decoder, Encoder, RecordSize, Salt};
//!
//! let key = ContentKey::new(b"the sub-key for content");
//! let mut random = [7; 16]; // fresh from the system's generator, every time
//! let mut lent = [0; RecordSize::DEFAULT.get()];
//! let salt = Salt::take(&mut random)?;
//! let (header, mut encoder) = Encoder::begin(&key, salt, RecordSize::DEFAULT, &mut lent)?;
//! let mut coded = header.as_bytes().to_vec();
//! let mut plain: &[u8] = br#"{"wifi":"hunter2"}"#;
//! while let Some(record) = encoder.update(&mut plain)? {
//!     coded.extend_from_slice(record);
//! }
//! coded.extend_from_slice(encoder.finish()?);
//!
//! let mut lent = [0; RecordSize::DEFAULT.get()];
//! let mut decoder = Decoder::begin(key, &mut lent);
//! let mut received = Vec::new();
//! for mut chunk in coded.chunks(5) {
//!     while let Some(plain) = decoder.update(&mut chunk)? {
//!         received.extend_from_slice(plain);
//!     }
//! }
//! let (plain, decoded) = decoder.finish()?;
//! received.extend_from_slice(plain);
//! assert_eq!(received, br#"{"wifi":"hunter2"}"#);
//! assert_eq!(decoded.length(), 18);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Section 2 allows content without any record, a header alone, and the Python package `http_ece`
//! writes empty content so. Anybody can cut a message down to that, since no tag
//! covers it: it is refused here, and empty content is encoded as one record.
//!
//! The coding does not authenticate `rs`, nor how a message was labelled: whoever relies on that it
//! came encrypted checks the label too (section 4.1), which the `Signed` dialect does by signing it.

#[cfg(any(test, aes_backend_soft = "compact"))]
mod compact;
mod decoder;
mod encoder;
mod error;
mod header;
mod in_place;
#[cfg(any(test, not(aes_backend_soft = "compact")))]
mod library;
mod record;

pub use decoder::{Decoded, Decoder};
pub use encoder::Encoder;
pub use error::{DecodeError, EncodeError};
pub use header::{ContentKey, Header, RecordSize, Salt};
pub use in_place::decode_in_place;

/// The name of the coding in `Content-Encoding` and `Accept-Encoding`.
pub const NAME: &str = "aes128gcm";

#[cfg(test)]
mod tests {
    extern crate alloc;
    use alloc::{vec, vec::Vec};

    use proptest::prelude::*;

    use super::*;

    const KEY: ContentKey<'static> = ContentKey::new(b"the sub-key for content");

    /// Records of 20 bytes, three of them content.
    const SIZE: RecordSize = match RecordSize::new(20) {
        Ok(size) => size,
        Err(_) => RecordSize::MIN,
    };

    /// The header of [`encode`]: no name.
    const HEADER: usize = 21;

    fn encode(key: ContentKey<'_>, size: RecordSize, plain: &[u8], chunk: usize) -> Vec<u8> {
        let mut lent = vec![0xff; size.get()];
        let salt = Salt::take(&mut [7; 16]).unwrap();
        let (header, mut encoder) = Encoder::begin(&key, salt, size, &mut lent).unwrap();
        let mut coded = header.as_bytes().to_vec();
        for mut chunk in plain.chunks(chunk) {
            while let Some(record) = encoder.update(&mut chunk).unwrap() {
                coded.extend_from_slice(record);
            }
        }
        coded.extend_from_slice(encoder.finish().unwrap());
        coded
    }

    /// Everything that is released before the outcome, and the outcome.
    fn decode(
        key: ContentKey<'_>,
        coded: &[u8],
        lent: usize,
        chunk: usize,
    ) -> (Vec<u8>, Result<u64, DecodeError>) {
        let mut lent = vec![0xff; lent];
        let mut decoder = Decoder::begin(key, &mut lent);
        let mut plain = Vec::new();
        for mut chunk in coded.chunks(chunk) {
            loop {
                match decoder.update(&mut chunk) {
                    Ok(Some(piece)) => plain.extend_from_slice(piece),
                    Ok(None) => break,
                    Err(error) => {
                        assert_eq!(decoder.update(&mut &b""[..]), Err(error));
                        assert_eq!(decoder.finish().unwrap_err(), error);
                        return (plain, Err(error));
                    }
                }
            }
            assert!(chunk.is_empty());
        }
        let outcome = decoder.finish().map(|(last, decoded)| {
            plain.extend_from_slice(last);
            decoded.length()
        });
        (plain, outcome)
    }

    /// Encodes eight bytes in three records, lets `attack` work on them and decodes what is left.
    fn check(attack: impl Fn(&mut Vec<u8>), released: &[u8], expected: Result<u64, DecodeError>) {
        let mut coded = encode(KEY, SIZE, b"abcdefgh", 100);
        attack(&mut coded);
        for chunk in [1, 2, 7, 20, 100] {
            let (plain, outcome) = decode(KEY, &coded, 64, chunk);
            assert_eq!((&plain[..], outcome), (released, expected), "{chunk}");
        }
        let in_place = decode_in_place(KEY, &mut coded).map(|plain| plain.len() as u64);
        assert_eq!(in_place.is_ok(), expected.is_ok());
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        check(|_| {}, b"abcdefgh", Ok(8));
    }

    #[test]
    fn a_whole_content_is_decoded_where_it_lies() {
        for length in [0, 1, 2, 3, 6, 8, 300] {
            let plain = b"x".repeat(length);
            let mut coded = encode(KEY, SIZE, &plain, 100);
            assert_eq!(decode_in_place(KEY, &mut coded), Ok(&plain[..]));
        }
    }

    #[test]
    fn content_cut_anywhere_is_refused() {
        let whole = encode(KEY, SIZE, b"abcdefgh", 100).len();
        for length in 0..whole {
            let coded = encode(KEY, SIZE, b"abcdefgh", 100);
            let (plain, outcome) = decode(KEY, &coded[..length], 64, 3);
            assert!(outcome.is_err(), "{length}");
            assert!(b"abcdef".starts_with(&plain), "{length}");
        }
        let truncated = Err(DecodeError::Truncated);
        check(|coded| coded.truncate(HEADER), b"", truncated);
        check(|coded| coded.truncate(HEADER + 20), b"abc", truncated);
        check(|coded| coded.truncate(HEADER + 40), b"abcdef", truncated);
        check(
            |coded| coded.truncate(HEADER + 40 + 16),
            b"abcdef",
            truncated,
        );
        let cut = Err(DecodeError::WrongTag { record: 2 });
        check(|coded| coded.truncate(HEADER + 40 + 18), b"abcdef", cut);
    }

    #[test]
    fn records_dropped_repeated_or_swapped_are_refused() {
        let first = Err(DecodeError::WrongTag { record: 0 });
        let second = Err(DecodeError::WrongTag { record: 1 });
        check(|coded| drop(coded.drain(HEADER..HEADER + 20)), b"", first);
        check(
            |coded| drop(coded.drain(HEADER + 20..HEADER + 40)),
            b"abc",
            second,
        );
        check(
            |coded| coded[HEADER..HEADER + 40].rotate_left(20),
            b"",
            first,
        );
        check(
            |coded| coded.copy_within(HEADER..HEADER + 20, HEADER + 20),
            b"abc",
            second,
        );
    }

    #[test]
    fn content_that_goes_on_behind_its_last_record_is_refused() {
        // The last of these records is a full one, so that more can follow it.
        let attack = |coded: &mut Vec<u8>| {
            *coded = encode(KEY, SIZE, b"abcdef", 100);
            coded.push(0);
        };
        check(attack, b"abcdef", Err(DecodeError::Extended));
        let longer = Err(DecodeError::WrongTag { record: 2 });
        check(|coded| coded.push(0), b"abcdef", longer);
    }

    #[test]
    fn records_of_another_content_are_refused() {
        let attack = |coded: &mut Vec<u8>| {
            let other = encode(ContentKey::new(b"another key"), SIZE, b"abcdefgh", 100);
            coded.truncate(HEADER + 20);
            coded.extend_from_slice(&other[HEADER + 20..]);
        };
        check(attack, b"abc", Err(DecodeError::WrongTag { record: 1 }));
    }

    #[test]
    fn record_sizes_out_of_bounds_are_refused() {
        for size in [0, 1, 17, 65, 4096, 16_384, 16_385, 65_556, u32::MAX] {
            let attack = |coded: &mut Vec<u8>| {
                coded[16..20].copy_from_slice(&u32::to_be_bytes(size));
            };
            check(attack, b"", Err(DecodeError::RecordSize { size }));
        }
    }

    #[test]
    fn content_for_a_key_of_another_name_is_refused() {
        let named = KEY.with_id("k1").unwrap();
        let coded = encode(named, SIZE, b"abcdefgh", 100);
        assert_eq!(coded[20..23], *b"\x02k1");
        for chunk in [1, 22, 100] {
            let (plain, outcome) = decode(named, &coded, 20, chunk);
            assert_eq!((&plain[..], outcome), (&b"abcdefgh"[..], Ok(8)));
            for name in ["", "k", "k2", "k12", "l1"] {
                let other = KEY.with_id(name).unwrap();
                let outcome = decode(other, &coded, 64, chunk);
                assert_eq!(outcome, (vec![], Err(DecodeError::OtherKey)), "{name}");
            }
        }
        // As long as the format has room for.
        check(|coded| coded[20] = 255, b"", Err(DecodeError::OtherKey));
    }

    #[test]
    fn any_flipped_bit_is_refused() {
        let coded = encode(KEY, SIZE, b"abcdefgh", 100);
        for bit in 0..coded.len() * 8 {
            let mut flipped = coded.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let (plain, outcome) = decode(KEY, &flipped, RecordSize::MAX.get(), 64);
            assert!(outcome.is_err(), "bit {bit}");
            assert!(b"abcdefgh".starts_with(&plain), "bit {bit}");
        }
    }

    #[test]
    fn a_record_size_nothing_depends_on_is_the_one_thing_that_may_be_changed() {
        let mut coded = encode(KEY, SIZE, b"ab", 100);
        coded[19] = 50;
        let (plain, outcome) = decode(KEY, &coded, 64, 64);
        assert_eq!((&plain[..], outcome), (&b"ab"[..], Ok(2)));
    }

    proptest! {
        #[test]
        fn any_content_in_any_chunks_arrives(
            size in 18_u32..80,
            plain in proptest::collection::vec(any::<u8>(), 0..300),
            encoded_by in 1_usize..100,
            decoded_by in 1_usize..100,
        ) {
            let size = RecordSize::new(size).unwrap();
            let coded = encode(KEY, size, &plain, encoded_by);
            let records = plain.len().div_ceil(size.content()).max(1);
            let overhead = coded.len().saturating_sub(plain.len());
            prop_assert_eq!(overhead, HEADER.saturating_add(records.saturating_mul(17)));
            let (received, outcome) = decode(KEY, &coded, size.get(), decoded_by);
            prop_assert_eq!(outcome, Ok(plain.len() as u64));
            prop_assert_eq!(received, plain);
        }

        #[test]
        fn exact_multiples_of_a_record_arrive(size in 18_u32..80, records in 0_usize..6) {
            let size = RecordSize::new(size).unwrap();
            let plain = b"x".repeat(size.content().saturating_mul(records));
            let coded = encode(KEY, size, &plain, 64);
            let (received, outcome) = decode(KEY, &coded, size.get(), 64);
            prop_assert_eq!(outcome, Ok(plain.len() as u64));
            prop_assert_eq!(received, plain);
        }

        #[test]
        fn what_a_stranger_makes_up_is_refused(
            head in any::<[u8; 16]>(),
            size in 18_u8..64,
            rest in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let mut coded = head.to_vec();
            coded.extend_from_slice(&[0, 0, 0, size, 0]);
            coded.extend_from_slice(&rest);
            let (plain, outcome) = decode(KEY, &coded, 64, 64);
            prop_assert!(outcome.is_err());
            prop_assert!(plain.is_empty());
        }
    }
}
