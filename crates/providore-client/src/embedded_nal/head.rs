//! Reading the head of an answer (RFC 9112, sections 4 to 6).

use core::ops::Range;

use embedded_io_async::Read;

use super::broken;
use crate::{Head, TransportError};

/// The head of an answer, in the transport's buffer.
#[derive(Debug)]
pub struct NalHead<'t> {
    status: u16,
    /// Lines of `name ":" OWS value OWS CRLF`, all of them checked.
    fields: &'t [u8],
}

impl<'t> NalHead<'t> {
    pub(super) const fn new(status: u16, fields: &'t [u8]) -> Self {
        Self { status, fields }
    }
}

impl Head for NalHead<'_> {
    fn status(&self) -> u16 {
        self.status
    }

    fn fields(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.fields.split(|byte| *byte == b'\n').filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let (name, value) = line.split_at_checked(colon)?;
            let value = value.strip_prefix(b":").unwrap_or_default();
            Some((core::str::from_utf8(name).ok()?, value.trim_ascii()))
        })
    }
}

/// A head that was found to be good, by where its parts lie in the buffer.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) status: u16,
    pub(super) fields: Range<usize>,
    /// What arrived of the body along with the head.
    pub(super) ahead: Range<usize>,
    pub(super) delimiter: Delimiter,
}

/// What tells where a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delimiter {
    Length(u64),
    Chunks,
    Close,
}

/// Reads up to the end of the head, past any interim answers.
pub(super) async fn read<C: Read>(
    connection: &mut C,
    buffer: &mut [u8],
) -> Result<Received, TransportError> {
    let (mut filled, mut searched) = (0_usize, 0);
    let mut interim = 0_u8;
    loop {
        let found = end_of_head(buffer.get(..filled).unwrap_or_default(), searched)?;
        let Some(end) = found else {
            searched = filled;
            let free = buffer.get_mut(filled..).unwrap_or_default();
            if free.is_empty() {
                return Err(TransportError::malformed());
            }
            match connection.read(free).await {
                Ok(0) => return Err(TransportError::interrupted()),
                Ok(length) => filled = filled.saturating_add(length).min(buffer.len()),
                Err(error) => return Err(broken(&error)),
            }
            continue;
        };
        let head = buffer.get(..end).unwrap_or_default();
        let (status, begin, delimiter) = parse(head).ok_or(TransportError::malformed())?;
        if status >= 200 {
            return Ok(Received {
                status,
                fields: begin..end,
                ahead: end..filled,
                delimiter,
            });
        }
        interim = interim.saturating_add(1);
        // Nobody asked for another protocol.
        if status == 101 || interim > MAX_INTERIM {
            return Err(TransportError::malformed());
        }
        buffer.copy_within(end..filled, 0);
        filled = filled.saturating_sub(end);
        searched = 0;
    }
}

/// Where the head ends; what lies before `searched` has been looked at.
///
/// A line feed ends a line only after a carriage return: who takes it alone sees other lines than
/// who does not.
fn end_of_head(bytes: &[u8], searched: usize) -> Result<Option<usize>, TransportError> {
    for (at, _) in bytes
        .iter()
        .enumerate()
        .skip(searched)
        .filter(|(_, byte)| **byte == b'\n')
    {
        let end = at.saturating_add(1);
        let before = bytes.get(..end).unwrap_or_default();
        if !before.ends_with(b"\r\n") {
            return Err(TransportError::malformed());
        }
        if before.ends_with(b"\r\n\r\n") {
            return Ok(Some(end));
        }
    }
    Ok(None)
}

/// Status, where the fields begin, and what delimits the body; `None` for what is not a head, or
/// has more than [`MAX_FIELDS`] fields.
fn parse(head: &[u8]) -> Option<(u16, usize, Delimiter)> {
    // The parser would skip empty lines before it.
    if !head.starts_with(b"HTTP/1.") {
        return None;
    }
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(length) = response.parse(head).ok()? else {
        return None;
    };
    let status = response.code.filter(|code| (100..600).contains(code))?;
    let begin = head
        .iter()
        .position(|byte| *byte == b'\n')?
        .saturating_add(1);
    let delimiter = delimiter(response.headers, response.version? == 1)?;
    let delimiter = match status {
        100..200 | 204 | 304 => Delimiter::Length(0),
        _ => delimiter,
    };
    (length == head.len()).then_some((status, begin, delimiter))
}

/// RFC 9112, section 6.3, and stricter: whatever two readers could understand differently is
/// refused.
fn delimiter(fields: &[httparse::Header<'_>], chunks_known: bool) -> Option<Delimiter> {
    let mut found = None;
    for field in fields {
        let next = if field.name.eq_ignore_ascii_case("content-length") {
            Delimiter::Length(decimal(field.value)?)
        } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
            let known = chunks_known && field.value.eq_ignore_ascii_case(b"chunked");
            known.then_some(Delimiter::Chunks)?
        } else {
            continue;
        };
        if found.replace(next).is_some() {
            return None;
        }
    }
    Some(found.unwrap_or(Delimiter::Close))
}

/// `1*DIGIT`, and nothing around it.
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| digit.wrapping_sub(b'0'))?;
        number.checked_mul(10)?.checked_add(digit.into())
    })
}

/// How many fields a head may have: a providore server sends about ten, a proxy adds some.
const MAX_FIELDS: usize = 32;

/// How many interim answers (100 to 199) may come before the answer.
const MAX_INTERIM: u8 = 4;
