//! Which way of signing two parties use.

use core::{fmt, str::FromStr};

use crate::{ParseError, ParseErrorKind};

/// The dialect an application chose for a device.
///
/// A value of the device's record or of the client's configuration, never something that the
/// network talks either side into. The order is that of strength: the weaker one is less.
///
/// ```
/// use providore_wire::Dialect;
///
/// assert_eq!(Dialect::default(), Dialect::Signed);
/// assert!(Dialect::Original < Dialect::Signed);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// What devices and clients of the first Providore speak: HMAC over method, path, version and
    /// validity, in `Authorization: Hmac`. Its weaknesses are listed in `docs/THREATS.md`.
    Original,
    /// HTTP message signatures (RFC 9421) in both directions, the answer bound to its question,
    /// with or without a clock, what is secret encrypted: `docs/PROTOCOL.md`.
    #[default]
    Signed,
}

impl Dialect {
    /// The name used in settings and device records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Original => "original",
            Self::Signed => "signed",
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Dialect {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "original" => Ok(Self::Original),
            "signed" => Ok(Self::Signed),
            _ => Err(ParseError::new(ParseErrorKind::Unknown, 0)),
        }
    }
}
