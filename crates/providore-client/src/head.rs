//! The head of an answer, and the header fields that operations look at.

use core::num::NonZeroU32;

use providore_sign::content_coding;
use providore_wire::{Text, Timestamp, signed::ResponseHead};

use crate::{BodyFault, Error};

pub(crate) use crate::retry::after as retry_after;

/// Status and header fields of an answer, held by the transport or the caller.
pub trait Head {
    /// The status code.
    fn status(&self) -> u16;

    /// All header fields, names in any case. Called several times.
    fn fields(&self) -> impl Iterator<Item = (&str, &[u8])>;

    /// The first field of a name, without the blanks around it.
    fn field(&self, name: &str) -> Option<&[u8]> {
        self.fields()
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim_ascii())
    }
}

impl<H: Head + ?Sized> Head for &H {
    fn status(&self) -> u16 {
        (**self).status()
    }

    fn fields(&self) -> impl Iterator<Item = (&str, &[u8])> {
        (**self).fields()
    }
}

/// A head from parts, for callers that drive the operations themselves.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a head is a status and fields, and nothing else"
)]
pub struct BorrowedHead<'a> {
    /// The status code.
    pub status: u16,
    /// Name and value of each field.
    pub fields: &'a [(&'a str, &'a [u8])],
}

impl Head for BorrowedHead<'_> {
    fn status(&self) -> u16 {
        self.status
    }

    fn fields(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.fields.iter().copied()
    }
}

/// What a head says beside its signature, as far as operations look at it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told<'h> {
    pub(crate) status: u16,
    pub(crate) retry_after_s: Option<NonZeroU32>,
    pub(crate) etag: Option<&'h [u8]>,
    pub(crate) location: Option<&'h [u8]>,
    pub(crate) content_type: Option<&'h [u8]>,
    pub(crate) content_range: Option<&'h [u8]>,
    pub(crate) encrypted: bool,
    /// Whether the signature covers all of it, and binds it to the question.
    pub(crate) covered: bool,
}

impl<'h> Told<'h> {
    /// Of a head that has been verified.
    pub(crate) fn covered(head: &ResponseHead<'h>, now: Option<Timestamp>) -> Result<Self, Error> {
        let [
            content_type,
            encoding,
            _,
            _,
            content_range,
            etag,
            location,
            retry,
            _,
        ] = *head.values();
        let encrypted = match encoding {
            None => false,
            Some(name) if name.eq_ignore_ascii_case(content_coding::NAME.as_bytes()) => true,
            Some(_) => return Err(BodyFault::Encoding.into()),
        };
        Ok(Self {
            status: head.status(),
            retry_after_s: retry_after(retry, now),
            etag,
            location,
            content_type,
            content_range,
            encrypted,
            covered: true,
        })
    }
}

/// An entity tag (RFC 9110 section 8.8.3) as the server wrote it: asks for "only if changed".
///
/// ```
/// use providore_client::EntityTag;
///
/// assert_eq!(EntityTag::parse(b"\"5e3f\"").unwrap().as_str(), "\"5e3f\"");
/// assert!(EntityTag::parse(b"5e3f").is_none());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityTag(Text<{ Self::MAX_LEN }>);

impl EntityTag {
    /// The longest tag in bytes: a SHA-256 in hex, quoted, and some room.
    pub const MAX_LEN: usize = 80;

    /// Reads a header value; `None` for what is not a tag or is longer, which is then not used.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let quoted = value.strip_prefix(b"W/").unwrap_or(value);
        let inner = quoted.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        let fits = |byte: &u8| byte.is_ascii_graphic() && *byte != b'"';
        let text = core::str::from_utf8(value).ok()?;
        let mut tag = Text::new();
        (inner.iter().all(fits) && tag.push_str(text).is_ok()).then_some(Self(tag))
    }

    /// The tag of an image, by which `GET /firmware` knows it: its SHA-256 in hex.
    #[must_use]
    pub fn of_image(sha256: &[u8; 32]) -> Self {
        let mut quoted = [b'"'; 66];
        let halves = sha256.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        for (digit, half) in quoted.iter_mut().skip(1).zip(halves) {
            let first = if half < 10 { b'0' } else { b'a' - 10 };
            *digit = first.saturating_add(half);
        }
        let mut tag = Text::new();
        // It fits.
        let _ = tag.push_str(core::str::from_utf8(&quoted).unwrap_or_default());
        Self(tag)
    }

    /// The tag with its quotes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}
