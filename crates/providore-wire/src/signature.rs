//! A published HMAC-SHA-256 tag.

use core::fmt;

use crate::{ParseError, ParseErrorKind, Text, base64};

/// The 32 bytes of an HMAC-SHA-256 tag as it stands in a message; standard base64 with padding in
/// text (RFC 4648 section 4).
///
/// It has no `==`: whether it is the right one is for `providore-sign` to say, in constant time.
#[derive(Clone, Copy)]
// At words: else a small processor copies it byte by byte.
#[repr(align(4))]
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
        let mut tag = [0; 32];
        if Self::read(bytes, &mut tag) {
            Ok(Self(tag))
        } else {
            Err(ParseError::new(ParseErrorKind::InvalidBase64, 0))
        }
    }

    /// Whether this is a text form: the 32 bytes are in `tag` then.
    pub(crate) fn read(bytes: &[u8], tag: &mut [u8; 32]) -> bool {
        // 43 digits are 32 bytes and two bits to spare.
        let digits = bytes.strip_suffix(b"=");
        digits.is_some_and(|digits| base64::decode_all(base64::STANDARD, digits, tag))
    }

    /// The text form.
    #[must_use]
    pub fn to_base64(&self) -> Text<{ Self::TEXT_LEN }> {
        let mut buffer = [b'='; Self::TEXT_LEN];
        let mut text = Text::new();
        // 32 bytes take 43 digits, all of them ASCII.
        base64::encode(base64::STANDARD, &self.0, &mut buffer);
        let _ = text.push_str(core::str::from_utf8(&buffer).unwrap_or_default());
        text
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({})", self.to_base64().as_str())
    }
}
