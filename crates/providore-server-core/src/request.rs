//! What comes in: a request as any HTTP library hands it over.

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
    /// Fresh random bytes for this request alone, from which a serial number is made.
    pub entropy: [u8; 16],
}
