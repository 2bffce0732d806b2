//! A published HMAC-SHA-256 tag.

use core::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{ParseError, ParseErrorKind, Text};

/// The 32 bytes of an HMAC-SHA-256 tag as it stands in a message; standard base64 with padding in
/// text (RFC 4648 section 4).
///
/// It has no `==`: whether it is the right one is for `providore-sign` to say, in constant time.
#[derive(Clone, Copy)]
pub struct Signature([u8; 32]);

impl Signature {
    /// The length of the text form in bytes.
    pub const TEXT_LEN: usize = 44;

    /// Wraps a tag that is to be published.
    #[must_use]
    pub const fn new(tag: [u8; 32]) -> Self {
        Self(tag)
    }

    /// The tag.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Parses the text form. Only the one canonical spelling of 32 bytes is accepted.
    ///
    /// # Errors
    /// [`ParseErrorKind::InvalidBase64`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        // 44 characters decode to 33 bytes at most, before the padding is counted.
        let mut tag = [0; 33];
        let bad = ParseError::new(ParseErrorKind::InvalidBase64, 0);
        if bytes.len() != Self::TEXT_LEN {
            return Err(bad);
        }
        let length = STANDARD.decode_slice(bytes, &mut tag).map_err(|_| bad)?;
        tag.get(..length)
            .and_then(|tag| tag.try_into().ok())
            .map(Self)
            .ok_or(bad)
    }

    /// The text form.
    #[must_use]
    pub fn to_base64(&self) -> Text<{ Self::TEXT_LEN }> {
        let mut buffer = [0; Self::TEXT_LEN];
        let mut text = Text::new();
        // 32 bytes always take 44 characters, all of them ASCII.
        if STANDARD.encode_slice(self.0, &mut buffer).is_ok()
            && let Ok(encoded) = core::str::from_utf8(&buffer)
        {
            let _ = text.push_str(encoded);
        }
        text
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({})", self.to_base64().as_str())
    }
}
