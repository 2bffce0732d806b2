//! A place in a packet.

use super::{MAX_PACKET, MAX_RECORDS, name::Name};
use crate::{ParseError, ParseErrorKind};

/// Reads big-endian numbers, names and bytes, one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    packet: &'a [u8],
    offset: usize,
}

/// What a packet begins with (RFC 1035 section 4.1.1).
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) is_response: bool,
    pub(super) questions: u16,
    /// Answers, authorities and additional records: where a record stands does not matter.
    pub(super) records: u16,
}

/// The length of a header.
pub(super) const HEADER_LEN: usize = 12;

impl<'a> Cursor<'a> {
    /// Reads the header.
    ///
    /// The id and most flags are not looked at, as RFC 6762 section 18 has it.
    pub(super) fn begin(packet: &'a [u8]) -> Result<(Header, Self), ParseError> {
        if packet.len() > MAX_PACKET {
            return Err(ParseError::new(ParseErrorKind::TooLong, MAX_PACKET));
        }
        let mut cursor = Self { packet, offset: 0 };
        let _id = cursor.number()?;
        let flags = cursor.number()?;
        // Operation and error code: other than zero is not multicast DNS.
        if flags & 0x780F != 0 {
            return Err(ParseError::new(ParseErrorKind::Unknown, 2));
        }
        let questions = cursor.number()?;
        let mut records = 0_u16;
        for _ in 0..3 {
            records = records.saturating_add(cursor.number()?);
        }
        if usize::from(questions.saturating_add(records)) > MAX_RECORDS {
            return Err(ParseError::new(ParseErrorKind::TooMany, 4));
        }
        let header = Header {
            is_response: flags & 0x8000 != 0,
            questions,
            records,
        };
        Ok((header, cursor))
    }

    /// A cursor over a part of the packet that ends at `end`, so that names in it can still point
    /// at what lies before.
    pub(super) fn part(self, end: usize) -> Self {
        let packet = self.packet.get(..end).unwrap_or(self.packet);
        Self { packet, ..self }
    }

    pub(super) const fn offset(&self) -> usize {
        self.offset
    }

    pub(super) fn bytes(&mut self, length: usize) -> Result<&'a [u8], ParseError> {
        let end = self.offset.saturating_add(length);
        let bytes = self.packet.get(self.offset..end);
        let bytes = bytes.ok_or_else(|| self.error(ParseErrorKind::UnexpectedEnd))?;
        self.offset = end;
        Ok(bytes)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], ParseError> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(N)?);
        Ok(array)
    }

    pub(super) fn number(&mut self) -> Result<u16, ParseError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(super) fn name(&mut self) -> Result<Name<'a>, ParseError> {
        let (name, end) = Name::read(self.packet, self.offset)?;
        self.offset = end;
        Ok(name)
    }

    /// Refuses what is left over.
    pub(super) fn end(self) -> Result<(), ParseError> {
        if self.offset == self.packet.len() {
            return Ok(());
        }
        Err(self.error(ParseErrorKind::UnexpectedByte))
    }

    pub(super) const fn error(&self, kind: ParseErrorKind) -> ParseError {
        ParseError::new(kind, self.offset)
    }
}
