//! The request target: the path that is signed, byte for byte, and the query beside it.

use crate::{FirmwareVersion, ParseError, ParseErrorKind, text::split_once};

/// A request target (RFC 9112 section 3.2), split but never decoded or normalised.
///
/// ```
/// use providore_wire::Target;
///
/// let target = Target::parse("/firmware?version=1.4.0")?;
/// assert_eq!(target.path(), "/firmware");
/// assert_eq!(target.version()?.unwrap().as_str(), "1.4.0");
/// # Ok::<(), providore_wire::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'a> {
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> Target<'a> {
    /// The longest target in bytes. The longest that a client here sends is below 150; the rest is
    /// room for proxies that add a query.
    pub const MAX_LEN: usize = 1024;

    /// Splits a target in origin form, or in absolute form, of which the path and query are taken.
    ///
    /// # Errors
    /// [`ParseErrorKind::TooLong`]; [`ParseErrorKind::UnexpectedByte`] for anything but visible
    /// ASCII, for a fragment, or where no path begins.
    pub fn parse(text: &'a str) -> Result<Self, ParseError> {
        if text.len() > Self::MAX_LEN {
            return Err(ParseError::new(ParseErrorKind::TooLong, Self::MAX_LEN));
        }
        let bad = |byte: u8| !byte.is_ascii_graphic() || byte == b'#';
        if let Some(offset) = text.bytes().position(bad) {
            return Err(ParseError::new(ParseErrorKind::UnexpectedByte, offset));
        }
        let origin = if text.starts_with('/') {
            text
        } else {
            origin_form(text)?
        };
        Ok(match split_once(origin, b'?') {
            Some((path, query)) => Self {
                path,
                query: Some(query),
            },
            None => Self {
                path: origin,
                query: None,
            },
        })
    }

    /// The path as sent: escapes, double slashes, dot segments, case and trailing slash are kept,
    /// since this is what is signed.
    #[must_use]
    pub const fn path(&self) -> &'a str {
        self.path
    }

    /// The query without its question mark. The `Original` dialect does not sign it.
    #[must_use]
    pub const fn query(&self) -> Option<&'a str> {
        self.query
    }

    /// The `version` parameter: a [`FirmwareVersion`] in which `+`, `:` and blank may be escaped as
    /// `%2B`, `%3A` and `%20`, the only characters of one that URL encoders escape.
    ///
    /// # Errors
    /// [`ParseErrorKind::Duplicate`] if the parameter is repeated, or what
    /// [`FirmwareVersion::parse`] reports.
    pub fn version(&self) -> Result<Option<FirmwareVersion>, ParseError> {
        let mut found = None;
        let mut rest = self.query;
        while let Some(pairs) = rest {
            let (pair, behind) = match split_once(pairs, b'&') {
                Some((pair, behind)) => (pair, Some(behind)),
                None => (pairs, None),
            };
            rest = behind;
            let Some(value) = pair.strip_prefix("version=") else {
                continue;
            };
            if found.is_some() {
                return Err(ParseError::new(ParseErrorKind::Duplicate, 0));
            }
            found = Some(value);
        }
        let Some(value) = found else {
            return Ok(None);
        };
        let mut plain = [0; FirmwareVersion::MAX_LEN];
        FirmwareVersion::parse(unescape(value, &mut plain)?).map(Some)
    }
}

/// The part of `http://host/path?query` from its path on.
fn origin_form(text: &str) -> Result<&str, ParseError> {
    let no_path = ParseError::new(ParseErrorKind::UnexpectedByte, 0);
    let behind = |scheme: &str| {
        let (begin, rest) = text.split_at_checked(scheme.len())?;
        begin.eq_ignore_ascii_case(scheme).then_some(rest)
    };
    let rest = behind("http://").or_else(|| behind("https://"));
    let rest = rest.ok_or(no_path)?;
    let slash = rest.bytes().position(|byte| byte == b'/');
    rest.get(slash.ok_or(no_path)?..).ok_or(no_path)
}

fn unescape<'p>(value: &str, plain: &'p mut [u8]) -> Result<&'p [u8], ParseError> {
    let too_long = ParseError::new(ParseErrorKind::TooLong, plain.len());
    let mut length = 0_usize;
    let mut rest = value.as_bytes();
    loop {
        let (byte, behind) = match rest {
            [] => break,
            [b'%', b'2', b'B' | b'b', behind @ ..] => (b'+', behind),
            [b'%', b'3', b'A' | b'a', behind @ ..] => (b':', behind),
            [b'%', b'2', b'0', behind @ ..] => (b' ', behind),
            [byte, behind @ ..] => (*byte, behind),
        };
        *plain.get_mut(length).ok_or(too_long)? = byte;
        length = length.saturating_add(1);
        rest = behind;
    }
    Ok(plain.get(..length).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<(&str, Option<&str>), (ParseErrorKind, usize)>) {
        let outcome = Target::parse(text);
        assert_eq!(
            outcome
                .as_ref()
                .map(|target| (target.path(), target.query()))
                .map_err(|e| (e.kind(), e.offset())),
            expected,
            "{text:?}"
        );
    }

    #[test]
    fn the_path_is_kept_byte_for_byte() {
        check("/config", Ok(("/config", None)));
        check("/config/?x=1?y", Ok(("/config/", Some("x=1?y"))));
        check("//config/../x/./y", Ok(("//config/../x/./y", None)));
        check("/conf%69g/a%20b%0Ac", Ok(("/conf%69g/a%20b%0Ac", None)));
        check(
            "http://example.test/config?x=1",
            Ok(("/config", Some("x=1"))),
        );
    }

    #[test]
    fn what_is_not_a_target_is_refused() {
        check("", Err((ParseErrorKind::UnexpectedByte, 0)));
        check("*", Err((ParseErrorKind::UnexpectedByte, 0)));
        check("ftp://x/config", Err((ParseErrorKind::UnexpectedByte, 0)));
        check(
            "http://example.test",
            Err((ParseErrorKind::UnexpectedByte, 0)),
        );
        check("/con fig", Err((ParseErrorKind::UnexpectedByte, 4)));
        check("/config#x", Err((ParseErrorKind::UnexpectedByte, 7)));
        check("/\u{e4}", Err((ParseErrorKind::UnexpectedByte, 1)));
        check(&"/".repeat(1025), Err((ParseErrorKind::TooLong, 1024)));
    }

    fn check_version(target: &str, expected: Result<Option<&str>, ParseErrorKind>) {
        let version = Target::parse(target).unwrap().version();
        assert_eq!(
            version
                .as_ref()
                .map(|v| v.as_ref().map(FirmwareVersion::as_str))
                .map_err(ParseError::kind),
            expected,
            "{target:?}"
        );
    }

    #[test]
    fn the_version_parameter_is_checked() {
        check_version("/firmware", Ok(None));
        check_version("/firmware?versions=1", Ok(None));
        check_version("/firmware?a=b&version=1.2%2Bb7", Ok(Some("1.2+b7")));
        check_version("/firmware?version=1%20rc%3a2", Ok(Some("1 rc:2")));
        check_version("/firmware?version=", Err(ParseErrorKind::Empty));
        check_version("/firmware?version=../1", Err(ParseErrorKind::PathLike));
        check_version(
            "/firmware?version=%2e%2e",
            Err(ParseErrorKind::UnexpectedByte),
        );
        check_version(
            "/firmware?version=1&version=2",
            Err(ParseErrorKind::Duplicate),
        );
    }
}
