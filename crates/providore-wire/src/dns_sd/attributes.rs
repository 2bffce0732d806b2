//! What the TXT record says: `path`, `v` and `fp`.
//!
//! ```text
//! txt    = *( length [ key [ "=" value ] ] )      ; RFC 6763 section 6
//! path   = "/" [ segment *( "/" segment ) [ "/" ] ]
//! v      = 1*5DIGIT                               ; no zero in front
//! fp     = 64( DIGIT / "a"-"f" )
//! ```

use super::{Fingerprint, cursor::Cursor};
use crate::{ParseError, ParseErrorKind};

/// The longest path in bytes.
pub(super) const MAX_PATH: usize = 64;

/// The three attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attributes<'a> {
    pub(super) path: &'a str,
    pub(super) version: u16,
    pub(super) fingerprint: Option<Fingerprint>,
}

impl<'a> Attributes<'a> {
    /// Reads the content of a TXT record. Of a key that stands there twice the first counts, keys
    /// of others are stepped over (RFC 6763 section 6.4).
    pub(super) fn read(mut content: Cursor<'a>) -> Result<Self, ParseError> {
        let begin = content;
        let (mut path, mut version, mut fingerprint) = (None, None, None);
        while content.end().is_err() {
            let [length] = content.array()?;
            let offset = content.offset();
            let text = content.bytes(usize::from(length))?;
            let within = |error: ParseError| {
                ParseError::new(error.kind(), offset.saturating_add(error.offset()))
            };
            let split = text.iter().position(|byte| *byte == b'=');
            let Some((key, value)) = split.and_then(|at| text.split_at_checked(at)) else {
                continue;
            };
            let value = value.get(1..).unwrap_or_default();
            if key.eq_ignore_ascii_case(b"path") && path.is_none() {
                path = Some(plain_path(value).map_err(within)?);
            } else if key.eq_ignore_ascii_case(b"v") && version.is_none() {
                version = Some(number(value).map_err(within)?);
            } else if key.eq_ignore_ascii_case(b"fp") && fingerprint.is_none() {
                fingerprint = Some(Fingerprint::parse(value).map_err(within)?);
            }
        }
        Ok(Self {
            path: path.unwrap_or("/"),
            version: version.ok_or_else(|| begin.error(ParseErrorKind::Missing))?,
            fingerprint,
        })
    }
}

/// A path of unreserved characters (RFC 3986 section 2.3) that no two readers understand
/// differently: no escapes, no empty and no dot segments.
pub(super) fn plain_path(bytes: &[u8]) -> Result<&str, ParseError> {
    if bytes.len() > MAX_PATH {
        return Err(ParseError::new(ParseErrorKind::TooLong, MAX_PATH));
    }
    let mut before = b' ';
    for (offset, &byte) in bytes.iter().enumerate() {
        let known = byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
        if !known || offset == 0 && byte != b'/' {
            return Err(ParseError::new(ParseErrorKind::UnexpectedByte, offset));
        }
        if matches!((before, byte), (b'/', b'/' | b'.')) {
            return Err(ParseError::new(ParseErrorKind::PathLike, offset));
        }
        before = byte;
    }
    if bytes.is_empty() {
        return Err(ParseError::new(ParseErrorKind::Empty, 0));
    }
    // Every byte is ASCII by now.
    Ok(core::str::from_utf8(bytes).unwrap_or_default())
}

fn number(digits: &[u8]) -> Result<u16, ParseError> {
    let wrong = ParseError::new(ParseErrorKind::UnexpectedByte, 0);
    let fits = matches!(digits, [b'1'..=b'9', ..]) && digits.iter().all(u8::is_ascii_digit);
    let text = core::str::from_utf8(digits).map_err(|_| wrong)?;
    if fits {
        text.parse().map_err(|_| wrong)
    } else {
        Err(wrong)
    }
}
