//! Device ids, firmware versions and hardware types: bounded, checked, never usable as a path.
//!
//! ```text
//! name  = nchar *( [ " " ] nchar )         ; 1 to 64 bytes, blanks only single and inside
//! nchar = ALPHA / DIGIT / "-" / "." / "_" / "~" / ":" / "+" / "@"
//! ```
//!
//! A name neither begins nor ends with a dot and never holds two in a row: joined to a folder it
//! stays inside that folder. The deployed servers accept blanks inside an id, so we do.

use core::{fmt, str::FromStr};

use crate::{ParseError, ParseErrorKind, text::Text};

/// The name of a device: what the deployed dialect calls `key-id` and RFC 9421 `keyid`.
///
/// Held inline (no allocation), at most [`DeviceId::MAX_LEN`] bytes.
///
/// ```
/// use providore_wire::DeviceId;
///
/// let id: DeviceId = "esp 32.s2-0001".parse()?;
/// assert_eq!(id.as_str(), "esp 32.s2-0001");
/// assert!("../devices".parse::<DeviceId>().is_err());
/// # Ok::<(), providore_wire::ParseError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(Text<{ Self::MAX_LEN }>);

/// The version of the firmware that runs, or that is asked for: `X-Firmware-Version`.
///
/// Held inline (no allocation), at most [`FirmwareVersion::MAX_LEN`] bytes. It is a name to be
/// compared for equality; nothing here orders versions.
///
/// ```
/// use providore_wire::FirmwareVersion;
///
/// let version: FirmwareVersion = "2.0.0-rc.1+build.7".parse()?;
/// assert_eq!(version.as_str(), "2.0.0-rc.1+build.7");
/// # Ok::<(), providore_wire::ParseError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FirmwareVersion(Text<{ Self::MAX_LEN }>);

/// What an image is made for: one word for all devices that run the same image.
///
/// Held inline (no allocation), at most [`HardwareType::MAX_LEN`] bytes, compared for equality.
///
/// ```
/// use providore_wire::HardwareType;
///
/// let hardware: HardwareType = "esp32-s3".parse()?;
/// assert_eq!(hardware.as_str(), "esp32-s3");
/// # Ok::<(), providore_wire::ParseError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HardwareType(Text<{ Self::MAX_LEN }>);

macro_rules! name {
    ($type:ident) => {
        impl $type {
            /// The longest accepted name in bytes.
            pub const MAX_LEN: usize = Name::MAX_LEN;

            /// Parses a header value or a path segment.
            ///
            /// # Errors
            /// [`ParseErrorKind::Empty`], [`ParseErrorKind::TooLong`],
            /// [`ParseErrorKind::UnexpectedByte`] for a byte outside the grammar of this module,
            /// [`ParseErrorKind::PathLike`] for dots at an end or in a row.
            pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
                parse_name(bytes).map(Self)
            }

            /// The name as it was sent.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl From<Name<'_>> for $type {
            fn from(name: Name<'_>) -> Self {
                Self(copy(name))
            }
        }

        impl FromStr for $type {
            type Err = ParseError;

            fn from_str(text: &str) -> Result<Self, ParseError> {
                Self::parse(text.as_bytes())
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($type), "({:?})"), self.as_str())
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }
    };
}

name!(DeviceId);
name!(FirmwareVersion);
name!(HardwareType);

/// A name of any kind, where it stands: a word that is checked and not copied.
///
/// ```
/// use providore_wire::{HardwareType, Name};
///
/// let name = Name::parse(b"esp32-s3")?;
/// assert_eq!(name.as_str(), "esp32-s3");
/// assert_eq!(HardwareType::from(name), "esp32-s3".parse()?);
/// # Ok::<(), providore_wire::ParseError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Name<'a>(&'a str);

impl<'a> Name<'a> {
    /// The longest accepted name in bytes: the length of an X.520 common name, so that
    /// every device id fits into its certificate.
    pub const MAX_LEN: usize = 64;

    /// Checks the grammar of this module.
    ///
    /// # Errors
    /// As [`DeviceId::parse`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        check_name(bytes).map(Self)
    }

    /// The name as it was sent.
    #[must_use]
    pub fn as_str(&self) -> &'a str {
        self.0
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

// One of each for all names: they are long.

#[cfg_attr(not(feature = "any-spelling"), inline(never))]
fn parse_name(bytes: &[u8]) -> Result<Text<{ Name::MAX_LEN }>, ParseError> {
    Name::parse(bytes).map(copy)
}

fn copy(name: Name<'_>) -> Text<{ Name::MAX_LEN }> {
    let mut text = Text::new();
    // It fits: no name is longer.
    let _ = text.push_str(name.as_str());
    text
}

#[cfg_attr(not(feature = "any-spelling"), inline(never))]
fn check_name(bytes: &[u8]) -> Result<&str, ParseError> {
    if bytes.is_empty() {
        return Err(ParseError::new(ParseErrorKind::Empty, 0));
    }
    if bytes.len() > Name::MAX_LEN {
        return Err(ParseError::new(ParseErrorKind::TooLong, Name::MAX_LEN));
    }
    // The edges count as dots: this refuses a dot, and by the blank rule a blank, at either end.
    let mut before = b'.';
    for offset in 0..=bytes.len() {
        let byte = bytes.get(offset).copied().unwrap_or(b'.');
        let wrong = match (before, byte) {
            (b'.', b'.') => Some(ParseErrorKind::PathLike),
            (b'.' | b' ', b' ') | (b' ', b'.') => Some(ParseErrorKind::UnexpectedByte),
            (_, b'-' | b'.' | b'_' | b'~' | b':' | b'+' | b'@' | b' ') => None,
            (_, byte) if byte.is_ascii_alphanumeric() => None,
            _ => Some(ParseErrorKind::UnexpectedByte),
        };
        if let Some(kind) = wrong {
            return Err(ParseError::new(kind, offset));
        }
        before = byte;
    }
    // Every byte is ASCII by now.
    Ok(core::str::from_utf8(bytes).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<(), (ParseErrorKind, usize)>) {
        let outcome = DeviceId::parse(text.as_bytes());
        assert_eq!(
            outcome
                .as_ref()
                .map(DeviceId::as_str)
                .map_err(|e| (e.kind(), e.offset())),
            expected.map(|()| text),
            "{text:?}"
        );
    }

    #[test]
    fn names_in_use_are_accepted() {
        for text in [
            "d8fa0180",
            "esp 32.s2-0001",
            "AA:BB:CC:DD:EE:FF",
            "a",
            "x@y+z~_",
        ] {
            check(text, Ok(()));
        }
        check(&"i".repeat(64), Ok(()));
    }

    #[test]
    fn path_tricks_are_refused() {
        check(".", Err((ParseErrorKind::PathLike, 0)));
        check("..", Err((ParseErrorKind::PathLike, 0)));
        check("a..b", Err((ParseErrorKind::PathLike, 2)));
        check("a.", Err((ParseErrorKind::PathLike, 2)));
        check("a/b", Err((ParseErrorKind::UnexpectedByte, 1)));
        check("a\\b", Err((ParseErrorKind::UnexpectedByte, 1)));
        check("a\0", Err((ParseErrorKind::UnexpectedByte, 1)));
        check("a%2e", Err((ParseErrorKind::UnexpectedByte, 1)));
    }

    #[test]
    fn bounds_and_blanks_are_checked() {
        check("", Err((ParseErrorKind::Empty, 0)));
        check(&"i".repeat(65), Err((ParseErrorKind::TooLong, 64)));
        check(" a", Err((ParseErrorKind::UnexpectedByte, 0)));
        check("a ", Err((ParseErrorKind::UnexpectedByte, 2)));
        check("a  b", Err((ParseErrorKind::UnexpectedByte, 2)));
        check("ä", Err((ParseErrorKind::UnexpectedByte, 0)));
        check("a\"b", Err((ParseErrorKind::UnexpectedByte, 1)));
        check("a,b", Err((ParseErrorKind::UnexpectedByte, 1)));
    }
}
