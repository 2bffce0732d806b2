//! What makes a request unique.

use crate::{ParseError, ParseErrorKind, Text, base64};

/// The `nonce` of a request: 16 random bytes; base64url without padding in text (RFC 4648
/// section 5).
///
/// ```
/// use providore_wire::signed::Nonce;
///
/// let nonce = Nonce::new([7; 16]);
/// assert_eq!(nonce.to_text().as_str(), "BwcHBwcHBwcHBwcHBwcHBw");
/// assert_eq!(Nonce::parse("BwcHBwcHBwcHBwcHBwcHBw").unwrap(), nonce);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
// At words: else a small processor copies it byte by byte.
#[repr(align(4))]
pub struct Nonce([u8; Self::LEN]);

impl Nonce {
    /// The length in bytes: two devices, or one device twice, never draw the same.
    pub const LEN: usize = 16;

    /// The length of the text form.
    pub const TEXT_LEN: usize = 22;

    /// Wraps fresh random bytes.
    #[must_use]
    pub const fn new(random: [u8; Self::LEN]) -> Self {
        Self(random)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// Parses the text form. Only the one spelling of 16 bytes is accepted.
    ///
    /// # Errors
    /// [`ParseErrorKind::InvalidBytes`].
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let bad = ParseError::new(ParseErrorKind::InvalidBytes, 0);
        // 22 digits are 16 bytes and four bits to spare.
        let bytes = base64::decode_exact(base64::URL_SAFE, text.as_bytes());
        bytes.map(Self).ok_or(bad)
    }

    /// The text form.
    #[must_use]
    pub fn to_text(&self) -> Text<{ Self::TEXT_LEN }> {
        let mut buffer = [0; Self::TEXT_LEN];
        let mut text = Text::new();
        // 16 bytes take 22 digits, all of them ASCII.
        base64::encode(base64::URL_SAFE, &self.0, &mut buffer);
        let _ = text.push_str(core::str::from_utf8(&buffer).unwrap_or_default());
        text
    }
}
