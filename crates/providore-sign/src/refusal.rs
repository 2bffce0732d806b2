//! Why a message was not accepted: for the operator, never for the peer.

use providore_wire::ParseError;

use crate::KeyError;

/// The reason for which a signed message was refused.
///
/// Spans of time beyond 68 years are told as 68 years.
///
/// Belongs into the audit log. What goes back to the peer is one bit; see
/// `providore-server-core`, which answers all of these with the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The signature is not the one that this key makes over this message.
    #[error("signature does not match")]
    WrongSignature,
    /// The message was made in the future, by so many seconds beyond the allowed skew.
    #[error("created {ahead_s} s ahead of the allowed skew")]
    FromTheFuture {
        /// Seconds beyond the allowed skew.
        ahead_s: i32,
    },
    /// The message ended, so many seconds ago.
    #[error("expired {ago_s} s ago")]
    Expired {
        /// Seconds since it ended.
        ago_s: i32,
    },
    /// The message is valid for longer than allowed, or ends before it begins.
    #[error("validity window of {window_s} s is not allowed")]
    Window {
        /// Seconds from creation to expiry.
        window_s: i32,
    },
    /// The answer is older than the question.
    #[error("answer is {before_s} s older than its question")]
    OlderThanQuestion {
        /// Seconds from the answer to the question.
        before_s: i32,
    },
    /// The older request string without firmware version, which the application does not allow.
    #[error("request is signed without firmware version")]
    Unversioned,
    /// There is a body, and the signature does not cover it.
    #[error("body is not covered by the signature")]
    BodyNotCovered,
    /// The body reads like the beginning of a signed request: somebody reflects a signature.
    #[error("a request was reflected as an answer")]
    Reflected,
    /// The content is not the one that the signature covers.
    #[error("content does not match its digest")]
    WrongDigest,
    /// The request was made before the server started, or so soon after it that a device whose
    /// clock is ahead may have made it before: it may have been executed already.
    #[error("made {before_s} s before the server counts requests")]
    BeforeStart {
        /// Seconds until a request made now would count, at least 0.
        before_s: i32,
    },
    /// The challenge was not made by this server since it started.
    #[error("challenge is not of this server")]
    ForeignChallenge,
    /// The challenge counts no longer, or not yet.
    #[error("challenge is {age_s} s old")]
    OldChallenge {
        /// Its age in seconds.
        age_s: i32,
    },
    /// The answer is for another device.
    #[error("answer is for another device")]
    OtherDevice,
    /// A covered part has not the form that can be signed.
    #[error("a covered part is malformed")]
    Malformed(#[source] ParseError),
    /// The key could not be used.
    #[error("key could not be used")]
    Key(#[from] KeyError),
}

/// What a refusal tells of a span of time: more than 68 years are 68 years.
#[inline(never)] // Many callers.
pub(crate) fn seconds(span: i64) -> i32 {
    i32::try_from(span).unwrap_or(if span < 0 { i32::MIN } else { i32::MAX })
}

impl From<ParseError> for Refusal {
    fn from(error: ParseError) -> Self {
        Self::Malformed(error)
    }
}
