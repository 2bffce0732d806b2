//! What a server hands out to a device that has no clock.

use crate::{ParseError, ParseErrorKind, Text};

/// The value of `Providore-Challenge`: made by a server, and to a device nothing but characters
/// that it sends back.
///
/// ```text
/// challenge = 16*64( ALPHA / DIGIT / "-" / "_" )
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge(Text<{ Self::MAX_LEN }>);

impl Challenge {
    /// The shortest challenge in characters: less cannot hold what nobody guesses.
    pub const MIN_LEN: usize = 16;

    /// The longest challenge in characters: a time, as much randomness and a whole tag. A device
    /// keeps one in memory.
    pub const MAX_LEN: usize = 64;

    /// Parses the value of the field.
    ///
    /// # Errors
    /// [`ParseErrorKind::UnexpectedEnd`], [`ParseErrorKind::TooLong`],
    /// [`ParseErrorKind::UnexpectedByte`].
    pub fn parse(value: &[u8]) -> Result<Self, ParseError> {
        if value.len() < Self::MIN_LEN {
            return Err(ParseError::new(ParseErrorKind::UnexpectedEnd, value.len()));
        }
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let bad = value.iter().position(|byte| !allowed(byte));
        let text = core::str::from_utf8(value).ok().filter(|_| bad.is_none());
        let bad = ParseError::new(ParseErrorKind::UnexpectedByte, bad.unwrap_or_default());
        let mut challenge = Text::new();
        challenge.push_str(text.ok_or(bad)?)?;
        Ok(Self(challenge))
    }

    /// The characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}
