//! Answers: signed by the server, verified by the device while the body streams by.

use providore_wire::{
    Timestamp,
    original::{CanonicalResponseTail, Field, ResponseHead},
};

use crate::{
    Freshness, HeaderInstructions, KeyError, MacKey, Refusal, instructions::Lines, refusal::seconds,
};

/// Signs an answer while its body passes by.
///
/// With a key that can be cloned, a clone of the signer taken after the last chunk is the cached
/// state of that body for that device: [`finish`](Self::finish) then costs one block.
///
/// ```
/// use providore_sign::{HeaderInstructions, SoftwareKey, original::ResponseSigner};
/// use providore_wire::Timestamp;
///
/// let now = Timestamp::from_unix(1_767_323_045).unwrap();
/// let mut signer = ResponseSigner::begin(SoftwareKey::new(b"secret")?)?;
/// signer.update(br#"{"interval":60}"#)?;
/// let mut memory = [0; HeaderInstructions::MAX_LEN];
/// let headers = signer.finish(now, 900, &mut memory)?;
/// assert_eq!(headers.value("created-at"), Some("2026-01-02T03:04:05Z"));
/// # Ok::<(), providore_sign::KeyError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct ResponseSigner<K> {
    key: K,
}

impl<K: MacKey> ResponseSigner<K> {
    /// Begins an answer.
    ///
    /// # Errors
    /// What the key reports.
    pub fn begin(mut key: K) -> Result<Self, KeyError> {
        key.begin()?;
        Ok(Self { key })
    }

    /// Adds the next part of the body, exactly as it will be sent.
    ///
    /// # Errors
    /// What the key reports.
    pub fn update(&mut self, chunk: &[u8]) -> Result<(), KeyError> {
        self.key.update(chunk)
    }

    /// Ends the body: the headers to set on the answer, valid from `created` for `lifetime_s`
    /// seconds. They are written to `memory`, of which [`HeaderInstructions::MAX_LEN`] bytes always
    /// suffice. Names are in lower case and dates have 20 characters, which the deployed C firmware
    /// depends on.
    ///
    /// # Errors
    /// What the key reports; [`KeyError::Memory`].
    pub fn finish(
        mut self,
        created: Timestamp,
        lifetime_s: u32,
        memory: &mut [u8],
    ) -> Result<HeaderInstructions<'_>, KeyError> {
        let expiry = created.saturating_add(i64::from(lifetime_s)).to_rfc3339();
        let created = created.to_rfc3339();
        let tail = CanonicalResponseTail {
            created: created.as_str().as_bytes(),
            expiry: expiry.as_str().as_bytes(),
        };
        tail.pieces(|piece| self.key.update(piece))?;
        let signature = self.key.finish()?.publish();

        let mut lines = Lines::new(memory);
        lines.push(Field::CreatedAt.name(), created.as_str());
        lines.push(Field::Expiry.name(), expiry.as_str());
        lines.push(Field::Signature.name(), signature.to_base64().as_str());
        lines.end(signature)
    }
}

/// Whether the dates of an answer mean what they say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ResponseDates {
    /// An answer ends at its expiry.
    #[default]
    Enforced,
    /// The server is a first Providore since February 2022: its answers say that they expire in the
    /// second in which they were made, and are taken as valid for the longest window instead.
    FirstProvidore,
}

/// What a client accepts in this dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "settings are written as literals"
)]
pub struct ResponsePolicy {
    /// Which validity windows count.
    pub freshness: Freshness,
    /// Whether the dates mean what they say.
    pub dates: ResponseDates,
}

/// Verifies an answer in constant memory while its body streams by.
///
/// Nothing that passed [`update`](Self::update) may be acted upon before
/// [`finish`](Self::finish) has said yes.
#[derive(Debug)]
#[must_use]
pub struct ResponseVerifier<'a, K> {
    key: K,
    head: ResponseHead<'a>,
    opening: Opening,
    length: u64,
}

/// An answer of which signature and freshness have been checked, body and all.
///
/// Only [`ResponseVerifier::finish`] makes one. This dialect binds an answer neither to its
/// question nor to its status: the caller still checks that the body is of the kind it asked for.
///
/// ```compile_fail
/// let forged = providore_sign::original::VerifiedResponse { length: 0 };
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct VerifiedResponse {
    created: Timestamp,
    length: u64,
}

impl<'a, K: MacKey> ResponseVerifier<'a, K> {
    /// Begins with the head of an answer to a question that was signed at `asked`.
    ///
    /// # Errors
    /// [`Refusal`] if the head alone is reason enough, or the key fails.
    pub fn begin(
        mut key: K,
        head: ResponseHead<'a>,
        policy: &ResponsePolicy,
        asked: Timestamp,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let window = i64::from(policy.freshness.max_window_s);
        let expiry = match policy.dates {
            ResponseDates::FirstProvidore if head.expiry() == head.created() => {
                head.created().saturating_add(window)
            }
            _ => head.expiry(),
        };
        policy.freshness.admit(head.created(), expiry, now)?;
        let skew = i64::from(policy.freshness.max_skew_s);
        let before_s = asked.seconds_since(head.created()).saturating_sub(skew);
        if before_s > 0 {
            return Err(Refusal::OlderThanQuestion {
                before_s: seconds(before_s),
            });
        }
        key.begin()?;
        Ok(Self {
            key,
            head,
            opening: Opening::default(),
            length: 0,
        })
    }

    /// Adds the next part of the body.
    ///
    /// # Errors
    /// What the key reports.
    pub fn update(&mut self, chunk: &[u8]) -> Result<(), KeyError> {
        self.opening.extend(chunk);
        self.length = self.length.saturating_add(chunk.len() as u64);
        self.key.update(chunk)
    }

    /// Ends the body.
    ///
    /// # Errors
    /// [`Refusal::WrongSignature`], or [`Refusal::Reflected`] for a body that reads like a signed
    /// request (`METHOD LF /`): both are signed with one key, so a request's signature would fit.
    pub fn finish(mut self) -> Result<VerifiedResponse, Refusal> {
        self.head.tail().pieces(|piece| self.key.update(piece))?;
        if !self.key.finish()?.matches(self.head.signature()) {
            return Err(Refusal::WrongSignature);
        }
        if self.opening.is_request() {
            return Err(Refusal::Reflected);
        }
        Ok(VerifiedResponse {
            created: self.head.created(),
            length: self.length,
        })
    }
}

impl VerifiedResponse {
    /// When the server made it.
    #[must_use]
    pub const fn created(&self) -> Timestamp {
        self.created
    }

    /// How many bytes the body had.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.length
    }
}

/// The first bytes of a body: enough to see `OPTIONS LF /`.
#[derive(Debug, Default)]
struct Opening {
    bytes: [u8; 9],
    length: usize,
}

impl Opening {
    fn extend(&mut self, chunk: &[u8]) {
        let free = self.bytes.get_mut(self.length..).unwrap_or_default();
        for (slot, byte) in free.iter_mut().zip(chunk) {
            *slot = *byte;
            self.length = self.length.saturating_add(1);
        }
    }

    fn is_request(&self) -> bool {
        let bytes = self.bytes.get(..self.length).unwrap_or_default();
        let method = bytes
            .iter()
            .take_while(|byte| byte.is_ascii_uppercase())
            .count();
        method > 0
            && bytes
                .get(method..)
                .is_some_and(|rest| rest.starts_with(b"\n/"))
    }
}

#[cfg(test)]
mod tests {
    extern crate alloc;
    use alloc::{string::String, vec::Vec};

    use super::*;
    use crate::SoftwareKey;

    const NOW: i64 = 1_767_323_045;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix(NOW).unwrap().saturating_add(seconds)
    }

    /// Signs `body` at `created`, delivers `received` in chunks at `now` for a question at 0.
    fn check(
        body: &[u8],
        received: &[u8],
        (created, lifetime, now): (i64, u32, i64),
        dates: ResponseDates,
        expected: Result<u64, Refusal>,
    ) {
        let key = SoftwareKey::new(b"secret").unwrap();
        let mut signer = ResponseSigner::begin(key.clone()).unwrap();
        signer.update(body).unwrap();
        let mut memory = [0; HeaderInstructions::MAX_LEN];
        let headers = signer.finish(at(created), lifetime, &mut memory).unwrap();
        let fields: Vec<(String, String)> = headers
            .fields()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();

        let bytes = fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()));
        let head = ResponseHead::parse(bytes).unwrap();
        let policy = ResponsePolicy {
            dates,
            ..ResponsePolicy::default()
        };
        let outcome =
            ResponseVerifier::begin(key, head, &policy, at(0), at(now)).and_then(|mut verifier| {
                for chunk in received.chunks(3) {
                    verifier.update(chunk)?;
                }
                verifier.finish()
            });
        assert_eq!(outcome.map(|response| response.length()), expected);
    }

    #[test]
    fn what_is_signed_is_accepted_in_any_chunks() {
        check(
            b"{\"a\":1}",
            b"{\"a\":1}",
            (0, 900, 1),
            ResponseDates::Enforced,
            Ok(7),
        );
        check(b"", b"", (0, 900, 1), ResponseDates::Enforced, Ok(0));
    }

    #[test]
    fn a_changed_body_is_refused() {
        let wrong = Err(Refusal::WrongSignature);
        check(
            b"{\"a\":1}",
            b"{\"a\":2}",
            (0, 900, 1),
            ResponseDates::Enforced,
            wrong,
        );
        check(
            b"{\"a\":1}",
            b"{\"a\":1",
            (0, 900, 1),
            ResponseDates::Enforced,
            wrong,
        );
        check(b"", b"\n", (0, 900, 1), ResponseDates::Enforced, wrong);
    }

    #[test]
    fn an_answer_from_before_the_question_is_refused() {
        let body = b"{}";
        let old = Err(Refusal::OlderThanQuestion { before_s: 1 });
        check(body, body, (-31, 900, 0), ResponseDates::Enforced, old);
        check(body, body, (-30, 900, 0), ResponseDates::Enforced, Ok(2));
        let future = Err(Refusal::FromTheFuture { ahead_s: 1 });
        check(body, body, (31, 900, 0), ResponseDates::Enforced, future);
    }

    #[test]
    fn a_first_providores_equal_dates_need_the_named_option() {
        let body = b"{}";
        let expired = Err(Refusal::Expired { ago_s: 10 });
        check(body, body, (0, 0, 40), ResponseDates::Enforced, expired);
        check(body, body, (0, 0, 40), ResponseDates::FirstProvidore, Ok(2));
        let ended = Err(Refusal::Expired { ago_s: 1 });
        check(
            body,
            body,
            (0, 0, 931),
            ResponseDates::FirstProvidore,
            ended,
        );
        check(
            body,
            body,
            (0, 300, 331),
            ResponseDates::FirstProvidore,
            ended,
        );
    }

    #[test]
    fn a_reflected_request_is_refused() {
        for body in [&b"GET\n/config\n1.0.0"[..], b"OPTIONS\n/x\n1"] {
            let outcome = Err(Refusal::Reflected);
            check(body, body, (0, 900, 0), ResponseDates::Enforced, outcome);
        }
        for body in [&b"GET /config"[..], b"\n/config", b"get\n/config", b"GET\n"] {
            let length = Ok(body.len() as u64);
            check(body, body, (0, 900, 0), ResponseDates::Enforced, length);
        }
    }
}
