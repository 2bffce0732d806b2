//! The lines of a signature base.

use super::{
    component::{Component, Place},
    draft::Draft,
    parameters::SignatureParameters,
};
use crate::{
    ParseError, ParseErrorKind,
    original::trim,
    structured::{find_last, write_integer},
};

/// What says which components a signature covers: [`SignatureParameters`] that were received, or
/// the [`Draft`] of a signature that is being made. Sealed.
pub trait Covering<'a>: sealed::Lines<'a> {}

impl<'a> Covering<'a> for SignatureParameters<'a> {}

impl<'a> Covering<'a> for Draft<'a> {}

pub(super) mod sealed {
    use crate::{ParseError, message_signatures::component::Component};

    pub trait Lines<'a> {
        /// The covered components, in order.
        fn covered(&self) -> impl Iterator<Item = Component<'a>>;

        /// The value of `@signature-params`.
        fn write_parameters<E: From<ParseError>>(
            &self,
            sink: &mut impl FnMut(&[u8]) -> Result<(), E>,
        ) -> Result<(), E>;
    }
}

/// Section 2.5, with the value of each component from `value`.
pub(super) fn write_base<'a, E: From<ParseError>, S: FnMut(&[u8]) -> Result<(), E>>(
    covering: &impl Covering<'a>,
    sink: &mut S,
    value: impl Fn(&Component<'a>, &mut S) -> Result<(), E>,
) -> Result<(), E> {
    let mut before: &[u8] = b"\"";
    for component in covering.covered() {
        component.write(before, Place::Line, sink)?;
        value(&component, sink)?;
        before = b"\n\"";
    }
    sink(before)?;
    sink(b"@signature-params\": ")?;
    covering.write_parameters(sink)
}

/// Section 2.1: the values of all lines of a field, trimmed and joined; or, with `;key`, one
/// member of the dictionary that they are, in canonical form.
pub(super) fn write_field<'f, E: From<ParseError>>(
    fields: impl IntoIterator<Item = (&'f str, &'f [u8])>,
    component: &Component<'_>,
    sink: &mut impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let name = component.name().as_str();
    let fields = fields.into_iter();
    let lines = fields.filter(|(field, _)| field.eq_ignore_ascii_case(name));
    let mut lines = lines.map(|(_, value)| trim(value));
    if let Some(key) = component.argument() {
        let member = find_last(lines, key).map_err(|error| component.fails(error.kind()))?;
        return match member {
            Some(member) => member.write(sink),
            None => Err(component.fails(ParseErrorKind::Missing).into()),
        };
    }
    let first = lines.next();
    let first = first.ok_or(component.fails(ParseErrorKind::Missing))?;
    write_line(first, component, sink)?;
    for line in lines {
        sink(b", ")?;
        write_line(line, component, sink)?;
    }
    Ok(())
}

/// `field-content` without `obs-text`. A folded line is refused rather than repaired: section 2.1
/// would have it joined by a blank, and RFC 9112 section 5.2 would not have it at all.
fn write_line<E: From<ParseError>>(
    line: &[u8],
    component: &Component<'_>,
    sink: &mut impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    if is_content(line) {
        sink(line)
    } else {
        Err(component.fails(ParseErrorKind::UnexpectedByte).into())
    }
}

/// Whether the bytes can stand in a line of the base.
pub(crate) fn is_content(line: &[u8]) -> bool {
    // Without a way out: a compiler makes it look at many at once.
    let allowed = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t');
    line.iter().fold(true, |all, byte| all & allowed(byte))
}

/// Section 2.2.9: three digits.
pub(super) fn write_status<E: From<ParseError>>(
    status: u16,
    component: &Component<'_>,
    sink: &mut impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    if matches!(status, 100..=999) {
        write_integer(i64::from(status), sink)
    } else {
        Err(component.fails(ParseErrorKind::OutOfRange).into())
    }
}

pub(super) fn write_lower_case<E>(
    text: &str,
    sink: &mut impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    for chunk in text.as_bytes().chunks(CHUNK) {
        let mut lower = [0; CHUNK];
        let lower = lower.get_mut(..chunk.len()).unwrap_or_default();
        lower.copy_from_slice(chunk);
        lower.make_ascii_lowercase();
        sink(lower)?;
    }
    Ok(())
}

/// Most host names fit in one.
const CHUNK: usize = 32;
