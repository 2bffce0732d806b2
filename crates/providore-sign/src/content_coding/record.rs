//! One record: its key, its nonce, its delimiter and its tag (RFC 8188 sections 2 to 2.3).

use core::fmt;

#[cfg(aes_backend_soft = "compact")]
use super::compact::Aes128Gcm;
#[cfg(not(aes_backend_soft = "compact"))]
use super::library::Aes128Gcm;
use super::{ContentKey, DecodeError, EncodeError};
use crate::{ComputedTag, KeyError, mac::Keyed, subkeys::FIRST_BLOCK};

/// The length of a tag, which ends a record.
pub(super) const TAG_LEN: usize = 16;

/// The shortest record: a delimiter and a tag.
pub(super) const MIN_LEN: usize = TAG_LEN + 1;

/// The most records of one content. Section 4.4 ends at 2^44.5 blocks of AES; this many records of
/// [`RecordSize::MAX`](super::RecordSize::MAX) have 2^42, and it is far from SEQ's own 2^96.
pub(super) const MAX_RECORDS: u32 = u32::MAX;

const CEK_INFO: &[u8] = b"Content-Encoding: aes128gcm\0";
const NONCE_INFO: &[u8] = b"Content-Encoding: nonce\0";

/// The byte behind the content of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delimiter {
    /// Others follow.
    More = 1,
    /// It is the last one.
    Last = 2,
}

/// 96 bits, high to low: the number of a record is added to the last of these words.
pub(super) type Nonce = [u32; 3];

/// The cipher of one content, at its next record. Not `Clone`: a nonce is used once.
pub(super) struct RecordCipher {
    cipher: Aes128Gcm,
    nonce: Nonce,
    sequence: u32,
}

impl RecordCipher {
    pub(super) fn new(key: &ContentKey<'_>, salt: &[u8]) -> Result<Self, KeyError> {
        if key.secret().is_empty() {
            return Err(KeyError::SecretLength);
        }
        let extracted = Keyed::from_tag(extract(key.secret(), salt)?.as_bytes());
        let cek = expand(&extracted, CEK_INFO);
        let nonce = expand(&extracted, NONCE_INFO);
        let (cek, _) = split(&cek);
        let (_, nonce) = split(&nonce);
        Ok(Self {
            cipher: Aes128Gcm::new(cek),
            nonce,
            sequence: 0,
        })
    }

    /// Encrypts a record in place: `filled` bytes of content, then room for the rest of it.
    pub(super) fn seal(
        &mut self,
        record: &mut [u8],
        filled: usize,
        delimiter: Delimiter,
    ) -> Result<(), EncodeError> {
        let nonce = self.nonce().ok_or(EncodeError::TooManyRecords)?;
        let too_short = EncodeError::Buffer {
            length: record.len(),
        };
        let (plain, room) = record.split_last_chunk_mut::<TAG_LEN>().ok_or(too_short)?;
        let padding = plain.get_mut(filled..).ok_or(too_short)?;
        padding.fill(0);
        *padding.first_mut().ok_or(too_short)? = delimiter as u8;
        *room = self.cipher.seal(&nonce, plain).ok_or(too_short)?;
        self.advance();
        Ok(())
    }

    /// Verifies a record and decrypts it in place: the length of its content.
    pub(super) fn open(&mut self, record: &mut [u8]) -> Result<(usize, Delimiter), DecodeError> {
        let nonce = self.nonce().ok_or(DecodeError::TooManyRecords)?;
        let number = self.sequence;
        let (coded, tag) = record
            .split_last_chunk_mut::<TAG_LEN>()
            .ok_or(DecodeError::Truncated)?;
        // Verifies first: a wrong tag leaves the ciphertext as it is.
        self.cipher
            .open(&nonce, coded, tag)
            .ok_or(DecodeError::WrongTag { record: number })?;
        self.advance();
        let end = coded.iter().rposition(|byte| *byte != 0);
        let delimiter = match end.and_then(|at| coded.get(at)) {
            Some(1) => Delimiter::More,
            Some(2) => Delimiter::Last,
            _ => return Err(DecodeError::NoDelimiter { record: number }),
        };
        Ok((end.unwrap_or_default(), delimiter))
    }

    /// NONCE xor SEQ, or none if there were too many records.
    fn nonce(&self) -> Option<Nonce> {
        let [first, second, last] = self.nonce;
        let more = self.sequence != MAX_RECORDS;
        more.then_some([first, second, last ^ self.sequence])
    }

    fn advance(&mut self) {
        // `nonce` has seen to it that there is a next number.
        self.sequence = self.sequence.saturating_add(1);
    }
}

impl fmt::Debug for RecordCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordCipher")
            .field("sequence", &self.sequence)
            .finish_non_exhaustive()
    }
}

/// HKDF-Extract: RFC 5869 section 2.2.
fn extract(secret: &[u8], salt: &[u8]) -> Result<ComputedTag, KeyError> {
    let key = Keyed::new(salt).ok_or(KeyError::SecretLength)?;
    Ok(key.tag(&[secret]))
}

/// HKDF-Expand of one block: RFC 5869 section 2.3.
fn expand(key: &Keyed, info: &[u8]) -> ComputedTag {
    key.tag(&[info, FIRST_BLOCK])
}

/// The first 16 bytes as a key, which stay where they are erased, and the first 12.
fn split(tag: &ComputedTag) -> (&[u8; 16], Nonce) {
    let bytes: &[u8; 32] = tag.as_bytes();
    let [cek @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = bytes;
    let mut nonce = [0; 3];
    for (word, bytes) in nonce.iter_mut().zip(cek.as_chunks().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    (cek, nonce)
}

#[cfg(test)]
mod tests {
    extern crate alloc;
    use alloc::format;

    use super::*;

    /// RFC 8188 section 3.1.
    const SECRET: [u8; 16] = [
        0xca, 0xa7, 0x65, 0x67, 0xeb, 0x58, 0x7a, 0x67, 0xe8, 0x81, 0x29, 0xaf, 0xed, 0x6b, 0x39,
        0x3d,
    ];
    const SALT: [u8; 16] = [
        0x23, 0x50, 0x6c, 0xc6, 0xd1, 0x6d, 0xb6, 0x5b, 0xf7, 0xbb, 0xf3, 0xa8, 0xf7, 0x8c, 0x67,
        0x9b,
    ];

    fn cipher() -> RecordCipher {
        RecordCipher::new(&ContentKey::new(&SECRET), &SALT).unwrap()
    }

    /// Seals `plain` by hand, delimiter and all, and opens it.
    fn check(plain: &[u8], expected: Result<(usize, Delimiter), DecodeError>) {
        let sealing = cipher();
        let mut record = plain.to_vec();
        let nonce = sealing.nonce().unwrap();
        let tag = sealing.cipher.seal(&nonce, &mut record).unwrap();
        record.extend_from_slice(&tag);
        assert_eq!(cipher().open(&mut record), expected, "{plain:?}");
    }

    #[test]
    fn keys_are_those_of_rfc_8188_section_3_1() {
        let extracted = extract(&SECRET, &SALT).unwrap();
        let expected = [
            0xcf, 0x27, 0x87, 0xe6, 0x98, 0x6c, 0x22, 0xc8, 0x14, 0xc9, 0xde, 0x28, 0x89, 0x21,
            0x08, 0xcb, 0x7e, 0x71, 0xfa, 0x02, 0x22, 0xe1, 0xa3, 0x3b, 0xcb, 0x48, 0x42, 0x17,
            0xc9, 0xb0, 0x9f, 0xd8,
        ];
        assert_eq!(extracted.as_bytes(), &expected);
        let cek = expand(&Keyed::from_tag(extracted.as_bytes()), CEK_INFO);
        let expected = [
            0xff, 0x09, 0xe2, 0xca, 0xd0, 0x7e, 0xa1, 0xfb, 0x1c, 0x64, 0x38, 0x78, 0xb5, 0xb4,
            0xa3, 0x1f,
        ];
        assert_eq!(split(&cek).0, &expected);
        let nonce = [0x05cb_3c82, 0x4211_28b2, 0x3c19_e23c];
        assert_eq!(cipher().nonce, nonce);
    }

    #[test]
    fn the_delimiter_is_the_last_byte_that_is_not_zero() {
        check(b"\x02", Ok((0, Delimiter::Last)));
        check(b"\x01", Ok((0, Delimiter::More)));
        check(b"text\x02", Ok((4, Delimiter::Last)));
        check(b"text\x01\0\0\0", Ok((4, Delimiter::More)));
        check(b"\x02\x01\0", Ok((1, Delimiter::More)));
        check(b"\0\0\x02", Ok((2, Delimiter::Last)));
    }

    #[test]
    fn records_without_a_delimiter_are_refused() {
        let refused = Err(DecodeError::NoDelimiter { record: 0 });
        for plain in [&b""[..], b"\0", b"\0\0\0", b"text", b"text\x03", b"\xff\0"] {
            check(plain, refused);
        }
    }

    #[test]
    fn each_record_has_a_nonce_of_its_own_until_the_numbers_end() {
        let mut cipher = cipher();
        let first = cipher.nonce().unwrap();
        cipher.sequence = 0x0102_0304;
        let later = cipher.nonce().unwrap();
        assert_eq!(first[..2], later[..2]);
        assert_eq!(first[2] ^ later[2], 0x0102_0304);

        let mut record = [0; 18];
        cipher.sequence = MAX_RECORDS - 1;
        assert_eq!(cipher.seal(&mut record, 1, Delimiter::More), Ok(()));
        let outcome = cipher.seal(&mut record, 1, Delimiter::Last);
        assert_eq!(outcome, Err(EncodeError::TooManyRecords));
        let outcome = cipher.open(&mut record);
        assert_eq!(outcome, Err(DecodeError::TooManyRecords));
    }

    #[test]
    fn printing_shows_no_key() {
        let shown = format!("{:?}", cipher());
        assert_eq!(shown, "RecordCipher { sequence: 0, .. }");
    }
}
