//! Dictionaries.

use super::{
    MAX_MEMBERS,
    cursor::{Cursor, Seen},
    item::{BareItem, Item},
    list::InnerList,
};
use crate::{ParseError, Text};

/// A dictionary: keys and members in order. An empty value is one without members.
#[derive(Debug, Clone, Copy)]
pub struct Dictionary<'a> {
    start: Cursor<'a>,
    repeated: Option<&'a str>,
}

impl<'a> Dictionary<'a> {
    /// Parses and checks a whole value.
    ///
    /// # Errors
    /// What the grammar does not allow, and the limits of [`super`].
    pub fn parse(value: &'a [u8]) -> Result<Self, ParseError> {
        Self::visit(value, &mut |_, _| {})
    }

    /// Parses a value and shows every member in passing, which saves whoever wants one from reading
    /// all of them again. What was shown counts only if the whole value is good.
    pub(crate) fn visit(
        value: &'a [u8],
        show: &mut dyn FnMut(&'a str, &Member<'a>),
    ) -> Result<Self, ParseError> {
        let start = Cursor::new(value)?;
        let mut cursor = start;
        let mut seen = Seen::<MAX_MEMBERS>::new();
        while let Some((key, member)) = read_member(&mut cursor)? {
            seen.note(key, &cursor)?;
            show(key, &member);
        }
        Ok(Self {
            start,
            repeated: seen.repeated(),
        })
    }

    /// The keys and members; a repeated key once, at its first place with its last member.
    #[must_use]
    pub const fn iter(&self) -> Members<'a> {
        Members {
            all: *self,
            next: self.start,
        }
    }

    /// The member with this key, the last one if it is repeated.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Member<'a>> {
        let mut cursor = self.start;
        let members = core::iter::from_fn(|| read_member(&mut cursor).ok()?);
        members
            .filter(|(found, _)| *found == key)
            .last()
            .map(|(_, member)| member)
    }

    /// A key that stands there more than once.
    #[must_use]
    pub const fn repeated_key(&self) -> Option<&'a str> {
        self.repeated
    }

    /// Hands the canonical text to `sink`, piece by piece.
    ///
    /// # Errors
    /// The first error of `sink`.
    pub fn pieces<E>(&self, mut sink: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let mut between: &[u8] = b"";
        for (key, member) in *self {
            sink(between)?;
            sink(key.as_bytes())?;
            match member {
                Member::Item(item) if item.bare() == BareItem::Boolean(true) => {
                    item.parameters().write(&mut sink)?;
                }
                _ => {
                    sink(b"=")?;
                    member.write(&mut sink)?;
                }
            }
            between = b", ";
        }
        Ok(())
    }

    /// The canonical text.
    ///
    /// # Errors
    /// [`TooLong`](crate::ParseErrorKind::TooLong) when it does not fit.
    pub fn to_text<const N: usize>(&self) -> Result<Text<N>, ParseError> {
        Text::collect(|sink| self.pieces(sink))
    }
}

impl<'a> IntoIterator for Dictionary<'a> {
    type Item = (&'a str, Member<'a>);
    type IntoIter = Members<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a> IntoIterator for &Dictionary<'a> {
    type Item = (&'a str, Member<'a>);
    type IntoIter = Members<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// What stands under a key.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the grammar has no third kind of member"
)]
pub enum Member<'a> {
    /// One item.
    Item(Item<'a>),
    /// A list of items.
    InnerList(InnerList<'a>),
}

impl<'a> Member<'a> {
    /// Where in the parsed value it begins.
    #[must_use]
    pub const fn offset(&self) -> usize {
        match self {
            Self::Item(item) => item.offset(),
            Self::InnerList(list) => list.offset(),
        }
    }

    /// Hands the canonical text of the member, without its key, to `sink`, piece by piece.
    ///
    /// # Errors
    /// The first error of `sink`.
    pub fn pieces<E>(&self, mut sink: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        self.write(&mut sink)
    }

    fn read(cursor: &mut Cursor<'a>) -> Result<Self, ParseError> {
        if !cursor.eat(b'=') {
            return Item::read_flag(cursor).map(Self::Item);
        }
        match cursor.peek() {
            Some(b'(') => InnerList::read(cursor).map(Self::InnerList),
            _ => Item::read(cursor).map(Self::Item),
        }
    }

    pub(crate) fn write<E>(&self, sink: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        match self {
            Self::Item(item) => item.write(sink),
            Self::InnerList(list) => list.write(sink),
        }
    }
}

/// The iterator of [`Dictionary::iter`].
#[derive(Debug, Clone)]
pub struct Members<'a> {
    all: Dictionary<'a>,
    next: Cursor<'a>,
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, Member<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let before = self.next.offset();
            let (key, member) = read_member(&mut self.next).ok()??;
            if self.all.repeated.is_none() {
                return Some((key, member));
            }
            let mut earlier = self.all.start;
            let mut first = true;
            while earlier.offset() < before {
                first &= read_member(&mut earlier).ok()??.0 != key;
            }
            if first {
                return Some((key, self.all.get(key)?));
            }
        }
    }
}

/// The next member and the comma behind it, or `None` at the end of the value.
fn read_member<'a>(cursor: &mut Cursor<'a>) -> Result<Option<(&'a str, Member<'a>)>, ParseError> {
    if cursor.peek().is_none() {
        return Ok(None);
    }
    let key = cursor.key()?;
    let member = Member::read(cursor)?;
    cursor.skip_ows();
    if cursor.peek().is_some() {
        cursor.expect(b',')?;
        cursor.skip_ows();
        if cursor.peek().is_none() {
            return Err(cursor.fails());
        }
    }
    Ok(Some((key, member)))
}
