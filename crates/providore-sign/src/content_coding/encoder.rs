//! Content into records, one at a time.

use super::{
    ContentKey, EncodeError, Header, RecordSize, Salt,
    record::{Delimiter, MAX_RECORDS, RecordCipher},
};

/// Encrypts content that passes by, in a buffer of one record.
///
/// What goes on the wire is the [`Header`], every record that [`update`](Self::update) and
/// [`flush`](Self::flush) hand out, and the one from [`finish`](Self::finish) or
/// [`finish_padded`](Self::finish_padded). Without that last one any decoder refuses the content.
///
/// It cannot be cloned, and takes its [`Salt`] by value: no nonce is used twice.
#[derive(Debug)]
#[must_use]
pub struct Encoder<'a> {
    cipher: RecordCipher,
    record: &'a mut [u8],
    capacity: usize,
    filled: usize,
}

impl<'a> Encoder<'a> {
    /// The most records of one content: beyond what any device holds, and with the largest records
    /// still a fifth of the amount after which AES-GCM's promise weakens (RFC 8188 section 4.4).
    pub const MAX_RECORDS: u32 = MAX_RECORDS;

    /// Begins a content; `lent` holds at least one record of `size`.
    ///
    /// # Errors
    /// [`EncodeError::Buffer`]; [`EncodeError::Key`] for an empty secret.
    pub fn begin(
        key: &ContentKey<'_>,
        salt: Salt,
        size: RecordSize,
        lent: &'a mut [u8],
    ) -> Result<(Header, Self), EncodeError> {
        let length = lent.len();
        let record = lent
            .get_mut(..size.get())
            .ok_or(EncodeError::Buffer { length })?;
        let encoder = Self {
            cipher: RecordCipher::new(key, salt.as_bytes())?,
            record,
            capacity: size.content(),
            filled: 0,
        };
        Ok((Header::new(salt, size, key)?, encoder))
    }

    /// Takes content from the front of `plain` until a record is full and hands that out; `None`
    /// once all of `plain` is taken. To be called until then.
    ///
    /// A full record waits for the byte behind it, since only the last one says that it is.
    ///
    /// # Errors
    /// [`EncodeError::TooManyRecords`].
    pub fn update(&mut self, plain: &mut &[u8]) -> Result<Option<&[u8]>, EncodeError> {
        self.fill(plain);
        if plain.is_empty() {
            return Ok(None);
        }
        self.seal_full(Delimiter::More).map(Some)
    }

    /// Hands out what is there as a record of full length, so that it can be decoded now; `None`
    /// if nothing waits.
    ///
    /// # Errors
    /// [`EncodeError::TooManyRecords`].
    pub fn flush(&mut self) -> Result<Option<&[u8]>, EncodeError> {
        if self.filled == 0 {
            return Ok(None);
        }
        self.seal_full(Delimiter::More).map(Some)
    }

    /// Ends the content: the last record, as short as can be.
    ///
    /// # Errors
    /// [`EncodeError::TooManyRecords`].
    pub fn finish(mut self) -> Result<&'a [u8], EncodeError> {
        let length = self
            .filled
            .saturating_add(RecordSize::OVERHEAD)
            .min(self.record.len());
        let (record, _) = self.record.split_at_mut_checked(length).unwrap_or_default();
        self.cipher.seal(record, self.filled, Delimiter::Last)?;
        Ok(record)
    }

    /// Ends the content with a record of full length, which hides how long the content is within
    /// it: passwords are short (section 4.8).
    ///
    /// # Errors
    /// [`EncodeError::TooManyRecords`].
    pub fn finish_padded(mut self) -> Result<&'a [u8], EncodeError> {
        self.cipher
            .seal(self.record, self.filled, Delimiter::Last)?;
        Ok(self.record)
    }

    fn fill(&mut self, plain: &mut &[u8]) {
        let free = self.record.get_mut(self.filled..self.capacity);
        let free = free.unwrap_or_default();
        let length = free.len().min(plain.len());
        if let (Some(free), Some((taken, rest))) =
            (free.get_mut(..length), plain.split_at_checked(length))
        {
            free.copy_from_slice(taken);
            *plain = rest;
            self.filled = self.filled.saturating_add(length);
        }
    }

    fn seal_full(&mut self, delimiter: Delimiter) -> Result<&[u8], EncodeError> {
        self.cipher.seal(self.record, self.filled, delimiter)?;
        self.filled = 0;
        Ok(self.record)
    }
}

#[cfg(test)]
mod tests {
    extern crate alloc;
    use alloc::vec::Vec;

    use super::*;
    use crate::KeyError;

    const KEY: ContentKey<'static> = ContentKey::new(b"secret");

    fn begin(lent: &mut [u8]) -> Result<(Header, Encoder<'_>), EncodeError> {
        let salt = Salt::take(&mut [7; 16]).unwrap();
        Encoder::begin(&KEY, salt, RecordSize::MIN, lent)
    }

    /// Encodes content in chunks, in records of one byte, and compares the lengths of what comes.
    fn check(chunks: &[&[u8]], expected: &[usize], last: usize) {
        let mut lent = [0; 18];
        let (_, mut encoder) = begin(&mut lent).unwrap();
        let mut lengths = Vec::new();
        for mut chunk in chunks.iter().copied() {
            while let Some(record) = encoder.update(&mut chunk).unwrap() {
                lengths.push(record.len());
            }
            assert!(chunk.is_empty());
        }
        assert_eq!(lengths, expected, "{chunks:?}");
        assert_eq!(encoder.finish().unwrap().len(), last, "{chunks:?}");
    }

    #[test]
    fn a_full_record_waits_until_more_content_comes() {
        check(&[], &[], 17);
        check(&[b"a"], &[], 18);
        check(&[b"a", b"", b"b"], &[18], 18);
        check(&[b"abc"], &[18, 18], 18);
    }

    #[test]
    fn padding_hides_the_length() {
        for content in [&b""[..], b"1", b"12345678"] {
            let mut lent = [0xff; 100];
            let salt = Salt::take(&mut [7; 16]).unwrap();
            let size = RecordSize::new(64).unwrap();
            let (_, mut encoder) = Encoder::begin(&KEY, salt, size, &mut lent).unwrap();
            assert_eq!(encoder.update(&mut { content }).unwrap(), None);
            assert_eq!(encoder.finish_padded().unwrap().len(), 64);
        }
    }

    #[test]
    fn an_empty_flush_makes_no_record() {
        let mut lent = [0; 18];
        let (_, mut encoder) = begin(&mut lent).unwrap();
        assert_eq!(encoder.flush().unwrap(), None);
        assert_eq!(encoder.update(&mut &b"a"[..]).unwrap(), None);
        assert_eq!(encoder.flush().unwrap().unwrap().len(), 18);
        assert_eq!(encoder.flush().unwrap(), None);
    }

    #[test]
    fn what_cannot_be_encoded_is_refused_at_once() {
        let length = 17;
        let outcome = begin(&mut [0; 17]).map(|_| ());
        assert_eq!(outcome, Err(EncodeError::Buffer { length }));

        let salt = Salt::take(&mut [7; 16]).unwrap();
        let empty = ContentKey::new(b"");
        let outcome = Encoder::begin(&empty, salt, RecordSize::MIN, &mut [0; 18]).map(|_| ());
        assert_eq!(outcome, Err(EncodeError::Key(KeyError::SecretLength)));

        let name = core::str::from_utf8(&[b'a'; 65]).unwrap();
        let outcome = KEY.with_id(name).map(|_| ());
        assert_eq!(outcome, Err(EncodeError::KeyIdLength));
        for size in [0, 17, 16_385, u32::MAX] {
            let refused = EncodeError::RecordSize { size };
            assert_eq!(RecordSize::new(size), Err(refused));
        }
        assert_eq!(RecordSize::new(18), Ok(RecordSize::MIN));
        assert_eq!(RecordSize::new(16_384), Ok(RecordSize::MAX));
    }
}
