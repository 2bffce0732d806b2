//! Strings.
//!
//! ```text
//! sf-string = DQUOTE *( unescaped / "\" ( DQUOTE / "\" ) ) DQUOTE
//! unescaped = %x20-21 / %x23-5B / %x5D-7E
//! ```

use super::{
    class::{PLAIN, is},
    cursor::Cursor,
};
use crate::{ParseError, ParseErrorKind};

/// A string of printable ASCII, still with its escapes.
///
/// There is one way to escape a string, so two are equal if their bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct QuotedString<'a> {
    /// What stands between the quotes.
    escaped: &'a str,
}

impl<'a> QuotedString<'a> {
    /// A string that needs no escapes.
    ///
    /// # Errors
    /// [`ParseErrorKind::UnexpectedByte`] for a quote, a backslash, and for what is not printable
    /// ASCII.
    pub fn plain(text: &'a str) -> Result<Self, ParseError> {
        match text.bytes().position(|byte| !is(byte, PLAIN)) {
            Some(at) => Err(ParseError::new(ParseErrorKind::UnexpectedByte, at)),
            None => Ok(Self { escaped: text }),
        }
    }

    /// The characters that are meant.
    pub fn chars(&self) -> impl Iterator<Item = char> + Clone + use<'a> {
        let mut after_escape = false;
        self.escaped.chars().filter(move |character| {
            after_escape = *character == '\\' && !after_escape;
            !after_escape
        })
    }

    /// The text, if it has no escapes: names, nonces and key ids have none.
    #[must_use]
    pub fn as_plain(&self) -> Option<&'a str> {
        (!self.escaped.as_bytes().contains(&b'\\')).then_some(self.escaped)
    }

    /// What stands between the quotes, with its escapes.
    #[must_use]
    pub const fn escaped(&self) -> &'a str {
        self.escaped
    }

    /// Reads from the opening quote to behind the closing one.
    pub(super) fn read(cursor: &mut Cursor<'a>) -> Result<Self, ParseError> {
        cursor.expect(b'"')?;
        let start = cursor.offset();
        loop {
            cursor.take_while(PLAIN);
            match cursor.peek() {
                Some(b'"') => {
                    let escaped = cursor.since(start);
                    cursor.bump();
                    return Ok(Self { escaped });
                }
                Some(b'\\') => {
                    cursor.bump();
                    if !matches!(cursor.peek(), Some(b'"' | b'\\')) {
                        return Err(cursor.fails());
                    }
                    cursor.bump();
                }
                _ => return Err(cursor.fails()),
            }
        }
    }

    pub(crate) fn write<E>(&self, sink: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        sink(b"\"")?;
        sink(self.escaped.as_bytes())?;
        sink(b"\"")
    }
}

impl PartialEq<str> for QuotedString<'_> {
    fn eq(&self, other: &str) -> bool {
        self.chars().eq(other.chars())
    }
}
