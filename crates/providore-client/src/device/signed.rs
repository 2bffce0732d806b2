//! What a device of the `Signed` dialect keeps from one question to the next.

use providore_sign::{
    HeaderInstructions, KeyError, MacKey, SoftwareKey,
    notice::NoticeKey,
    signed::{Keys, RequestToSign, ResponseVerifier, ServerTime, Validity, sign_request},
};
use providore_wire::{
    DeviceId, Method, ParseError, ParseErrorKind, Signature, Target, Timestamp,
    signed::{
        CHALLENGE_FIELD, Challenge, HeadError, LABEL, Nonce, Question, RESPONSE_FIELDS,
        ResponseHead,
    },
};
use zeroize::Zeroizing;

use crate::{
    Error, Head, Moment,
    head::{Told, retry_after},
};

/// The keys, and what the server told.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    keys: SessionKeys,
    next: Option<SessionKeys>,
    /// Whether the next question is signed with the next secret, if there is one.
    tries_next: bool,
    challenge: Option<Heard>,
    /// Whether the server refused the question before, and named a challenge.
    must_use_challenge: bool,
    /// Whether questions by the clock were refused of late: the clock is wrong, or the server has
    /// just been started.
    prefers_challenge: bool,
    time: ServerTime,
    /// Which secret the application gave, for what is stored beside it.
    given: [u8; CHECK_LEN],
}

/// All that is derived from one secret.
#[derive(Debug, Clone)]
struct SessionKeys {
    messages: Keys,
    notices: NoticeKey,
}

impl SessionKeys {
    fn derive(secret: &mut impl MacKey, id: &DeviceId) -> Result<Self, KeyError> {
        Ok(Self {
            messages: Keys::derive(secret)?,
            notices: NoticeKey::derive(secret, id)?,
        })
    }
}

/// A challenge, and what the device's clock showed when it came.
#[derive(Debug, Clone)]
struct Heard {
    challenge: Challenge,
    clock: Option<Timestamp>,
}

impl Heard {
    /// How long a challenge is taken as one that still counts, in seconds: less than the server's
    /// [`ChallengeKey::MAX_AGE_S`](providore_sign::signed::ChallengeKey::MAX_AGE_S).
    const LIFETIME_S: i64 = 45;

    fn counts_at(&self, clock: Option<Timestamp>) -> bool {
        let (Some(then), Some(now)) = (self.clock, clock) else {
            return true;
        };
        (0..=Self::LIFETIME_S).contains(&now.seconds_since(then))
    }
}

/// How one question was signed.
#[derive(Debug, Clone, Copy)]
pub(super) struct SignedWith {
    next: bool,
    challenge: bool,
    signature: Signature,
}

impl Session {
    /// How long a request counts, in seconds: within the 300 that a server accepts.
    const REQUEST_LIFETIME_S: u32 = 120;

    pub(super) fn begin(secret: &mut impl MacKey, id: &DeviceId) -> Result<Self, KeyError> {
        Ok(Self {
            keys: SessionKeys::derive(secret, id)?,
            next: None,
            tries_next: false,
            challenge: None,
            must_use_challenge: false,
            prefers_challenge: false,
            time: ServerTime::new(),
            given: check_of(secret)?,
        })
    }

    pub(super) const fn time(&self) -> ServerTime {
        self.time
    }

    pub(super) const fn keys(&self) -> &Keys {
        &self.keys.messages
    }

    pub(super) const fn notices(&self) -> &NoticeKey {
        &self.keys.notices
    }

    pub(super) const fn has_next(&self) -> bool {
        self.next.is_some()
    }

    pub(super) fn set_next(&mut self, secret: &[u8], id: &DeviceId) -> Result<(), KeyError> {
        self.next = Some(SessionKeys::derive(&mut SoftwareKey::new(secret)?, id)?);
        self.tries_next = true;
        Ok(())
    }

    pub(super) fn forget_next(&mut self) {
        self.next = None;
    }

    pub(super) fn set(&mut self, secret: &[u8], id: &DeviceId) -> Result<(), KeyError> {
        self.keys = SessionKeys::derive(&mut SoftwareKey::new(secret)?, id)?;
        Ok(())
    }

    /// A record that holds a secret: which one it is to succeed, and itself.
    pub(crate) fn record_of<'b>(
        &self,
        secret: &[u8],
        buffer: &'b mut Zeroizing<[u8; RECORD_LEN]>,
    ) -> &'b [u8] {
        let parts = self.given.iter().chain(secret);
        let mut length = 0_usize;
        for (slot, byte) in buffer.iter_mut().zip(parts) {
            *slot = *byte;
            length = length.saturating_add(1);
        }
        buffer.get(..length).unwrap_or_default()
    }

    /// The secret in a record, if it succeeded the one that the application gave.
    pub(crate) fn secret_in<'r>(&self, record: &'r [u8]) -> Option<&'r [u8]> {
        record
            .strip_prefix(&self.given)
            .filter(|secret| !secret.is_empty())
    }

    pub(super) fn sign(
        &mut self,
        request: &RequestToSign<'_>,
        moment: Moment,
    ) -> Result<(HeaderInstructions, SignedWith), KeyError> {
        let (next, keys) = match &self.next {
            Some(keys) if self.tries_next => (true, &keys.messages),
            _ => (false, &self.keys.messages),
        };
        let known = moment.clock.and_then(|_| self.time.now(moment.clock));
        let challenge = self.challenge.as_ref().filter(|heard| {
            let prefers = self.prefers_challenge && heard.counts_at(moment.clock);
            self.must_use_challenge || known.is_none() || prefers
        });
        let challenge = challenge.map(|heard| &heard.challenge);
        let validity = if let Some(challenge) = challenge {
            Validity::Challenge(challenge)
        } else {
            // Without either, the server is asked for a challenge by a window of 1970.
            let epoch = Timestamp::from_unix(0).unwrap_or(Timestamp::MIN);
            let created = known.unwrap_or(epoch).max(epoch);
            Validity::window(created, Self::REQUEST_LIFETIME_S)
        };
        let headers = sign_request(keys, request, validity, &Nonce::new(moment.nonce))?;
        let signed = SignedWith {
            next,
            challenge: challenge.is_some(),
            signature: signature_of(&headers).ok_or(KeyError::Message)?,
        };
        self.must_use_challenge = false;
        Ok((headers, signed))
    }

    /// Verifies the head of an answer, and learns from it.
    pub(super) fn open<'h, H: Head>(
        &mut self,
        (device, method, target): (&DeviceId, Method, &Target<'_>),
        asked: SignedWith,
        head: &'h H,
        clock: Option<Timestamp>,
    ) -> Result<(ResponseVerifier, Told<'h>), Error> {
        let request = (method.as_str(), target.path(), target.query());
        let question = Question::new(request, LABEL, &asked.signature);
        let lines = Lines::of(head)?;
        let parsed = match ResponseHead::parse(head.status(), &question, lines.iter()) {
            Ok(parsed) => parsed,
            Err(HeadError::Unsigned) => return Err(self.unsigned(asked, head, clock)),
            Err(error) => return Err(error.into()),
        };
        let keys = match &self.next {
            Some(keys) if asked.next => &keys.messages,
            _ => &self.keys.messages,
        };
        let verifier = ResponseVerifier::begin(keys, &parsed, &question, device)?;
        self.time.learn(&verifier, clock);
        self.must_use_challenge = false;
        self.prefers_challenge &= asked.challenge;
        if let Some(challenge) = parsed.challenge() {
            self.challenge = Some(Heard { challenge, clock });
        }
        if asked.next
            && let Some(next) = self.next.take()
        {
            self.keys = next;
        }
        let told = Told::covered(&parsed, self.time.now(clock))?;
        Ok((verifier, told))
    }

    /// Anybody can have sent this: what is noted costs a repetition and no more.
    fn unsigned(&mut self, asked: SignedWith, head: &impl Head, clock: Option<Timestamp>) -> Error {
        let status = head.status();
        let refused = status == 401;
        let challenge = head.field(CHALLENGE_FIELD).filter(|_| refused);
        let challenge = challenge.and_then(|value| Challenge::parse(value).ok());
        let challenged = challenge.is_some();
        if refused && (asked.challenge || !challenged) {
            // Time was not the reason: perhaps the secret is.
            self.tries_next = !asked.next;
        }
        if let Some(challenge) = challenge {
            self.challenge = Some(Heard { challenge, clock });
            self.must_use_challenge = true;
            self.prefers_challenge |= !asked.challenge;
        }
        Error::Unsigned {
            status,
            retry_after_s: retry_after(head.field("retry-after"), self.time.now(clock)),
            challenged,
        }
    }
}

/// Those lines of a head that the profile looks at.
struct Lines<'h> {
    lines: [(&'h str, &'h [u8]); MAX_LINES],
    length: usize,
}

/// Each field of the profile, and signatures of others beside ours.
const MAX_LINES: usize = RESPONSE_FIELDS.len() + 11;

impl<'h> Lines<'h> {
    fn of(head: &'h impl Head) -> Result<Self, HeadError> {
        let matters = |name: &str| {
            let signature = ["signature", "signature-input"];
            let mut names = signature.iter().chain(&RESPONSE_FIELDS);
            names.any(|known| known.eq_ignore_ascii_case(name))
        };
        let mut found = Self {
            lines: [("", b""); MAX_LINES],
            length: 0,
        };
        for line in head.fields().filter(|(name, _)| matters(name)) {
            let slot = found.lines.get_mut(found.length);
            *slot.ok_or(HeadError::Field {
                name: "signature",
                cause: ParseError::new(ParseErrorKind::TooLong, 0),
            })? = line;
            found.length = found.length.saturating_add(1);
        }
        Ok(found)
    }

    fn iter(&self) -> impl Iterator<Item = (&'h str, &'h [u8])> + Clone {
        self.lines.iter().take(self.length).copied()
    }
}

/// The signature that was just made.
fn signature_of(headers: &HeaderInstructions) -> Option<Signature> {
    let value = headers.value("signature")?.strip_prefix(LABEL)?;
    let text = value.strip_prefix("=:")?.strip_suffix(':')?;
    Signature::parse(text.as_bytes()).ok()
}

/// Tells a secret from others, and nothing about it: a truncated tag in hex, and a blank.
fn check_of(secret: &mut impl MacKey) -> Result<[u8; CHECK_LEN], KeyError> {
    secret.begin()?;
    secret.update(SUCCEEDED)?;
    let tag = secret.finish()?.publish();
    let mut check = [b' '; CHECK_LEN];
    for (pair, byte) in check.chunks_exact_mut(2).zip(tag.as_bytes()) {
        for (digit, half) in pair.iter_mut().zip([byte >> 4, byte & 15]) {
            *digit = HEX.get(usize::from(half)).copied().unwrap_or_default();
        }
    }
    Ok(check)
}

const SUCCEEDED: &[u8] = b"providore/2 succeeded\0";
const HEX: &[u8; 16] = b"0123456789abcdef";

/// Eight bytes in hex, and a blank.
const CHECK_LEN: usize = 17;

/// The longest record that holds a secret.
pub(crate) const RECORD_LEN: usize = CHECK_LEN + crate::VerifiedSecret::MAX_LEN;
