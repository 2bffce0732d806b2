//! Requests: signed by the device, verified by the server.

use providore_wire::{
    DeviceId, FirmwareVersion, Method, Timestamp,
    original::{Authorization, CanonicalRequest, Field, Form, RequestHead},
};

use crate::{
    ComputedTag, Freshness, HeaderInstructions, KeyError, MacKey, Refusal, instructions::Lines,
    replay::ReplayToken,
};

/// A request that a device is about to send.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the parts of a request in this dialect are fixed"
)]
pub struct RequestToSign<'a> {
    /// The device that asks.
    pub device: &'a DeviceId,
    /// The method.
    pub method: Method,
    /// The path without the query, which this dialect does not sign.
    pub path: &'a str,
    /// The firmware that runs.
    pub version: &'a FirmwareVersion,
    /// The body; signed for POST and PUT.
    pub body: &'a [u8],
}

/// Signs a request: the headers to set on it. They are written to `memory`, of which
/// [`HeaderInstructions::MAX_LEN`] bytes always suffice.
///
/// Valid from `created` for `lifetime_s` seconds; servers accept at most 900.
///
/// ```
/// use providore_sign::{HeaderInstructions, SoftwareKey, original};
/// use providore_wire::{Method, Timestamp};
///
/// let request = original::RequestToSign {
///     device: &"d8fa0180".parse().unwrap(),
///     method: Method::Get,
///     path: "/config",
///     version: &"1.0.0".parse().unwrap(),
///     body: b"",
/// };
/// let now = Timestamp::from_unix(1_767_323_045).unwrap();
/// let mut key = SoftwareKey::new(b"secret")?;
/// let mut memory = [0; HeaderInstructions::MAX_LEN];
/// let headers = original::sign_request(&mut key, &request, now, 900, &mut memory)?;
/// assert_eq!(headers.value("expiry"), Some("2026-01-02T03:19:05Z"));
/// # Ok::<(), providore_sign::KeyError>(())
/// ```
///
/// # Errors
/// What the key reports; [`KeyError::Memory`].
pub fn sign_request<'m>(
    key: &mut (impl MacKey + ?Sized),
    request: &RequestToSign<'_>,
    created: Timestamp,
    lifetime_s: u32,
    memory: &'m mut [u8],
) -> Result<HeaderInstructions<'m>, KeyError> {
    let expiry = created.saturating_add(i64::from(lifetime_s)).to_rfc3339();
    let created = created.to_rfc3339();
    let canonical = CanonicalRequest {
        method: request.method,
        path: request.path,
        version: Some(request.version.as_str().as_bytes()),
        created: created.as_str().as_bytes(),
        expiry: expiry.as_str().as_bytes(),
    };
    let signature = tag(key, &canonical, request.body)?.publish();
    let authorization = Authorization::new(request.device.clone(), signature).to_text();

    let mut lines = Lines::new(memory);
    lines.push(Field::Authorization.name(), authorization.as_str());
    lines.push(Field::CreatedAt.name(), created.as_str());
    lines.push(Field::Expiry.name(), expiry.as_str());
    lines.push(Field::FirmwareVersion.name(), request.version.as_str());
    lines.end(signature)
}

/// What a server accepts in this dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "settings are written as literals"
)]
pub struct RequestPolicy {
    /// Which validity windows count.
    pub freshness: Freshness,
    /// Accept the request string of 2021 that lacks the firmware version. It covers no body, so
    /// requests with one are refused all the same.
    pub allow_unversioned: bool,
}

/// A request of which the signature, the coverage and the freshness have been checked.
///
/// Only [`verify_request`] makes one. It does not say that the request is new: hand it to a
/// [`ReplayGuard`](crate::ReplayGuard) before anything changes because of it.
///
/// ```compile_fail
/// let forged = providore_sign::original::VerifiedRequest { body: b"" };
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct VerifiedRequest<'a> {
    head: RequestHead<'a>,
    body: &'a [u8],
    valid_until: Timestamp,
}

/// Verifies a request with the key of the device that it claims to come from.
///
/// A server that knows no such device calls this with a key of its own all the same and refuses
/// whatever comes out, so that the time taken tells nothing.
///
/// # Errors
/// [`Refusal`], for the audit log. The signature is checked first: every other reason is about a
/// message that the device really signed.
pub fn verify_request<'a>(
    head: RequestHead<'a>,
    body: &'a [u8],
    key: &mut (impl MacKey + ?Sized),
    policy: &RequestPolicy,
    now: Timestamp,
) -> Result<VerifiedRequest<'a>, Refusal> {
    if !tag(key, head.canonical(), body)?.matches(head.signature()) {
        return Err(Refusal::WrongSignature);
    }
    if head.form() == Form::Unversioned && !policy.allow_unversioned {
        return Err(Refusal::Unversioned);
    }
    if !body.is_empty() && !head.canonical().covers_body() {
        return Err(Refusal::BodyNotCovered);
    }
    policy.freshness.admit(head.created(), head.expiry(), now)?;
    let valid_until = head
        .expiry()
        .saturating_add(i64::from(policy.freshness.max_skew_s));
    Ok(VerifiedRequest {
        head,
        body,
        valid_until,
    })
}

impl<'a> VerifiedRequest<'a> {
    /// The device that signed.
    #[must_use]
    pub const fn device(&self) -> &DeviceId {
        self.head.device()
    }

    /// The method.
    #[must_use]
    pub const fn method(&self) -> Method {
        self.head.canonical().method
    }

    /// The path, as sent and signed.
    #[must_use]
    pub const fn path(&self) -> &'a str {
        self.head.canonical().path
    }

    /// The firmware that runs on the device, if it said so in a form that a server can hold.
    #[must_use]
    pub fn firmware_version(&self) -> Option<FirmwareVersion> {
        self.head.firmware_version()
    }

    /// The body, covered by the signature unless it is empty.
    #[must_use]
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }

    /// What tells this request from every other, and until when that matters: half of its
    /// signature, which nobody without the key can make another request have.
    pub fn replay_token(&self) -> ReplayToken<'_> {
        let (value, _) = self.head.signature().as_bytes().as_chunks();
        let value = value.first().copied().unwrap_or_default();
        ReplayToken::new(self.device(), value, self.valid_until)
    }

    /// When the device says it signed.
    #[must_use]
    pub const fn created(&self) -> Timestamp {
        self.head.created()
    }

    /// The last second at which the same bytes would be accepted again.
    #[must_use]
    pub const fn valid_until(&self) -> Timestamp {
        self.valid_until
    }
}

fn tag(
    key: &mut (impl MacKey + ?Sized),
    canonical: &CanonicalRequest<'_>,
    body: &[u8],
) -> Result<ComputedTag, KeyError> {
    key.begin()?;
    canonical.pieces(body, |piece| key.update(piece))?;
    key.finish()
}

#[cfg(test)]
mod tests {
    extern crate alloc;
    use alloc::{string::String, vec::Vec};

    use super::*;
    use crate::SoftwareKey;

    const NOW: i64 = 1_767_323_045;

    /// Signs a request, lets `change` work on its parts, and verifies what is left.
    fn check(
        method: Method,
        body: &[u8],
        change: impl Fn(&mut Vec<(&'static str, String)>, &mut String, &mut Vec<u8>),
        expected: Result<(), Refusal>,
    ) {
        let device = "d8fa0180".parse().unwrap();
        let version = "1.0.0".parse().unwrap();
        let request = RequestToSign {
            device: &device,
            method,
            path: "/config",
            version: &version,
            body,
        };
        let now = Timestamp::from_unix(NOW).unwrap();
        let mut key = SoftwareKey::new(b"secret").unwrap();
        let mut memory = [0; HeaderInstructions::MAX_LEN];
        let headers = sign_request(&mut key, &request, now, 900, &mut memory).unwrap();
        let mut fields: Vec<_> = headers
            .fields()
            .map(|(n, v)| (n, String::from(v)))
            .collect();
        let (mut path, mut body) = (String::from("/config"), body.to_vec());
        change(&mut fields, &mut path, &mut body);

        let bytes = fields.iter().map(|(name, value)| (*name, value.as_bytes()));
        let head = RequestHead::parse(method, &path, bytes).unwrap();
        let outcome = verify_request(head, &body, &mut key, &RequestPolicy::default(), now);
        assert_eq!(outcome.map(|_| ()), expected);
    }

    #[test]
    fn what_is_signed_is_accepted() {
        check(Method::Get, b"", |_, _, _| {}, Ok(()));
        check(Method::Post, b"csr", |_, _, _| {}, Ok(()));
    }

    #[test]
    fn any_changed_part_is_refused() {
        let wrong = Err(Refusal::WrongSignature);
        check(Method::Get, b"", |_, path, _| path.push('/'), wrong);
        check(Method::Post, b"csr", |_, _, body| body[0] = b'C', wrong);
        check(Method::Post, b"csr", |_, _, body| body.clear(), wrong);
        check(
            Method::Get,
            b"",
            |fields, _, _| fields[3].1 = "1.0.1".into(),
            wrong,
        );
        check(
            Method::Get,
            b"",
            |f, _, _| f[2].1 = "2026-01-02T03:19:06Z".into(),
            wrong,
        );
        check(
            Method::Get,
            b"",
            |f, _, _| f[1].1 = "2026-01-02T03:04:04Z".into(),
            wrong,
        );
    }

    #[test]
    fn a_body_that_is_not_signed_is_refused() {
        let refused = Err(Refusal::BodyNotCovered);
        check(Method::Get, b"", |_, _, body| body.push(b'x'), refused);
        check(Method::Delete, b"", |_, _, body| body.push(b'x'), refused);
        check(Method::Patch, b"x", |_, _, _| {}, refused);
    }
}
