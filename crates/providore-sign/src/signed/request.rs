//! Requests: signed by the device, verified by the server.

use providore_wire::{
    DeviceId, FirmwareVersion, Method, ParseError, Target, Timestamp,
    digest_fields::DigestField,
    signed::{
        Challenge, LABEL, Nonce, Question, REQUEST_FIELDS, RequestDraft, RequestHead,
        Validity as Claimed,
    },
};
use sha2::{Digest as _, Sha256};

use super::{ChallengeKey, Keys};
use crate::{
    ComputedTag, Freshness, HeaderInstructions, KeyError, MacKey as _, Refusal,
    instructions::Lines, refusal::seconds, replay::ReplayToken,
};

/// A request that a device is about to send. Everything in it is signed.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct RequestToSign<'a> {
    device: &'a DeviceId,
    method: Method,
    target: Target<'a>,
    version: Option<&'a FirmwareVersion>,
    content: Option<(&'a str, &'a [u8])>,
    range: Option<&'a str>,
    if_range: Option<&'a str>,
    if_none_match: Option<&'a str>,
}

impl<'a> RequestToSign<'a> {
    /// A request without content or conditions.
    pub const fn new(device: &'a DeviceId, method: Method, target: Target<'a>) -> Self {
        Self {
            device,
            method,
            target,
            version: None,
            content: None,
            range: None,
            if_range: None,
            if_none_match: None,
        }
    }

    /// Says which firmware runs: `x-firmware-version`.
    pub const fn version(mut self, version: &'a FirmwareVersion) -> Self {
        self.version = Some(version);
        self
    }

    /// With content of a type (at most 64 characters).
    pub const fn content(mut self, content_type: &'a str, body: &'a [u8]) -> Self {
        self.content = Some((content_type, body));
        self
    }

    /// Only a part: `range` (at most 48 characters).
    pub const fn range(mut self, range: &'a str) -> Self {
        self.range = Some(range);
        self
    }

    /// Only a part if it is still of the same: `if-range`, an entity tag of at most 80 characters.
    pub const fn if_range(mut self, tag: &'a str) -> Self {
        self.if_range = Some(tag);
        self
    }

    /// Only if it is another: `if-none-match`, an entity tag of at most 80 characters.
    pub const fn if_none_match(mut self, tag: &'a str) -> Self {
        self.if_none_match = Some(tag);
        self
    }
}

/// With what a request proves that it is fresh.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the profile has these two; a third is another profile"
)]
pub enum Validity<'a> {
    /// A clock: it counts from `created` for `lifetime_s` seconds, of which servers accept 300.
    Window {
        /// When it is made.
        created: Timestamp,
        /// How long it counts, in seconds.
        lifetime_s: u32,
    },
    /// Something that the server said at most [`ChallengeKey::MAX_AGE_S`] seconds ago.
    Challenge(&'a Challenge),
}

impl Validity<'_> {
    /// By a clock.
    #[must_use]
    pub const fn window(created: Timestamp, lifetime_s: u32) -> Self {
        Self::Window {
            created,
            lifetime_s,
        }
    }
}

/// Signs a request: all header fields to set on it, but for `host` and `content-length`. They are
/// written to `memory`, of which [`HeaderInstructions::MAX_LEN`] bytes always suffice.
///
/// # Errors
/// What the key reports; [`KeyError::Message`] for a part that cannot stand in a header;
/// [`KeyError::Memory`].
pub fn sign_request<'m>(
    keys: &Keys,
    request: &RequestToSign<'_>,
    validity: Validity<'_>,
    nonce: &Nonce,
    memory: &'m mut [u8],
) -> Result<HeaderInstructions<'m>, KeyError> {
    let digest = request.content.map(|(_, body)| Sha256::digest(body).into());
    let digest = digest.as_ref().map(DigestField::write_sha256);
    let (challenge, window) = match validity {
        Validity::Challenge(challenge) => (Some(challenge.as_str()), None),
        Validity::Window {
            created,
            lifetime_s,
        } => {
            let expires = created.saturating_add(i64::from(lifetime_s));
            (None, Some((created, expires)))
        }
    };
    // In the order of REQUEST_FIELDS.
    let values = [
        request.content.map(|(content_type, _)| content_type),
        digest.as_ref().map(AsRef::as_ref),
        request.version.map(FirmwareVersion::as_str),
        challenge,
        request.range,
        request.if_range,
        request.if_none_match,
    ];
    let draft = RequestDraft::of_values(request.method, request.target, &values);
    let mut lines = Lines::new(memory);
    for (name, value) in REQUEST_FIELDS.iter().zip(&values) {
        if let Some(value) = value {
            lines.push(name, value);
        }
    }
    let parameters = lines.push_input(LABEL, |sink| {
        draft.parameter_pieces(request.device, nonce, window, sink);
    })?;
    draft.check()?;
    let tag = keys.request_tag(|sink| draft.signature_pieces(parameters, sink));
    lines.push_signature(LABEL, tag.publish())
}

/// What a server accepts in this dialect.
#[derive(Debug, Clone)]
#[must_use]
pub struct RequestPolicy {
    freshness: Freshness,
    challenges: ChallengeKey,
    started: Timestamp,
}

impl RequestPolicy {
    /// The longest window from `created` to `expires`, in seconds: nonces are remembered as long.
    pub const MAX_WINDOW_S: u32 = 300;

    /// Windows of at most 300 s and 30 s of skew, for a server that remembers nonces since
    /// `started` and draws its challenge key then.
    pub const fn new(challenges: ChallengeKey, started: Timestamp) -> Self {
        Self {
            freshness: Freshness {
                max_window_s: Self::MAX_WINDOW_S,
                ..Freshness::DEFAULT
            },
            challenges,
            started,
        }
    }

    /// Makes the challenges that this policy accepts.
    #[must_use]
    pub const fn challenges(&self) -> &ChallengeKey {
        &self.challenges
    }

    /// Between which two moments the request was signed and would be accepted again; an error if it
    /// is not accepted now.
    fn admit(&self, claimed: &Claimed, now: Timestamp) -> Result<(Timestamp, Timestamp), Refusal> {
        match claimed {
            Claimed::Window { created, expires } => {
                self.freshness.admit(*created, *expires, now)?;
                let ago_s = now.seconds_since(*expires);
                if ago_s > 0 {
                    return Err(Refusal::Expired {
                        ago_s: seconds(ago_s),
                    });
                }
                // A request from before the start may have been executed before it. A device whose
                // clock is ahead by the skew dates such a request after the start by as much.
                let countable = self
                    .started
                    .saturating_add(i64::from(self.freshness.max_skew_s));
                let before_s = countable.seconds_since(*created);
                if before_s >= 0 {
                    return Err(Refusal::BeforeStart {
                        before_s: seconds(before_s),
                    });
                }
                Ok((*created, *expires))
            }
            Claimed::Challenge(challenge) => {
                let issued = self.challenges.check(challenge, now)?;
                let end = issued.saturating_add(i64::from(ChallengeKey::MAX_AGE_S));
                Ok((issued, end))
            }
        }
    }
}

/// A request of which the signature, the content and the freshness have been checked.
///
/// Only [`verify_request`] makes one. It does not say that the request is new: hand its
/// [`replay_token`](Self::replay_token) to a [`ReplayGuard`](crate::ReplayGuard) before anything
/// is done for it.
///
/// ```compile_fail
/// let forged = providore_sign::signed::VerifiedRequest { body: b"" };
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct VerifiedRequest<'a> {
    head: RequestHead<'a>,
    body: &'a [u8],
    signed_since: Timestamp,
    valid_until: Timestamp,
}

/// Verifies a request with the keys of the device that it claims to come from.
///
/// A server that knows no such device calls this with keys of its own all the same and refuses
/// whatever comes out, so that the time taken tells nothing.
///
/// # Errors
/// [`Refusal`], for the audit log. The signature is checked first: every other reason is about a
/// message that the device really signed.
pub fn verify_request<'a>(
    head: RequestHead<'a>,
    body: &'a [u8],
    keys: &Keys,
    policy: &RequestPolicy,
    now: Timestamp,
) -> Result<VerifiedRequest<'a>, Refusal> {
    if !tag(&head, keys)?.matches(head.signature()) {
        return Err(Refusal::WrongSignature);
    }
    match head.content_digest() {
        Some(digest) if *Sha256::digest(body) != *digest => return Err(Refusal::WrongDigest),
        None if !body.is_empty() => return Err(Refusal::BodyNotCovered),
        _ => {}
    }
    let (signed_since, valid_until) = policy.admit(head.validity(), now)?;
    Ok(VerifiedRequest {
        head,
        body,
        signed_since,
        valid_until,
    })
}

fn tag(head: &RequestHead<'_>, keys: &Keys) -> Result<ComputedTag, Refusal> {
    let mut key = keys.requests();
    key.begin()?;
    head.signature_base(|piece| key.update(piece).map_err(Refusal::from))?;
    Ok(key.finish()?)
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
        self.head.method()
    }

    /// The firmware that runs on the device, if it said so in a form that a server can hold.
    #[must_use]
    pub fn firmware_version(&self) -> Option<FirmwareVersion> {
        self.head.firmware_version()
    }

    /// The value of a field that this profile signs, such as `if-none-match`.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'a [u8]> {
        self.head.field(name)
    }

    /// The body.
    #[must_use]
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }

    /// The earliest moment at which it can have been signed: when the device says, or when the
    /// challenge was made.
    #[must_use]
    pub const fn signed_since(&self) -> Timestamp {
        self.signed_since
    }

    /// What tells this request from every other, and until when that matters.
    pub const fn replay_token(&self) -> ReplayToken<'_> {
        ReplayToken::new(
            self.device(),
            *self.head.nonce().as_bytes(),
            self.valid_until,
        )
    }

    /// What the response is bound to.
    #[must_use]
    pub fn question(&self) -> Question<'a> {
        self.head.question()
    }
}

impl From<ParseError> for KeyError {
    fn from(_: ParseError) -> Self {
        Self::Message
    }
}
