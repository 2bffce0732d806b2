//! Inner lists.

use super::{
    MAX_ITEMS,
    cursor::Cursor,
    item::{Item, Parameters},
};
use crate::{ParseError, ParseErrorKind, Text};

/// Items in parentheses, and the parameters of the whole.
#[derive(Debug, Clone, Copy)]
pub struct InnerList<'a> {
    first: Cursor<'a>,
    parameters: Parameters<'a>,
    offset: usize,
    /// The text, if it is canonical as it stands.
    canonical: Option<&'a str>,
}

impl<'a> InnerList<'a> {
    /// Parses a value that is nothing but an inner list, such as that of one dictionary member.
    ///
    /// # Errors
    /// What the grammar does not allow, and the limits of [`super`].
    pub fn parse(value: &'a [u8]) -> Result<Self, ParseError> {
        let mut cursor = Cursor::new(value)?;
        let list = Self::read(&mut cursor)?;
        cursor.finish()?;
        Ok(list)
    }

    /// The items.
    #[must_use]
    pub const fn items(&self) -> Items<'a> {
        Items { next: self.first }
    }

    /// The parameters of the list.
    #[must_use]
    pub const fn parameters(&self) -> Parameters<'a> {
        self.parameters
    }

    /// Where in the parsed value it begins.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// Hands the canonical text to `sink`, piece by piece.
    ///
    /// # Errors
    /// The first error of `sink`.
    pub fn pieces<E>(&self, mut sink: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        self.write(&mut sink)
    }

    /// The canonical text.
    ///
    /// # Errors
    /// [`ParseErrorKind::TooLong`] when it does not fit.
    pub fn to_text<const N: usize>(&self) -> Result<Text<N>, ParseError> {
        Text::collect(|sink| self.pieces(sink))
    }

    /// Reads from the opening parenthesis to behind the parameters.
    pub(super) fn read(cursor: &mut Cursor<'a>) -> Result<Self, ParseError> {
        let offset = cursor.offset();
        cursor.watch();
        cursor.expect(b'(')?;
        cursor.note_variant(cursor.peek() == Some(b' '));
        let first = *cursor;
        let mut count = 0_usize;
        while read_item(cursor)?.is_some() {
            count = count.saturating_add(1);
            if count > MAX_ITEMS {
                return Err(cursor.refuses(ParseErrorKind::TooMany));
            }
        }
        Ok(Self {
            first,
            parameters: Parameters::read(cursor)?,
            offset,
            canonical: cursor.canonical_since(offset),
        })
    }

    pub(crate) fn write<E>(&self, sink: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        if let Some(text) = self.canonical {
            return sink(text.as_bytes());
        }
        let mut before: &[u8] = b"(";
        for item in self.items() {
            sink(before)?;
            item.write(sink)?;
            before = b" ";
        }
        sink(if before == b"(" { b"()" } else { b")" })?;
        self.parameters.write(sink)
    }
}

/// The iterator of [`InnerList::items`].
#[derive(Debug, Clone)]
pub struct Items<'a> {
    next: Cursor<'a>,
}

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut cursor = self.next;
        let item = read_item(&mut cursor).ok()??;
        self.next = cursor;
        Some(item)
    }
}

/// The next item, or `None` behind the closing parenthesis.
fn read_item<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Item<'a>>, ParseError> {
    let blanks_at = cursor.offset();
    cursor.skip_blanks();
    let blanks = cursor.offset().saturating_sub(blanks_at);
    if cursor.eat(b')') {
        cursor.note_variant(blanks > 0);
        return Ok(None);
    }
    cursor.note_variant(blanks > 1);
    let item = Item::read(cursor)?;
    match cursor.peek() {
        Some(b' ' | b')') => Ok(Some(item)),
        _ => Err(cursor.fails()),
    }
}
