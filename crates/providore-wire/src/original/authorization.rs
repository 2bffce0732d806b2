//! `Authorization: Hmac …`.
//!
//! ```text
//! authorization = "Hmac" 1*SP parameter *( OWS "," OWS parameter )
//! parameter     = name "=" ( value / DQUOTE value DQUOTE )
//! ```
//!
//! The scheme and the names are case-sensitive, the order is free, parameters other than `key-id`
//! and `signature` are ignored. Deployed are `key-id="ID", signature="S"` (documentation),
//! `key-id=ID, signature="S"` (Go client) and `key-id=ID, signature=S` (C firmware). Stricter than
//! the deployed server in two points that no deployed client touches: a repeated parameter and an
//! unbalanced quote are refused.

use crate::{DeviceId, ParseError, ParseErrorKind, Signature, Text};

/// The device that a request claims to come from, and its signature.
///
/// ```
/// use providore_wire::original::Authorization;
///
/// let sent = b"Hmac signature=\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\",key-id=dev1";
/// let authorization = Authorization::parse(sent)?;
/// assert_eq!(
///     authorization.to_text().as_str(),
///     "Hmac key-id=\"dev1\", signature=\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"",
/// );
/// # Ok::<(), providore_wire::ParseError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Authorization {
    device: DeviceId,
    signature: Signature,
}

impl Authorization {
    /// The longest value in bytes: both parameters, quoted, and as much again for unknown ones.
    pub const MAX_LEN: usize = 2 * Self::TEXT_LEN;

    /// The longest text that [`Self::to_text`] writes.
    pub const TEXT_LEN: usize =
        "Hmac key-id=\"\", signature=\"\"".len() + DeviceId::MAX_LEN + Signature::TEXT_LEN;

    /// Puts the two together.
    #[must_use]
    pub const fn new(device: DeviceId, signature: Signature) -> Self {
        Self { device, signature }
    }

    /// The device.
    #[must_use]
    pub const fn device(&self) -> &DeviceId {
        &self.device
    }

    /// The signature.
    #[must_use]
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Parses a header value.
    ///
    /// # Errors
    /// [`ParseErrorKind::TooLong`], [`ParseErrorKind::WrongScheme`], [`ParseErrorKind::Missing`],
    /// [`ParseErrorKind::Duplicate`], [`ParseErrorKind::UnexpectedByte`],
    /// [`ParseErrorKind::InvalidBase64`], or what [`DeviceId::parse`] reports; the offset counts
    /// from the start of the header value.
    pub fn parse(value: &[u8]) -> Result<Self, ParseError> {
        if value.len() > Self::MAX_LEN {
            return Err(ParseError::new(ParseErrorKind::TooLong, Self::MAX_LEN));
        }
        let parameters = value
            .strip_prefix(b"Hmac ")
            .ok_or(ParseError::new(ParseErrorKind::WrongScheme, 0))?;
        let mut offset = value.len().saturating_sub(parameters.len());
        let (mut device, mut signature) = (None, None);
        for parameter in parameters.split(|byte| *byte == b',') {
            let (name, text, at) = split(parameter, offset)?;
            match name {
                b"key-id" => set(&mut device, text, at, DeviceId::parse)?,
                b"signature" => set(&mut signature, text, at, Signature::parse)?,
                _ => {}
            }
            offset = offset.saturating_add(parameter.len()).saturating_add(1);
        }
        match (device, signature) {
            (Some(device), Some(signature)) => Ok(Self { device, signature }),
            _ => Err(ParseError::new(ParseErrorKind::Missing, value.len())),
        }
    }

    /// The one spelling that is written: both values quoted, `key-id` first.
    #[must_use]
    pub fn to_text(&self) -> Text<{ Self::TEXT_LEN }> {
        let mut text = Text::new();
        // TEXT_LEN is the sum of the longest parts, so this always fits.
        let signature = self.signature.to_base64();
        let parts = [
            "Hmac key-id=\"",
            self.device.as_str(),
            "\", signature=\"",
            signature.as_str(),
            "\"",
        ];
        for part in parts {
            let _ = text.push_str(part);
        }
        text
    }
}

/// Name, unquoted value, and where the value begins.
fn split(parameter: &[u8], offset: usize) -> Result<(&[u8], &[u8], usize), ParseError> {
    let end = offset.saturating_add(parameter.len());
    let equals = parameter
        .iter()
        .position(|byte| *byte == b'=')
        .ok_or(ParseError::new(ParseErrorKind::UnexpectedEnd, end))?;
    let (name, value) = parameter.split_at(equals);
    let (_, value) = value.split_first().unwrap_or((&b'=', &[]));
    let at = end.saturating_sub(value.len());
    let value = value.trim_ascii_end();
    let text = match value.strip_prefix(b"\"") {
        Some(opened) => opened
            .strip_suffix(b"\"")
            .ok_or(ParseError::new(ParseErrorKind::UnexpectedEnd, end))?,
        None => value,
    };
    Ok((
        name.trim_ascii_start(),
        text,
        at.saturating_add(usize::from(text.len() < value.len())),
    ))
}

fn set<'a, T>(
    slot: &mut Option<T>,
    text: &'a [u8],
    at: usize,
    parse: impl FnOnce(&'a [u8]) -> Result<T, ParseError>,
) -> Result<(), ParseError> {
    if slot.is_some() {
        return Err(ParseError::new(ParseErrorKind::Duplicate, at));
    }
    let shift = |e: ParseError| ParseError::new(e.kind(), e.offset().saturating_add(at));
    *slot = Some(parse(text).map_err(shift)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    extern crate alloc;
    use alloc::string::{String, ToString as _};

    use super::*;

    const S: &str = "SUVYr3FdEpSTH/jIDFsoyiHcH/QazPhYTIKvXNuYSmM=";

    fn check(template: &str, expected: Result<&str, (ParseErrorKind, usize)>) {
        let value = template.replace("$S", S);
        let outcome = Authorization::parse(value.as_bytes());
        let seen = outcome.as_ref().map(|a| {
            assert_eq!(a.signature().to_base64().as_str(), S);
            a.device().to_string()
        });
        let expected = expected.map(String::from);
        assert_eq!(
            seen.map_err(|e| (e.kind(), e.offset())),
            expected,
            "{value}"
        );
    }

    #[test]
    fn every_deployed_spelling_is_read() {
        check("Hmac key-id=\"dev1\", signature=\"$S\"", Ok("dev1"));
        check("Hmac key-id=dev1, signature=\"$S\"", Ok("dev1"));
        check("Hmac key-id=dev1, signature=$S", Ok("dev1"));
        check("Hmac signature=\"$S\", key-id=\"dev1\"", Ok("dev1"));
        check("Hmac  key-id=dev1 ,signature=$S ", Ok("dev1"));
        check(
            "Hmac key-id=\"esp 32.s2-0001\", x=y, signature=$S",
            Ok("esp 32.s2-0001"),
        );
    }

    #[test]
    fn other_schemes_and_spellings_are_refused() {
        check(
            "hmac key-id=dev1, signature=$S",
            Err((ParseErrorKind::WrongScheme, 0)),
        );
        check("Basic abc", Err((ParseErrorKind::WrongScheme, 0)));
        check("", Err((ParseErrorKind::WrongScheme, 0)));
        check(
            "Hmac KEY-ID=dev1, signature=$S",
            Err((ParseErrorKind::Missing, 72)),
        );
        check("Hmac key-id=dev1", Err((ParseErrorKind::Missing, 16)));
        check("Hmac key-id", Err((ParseErrorKind::UnexpectedEnd, 11)));
        check(
            "Hmac key-id=\"dev1, signature=$S",
            Err((ParseErrorKind::UnexpectedEnd, 17)),
        );
    }

    #[test]
    fn faults_inside_a_value_are_located() {
        check(
            "Hmac key-id=\"a/b\", signature=$S",
            Err((ParseErrorKind::UnexpectedByte, 14)),
        );
        check(
            "Hmac key-id=.., signature=$S",
            Err((ParseErrorKind::PathLike, 12)),
        );
        check(
            "Hmac key-id=a, signature=AAAA",
            Err((ParseErrorKind::InvalidBase64, 25)),
        );
        check(
            "Hmac key-id=a, key-id=b, signature=$S",
            Err((ParseErrorKind::Duplicate, 22)),
        );
        check(
            &"H".repeat(400),
            Err((ParseErrorKind::TooLong, Authorization::MAX_LEN)),
        );
    }
}
