//! The header fields of the dialect: their names, and finding them among all others.

use crate::{ParseError, ParseErrorKind};

/// A header field of the `Original` dialect.
///
/// Names are written in lower case: the deployed C firmware compares them byte for byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Field {
    /// `authorization`: device id and signature of a request.
    Authorization,
    /// `created-at`: when the message was made.
    CreatedAt,
    /// `expiry`: the last second at which it counts.
    Expiry,
    /// `x-firmware-version`: what runs on the device.
    FirmwareVersion,
    /// `signature`: of an answer.
    Signature,
}

impl Field {
    /// The name of the field in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Authorization => "authorization",
            Self::CreatedAt => "created-at",
            Self::Expiry => "expiry",
            Self::FirmwareVersion => "x-firmware-version",
            Self::Signature => "signature",
        }
    }
}

/// A header that is missing, repeated or malformed: which one, and what was wrong in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("header {}", field.name())]
pub struct HeadError {
    field: Field,
    source: ParseError,
}

impl HeadError {
    /// The header that was wrong.
    #[must_use]
    pub const fn field(&self) -> Field {
        self.field
    }

    /// What was wrong, and where in the value.
    #[must_use]
    pub const fn cause(&self) -> ParseError {
        self.source
    }
}

/// The values of the fields in `wanted`, in that order.
///
/// Field names match in any case; blanks around a value are dropped, as every HTTP parser does.
pub(super) fn collect<'a, const N: usize>(
    wanted: [Field; N],
    fields: impl IntoIterator<Item = (&'a str, &'a [u8])>,
) -> Result<[Option<&'a [u8]>; N], HeadError> {
    let mut found = [None; N];
    for (name, value) in fields {
        for (field, slot) in wanted.iter().zip(found.iter_mut()) {
            if name.eq_ignore_ascii_case(field.name()) {
                if slot.is_some() {
                    return Err(field.fails(ParseErrorKind::Duplicate));
                }
                *slot = Some(trim(value));
                break;
            }
        }
    }
    Ok(found)
}

impl Field {
    pub(super) const fn fails(self, kind: ParseErrorKind) -> HeadError {
        HeadError {
            field: self,
            source: ParseError::new(kind, 0),
        }
    }

    /// Parses a value that must be there.
    pub(super) fn require<'a, T>(
        self,
        value: Option<&'a [u8]>,
        parse: impl FnOnce(&'a [u8]) -> Result<T, ParseError>,
    ) -> Result<T, HeadError> {
        let value = value.ok_or(self.fails(ParseErrorKind::Missing))?;
        parse(value).map_err(|source| HeadError {
            field: self,
            source,
        })
    }
}

/// The value without the blanks around it (RFC 9110 section 5.5).
pub(crate) fn trim(value: &[u8]) -> &[u8] {
    let mut value = value;
    while let Some((b' ' | b'\t', rest)) = value.split_first() {
        value = rest;
    }
    while let Some((b' ' | b'\t', rest)) = value.split_last() {
        value = rest;
    }
    value
}
