//! A place in a value, and the steps that every rule of the grammar is made of.

use super::{
    MAX_KEY_LEN, MAX_VALUE_LEN,
    class::{KEY, is},
};
use crate::{ParseError, ParseErrorKind};

/// A place in a value. Views keep one and read from it again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    /// Whether anything was passed that is written in another way.
    variant: bool,
}

impl<'a> Cursor<'a> {
    /// The start of a value, behind the blanks that may precede it.
    pub(super) fn new(value: &'a [u8]) -> Result<Self, ParseError> {
        if value.len() > MAX_VALUE_LEN {
            return Err(ParseError::new(ParseErrorKind::TooLong, MAX_VALUE_LEN));
        }
        let text = core::str::from_utf8(value).map_err(|error| {
            ParseError::new(ParseErrorKind::UnexpectedByte, error.valid_up_to())
        })?;
        let mut cursor = Self {
            text,
            at: 0,
            variant: false,
        };
        cursor.skip_blanks();
        Ok(cursor)
    }

    /// Forgets what was passed.
    pub(super) const fn watch(&mut self) {
        self.variant = false;
    }

    /// Notes something that is written in another way, if it is.
    pub(super) const fn note_variant(&mut self, is_variant: bool) {
        self.variant |= is_variant;
    }

    /// The text from `start` to here, if it is written exactly like this.
    pub(super) fn canonical_since(&self, start: usize) -> Option<&'a str> {
        (!self.variant).then(|| self.since(start))
    }

    pub(super) const fn offset(&self) -> usize {
        self.at
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(super) const fn bump(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.bump();
        }
        found
    }

    pub(super) fn expect(&mut self, byte: u8) -> Result<(), ParseError> {
        if self.eat(byte) {
            Ok(())
        } else {
            Err(self.fails())
        }
    }

    /// The text from `start` to here. Both are where the grammar stopped, on ASCII.
    pub(super) fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// Takes what may be part of this class.
    pub(super) fn take_while(&mut self, class: u8) -> &'a str {
        self.take_until(|byte| !is(byte, class))
    }

    pub(super) fn take_until(&mut self, end: impl Fn(u8) -> bool) -> &'a str {
        let start = self.at;
        let rest = self.text.as_bytes().get(start..).unwrap_or_default();
        let length = rest.iter().position(|byte| end(*byte));
        self.at = start.saturating_add(length.unwrap_or(rest.len()));
        self.since(start)
    }

    pub(super) fn skip_blanks(&mut self) {
        self.take_until(|byte| byte != b' ');
    }

    /// Optional whitespace, as it stands around the commas of a dictionary.
    pub(super) fn skip_ows(&mut self) {
        self.take_until(|byte| !matches!(byte, b' ' | b'\t'));
    }

    /// Only blanks may follow.
    pub(super) fn finish(&mut self) -> Result<(), ParseError> {
        self.skip_blanks();
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.fails()),
        }
    }

    pub(super) fn key(&mut self) -> Result<&'a str, ParseError> {
        if !self.peek().is_some_and(begins_key) {
            return Err(self.fails());
        }
        let start = self.at;
        let key = self.take_while(KEY);
        if key.len() > MAX_KEY_LEN {
            return Err(ParseError::new(ParseErrorKind::TooLong, start));
        }
        Ok(key)
    }

    /// The grammar does not go on with what is here.
    pub(super) fn fails(&self) -> ParseError {
        let kind = match self.peek() {
            Some(_) => ParseErrorKind::UnexpectedByte,
            None => ParseErrorKind::UnexpectedEnd,
        };
        ParseError::new(kind, self.at)
    }

    pub(super) const fn refuses(&self, kind: ParseErrorKind) -> ParseError {
        ParseError::new(kind, self.at)
    }
}

/// Whether this could be a key.
pub(crate) fn is_key(text: &str) -> bool {
    text.len() <= MAX_KEY_LEN
        && text.bytes().next().is_some_and(begins_key)
        && text.bytes().all(in_key)
}

/// The keys of one dictionary or one set of parameters, to notice a repeated one.
pub(super) struct Seen<'a, const N: usize> {
    keys: [&'a str; N],
    count: usize,
    repeated: Option<&'a str>,
}

impl<'a, const N: usize> Seen<'a, N> {
    pub(super) const fn new() -> Self {
        Self {
            keys: [""; N],
            count: 0,
            repeated: None,
        }
    }

    /// Notes a key that ended at the cursor.
    pub(super) fn note(&mut self, key: &'a str, cursor: &Cursor<'a>) -> Result<(), ParseError> {
        if self.keys.iter().take(self.count).any(|seen| *seen == key) {
            self.repeated = self.repeated.or(Some(key));
        }
        let Some(slot) = self.keys.get_mut(self.count) else {
            return Err(cursor.refuses(ParseErrorKind::TooMany));
        };
        *slot = key;
        self.count = self.count.saturating_add(1);
        Ok(())
    }

    pub(super) const fn repeated(&self) -> Option<&'a str> {
        self.repeated
    }
}

/// As the class says: a device that reads one label does without the table.
const fn in_key(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'*')
}

const fn begins_key(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'*')
}
