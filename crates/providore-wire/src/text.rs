//! A bounded string held inline.

use crate::{ParseError, ParseErrorKind};

/// At most `N` bytes of text without an allocator.
///
/// Wraps `heapless::String`, so that the dependency is not part of the public API and a full
/// buffer is this crate's own error.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Text<const N: usize>(heapless::String<N>);

impl<const N: usize> Text<N> {
    /// An empty text.
    #[must_use]
    pub const fn new() -> Self {
        Self(heapless::String::new())
    }

    /// The text so far.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Appends one character.
    ///
    /// # Errors
    /// [`ParseErrorKind::TooLong`] when it does not fit; the text is then unchanged.
    pub fn push(&mut self, character: char) -> Result<(), ParseError> {
        self.0
            .push(character)
            .map_err(|_| ParseError::new(ParseErrorKind::TooLong, N))
    }

    /// Appends a number in decimal digits.
    ///
    /// # Errors
    /// [`ParseErrorKind::TooLong`] when it does not fit; the text is then unchanged.
    pub fn push_number(&mut self, number: u64) -> Result<(), ParseError> {
        let mut digits = [0; 20];
        let digits = write_digits(number, &mut digits);
        self.push_str(core::str::from_utf8(digits).unwrap_or_default())
    }

    /// Appends a string.
    ///
    /// # Errors
    /// [`ParseErrorKind::TooLong`] when it does not fit; the text is then unchanged.
    pub fn push_str(&mut self, text: &str) -> Result<(), ParseError> {
        self.0
            .push_str(text)
            .map_err(|_| ParseError::new(ParseErrorKind::TooLong, N))
    }
}

impl<const N: usize> Text<N> {
    /// These pieces, as far as they fit.
    pub(crate) fn of_pieces(pieces: &[&str]) -> Self {
        let mut text = Self::new();
        for piece in pieces {
            let _ = text.push_str(piece);
        }
        text
    }

    /// Collects the pieces that `write` hands to its sink.
    pub(crate) fn collect(
        write: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<(), ParseError>) -> Result<(), ParseError>,
    ) -> Result<Self, ParseError> {
        let mut bytes = heapless::Vec::<u8, N>::new();
        let too_long = ParseError::new(ParseErrorKind::TooLong, N);
        write(&mut |piece| bytes.extend_from_slice(piece).map_err(|_| too_long))?;
        let text = heapless::String::from_utf8(bytes).map_err(|error| {
            ParseError::new(ParseErrorKind::UnexpectedByte, error.valid_up_to())
        })?;
        Ok(Self(text))
    }
}

impl<const N: usize> core::fmt::Write for Text<N> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.0.push_str(text).map_err(|_| core::fmt::Error)
    }
}

impl<const N: usize> AsRef<str> for Text<N> {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

/// What stands before and behind the first such character, of ASCII. A search for text, as `str` has
/// it, takes more code than whoever looks for one character.
#[cfg_attr(not(feature = "any-spelling"), inline(never))]
pub(crate) fn split_once(text: &str, character: u8) -> Option<(&str, &str)> {
    let at = text.bytes().position(|byte| byte == character)?;
    let (before, rest) = text.split_at_checked(at)?;
    Some((before, rest.get(1..)?))
}

/// The decimal digits of a number, at the end of `room`. No number is divided by a variable or held
/// in 128 bits: a small processor has no instruction for either.
pub(crate) fn write_digits(number: u64, room: &mut [u8; 20]) -> &[u8] {
    let mut rest = number;
    let mut first = room.len();
    for slot in room.iter_mut().rev() {
        let (quotient, digit) = divide_by_ten(rest);
        *slot = b'0'.saturating_add(digit);
        first = first.saturating_sub(1);
        rest = quotient;
        if rest == 0 {
            break;
        }
    }
    room.get(first..).unwrap_or_default()
}

/// High to low, as on paper.
fn divide_by_ten(number: u64) -> (u64, u8) {
    if usize::BITS >= u64::BITS {
        let digit = u8::try_from(number % 10);
        return (number / 10, digit.unwrap_or_default());
    }
    let mut bytes = number.to_le_bytes();
    let mut remainder = 0_u16;
    for byte in bytes.iter_mut().rev() {
        let part = remainder << 8 | u16::from(*byte);
        *byte = u8::try_from(part / 10).unwrap_or_default();
        remainder = part % 10;
    }
    let digit = u8::try_from(remainder).unwrap_or_default();
    (u64::from_le_bytes(bytes), digit)
}

#[cfg(test)]
mod tests {
    extern crate alloc;
    use alloc::string::ToString as _;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_number_is_written_in_decimal(number in any::<u64>(), shift in 0_u32..64) {
            let number = number >> shift;
            let mut text = Text::<20>::new();
            text.push_number(number).unwrap();
            prop_assert_eq!(text.as_str(), number.to_string());
        }
    }
}
