//! Responses: signed by the server, verified by the device.

use heapless::Vec;
use providore_wire::{
    DeviceId, Timestamp,
    digest_fields::DigestField,
    message_signatures::{Component, Derived, Draft, ResponseParts},
    signed::{
        ALGORITHM, CHALLENGE_FIELD, Challenge, LABEL, Question, RESPONSE_FIELDS, RESPONSE_TAG,
        ResponseHead,
    },
};
use sha2::{Digest as _, Sha256};

use super::Keys;
use crate::{HeaderInstructions, KeyError, MacKey as _, Refusal};

/// A response that a server is about to send.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the parts of a response in this dialect are fixed"
)]
pub struct ResponseToSign<'a, F> {
    /// The device that asked.
    pub device: &'a DeviceId,
    /// The status.
    pub status: u16,
    /// The fields that it has so far. Those of [`RESPONSE_FIELDS`] are signed.
    pub fields: F,
    /// The SHA-256 of the content, as it is sent; `None` if there is none.
    pub content_sha256: Option<[u8; 32]>,
    /// What the device's next request can show that it is fresh with.
    pub challenge: &'a Challenge,
    /// When it is made.
    pub created: Timestamp,
}

/// Signs a response to `question`: the header fields to set on it beside those that it has.
///
/// # Errors
/// What the key reports; [`KeyError::Message`] for a part that cannot be signed.
pub fn sign_response<'a, F>(
    keys: &Keys,
    question: &Question<'_>,
    response: &ResponseToSign<'a, F>,
) -> Result<HeaderInstructions, KeyError>
where
    F: IntoIterator<Item = (&'a str, &'a [u8])> + Clone,
{
    let digest = response
        .content_sha256
        .as_ref()
        .map(DigestField::write_sha256);
    let digest = digest
        .as_ref()
        .map(|digest| ("content-digest", digest.as_str()));
    let challenge = (CHALLENGE_FIELD, response.challenge.as_str());
    let ours = || digest.into_iter().chain([challenge]);
    let mut values = [None; RESPONSE_FIELDS.len()];
    for (field, value) in response.fields.clone() {
        place(&mut values, field, value)?;
    }
    for (field, value) in ours() {
        place(&mut values, field, value.as_bytes())?;
    }
    let present = || {
        let slots = RESPONSE_FIELDS.iter().zip(values.iter());
        slots.filter_map(|(name, value)| Some((*name, (*value)?)))
    };
    let components: Vec<_, MAX_COMPONENTS> = [Component::derived(Derived::Status)]
        .into_iter()
        .chain(present().map(|(name, _)| Component::field(name)))
        .chain(question.components())
        .collect();
    let draft = Draft::new(&components)
        .created(response.created.unix())
        .key_id(response.device.as_str())
        .algorithm(ALGORITHM)
        .tag(RESPONSE_TAG)
        .write::<{ HeaderInstructions::MAX_PARAMETERS }>()?;
    let parts = ResponseParts {
        status: response.status,
        fields: present(),
        request: Some(question.parts()),
    };
    let mut key = keys.responses();
    key.begin()?;
    parts.signature_base(&draft, |piece| key.update(piece))?;
    let signature = key.finish()?.publish();
    let mut headers = HeaderInstructions::default();
    for (name, value) in ours() {
        headers.push(name, value);
    }
    headers.push_signature(LABEL, draft.as_str(), &signature)?;
    Ok(headers)
}

/// Puts a value where its field stands in the profile, if it does.
fn place<'v>(
    values: &mut [Option<&'v [u8]>; RESPONSE_FIELDS.len()],
    field: &str,
    value: &'v [u8],
) -> Result<(), KeyError> {
    for (name, slot) in RESPONSE_FIELDS.iter().zip(values) {
        // Whoever reads two would have to choose.
        if name.eq_ignore_ascii_case(field) && slot.replace(value).is_some() {
            return Err(KeyError::Message);
        }
    }
    Ok(())
}

/// The status, every field of the profile, and what binds to the question.
const MAX_COMPONENTS: usize = 1 + RESPONSE_FIELDS.len() + 4;

/// Verifies a response in constant memory while its body streams by.
///
/// The head is verified when this exists: status and covered fields are the server's. The body is
/// not: nothing that passed [`update`](Self::update) may be acted upon before
/// [`finish`](Self::finish) has said yes.
#[derive(Debug)]
#[must_use]
pub struct ResponseVerifier {
    created: Timestamp,
    expected: Option<[u8; 32]>,
    digest: Sha256,
    length: u64,
}

/// A response that the server made for this device and this question, body and all.
///
/// Only [`ResponseVerifier::finish`] makes one.
///
/// ```compile_fail
/// let forged = providore_sign::signed::VerifiedResponse { length: 0 };
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct VerifiedResponse {
    created: Timestamp,
    length: u64,
}

impl ResponseVerifier {
    /// Begins with the head of the response to `question`, which `device` asked.
    ///
    /// No clock is needed: the question is of this device and this moment, and nobody can have
    /// answered it before it was asked.
    ///
    /// # Errors
    /// [`Refusal::WrongSignature`], [`Refusal::OtherDevice`], or that the key failed.
    pub fn begin(
        keys: &Keys,
        head: &ResponseHead<'_>,
        question: &Question<'_>,
        device: &DeviceId,
    ) -> Result<Self, Refusal> {
        let mut key = keys.responses();
        key.begin()?;
        head.signature_base(question, |piece| key.update(piece).map_err(Refusal::from))?;
        if !key.finish()?.matches(head.signature()) {
            return Err(Refusal::WrongSignature);
        }
        if head.device() != device {
            return Err(Refusal::OtherDevice);
        }
        Ok(Self {
            created: head.created(),
            expected: head.content_digest().copied(),
            digest: Sha256::new(),
            length: 0,
        })
    }

    /// When the server made the response: the time at some moment since the question was asked.
    #[must_use]
    pub const fn created(&self) -> Timestamp {
        self.created
    }

    /// Adds the next part of the body, as it was sent.
    pub fn update(&mut self, chunk: &[u8]) {
        self.length = self.length.saturating_add(chunk.len() as u64);
        self.digest.update(chunk);
    }

    /// Ends the body.
    ///
    /// # Errors
    /// [`Refusal::WrongDigest`]; [`Refusal::BodyNotCovered`] for a body where the server sent none.
    pub fn finish(self) -> Result<VerifiedResponse, Refusal> {
        match self.expected {
            Some(expected) if *self.digest.finalize() != expected => {
                return Err(Refusal::WrongDigest);
            }
            None if self.length > 0 => return Err(Refusal::BodyNotCovered),
            _ => {}
        }
        Ok(VerifiedResponse {
            created: self.created,
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
