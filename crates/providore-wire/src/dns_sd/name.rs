//! Names: labels with their length before them, of which the rest may stand elsewhere.
//!
//! ```text
//! name    = *( length label ) ( %x00 / pointer )     ; RFC 1035 sections 3.1 and 4.1.4
//! pointer = two bytes, of which the two highest bits are set
//! ```

use super::{MAX_JUMPS, SERVICE_LABELS, cursor::HEADER_LEN};
use crate::{ParseError, ParseErrorKind};

/// The longest name in bytes, its lengths and its end included (RFC 1035 section 2.3.4).
const MAX_NAME: usize = 255;

/// A name that has been read to its end once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name<'a> {
    packet: &'a [u8],
    offset: usize,
}

/// One step along a name.
enum Step<'a> {
    Label(&'a [u8], usize),
    Jump(usize),
    End(usize),
}

impl<'a> Name<'a> {
    /// Reads a name, and says where it ends.
    ///
    /// A pointer leads before the place where the name, or the part of it that a pointer led to,
    /// began: there is no way round and round.
    pub(super) fn read(packet: &'a [u8], start: usize) -> Result<(Self, usize), ParseError> {
        let name = Self {
            packet,
            offset: start,
        };
        let (mut at, mut part, mut jumps, mut length) = (start, start, 0_usize, 1_usize);
        let mut end = None;
        loop {
            match step(packet, at)? {
                Step::Label(label, next) => {
                    length = length.saturating_add(label.len()).saturating_add(1);
                    at = next;
                }
                Step::Jump(target) => {
                    end = end.or(at.checked_add(2));
                    jumps = jumps.saturating_add(1);
                    if target < HEADER_LEN || target >= part {
                        return Err(ParseError::new(ParseErrorKind::OutOfRange, at));
                    }
                    (at, part) = (target, target);
                }
                Step::End(next) => return Ok((name, end.unwrap_or(next))),
            }
            if jumps > MAX_JUMPS || length > MAX_NAME {
                return Err(ParseError::new(ParseErrorKind::TooLong, start));
            }
        }
    }

    /// The labels, first to last.
    pub(super) const fn labels(self) -> Labels<'a> {
        Labels {
            packet: self.packet,
            at: self.offset,
        }
    }

    /// The first label, if the others are these.
    pub(super) fn label_before(self, others: &[&[u8]]) -> Option<&'a [u8]> {
        let mut labels = self.labels();
        let first = labels.next()?;
        labels.are(others).then_some(first)
    }

    pub(super) fn is_the_service(self) -> bool {
        self.labels().are(&SERVICE_LABELS)
    }
}

/// Names are alike without regard to the case of ASCII letters (RFC 6762 section 16).
impl PartialEq for Name<'_> {
    fn eq(&self, other: &Self) -> bool {
        let (mut ours, mut theirs) = (self.labels(), other.labels());
        loop {
            match (ours.next(), theirs.next()) {
                (None, None) => return true,
                (Some(a), Some(b)) if a.eq_ignore_ascii_case(b) => {}
                _ => return false,
            }
        }
    }
}

/// The labels of a name.
#[derive(Debug)]
pub(super) struct Labels<'a> {
    packet: &'a [u8],
    at: usize,
}

impl Labels<'_> {
    fn are(mut self, expected: &[&[u8]]) -> bool {
        let alike = |label: &[u8]| {
            self.next()
                .is_some_and(|own| own.eq_ignore_ascii_case(label))
        };
        expected.iter().copied().all(alike) && self.next().is_none()
    }
}

impl<'a> Iterator for Labels<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            // Every pointer leads backwards, which `read` has seen to.
            match step(self.packet, self.at).ok()? {
                Step::Label(label, next) => {
                    self.at = next;
                    return Some(label);
                }
                Step::Jump(target) => self.at = target,
                Step::End(_) => return None,
            }
        }
    }
}

fn step(packet: &[u8], at: usize) -> Result<Step<'_>, ParseError> {
    let cut = || ParseError::new(ParseErrorKind::UnexpectedEnd, at);
    let rest = packet.get(at..).ok_or_else(cut)?;
    let (&first, rest) = rest.split_first().ok_or_else(cut)?;
    let after = at.saturating_add(1);
    match first {
        0 => Ok(Step::End(after)),
        1..=63 => {
            let length = usize::from(first);
            let label = rest.get(..length).ok_or_else(cut)?;
            Ok(Step::Label(label, after.saturating_add(length)))
        }
        0xC0.. => {
            let low = rest.first().ok_or_else(cut)?;
            Ok(Step::Jump(usize::from(u16::from_be_bytes([
                first & 0x3F,
                *low,
            ]))))
        }
        _ => Err(ParseError::new(ParseErrorKind::UnexpectedByte, at)),
    }
}
