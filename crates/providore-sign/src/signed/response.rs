//! Responses: signed by the server, verified by the device.

use providore_wire::{
    DeviceId, Timestamp,
    digest_fields::DigestField,
    signed::{CHALLENGE_FIELD, Challenge, LABEL, Question, ResponseDraft, ResponseHead},
};
use sha2::{Digest as _, Sha256};

use super::Keys;
use crate::{HeaderInstructions, KeyError, MacKey as _, Refusal, instructions::Lines};

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
    /// The fields that it has so far. Those of
    /// [`RESPONSE_FIELDS`](providore_wire::signed::RESPONSE_FIELDS) are signed.
    pub fields: F,
    /// The SHA-256 of the content, as it is sent; `None` if there is none.
    pub content_sha256: Option<[u8; 32]>,
    /// What the device's next request can show that it is fresh with.
    pub challenge: &'a Challenge,
    /// When it is made.
    pub created: Timestamp,
}

/// Signs a response to `question`: the header fields to set on it beside those that it has. They
/// are written to `memory`, of which [`HeaderInstructions::MAX_LEN`] bytes always suffice.
///
/// # Errors
/// What the key reports; [`KeyError::Message`] for a part that cannot be signed;
/// [`KeyError::Memory`].
pub fn sign_response<'a, 'm, F>(
    keys: &Keys,
    question: &Question<'_>,
    response: &ResponseToSign<'a, F>,
    memory: &'m mut [u8],
) -> Result<HeaderInstructions<'m>, KeyError>
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
    let of_response = response.fields.clone().into_iter();
    let fields = of_response.map(|(name, value)| -> (&str, &[u8]) { (name, value) });
    let fields = fields.chain(ours().map(|(name, value)| (name, value.as_bytes())));
    let draft = ResponseDraft::new(response.status, question, fields);
    let draft = draft.map_err(|_| KeyError::Message)?;
    let mut lines = Lines::new(memory);
    for (name, value) in ours() {
        lines.push(name, value);
    }
    let parameters = lines.push_input(LABEL, |sink| {
        draft.parameter_pieces(response.device, response.created, sink);
    })?;
    let mut key = keys.responses();
    key.begin()?;
    draft.signature_base(parameters, |piece| key.update(piece))?;
    lines.push_signature(LABEL, key.finish()?.publish())
}

/// The head of a response that has been verified: status and covered fields are the server's.
///
/// Only [`VerifiedHead::verify`] makes one. The body is another matter: see [`ResponseVerifier`].
///
/// ```compile_fail
/// let forged = providore_sign::signed::VerifiedHead { has_content: false };
/// ```
#[derive(Debug)]
#[must_use]
pub struct VerifiedHead {
    created: Timestamp,
    has_content: bool,
    /// Of the content, if there is some.
    content_sha256: [u8; 32],
}

impl VerifiedHead {
    /// Verifies the head of the response to `question`, which `device` asked.
    ///
    /// No clock is needed: the question is of this device and this moment, and nobody can have
    /// answered it before it was asked.
    ///
    /// # Errors
    /// [`Refusal::WrongSignature`], [`Refusal::OtherDevice`], or that the key failed.
    pub fn verify(
        keys: &Keys,
        head: &ResponseHead<'_>,
        question: &Question<'_>,
        device: &DeviceId,
    ) -> Result<Self, Refusal> {
        let mut outcome = Ok(());
        let tag = keys.response_tag(|sink| outcome = head.signature_pieces(question, sink));
        outcome?;
        if !tag.matches(head.signature()) {
            return Err(Refusal::WrongSignature);
        }
        if head.device().as_str() != device.as_str() {
            return Err(Refusal::OtherDevice);
        }
        let mut content_sha256 = [0; 32];
        Ok(Self {
            created: head.created(),
            has_content: head.read_content_digest(&mut content_sha256),
            content_sha256,
        })
    }

    /// When the server made the response: the time at some moment since the question was asked.
    #[must_use]
    pub const fn created(&self) -> Timestamp {
        self.created
    }

    /// Begins with the body.
    pub fn body(self) -> ResponseVerifier {
        ResponseVerifier {
            head: self,
            digest: Sha256::new(),
            length: 0,
        }
    }
}

/// Verifies a response in constant memory while its body streams by.
///
/// The head is verified when this exists: status and covered fields are the server's. The body is
/// not: nothing that passed [`update`](Self::update) may be acted upon before
/// [`finish`](Self::finish) has said yes.
#[derive(Debug)]
#[must_use]
pub struct ResponseVerifier {
    head: VerifiedHead,
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
    /// Begins with the head of the response, as [`VerifiedHead::verify`], and goes on to its body.
    ///
    /// # Errors
    /// As [`VerifiedHead::verify`].
    pub fn begin(
        keys: &Keys,
        head: &ResponseHead<'_>,
        question: &Question<'_>,
        device: &DeviceId,
    ) -> Result<Self, Refusal> {
        Ok(VerifiedHead::verify(keys, head, question, device)?.body())
    }

    /// The head, which is verified.
    pub const fn head(&self) -> &VerifiedHead {
        &self.head
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
        if !self.head.has_content && self.length > 0 {
            return Err(Refusal::BodyNotCovered);
        }
        if self.head.has_content && *self.digest.finalize() != self.head.content_sha256 {
            return Err(Refusal::WrongDigest);
        }
        Ok(VerifiedResponse {
            created: self.head.created,
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
