//! An answer: records, of which some together announce a server.

use super::{
    Addresses, Announcement, CLASS_IN, LOCAL, MAX_INSTANCES, SERVICE_LABELS, TOP_BIT, TYPE_A,
    TYPE_AAAA, TYPE_PTR, TYPE_SRV, TYPE_TXT, attributes::Attributes, cursor::Cursor, name::Name,
};
use crate::{ParseError, ParseErrorKind};

/// A packet with records, read to its end once.
#[derive(Debug, Clone)]
pub struct Response<'a> {
    records: Records<'a>,
}

impl<'a> Response<'a> {
    /// Reads a packet.
    ///
    /// # Errors
    /// [`ParseErrorKind::Missing`] if it is a question; [`ParseErrorKind::TooLong`],
    /// [`ParseErrorKind::TooMany`] for one over the limits of this module;
    /// [`ParseErrorKind::OutOfRange`] for a name that does not point backwards; and others, if it is
    /// not a packet of multicast DNS.
    pub fn parse(packet: &'a [u8]) -> Result<Self, ParseError> {
        let (header, mut cursor) = Cursor::begin(packet)?;
        if !header.is_response {
            return Err(ParseError::new(ParseErrorKind::Missing, 2));
        }
        for _ in 0..header.questions {
            cursor.name()?;
            cursor.bytes(4)?;
        }
        let records = Records {
            cursor,
            left: header.records,
        };
        for _ in 0..header.records {
            Record::read(&mut cursor)?;
        }
        cursor.end()?;
        Ok(Self { records })
    }

    /// The servers that it announces, [`MAX_INSTANCES`] at most. One that says goodbye (a lifetime
    /// of zero, RFC 6762 section 10.1) is not among them.
    #[must_use]
    pub fn announcements(&self) -> Announcements<'a> {
        Announcements {
            all: self.records.clone(),
            rest: self.records.clone(),
            left: MAX_INSTANCES,
        }
    }
}

/// The announcements in a [`Response`]. An item is an error where one is incomplete or broken.
#[derive(Debug, Clone)]
pub struct Announcements<'a> {
    all: Records<'a>,
    rest: Records<'a>,
    left: usize,
}

impl<'a> Iterator for Announcements<'a> {
    type Item = Result<Announcement<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let announces = |record: &Record<'_>| {
            record.is(TYPE_PTR) && record.lifetime_s > 0 && record.name.is_the_service()
        };
        let pointer = self.rest.find(announces)?;
        Some(collect(&self.all, &pointer))
    }
}

/// Puts together what is said about the instance that a record points at.
fn collect<'a>(
    records: &Records<'a>,
    pointer: &Record<'a>,
) -> Result<Announcement<'a>, ParseError> {
    let mut content = pointer.content;
    let name = content.name()?;
    let instance = name
        .label_before(&SERVICE_LABELS)
        .ok_or_else(|| pointer.content.error(ParseErrorKind::Unknown))?;
    let missing = pointer.content.error(ParseErrorKind::Missing);
    let content_of = |kind: u16| {
        let mut about = records.clone();
        let found = about.find(|record| record.is(kind) && record.name == name);
        found.map(|record| record.content).ok_or(missing)
    };
    let begin = content_of(TYPE_SRV)?;
    let mut location = begin;
    let _priority_and_weight = location.bytes(4)?;
    let port = location.number()?;
    let host_name = location.name()?;
    location.end()?;
    let host = host_name
        .label_before(&[LOCAL])
        .ok_or_else(|| begin.error(ParseErrorKind::Unknown))?;
    let attributes = Attributes::read(content_of(TYPE_TXT)?)?;
    let addresses = addresses_of(records.clone(), host_name)?;
    let text = |bytes: &'a [u8]| {
        let unreadable = |_| pointer.content.error(ParseErrorKind::UnexpectedByte);
        core::str::from_utf8(bytes).map_err(unreadable)
    };
    Announcement::from_parts(text(instance)?, text(host)?, port, addresses, attributes)
}

fn addresses_of<'a>(records: Records<'a>, host: Name<'a>) -> Result<Addresses, ParseError> {
    let mut addresses = Addresses::default();
    for record in records {
        if record.name != host {
            continue;
        }
        let mut content = record.content;
        let address = if record.is(TYPE_A) {
            content.array::<4>()?.into()
        } else if record.is(TYPE_AAAA) {
            content.array::<16>()?.into()
        } else {
            continue;
        };
        content.end()?;
        addresses.insert(address);
    }
    Ok(addresses)
}

/// One record (RFC 1035 section 4.1.3).
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    name: Name<'a>,
    kind: u16,
    class: u16,
    lifetime_s: u32,
    content: Cursor<'a>,
}

impl<'a> Record<'a> {
    pub(super) fn read(cursor: &mut Cursor<'a>) -> Result<Self, ParseError> {
        let name = cursor.name()?;
        let (kind, class) = (cursor.number()?, cursor.number()?);
        let lifetime_s = u32::from_be_bytes(cursor.array()?);
        let length = usize::from(cursor.number()?);
        let content = *cursor;
        cursor.bytes(length)?;
        Ok(Self {
            name,
            kind,
            class,
            lifetime_s,
            content: content.part(cursor.offset()),
        })
    }

    fn is(&self, kind: u16) -> bool {
        self.kind == kind && self.class & !TOP_BIT == CLASS_IN
    }
}

/// The records of a packet that has been read to its end once.
#[derive(Debug, Clone)]
struct Records<'a> {
    cursor: Cursor<'a>,
    left: u16,
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        self.left = self.left.checked_sub(1)?;
        Record::read(&mut self.cursor).ok()
    }
}
