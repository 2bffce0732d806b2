//! The dialect `Original`.

use providore_sign::{
    KeyError, MacKey, Refusal,
    original::{RequestToSign, ResponsePolicy, ResponseVerifier, sign_request},
};
use providore_wire::{
    DeviceId, FirmwareVersion, Target, Timestamp,
    original::{HeadError, ResponseHead},
};

use crate::{
    Error, Head,
    exchange::sealed::Question,
    head::{Told, retry_after},
};

/// What a device of this dialect keeps.
#[derive(Debug, Clone)]
pub(super) struct Original<K> {
    key: K,
    pub(super) policy: ResponsePolicy,
}

/// When a question was signed.
pub(super) type SignedAt = Timestamp;

/// An answer's body, on its way.
#[derive(Debug)]
pub(crate) struct OriginalVerifier<'a, K>(ResponseVerifier<'a, &'a mut K>);

impl<K: MacKey> Original<K> {
    #[expect(
        clippy::unnecessary_wraps,
        reason = "without the feature there is none"
    )]
    pub(super) fn new(key: K) -> Result<Self, KeyError> {
        let policy = ResponsePolicy::default();
        Ok(Self { key, policy })
    }

    pub(super) fn sign<'m>(
        &mut self,
        (device, version): (&DeviceId, &FirmwareVersion),
        (question, target): (&dyn Question, &Target<'_>),
        clock: Option<Timestamp>,
        memory: &'m mut [u8],
    ) -> Result<(&'m str, SignedAt), Error> {
        let at = clock.ok_or(Error::ClockNotSet)?;
        if question.is_signed_only() {
            return Err(Error::NotInDialect);
        }
        let request = RequestToSign {
            device,
            method: question.method(),
            path: target.path(),
            version,
            body: question.content().map_or(b"", |(_, body)| body),
        };
        let signed = sign_request(&mut self.key, &request, at, LIFETIME_S, memory)?;
        let length = signed.lines().len();
        Ok((with_unsigned(question, memory, length)?, at))
    }

    pub(super) fn open<'a>(
        &'a mut self,
        at: SignedAt,
        head: &'a impl Head,
        clock: Option<Timestamp>,
    ) -> Result<(OriginalVerifier<'a, K>, Told<'a>), Error> {
        let now = clock.ok_or(Error::ClockNotSet)?;
        if head.field("signature").is_none() {
            return Err(unsigned(head, clock));
        }
        let parsed = ResponseHead::parse(head.fields())?;
        let verifier = ResponseVerifier::begin(&mut self.key, parsed, &self.policy, at, now)?;
        Ok((OriginalVerifier(verifier), uncovered(head, now)))
    }
}

impl<K: MacKey> OriginalVerifier<'_, K> {
    pub(super) fn update(&mut self, chunk: &[u8]) -> Result<(), KeyError> {
        self.0.update(chunk)
    }

    pub(super) fn finish(self) -> Result<Timestamp, Refusal> {
        Ok(self.0.finish()?.created())
    }
}

/// Appends to the lines of so many bytes the fields that this dialect does not sign.
fn with_unsigned<'m>(
    question: &dyn Question,
    memory: &'m mut [u8],
    mut length: usize,
) -> Result<&'m str, KeyError> {
    let unless = question.unless();
    let unless = unless.map(|tag| ("if-none-match: ", tag.as_str()));
    let kind = question.content();
    let kind = kind.map(|(kind, _)| ("content-type: ", kind));
    for (name, value) in unless.into_iter().chain(kind) {
        for piece in [name, value, "\r\n"] {
            let end = length.saturating_add(piece.len());
            let place = memory.get_mut(length..end).ok_or(KeyError::Memory)?;
            place.copy_from_slice(piece.as_bytes());
            length = end;
        }
    }
    let lines = memory.get(..length).ok_or(KeyError::Memory)?;
    core::str::from_utf8(lines).map_err(|_| KeyError::Message)
}

fn unsigned(head: &impl Head, now: Option<Timestamp>) -> Error {
    Error::Unsigned {
        status: head.status(),
        retry_after_s: retry_after(head.field("retry-after"), now),
        challenged: false,
    }
}

/// Of a head whose signature covers none of it.
fn uncovered(head: &impl Head, now: Timestamp) -> Told<'_> {
    Told {
        status: head.status(),
        retry_after_s: retry_after(head.field("retry-after"), Some(now)),
        etag: head.field("etag"),
        location: head.field("location"),
        content_type: head.field("content-type"),
        content_range: head.field("content-range"),
        encrypted: false,
        covered: false,
    }
}

/// How long a request counts: what deployed servers accept.
const LIFETIME_S: u32 = 900;

impl From<HeadError> for Error {
    fn from(error: HeadError) -> Self {
        Self::Head(error.into())
    }
}
