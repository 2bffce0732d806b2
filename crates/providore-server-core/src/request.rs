//! What comes in: a request as any HTTP library hands it over.

use core::{fmt, net::IpAddr};

use providore_wire::Timestamp;

/// A request, borrowed from whoever received it.
///
/// The adapter bounds what it hands over: [`Request::MAX_BODY`] bytes of body and as many header
/// fields as its HTTP library allows.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "adapters write it as a literal")]
pub struct Request<'a> {
    /// The method, in the case in which it was sent.
    pub method: &'a str,
    /// The request target as sent: path and query.
    pub target: &'a str,
    /// All header fields: name in any case, value without the line end.
    pub fields: &'a [(&'a str, &'a [u8])],
    /// The whole body.
    pub body: &'a [u8],
    /// From which address it came, if that is known: for [`Event`](crate::Event)s only.
    pub peer: Option<IpAddr>,
}

impl<'a> Request<'a> {
    /// The longest body in bytes: a CSR with an RSA-4096 key and a long subject takes 2.5 KiB.
    pub const MAX_BODY: usize = 16 * 1024;

    /// The value of a header field that occurs once, as text.
    pub(crate) fn field(&self, name: &str) -> Option<&'a str> {
        let mut values = self
            .fields
            .iter()
            .filter(|(field, _)| field.eq_ignore_ascii_case(name));
        match (values.next(), values.next()) {
            (Some((_, value)), None) => core::str::from_utf8(value).ok().map(str::trim),
            _ => None,
        }
    }
}

/// What a request may know of the world: time and randomness are arguments.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "adapters write it as a literal")]
pub struct Moment {
    /// The time now.
    pub now: Timestamp,
    /// Fresh random bytes for this request alone.
    pub entropy: [u8; Self::ENTROPY_LEN],
}

impl Moment {
    /// How many random bytes a request is given: 16 for a serial number, 16 for a salt, 8 for a
    /// challenge.
    pub const ENTROPY_LEN: usize = 40;

    pub(crate) fn for_serial(&self) -> [u8; 16] {
        let (first, _) = self.entropy.as_chunks();
        first.first().copied().unwrap_or_default()
    }

    pub(crate) fn for_salt(&self) -> [u8; 16] {
        let (chunks, _) = self.entropy.as_chunks();
        chunks.get(1).copied().unwrap_or_default()
    }

    pub(crate) fn for_challenge(&self) -> [u8; 8] {
        let (chunks, _) = self.entropy.as_chunks();
        chunks.last().copied().unwrap_or_default()
    }
}

/// When a server began, and random bytes of that moment.
#[derive(Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "adapters write it as a literal")]
pub struct Start {
    /// When it began. What it is asked later can still be from before.
    pub at: Timestamp,
    /// 32 random bytes that no device has as its secret.
    pub stranger: [u8; 32],
    /// 32 random bytes, under which challenges are made until the next start.
    pub challenges: [u8; 32],
}

impl fmt::Debug for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Start")
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}
