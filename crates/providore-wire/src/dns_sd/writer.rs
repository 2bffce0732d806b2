//! Writes the answer of one server.

use core::{fmt::Write as _, net::IpAddr};

use super::{
    Announcement, CLASS_IN, SERVICE_LABELS, TOP_BIT, TYPE_A, TYPE_AAAA, TYPE_PTR, TYPE_SRV,
    TYPE_TXT, cursor::HEADER_LEN,
};
use crate::{ParseError, ParseErrorKind, Text};

/// A packet in the making.
pub(super) struct Writer<'b> {
    buffer: &'b mut [u8],
    length: usize,
}

/// How long a record counts, in seconds (RFC 6762 section 10): where a host is may change sooner.
const LIFETIME_S: u32 = 4_500;
const HOST_LIFETIME_S: u32 = 120;

/// Where `_providore._tcp.local` and its `local` stand: the first record's name.
const SERVICE_AT: usize = HEADER_LEN;
const LOCAL_AT: usize = HEADER_LEN + 11 + 5;

impl<'b> Writer<'b> {
    pub(super) const fn new(buffer: &'b mut [u8]) -> Self {
        Self { buffer, length: 0 }
    }

    /// One PTR record as the answer, SRV, TXT and addresses beside it (RFC 6763 section 12.1).
    pub(super) fn announcement(mut self, it: &Announcement<'_>) -> Result<&'b [u8], ParseError> {
        let additional = it.addresses().len().saturating_add(2);
        let additional = u16::try_from(additional).unwrap_or(u16::MAX);
        // A response with authority; one answer.
        for number in [0, 0x8400, 0, 1, 0, additional] {
            self.number(number)?;
        }
        for label in SERVICE_LABELS {
            self.label(label)?;
        }
        self.bytes(&[0])?;
        let mut instance_at = 0;
        self.record(TYPE_PTR, CLASS_IN, LIFETIME_S, |writer| {
            instance_at = writer.length;
            writer.label(it.instance().as_bytes())?;
            writer.pointer(SERVICE_AT)
        })?;
        self.pointer(instance_at)?;
        let mut host_at = 0;
        self.own(TYPE_SRV, HOST_LIFETIME_S, |writer| {
            // Priority and weight: there is one.
            writer.bytes(&[0; 4])?;
            writer.number(it.port())?;
            host_at = writer.length;
            writer.label(it.host().as_bytes())?;
            writer.pointer(LOCAL_AT)
        })?;
        self.pointer(instance_at)?;
        self.own(TYPE_TXT, LIFETIME_S, |writer| writer.attributes(it))?;
        for address in it.addresses() {
            self.pointer(host_at)?;
            match address {
                IpAddr::V4(v4) => self.own(TYPE_A, HOST_LIFETIME_S, |w| w.bytes(&v4.octets()))?,
                IpAddr::V6(v6) => {
                    self.own(TYPE_AAAA, HOST_LIFETIME_S, |w| w.bytes(&v6.octets()))?;
                }
            }
        }
        Ok(self.buffer.get(..self.length).unwrap_or_default())
    }

    fn attributes(&mut self, it: &Announcement<'_>) -> Result<(), ParseError> {
        let mut text = Text::<80>::new();
        let full = |_| ParseError::new(ParseErrorKind::TooLong, 80);
        write!(text, "v={}", it.version()).map_err(full)?;
        self.label(text.as_str().as_bytes())?;
        let mut text = Text::<80>::new();
        write!(text, "path={}", it.path()).map_err(full)?;
        self.label(text.as_str().as_bytes())?;
        if let Some(fingerprint) = it.fingerprint() {
            let mut text = Text::<80>::new();
            write!(text, "fp={fingerprint}").map_err(full)?;
            self.label(text.as_str().as_bytes())?;
        }
        Ok(())
    }

    /// A record that nobody else has: whoever knows another one is to forget it.
    fn own(
        &mut self,
        kind: u16,
        lifetime_s: u32,
        content: impl FnOnce(&mut Self) -> Result<(), ParseError>,
    ) -> Result<(), ParseError> {
        self.record(kind, CLASS_IN | TOP_BIT, lifetime_s, content)
    }

    /// What follows the name of a record.
    fn record(
        &mut self,
        kind: u16,
        class: u16,
        lifetime_s: u32,
        content: impl FnOnce(&mut Self) -> Result<(), ParseError>,
    ) -> Result<(), ParseError> {
        self.number(kind)?;
        self.number(class)?;
        self.bytes(&lifetime_s.to_be_bytes())?;
        let place = self.length;
        self.number(0)?;
        let begin = self.length;
        content(self)?;
        let length = u16::try_from(self.length.saturating_sub(begin)).unwrap_or(u16::MAX);
        let place = self.buffer.get_mut(place..begin);
        place
            .unwrap_or_default()
            .copy_from_slice(&length.to_be_bytes());
        Ok(())
    }

    fn label(&mut self, bytes: &[u8]) -> Result<(), ParseError> {
        // None is longer than a path with its key.
        self.bytes(&[u8::try_from(bytes.len()).unwrap_or(u8::MAX)])?;
        self.bytes(bytes)
    }

    fn pointer(&mut self, to: usize) -> Result<(), ParseError> {
        self.number(0xC000 | u16::try_from(to).unwrap_or_default())
    }

    fn number(&mut self, number: u16) -> Result<(), ParseError> {
        self.bytes(&number.to_be_bytes())
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), ParseError> {
        let full = ParseError::new(ParseErrorKind::TooLong, self.buffer.len());
        let end = self.length.checked_add(bytes.len()).ok_or(full)?;
        let place = self.buffer.get_mut(self.length..end).ok_or(full)?;
        place.copy_from_slice(bytes);
        self.length = end;
        Ok(())
    }
}
