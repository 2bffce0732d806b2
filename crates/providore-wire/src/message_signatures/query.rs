//! Parameters of the query (RFC 9421 section 2.2.8).
//!
//! Names and values are decoded as `application/x-www-form-urlencoded`, where `+` is a blank, and
//! encoded again, where a blank is `%20` and all but letters, digits, `*`, `-`, `.` and `_` are
//! escaped. Bytes that are not UTF-8 keep their escapes; the URL standard has them replaced by
//! U+FFFD, by which two queries would have one signature.

use super::component::Component;
use crate::{ParseError, ParseErrorKind};

/// Writes the value of the parameter that the component names.
pub(super) fn write<E: From<ParseError>>(
    query: &str,
    component: &Component<'_>,
    sink: &mut impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let name = component.argument().unwrap_or_default();
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let mut values = pairs.filter(|(found, _)| reencoded(found).eq(name.bytes()));
    let missing = component.fails(ParseErrorKind::Missing);
    let (_, value) = values.next().ok_or(missing)?;
    if values.next().is_some() {
        return Err(component.fails(ParseErrorKind::Duplicate).into());
    }
    for byte in reencoded(value) {
        sink(&[byte])?;
    }
    Ok(())
}

fn reencoded(text: &str) -> impl Iterator<Item = u8> {
    Decoded(text.as_bytes()).flat_map(|byte| {
        let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'*' | b'-' | b'.' | b'_');
        let (text, length) = if plain {
            ([byte, 0, 0], 1)
        } else {
            ([b'%', digit(byte >> 4), digit(byte & 15)], 3)
        };
        text.into_iter().take(length)
    })
}

struct Decoded<'a>(&'a [u8]);

impl Iterator for Decoded<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let (byte, rest) = match self.0 {
            [b'%', high, low, rest @ ..] => match (value(*high), value(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, rest),
                _ => (b'%', self.0.get(1..)?),
            },
            [b'+', rest @ ..] => (b' ', rest),
            [byte, rest @ ..] => (*byte, rest),
            [] => return None,
        };
        self.0 = rest;
        Some(byte)
    }
}

fn value(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16)?.try_into().ok()
}

fn digit(value: u8) -> u8 {
    let digits = b"0123456789ABCDEF";
    digits.get(usize::from(value)).copied().unwrap_or_default()
}
