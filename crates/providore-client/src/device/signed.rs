//! What a device of the `Signed` dialect keeps from one question to the next.

#[cfg(feature = "secret-rotation")]
use providore_sign::SoftwareKey;
#[cfg(feature = "notices")]
use providore_sign::notice::NoticeKey;
use providore_sign::{
    HeaderInstructions, KeyError, MacKey,
    signed::{Keys, RequestToSign, ServerTime, Validity, VerifiedHead, sign_request},
};
use providore_wire::{
    DeviceId, Method, Timestamp,
    signed::{Challenge, HeadError, Question, ResponseFields, ResponseHead},
};

#[cfg_attr(not(feature = "secret-rotation"), path = "signed/no_next.rs")]
mod next;

use next::Next;
#[cfg(feature = "secret-rotation")]
pub(crate) use next::RECORD_LEN;

use crate::{
    Error, Moment,
    head::{Told, retry_after},
};

/// The keys, and what the server told.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    keys: SessionKeys,
    next: Next,
    challenge: Option<Heard>,
    /// Whether the server refused the question before, and named a challenge.
    must_use_challenge: bool,
    /// Whether questions by the clock were refused of late: the clock is wrong, or the server has
    /// just been started.
    prefers_challenge: bool,
    time: ServerTime,
}

/// All that is derived from one secret.
#[derive(Debug, Clone)]
struct SessionKeys {
    messages: Keys,
    #[cfg(feature = "notices")]
    notices: NoticeKey,
}

impl SessionKeys {
    #[cfg_attr(
        not(feature = "notices"),
        expect(
            unused_variables,
            reason = "the key of notices alone is bound to the id"
        )
    )]
    fn derive(secret: &mut impl MacKey, id: &DeviceId) -> Result<Self, KeyError> {
        Ok(Self {
            messages: Keys::derive(secret)?,
            #[cfg(feature = "notices")]
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

/// A question as it was sent.
pub(super) struct Sent<'s> {
    pub(super) method: Method,
    pub(super) target: &'s str,
    /// Its header fields.
    pub(super) lines: &'s str,
    pub(super) with: &'s SignedWith,
    /// Whether the answer holds what nobody else may read.
    pub(super) is_secret: bool,
}

/// How one question was signed.
#[derive(Debug)]
pub(super) struct SignedWith {
    next: bool,
    challenge: bool,
}

impl Session {
    /// How long a request counts, in seconds: within the 300 that a server accepts.
    const REQUEST_LIFETIME_S: u32 = 120;

    pub(super) fn begin(secret: &mut impl MacKey, id: &DeviceId) -> Result<Self, KeyError> {
        Ok(Self {
            keys: SessionKeys::derive(secret, id)?,
            next: Next::begin(secret)?,
            challenge: None,
            must_use_challenge: false,
            prefers_challenge: false,
            time: ServerTime::new(),
        })
    }

    pub(super) const fn time(&self) -> ServerTime {
        self.time
    }

    pub(super) const fn keys(&self) -> &Keys {
        &self.keys.messages
    }

    #[cfg(feature = "notices")]
    pub(super) const fn notices(&self) -> &NoticeKey {
        &self.keys.notices
    }

    pub(super) const fn has_next(&self) -> bool {
        self.next.is_there()
    }

    #[cfg(feature = "secret-rotation")]
    pub(super) fn set_next(&mut self, secret: &[u8], id: &DeviceId) -> Result<(), KeyError> {
        let keys = SessionKeys::derive(&mut SoftwareKey::new(secret)?, id)?;
        self.next.set(keys);
        Ok(())
    }

    #[cfg(feature = "secret-rotation")]
    pub(super) fn forget_next(&mut self) {
        let _ = self.next.take();
    }

    #[cfg(feature = "secret-rotation")]
    pub(super) fn set(&mut self, secret: &[u8], id: &DeviceId) -> Result<(), KeyError> {
        self.keys = SessionKeys::derive(&mut SoftwareKey::new(secret)?, id)?;
        Ok(())
    }

    /// The keys of the next secret, and what is stored beside it.
    #[cfg(feature = "secret-rotation")]
    pub(crate) const fn rotation(&self) -> &Next {
        &self.next
    }

    // A phase of its own: what it takes of the stack is free again when the request is sent.
    #[inline(never)]
    pub(super) fn sign<'m>(
        &mut self,
        request: &RequestToSign<'_>,
        moment: Moment,
        memory: &'m mut [u8],
    ) -> Result<(&'m str, SignedWith), KeyError> {
        let next = self.next.is_tried();
        let keys = self.next.keys(next).unwrap_or(&self.keys);
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
            let epoch = Timestamp::UNIX_EPOCH;
            let created = known.unwrap_or(epoch).max(epoch);
            Validity::window(created, Self::REQUEST_LIFETIME_S)
        };
        let headers = sign_request(&keys.messages, request, validity, &moment.nonce, memory)?;
        let signed = SignedWith {
            next,
            challenge: challenge.is_some(),
        };
        self.must_use_challenge = false;
        Ok((headers.lines(), signed))
    }

    /// Verifies the head of an answer, and learns from it.
    pub(super) fn open<'h>(
        &mut self,
        device: &DeviceId,
        sent: &Sent<'_>,
        (status, fields): (u16, &ResponseFields<'h>),
        clock: Option<Timestamp>,
    ) -> Result<(VerifiedHead, Told<'h>), Error> {
        let asked = sent.with;
        let digits = HeaderInstructions::digits_in(sent.lines);
        let question = Question::sent(sent.method, sent.target, digits);
        // Looked at where it is: it is large.
        let parsed = ResponseHead::of_fields(status, &question, fields);
        let parsed = match &parsed {
            Ok(parsed) => parsed,
            Err(HeadError::Unsigned) => return Err(self.unsigned(asked, (status, fields), clock)),
            Err(error) => return Err((*error).into()),
        };
        let keys = self.next.keys(asked.next).unwrap_or(&self.keys);
        let verified = VerifiedHead::verify(&keys.messages, parsed, &question, device)?;
        self.time.learn(&verified, clock);
        self.must_use_challenge = false;
        self.prefers_challenge &= asked.challenge;
        let [.., challenge] = *parsed.values();
        self.hear(challenge, clock);
        if asked.next
            && let Some(next) = self.next.take()
        {
            self.keys = next;
        }
        let told = Told::covered(parsed, self.time.now(clock))?;
        Ok((verified, told))
    }

    /// Keeps a challenge, if it is one.
    #[inline(never)] // For signed answers and for others.
    fn hear(&mut self, challenge: Option<&[u8]>, clock: Option<Timestamp>) -> bool {
        let Some(Ok(challenge)) = challenge.map(Challenge::parse) else {
            return false;
        };
        self.challenge = Some(Heard { challenge, clock });
        true
    }

    /// Anybody can have sent this: what is noted costs a repetition and no more.
    fn unsigned(
        &mut self,
        asked: &SignedWith,
        (status, fields): (u16, &ResponseFields<'_>),
        clock: Option<Timestamp>,
    ) -> Error {
        let refused = status == 401;
        let [.., retry, challenge] = *fields.values();
        let challenged = refused && self.hear(challenge, clock);
        if refused && (asked.challenge || !challenged) {
            // Time was not the reason: perhaps the secret is.
            self.next.try_again(!asked.next);
        }
        if challenged {
            self.must_use_challenge = true;
            self.prefers_challenge |= !asked.challenge;
        }
        Error::Unsigned {
            status,
            retry_after_s: retry_after(retry, self.time.now(clock)),
            challenged,
        }
    }
}
