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
        Self::check(value)?;
        let mut challenge = Text::new();
        challenge.push_str(core::str::from_utf8(value).unwrap_or_default())?;
        Ok(Self(challenge))
    }

    /// Whether this could be one.
    #[cfg_attr(not(feature = "any-spelling"), inline(never))]
    pub(super) fn check(value: &[u8]) -> Result<(), ParseError> {
        if value.len() < Self::MIN_LEN {
            return Err(ParseError::new(ParseErrorKind::UnexpectedEnd, value.len()));
        }
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if let Some(at) = value.iter().position(|byte| !allowed(byte)) {
            return Err(ParseError::new(ParseErrorKind::UnexpectedByte, at));
        }
        if value.len() > Self::MAX_LEN {
            return Err(ParseError::new(ParseErrorKind::TooLong, Self::MAX_LEN));
        }
        Ok(())
    }

    /// The characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}
