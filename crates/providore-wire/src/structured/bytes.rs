//! Byte sequences.
//!
//! ```text
//! sf-binary = ":" base64 ":"
//! base64    = *( ALPHA / DIGIT / "+" / "/" ) *"="
//! ```
//!
//! Missing padding and bits behind the last byte are tolerated, as RFC 9651 section 4.2.7 asks;
//! what is written has neither fault.

use super::{
    class::{DIGIT, is},
    cursor::Cursor,
};
use crate::{ParseError, ParseErrorKind, base64};

/// Bytes, still in base64.
#[derive(Debug, Clone, Copy)]
pub struct ByteSequence<'a> {
    /// Digits of the alphabet only, without padding.
    digits: &'a str,
}

impl<'a> ByteSequence<'a> {
    /// The bytes, decoded one by one.
    pub fn iter(&self) -> impl Iterator<Item = u8> + Clone + use<'a> {
        self.digits.as_bytes().chunks(4).flat_map(|digits| {
            let mut group = [0; 3];
            let decoded = base64::decode(digits, &mut group);
            let length = decoded.map_or(0, |decoded| decoded.length);
            group.into_iter().take(length)
        })
    }

    /// The bytes, if there are exactly `N`.
    #[must_use]
    pub fn to_array<const N: usize>(&self) -> Option<[u8; N]> {
        let mut array = [0; N];
        let decoded = base64::decode(self.digits.as_bytes(), &mut array)?;
        (decoded.length == N).then_some(array)
    }

    /// The bytes, if there are exactly `N` and no bits behind them: for what must have one spelling.
    #[must_use]
    pub fn to_exact_array<const N: usize>(&self) -> Option<[u8; N]> {
        base64::decode_exact(base64::STANDARD, self.digits.as_bytes())
    }

    /// Reads from the opening colon to behind the closing one.
    pub(super) fn read(cursor: &mut Cursor<'a>) -> Result<Self, ParseError> {
        cursor.expect(b':')?;
        let start = cursor.offset();
        let text = cursor.take_until(|byte| byte == b':');
        cursor.expect(b':')?;
        let digits = text.trim_end_matches('=');
        let padding = text.len().saturating_sub(digits.len());
        if let Some(at) = digits.bytes().position(|byte| !is(byte, DIGIT)) {
            let offset = start.saturating_add(at);
            return Err(ParseError::new(ParseErrorKind::InvalidBytes, offset));
        }
        let most_padding = match digits.len() % 4 {
            0 => Some(0),
            2 => Some(2),
            3 => Some(1),
            _ => None,
        };
        if most_padding.is_none_or(|most| padding > most) {
            return Err(ParseError::new(ParseErrorKind::InvalidBytes, start));
        }
        cursor.note_variant(most_padding != Some(0));
        Ok(Self { digits })
    }

    pub(super) fn write<E>(&self, sink: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        // Only the last group can lack padding or have bits to spare.
        let whole = self.digits.len() & !3;
        let (whole, last) = self.digits.split_at_checked(whole).unwrap_or_default();
        let mut group = [0; 3];
        let decoded = base64::decode(last.as_bytes(), &mut group);
        let length = decoded.map_or(0, |decoded| decoded.length);
        sink(b":")?;
        sink(whole.as_bytes())?;
        write_digits(group.get(..length).unwrap_or_default(), sink)?;
        sink(b":")
    }
}

impl PartialEq for ByteSequence<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for ByteSequence<'_> {}

/// Writes plain bytes as a byte sequence.
pub(crate) fn write_bytes<E>(
    bytes: &[u8],
    sink: &mut (impl FnMut(&[u8]) -> Result<(), E> + ?Sized),
) -> Result<(), E> {
    sink(b":")?;
    write_digits(bytes, sink)?;
    sink(b":")
}

fn write_digits<E>(
    bytes: &[u8],
    sink: &mut (impl FnMut(&[u8]) -> Result<(), E> + ?Sized),
) -> Result<(), E> {
    // A digest or a tag at once. Whole groups have digits for four, the last one has padding.
    for chunk in bytes.chunks(33) {
        let mut digits = [b'='; 44];
        let length = base64::encode(base64::STANDARD, chunk, &mut digits);
        let padded = length.next_multiple_of(4);
        sink(digits.get(..padded).unwrap_or_default())?;
    }
    Ok(())
}
