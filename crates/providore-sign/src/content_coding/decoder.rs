//! Records into content, one at a time.

use super::{
    ContentKey, DecodeError, RecordSize, Salt,
    header::FIXED_LEN,
    record::{Delimiter, MIN_LEN, RecordCipher},
};

/// Decrypts encoded content that passes by, in a buffer of one record.
///
/// Content is handed out record by record, each after its tag was verified. That says who made it
/// and where it belongs, not that the rest arrives: what must be whole, such as a configuration, is
/// acted upon only after [`finish`](Self::finish). After the first error all others are the same.
#[derive(Debug)]
#[must_use]
pub struct Decoder<'a> {
    key: ContentKey<'a>,
    record: &'a mut [u8],
    filled: usize,
    state: State,
    length: u64,
}

/// Content that arrived whole: every record verified, in its place, up to the last one.
///
/// Only [`Decoder::finish`] makes one.
///
/// ```compile_fail
/// let forged = providore_sign::content_coding::Decoded { length: 0 };
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Decoded {
    length: u64,
}

#[derive(Debug)]
enum State {
    /// In the fixed part of the header.
    Header {
        bytes: [u8; FIXED_LEN],
    },
    /// In the key's name, which must be ours.
    KeyId {
        cipher: RecordCipher,
    },
    Records {
        cipher: RecordCipher,
    },
    /// Behind the last record.
    Ended,
    Failed(DecodeError),
}

impl<'a> Decoder<'a> {
    /// Begins a content for `key`; `lent` holds at least one record of the peer's size, which is
    /// [`RecordSize::DEFAULT`] in the `Signed` dialect.
    pub const fn begin(key: ContentKey<'a>, lent: &'a mut [u8]) -> Self {
        Self {
            key,
            record: lent,
            filled: 0,
            state: State::Header {
                bytes: [0; FIXED_LEN],
            },
            length: 0,
        }
    }

    /// Takes bytes from the front of `chunk` until a record is complete and hands out its content,
    /// which may be empty; `None` once all of `chunk` is taken. To be called until then.
    ///
    /// # Errors
    /// [`DecodeError`] at the first byte at which the content cannot be accepted any more.
    pub fn update(&mut self, chunk: &mut &[u8]) -> Result<Option<&[u8]>, DecodeError> {
        match self.advance(chunk) {
            Ok(None) => Ok(None),
            Ok(Some(length)) => Ok(self.record.get(..length)),
            Err(error) => {
                self.state = State::Failed(error);
                Err(error)
            }
        }
    }

    /// Ends the content: what the last record had if it was shorter than the others, and the proof
    /// that nothing is missing.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] if the last record never came; [`DecodeError::WrongTag`] if it
    /// was cut short.
    pub fn finish(mut self) -> Result<(&'a [u8], Decoded), DecodeError> {
        let length = match self.state {
            State::Ended => 0,
            State::Failed(error) => return Err(error),
            State::Records { ref mut cipher } if self.filled >= MIN_LEN => {
                let record = self.record.get_mut(..self.filled).unwrap_or_default();
                match cipher.open(record)? {
                    (length, Delimiter::Last) => length,
                    (_, Delimiter::More) => return Err(DecodeError::Truncated),
                }
            }
            _ => return Err(DecodeError::Truncated),
        };
        let plain = self.record.get(..length).unwrap_or_default();
        let length = self.length.saturating_add(plain.len() as u64);
        Ok((plain, Decoded { length }))
    }

    /// One step after another, until a record of so much content is there or the chunk is used up.
    fn advance(&mut self, chunk: &mut &[u8]) -> Result<Option<usize>, DecodeError> {
        loop {
            match &mut self.state {
                State::Failed(error) => return Err(*error),
                State::Ended if chunk.is_empty() => return Ok(None),
                State::Ended => return Err(DecodeError::Extended),
                State::Header { bytes } => {
                    if !take(bytes, &mut self.filled, chunk) {
                        return Ok(None);
                    }
                    let bytes = *bytes;
                    self.begin_records(&bytes)?;
                }
                State::KeyId { .. } => {
                    if !self.match_key_id(chunk)? {
                        return Ok(None);
                    }
                }
                State::Records { cipher } => {
                    if !take(self.record, &mut self.filled, chunk) {
                        return Ok(None);
                    }
                    let (length, delimiter) = cipher.open(self.record)?;
                    self.filled = 0;
                    self.length = self.length.saturating_add(length as u64);
                    if delimiter == Delimiter::Last {
                        self.state = State::Ended;
                    }
                    return Ok(Some(length));
                }
            }
        }
    }

    /// Reads the fixed part of the header: derives the keys, and cuts the buffer to one record.
    fn begin_records(&mut self, header: &[u8; FIXED_LEN]) -> Result<(), DecodeError> {
        let (salt, record_size) = read_header(header, &self.key)?;
        let lent = core::mem::take(&mut self.record);
        self.record = lent
            .get_mut(..record_size.get())
            .ok_or(DecodeError::RecordSize {
                size: u32::try_from(record_size.get()).unwrap_or(u32::MAX),
            })?;
        self.filled = 0;
        self.state = State::KeyId {
            cipher: RecordCipher::new(&self.key, salt)?,
        };
        Ok(())
    }

    /// Compares the key's name as it comes in; true at its end. It is no secret.
    fn match_key_id(&mut self, chunk: &mut &[u8]) -> Result<bool, DecodeError> {
        let expected = self.key.id().get(self.filled..).unwrap_or_default();
        let length = expected.len().min(chunk.len());
        let (read, rest) = chunk.split_at_checked(length).unwrap_or_default();
        if !expected.starts_with(read) {
            return Err(DecodeError::OtherKey);
        }
        *chunk = rest;
        self.filled = self.filled.saturating_add(length);
        if length < expected.len() {
            return Ok(false);
        }
        self.filled = 0;
        self.state = match core::mem::replace(&mut self.state, State::Ended) {
            State::KeyId { cipher } => State::Records { cipher },
            other => other,
        };
        Ok(true)
    }
}

/// The salt and the record size in the fixed part of a header for this key.
pub(super) fn read_header<'h>(
    header: &'h [u8; FIXED_LEN],
    key: &ContentKey<'_>,
) -> Result<(&'h [u8; Salt::LEN], RecordSize), DecodeError> {
    let [salt @ .., s0, s1, s2, s3, id_len] = header;
    let size = u32::from_be_bytes([*s0, *s1, *s2, *s3]);
    let size = RecordSize::new(size).map_err(|_| DecodeError::RecordSize { size })?;
    if usize::from(*id_len) != key.id().len() {
        return Err(DecodeError::OtherKey);
    }
    Ok((salt, size))
}

impl Decoded {
    /// How many bytes the content had.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.length
    }
}

/// Moves bytes from the front of `chunk` behind the `filled` ones; true if `target` is full.
fn take(target: &mut [u8], filled: &mut usize, chunk: &mut &[u8]) -> bool {
    let free = target.get_mut(*filled..).unwrap_or_default();
    let length = free.len().min(chunk.len());
    if let (Some(slots), Some((taken, rest))) =
        (free.get_mut(..length), chunk.split_at_checked(length))
    {
        slots.copy_from_slice(taken);
        *chunk = rest;
        *filled = filled.saturating_add(length);
    }
    *filled >= target.len()
}
