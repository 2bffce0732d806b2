//! A request's signature as this implementation spells it, read in one go.
//!
//! ```text
//! label=("@method" "@path" "@query" "of REQUEST_FIELDS" …)[;created=…;expires=…];nonce="…";alg="hmac-sha256";keyid="…";tag="providore-2"
//! ```
//!
//! Whoever writes it in another way, or has anything wrong in it, is not answered here: what this
//! module does not know is read, or refused, by the grammar.

use super::{
    CHALLENGE_FIELD, Challenge, Found, Nonce, Validity,
    fields::{INPUT, SIGNATURE},
};
use crate::{
    DeviceId, Method, Signature, Timestamp,
    message_signatures::is_content,
    structured::{MAX_DIGITS, is_key},
};

/// What there is to know of the one signature of a request.
pub(super) struct CanonicalRequest<'a> {
    pub(super) label: &'a str,
    /// The inner list, as it stands at the end of the signature base.
    pub(super) list: &'a str,
    pub(super) device: DeviceId,
    pub(super) nonce: Nonce,
    pub(super) validity: Validity,
    pub(super) signature: Signature,
}

impl<'a> CanonicalRequest<'a> {
    /// Reads it if it covers all that was `found`, in the order of the profile.
    pub(super) fn read<F>(fields: F, found: &Found<'a, 7>) -> Option<Self>
    where
        F: IntoIterator<Item = (&'a str, &'a [u8])>,
    {
        let [input, signature] = Found::among(&[INPUT, SIGNATURE], fields).ok()?.values();
        let (label, list) = core::str::from_utf8(input?).ok()?.split_once('=')?;
        let mut rest = list.strip_prefix(r#"("@method" "@path" "@query""#)?;
        for (name, value) in found.iter() {
            let name_and_rest = rest.strip_prefix(" \"")?;
            rest = name_and_rest.strip_prefix(name)?.strip_prefix('"')?;
            if !is_content(value) {
                return None;
            }
        }
        rest = rest.strip_prefix(')')?;
        let challenge = found.get(CHALLENGE_FIELD);
        let validity = if let Some(challenge) = challenge {
            Validity::Challenge(Challenge::parse(challenge).ok()?)
        } else {
            let created = time(rest.strip_prefix(";created=")?)?;
            let expires = time(created.1.strip_prefix(";expires=")?)?;
            rest = expires.1;
            Validity::Window {
                created: created.0,
                expires: expires.0,
            }
        };
        let (nonce, rest) = rest.strip_prefix(";nonce=\"")?.split_once('"')?;
        let rest = rest.strip_prefix(r#";alg="hmac-sha256";keyid=""#)?;
        let (device, rest) = rest.split_once('"')?;
        let signature = signature?.strip_prefix(label.as_bytes())?;
        let signature = signature.strip_prefix(b"=:")?.strip_suffix(b":")?;
        (rest == r#";tag="providore-2""# && is_key(label)).then_some(Self {
            label,
            list,
            device: device.parse().ok()?,
            nonce: Nonce::parse(nonce).ok()?,
            validity,
            signature: Signature::parse(signature).ok()?,
        })
    }
}

/// An integer in the one way to write it, and what follows.
fn time(text: &str) -> Option<(Timestamp, &str)> {
    let length = text.bytes().position(|byte| !byte.is_ascii_digit())?;
    let (digits, rest) = text.split_at_checked(length)?;
    let zeros = digits.starts_with('0');
    let number = digits.parse().ok();
    let number = number.filter(|_| !zeros && length <= MAX_DIGITS)?;
    Some((Timestamp::from_unix(number)?, rest))
}

/// The signature base of a request of which the values have been checked.
pub(super) fn write_base<E>(
    (method, target): (Method, (&str, Option<&str>)),
    fields: &Found<'_, 7>,
    list: &str,
    mut sink: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    sink(b"\"@method\": ")?;
    sink(method.as_str().as_bytes())?;
    sink(b"\n\"@path\": ")?;
    sink(target.0.as_bytes())?;
    sink(b"\n\"@query\": ?")?;
    if let Some(query) = target.1 {
        sink(query.as_bytes())?;
    }
    for (name, value) in fields.iter() {
        sink(b"\n\"")?;
        sink(name.as_bytes())?;
        sink(b"\": ")?;
        sink(value)?;
    }
    sink(b"\n\"@signature-params\": ")?;
    sink(list.as_bytes())
}

#[cfg(test)]
mod tests;
