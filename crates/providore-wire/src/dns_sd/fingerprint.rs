//! Which CA a server has, in few bytes.

use core::fmt;

use crate::{ParseError, ParseErrorKind, Text};

/// The SHA-256 of a CA's certificate: of the root's DER.
///
/// What `openssl x509 -fingerprint -sha256` prints of it, without colons and in lower case. It tells
/// servers apart and proves nothing: anybody can announce anybody's.
///
/// ```
/// use providore_wire::dns_sd::Fingerprint;
///
/// let fingerprint = Fingerprint::new([0xA5; 32]);
/// assert_eq!(Fingerprint::parse(fingerprint.to_hex().as_str().as_bytes()), Ok(fingerprint));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The length of the text in bytes.
    pub const TEXT_LEN: usize = 64;

    /// A fingerprint that was computed.
    #[must_use]
    pub const fn new(sha256: [u8; 32]) -> Self {
        Self(sha256)
    }

    /// Reads 64 hexadecimal digits in lower case.
    ///
    /// # Errors
    /// [`ParseErrorKind::InvalidBytes`] for any other length, [`ParseErrorKind::UnexpectedByte`] for
    /// anything else in them.
    pub fn parse(text: &[u8]) -> Result<Self, ParseError> {
        if text.len() != Self::TEXT_LEN {
            return Err(ParseError::new(ParseErrorKind::InvalidBytes, 0));
        }
        let mut bytes = [0; 32];
        let pairs = text.as_chunks::<2>().0;
        for (at, (byte, [high, low])) in bytes.iter_mut().zip(pairs).enumerate() {
            let offset = at.saturating_mul(2);
            let wrong = ParseError::new(ParseErrorKind::UnexpectedByte, offset);
            let (high, low) = (digit(*high).ok_or(wrong)?, digit(*low).ok_or(wrong)?);
            *byte = high << 4 | low;
        }
        Ok(Self(bytes))
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The text.
    #[must_use]
    pub fn to_hex(&self) -> Text<{ Self::TEXT_LEN }> {
        let mut text = Text::new();
        // 64 characters are what there is room for.
        let _ = fmt::Write::write_fmt(&mut text, format_args!("{self}"));
        text
    }
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => byte.checked_sub(b'0'),
        b'a'..=b'f' => byte.checked_sub(b'a')?.checked_add(10),
        _ => None,
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}
