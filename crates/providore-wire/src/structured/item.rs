//! Items and parameters.
//!
//! ```text
//! bare-item  = sf-integer / sf-decimal / sf-string / sf-token / sf-binary / sf-boolean / …
//! sf-integer = ["-"] 1*15DIGIT
//! sf-token   = ( ALPHA / "*" ) *( tchar / ":" / "/" )
//! sf-boolean = "?" ( "0" / "1" )
//! ```

use super::{
    MAX_PARAMETERS,
    bytes::ByteSequence,
    class::TOKEN,
    cursor::{Cursor, Seen},
    string::QuotedString,
};
use crate::{ParseError, ParseErrorKind, text::write_digits};

/// A value without parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BareItem<'a> {
    /// An integer of at most 15 digits.
    Integer(i64),
    /// A string.
    String(QuotedString<'a>),
    /// A token: a word without quotes.
    Token(&'a str),
    /// A byte sequence.
    Bytes(ByteSequence<'a>),
    /// A boolean; a parameter or member without a value is true.
    Boolean(bool),
}

/// A bare item and its parameters.
#[derive(Debug, Clone, Copy)]
pub struct Item<'a> {
    bare: BareItem<'a>,
    parameters: Parameters<'a>,
    offset: usize,
}

impl<'a> Item<'a> {
    /// The value.
    #[must_use]
    pub const fn bare(&self) -> BareItem<'a> {
        self.bare
    }

    /// Its parameters.
    #[must_use]
    pub const fn parameters(&self) -> Parameters<'a> {
        self.parameters
    }

    /// Where in the parsed value it begins.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    pub(super) fn read(cursor: &mut Cursor<'a>) -> Result<Self, ParseError> {
        let offset = cursor.offset();
        Ok(Self {
            bare: BareItem::read(cursor)?,
            parameters: Parameters::read(cursor)?,
            offset,
        })
    }

    /// A member without `=`: true, with the parameters at the cursor.
    pub(super) fn read_flag(cursor: &mut Cursor<'a>) -> Result<Self, ParseError> {
        let offset = cursor.offset();
        Ok(Self {
            bare: BareItem::Boolean(true),
            parameters: Parameters::read(cursor)?,
            offset,
        })
    }

    pub(super) fn write<E>(&self, sink: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        self.bare.write(sink)?;
        self.parameters.write(sink)
    }
}

/// Parameters: names and values in order.
#[derive(Debug, Clone, Copy)]
pub struct Parameters<'a> {
    start: Cursor<'a>,
    repeated: Option<&'a str>,
}

impl<'a> Parameters<'a> {
    /// The names and values; a repeated name once, at its first place with its last value.
    #[must_use]
    pub const fn iter(&self) -> ParametersIter<'a> {
        ParametersIter {
            all: *self,
            next: self.start,
        }
    }

    /// The value of this name, the last one if it is repeated.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<BareItem<'a>> {
        self.raw()
            .filter(|(key, _)| *key == name)
            .last()
            .map(|(_, value)| value)
    }

    /// A name that stands there more than once.
    #[must_use]
    pub const fn repeated_key(&self) -> Option<&'a str> {
        self.repeated
    }

    fn raw(&self) -> impl Iterator<Item = (&'a str, BareItem<'a>)> + use<'a> {
        let mut cursor = self.start;
        core::iter::from_fn(move || read_parameter(&mut cursor).ok()?)
    }

    /// Reads what parameters there are, possibly none.
    pub(super) fn read(cursor: &mut Cursor<'a>) -> Result<Self, ParseError> {
        let start = *cursor;
        if cursor.peek() != Some(b';') {
            let repeated = None;
            return Ok(Self { start, repeated });
        }
        let mut seen = Seen::<MAX_PARAMETERS>::new();
        while let Some((key, _)) = read_parameter(cursor)? {
            seen.note(key, cursor)?;
        }
        let repeated = seen.repeated();
        cursor.note_variant(repeated.is_some());
        Ok(Self { start, repeated })
    }

    pub(super) fn write<E>(&self, sink: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        for (key, value) in *self {
            sink(b";")?;
            sink(key.as_bytes())?;
            if value != BareItem::Boolean(true) {
                sink(b"=")?;
                value.write(sink)?;
            }
        }
        Ok(())
    }
}

impl<'a> IntoIterator for Parameters<'a> {
    type Item = (&'a str, BareItem<'a>);
    type IntoIter = ParametersIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a> IntoIterator for &Parameters<'a> {
    type Item = (&'a str, BareItem<'a>);
    type IntoIter = ParametersIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The iterator of [`Parameters::iter`].
#[derive(Debug, Clone)]
pub struct ParametersIter<'a> {
    all: Parameters<'a>,
    next: Cursor<'a>,
}

impl<'a> Iterator for ParametersIter<'a> {
    type Item = (&'a str, BareItem<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let before = self.next.offset();
            let (key, value) = read_parameter(&mut self.next).ok()??;
            if self.all.repeated.is_none() {
                return Some((key, value));
            }
            let mut earlier = self.all.start;
            let mut first = true;
            while earlier.offset() < before {
                first &= read_parameter(&mut earlier).ok()??.0 != key;
            }
            if first {
                return Some((key, self.all.get(key)?));
            }
        }
    }
}

fn read_parameter<'a>(
    cursor: &mut Cursor<'a>,
) -> Result<Option<(&'a str, BareItem<'a>)>, ParseError> {
    if !cursor.eat(b';') {
        return Ok(None);
    }
    let key_at = cursor.offset();
    cursor.skip_blanks();
    cursor.note_variant(cursor.offset() > key_at);
    let key = cursor.key()?;
    let value = if cursor.eat(b'=') {
        let value = BareItem::read(cursor)?;
        cursor.note_variant(value == BareItem::Boolean(true));
        value
    } else {
        BareItem::Boolean(true)
    };
    Ok(Some((key, value)))
}

impl<'a> BareItem<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, ParseError> {
        match cursor.peek() {
            Some(b'-' | b'0'..=b'9') => read_integer(cursor).map(Self::Integer),
            Some(b'"') => QuotedString::read(cursor).map(Self::String),
            Some(b':') => ByteSequence::read(cursor).map(Self::Bytes),
            Some(b'A'..=b'Z' | b'a'..=b'z' | b'*') => Ok(Self::Token(cursor.take_while(TOKEN))),
            Some(b'?') => {
                cursor.bump();
                if cursor.eat(b'1') {
                    return Ok(Self::Boolean(true));
                }
                cursor.expect(b'0')?;
                Ok(Self::Boolean(false))
            }
            Some(b'@' | b'%') => Err(cursor.refuses(ParseErrorKind::UnsupportedType)),
            _ => Err(cursor.fails()),
        }
    }

    pub(super) fn write<E>(&self, sink: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        match self {
            Self::Integer(value) => write_integer(*value, sink),
            Self::String(text) => text.write(sink),
            Self::Token(text) => sink(text.as_bytes()),
            Self::Bytes(bytes) => bytes.write(sink),
            Self::Boolean(true) => sink(b"?1"),
            Self::Boolean(false) => sink(b"?0"),
        }
    }
}

/// A sign and 15 digits; section 3.3.1 allows no more.
pub(crate) const MAX_DIGITS: usize = 15;

fn read_integer(cursor: &mut Cursor<'_>) -> Result<i64, ParseError> {
    let start = cursor.offset();
    cursor.eat(b'-');
    let digits = cursor.take_until(|byte| !byte.is_ascii_digit());
    if digits.is_empty() {
        return Err(cursor.fails());
    }
    if digits.len() > MAX_DIGITS {
        return Err(ParseError::new(ParseErrorKind::TooLong, start));
    }
    if cursor.peek() == Some(b'.') {
        return Err(cursor.refuses(ParseErrorKind::UnsupportedType));
    }
    let zeros = digits.starts_with('0') && (digits.len() > 1 || cursor.since(start) == "-0");
    cursor.note_variant(zeros);
    let number = cursor.since(start).parse();
    number.map_err(|_| ParseError::new(ParseErrorKind::UnexpectedByte, start))
}

pub(crate) fn write_integer<E>(
    value: i64,
    sink: &mut impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    if value < 0 {
        sink(b"-")?;
    }
    sink(write_digits(value.unsigned_abs(), &mut [0; 20]))
}
