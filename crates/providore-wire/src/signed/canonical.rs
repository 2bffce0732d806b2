//! A signature as this implementation spells it, read in one go.
//!
//! ```text
//! label=("@method" "@path" "@query" "of REQUEST_FIELDS" …)[;created=…;expires=…];nonce="…";alg="hmac-sha256";keyid="…";tag="providore-2"
//! label=("@status" "of RESPONSE_FIELDS" … "@method";req "@path";req "@query";req "signature";req;key="…");created=…;alg="hmac-sha256";keyid="…";tag="providore-2-response"
//! ```
//!
//! Whoever writes it in another way, or has anything wrong in it, is not answered here: what this
//! module does not know is read, or refused, by the grammar.

use super::{
    CHALLENGE_FIELD, Challenge, Found, Nonce, Question, Validity,
    base::{self, TextSink},
    fields::{INPUT, SIGNATURE, There},
};
#[cfg(feature = "any-spelling")]
use crate::message_signatures::SignatureParameters;
use crate::{
    DeviceId, Name, Signature, Timestamp,
    message_signatures::is_content,
    structured::{MAX_DIGITS, is_key},
};

/// The parameters of a signature.
#[derive(Debug, Clone)]
#[cfg_attr(
    feature = "any-spelling",
    expect(clippy::large_enum_variant, reason = "there is no heap to put it on")
)]
pub(super) enum Parameters<'a> {
    /// The text, of what is written as this implementation would.
    Canonical(&'a str),
    /// Any other.
    #[cfg(feature = "any-spelling")]
    General(SignatureParameters<'a>),
}

/// What a canonical request says.
pub(super) struct CanonicalRequest<'a> {
    pub(super) label: &'a str,
    /// What the signature covers last.
    pub(super) list: &'a str,
    pub(super) device: DeviceId,
    pub(super) nonce: Nonce,
    pub(super) validity: Validity,
    pub(super) signature: Signature,
}

impl<'a> CanonicalRequest<'a> {
    /// Reads the two fields of a signature that covers all that was found; `None` for any other.
    pub(super) fn read(fields: &Found<'a, 7>, ours: &Found<'a, 2>) -> Option<Self> {
        let (label, list) = label_and_list(ours)?;
        let mut rest = Rest::new(list);
        rest.take(|sink| base::write_request_components(fields, sink));
        let validity = if let Some(challenge) = fields.get(CHALLENGE_FIELD) {
            Validity::Challenge(Challenge::parse(challenge).ok()?)
        } else {
            Validity::Window {
                created: rest.time(";created=")?,
                expires: rest.time(";expires=")?,
            }
        };
        let nonce = rest.quoted(";nonce=\"")?;
        let device = rest.quoted(r#";alg="hmac-sha256";keyid=""#)?;
        rest.ends_with(r#";tag="providore-2""#)?;
        Some(Self {
            label,
            list,
            device: device.parse().ok()?,
            nonce: Nonce::parse(nonce).ok()?,
            validity,
            signature: signature(label, ours)?,
        })
    }
}

/// What a canonical response says.
pub(super) struct CanonicalResponse<'a> {
    /// What the signature covers last.
    pub(super) list: &'a str,
    pub(super) device: Name<'a>,
    pub(super) created: Timestamp,
    pub(super) signature: Signature,
}

impl<'a> CanonicalResponse<'a> {
    /// Reads the two fields of a signature that covers all that was found, and this question;
    /// `None` for any other.
    pub(super) fn read(
        fields: &Found<'a, 9>,
        ours: &Found<'a, 2>,
        question: &Question<'_>,
    ) -> Option<Self> {
        let (label, list) = label_and_list(ours)?;
        let mut rest = Rest::new(list);
        rest.take(|sink| base::write_response_components(fields, question.label(), sink));
        let created = rest.time(";created=")?;
        let device = rest.quoted(r#";alg="hmac-sha256";keyid=""#)?;
        rest.ends_with(r#";tag="providore-2-response""#)?;
        Some(Self {
            list,
            device: Name::parse(device.as_bytes()).ok()?,
            created,
            signature: signature(label, ours)?,
        })
    }
}

/// The two fields of which a signature consists.
pub(super) const FIELDS: [&str; 2] = [INPUT, SIGNATURE];

fn label_and_list<'a>(ours: &Found<'a, 2>) -> Option<(&'a str, &'a str)> {
    let [input, _] = *ours.values();
    let input = core::str::from_utf8(input?).ok()?;
    let equals = input.bytes().position(|byte| byte == b'=')?;
    let (label, list) = input.split_at_checked(equals)?;
    Some((label, list.get(1..)?)).filter(|_| is_key(label))
}

fn signature(label: &str, ours: &Found<'_, 2>) -> Option<Signature> {
    let [_, signature] = *ours.values();
    let member = signature?.strip_prefix(label.as_bytes())?;
    let digits = member.strip_prefix(b"=:")?.strip_suffix(b":")?;
    let mut tag = [0; 32];
    Signature::read(digits, &mut tag).then_some(Signature::new(tag))
}

/// Whether all of the values can stand in a signature base.
#[cfg_attr(not(feature = "any-spelling"), inline(never))]
pub(super) fn are_content(mut fields: There<'_>) -> bool {
    fields.all(|(_, value)| is_content(value))
}

/// What has not been read yet of a text in which all but a few places is given; nothing of one
/// that is another.
struct Rest<'a>(Option<&'a str>);

impl<'a> Rest<'a> {
    const fn new(text: &'a str) -> Self {
        Self(Some(text))
    }

    /// Goes over what is written here.
    fn take(&mut self, write: impl FnOnce(TextSink<'_>)) {
        write(&mut |piece| self.skip(piece));
    }

    fn skip(&mut self, piece: &str) {
        self.0 = self.0.and_then(|rest| rest.strip_prefix(piece));
    }

    /// What stands before a byte of such a kind, behind what is given.
    #[cfg_attr(not(feature = "any-spelling"), inline(never))]
    fn until(&mut self, before: &str, end: fn(&u8) -> bool) -> Option<&'a str> {
        self.skip(before);
        let rest = self.0?;
        let at = rest.as_bytes().iter().position(end)?;
        let (found, rest) = rest.split_at_checked(at)?;
        self.0 = Some(rest);
        Some(found)
    }

    /// What stands before the closing quote, behind what is given.
    fn quoted(&mut self, before: &str) -> Option<&'a str> {
        let found = self.until(before, |byte| *byte == b'"')?;
        self.skip("\"");
        Some(found)
    }

    /// An integer in the one way to write it, behind what is given.
    fn time(&mut self, before: &str) -> Option<Timestamp> {
        let digits = self.until(before, |byte| !byte.is_ascii_digit())?;
        if digits.is_empty() || digits.starts_with('0') || digits.len() > MAX_DIGITS {
            return None;
        }
        let number = digits.bytes().fold(0_i64, |number, digit| {
            let digit = i64::from(digit.wrapping_sub(b'0'));
            number.wrapping_mul(10).wrapping_add(digit)
        });
        Timestamp::from_unix(number)
    }

    fn ends_with(&self, end: &str) -> Option<()> {
        (self.0? == end).then_some(())
    }
}

#[cfg(test)]
#[cfg(feature = "any-spelling")]
mod tests;
