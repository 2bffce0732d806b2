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
