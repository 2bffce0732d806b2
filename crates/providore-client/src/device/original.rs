//! The dialect `Original`.

use providore_sign::{
    HeaderInstructions, KeyError, MacKey, Refusal,
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

    pub(super) fn sign(
        &mut self,
        (device, version): (&DeviceId, &FirmwareVersion),
        question: &dyn Question,
        target: &Target<'_>,
        at: Timestamp,
    ) -> Result<HeaderInstructions, Error> {
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
        Ok(sign_request(&mut self.key, &request, at, LIFETIME_S)?)
    }

    pub(super) fn open<'a>(
        &'a mut self,
        at: Timestamp,
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
