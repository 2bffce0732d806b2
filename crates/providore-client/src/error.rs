//! Why an operation did not end in a proof.

use core::num::NonZeroU32;

use providore_sign::{KeyError, Refusal, content_coding::DecodeError};
use providore_wire::{original, signed};

/// Why a question was not asked, or its answer not accepted.
///
/// None of these is a reason to wipe, to fall back or to act: the device keeps what it has and
/// asks again later. In the `Original` dialect no status is covered by a signature, so that even a
/// signed "no" is a hint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The device's own key could not be used.
    #[error("the device's key could not be used")]
    Key(#[source] KeyError),
    /// The `Original` dialect needs a clock.
    #[error("the clock is not set")]
    ClockNotSet,
    /// The device's dialect has no such question, or the answer is to a question of another device.
    #[error("the device's dialect has no such question")]
    NotInDialect,
    /// The answer carries no signature: anybody can have sent it. Its status is a hint.
    #[error("unsigned answer with status {status}")]
    Unsigned {
        /// The status that it claims.
        status: u16,
        /// Seconds that it asks to wait, unbounded; [`crate::RetryPolicy`] holds it.
        retry_after_s: Option<NonZeroU32>,
        /// Whether it is a 401 with a challenge, which the device has noted: asked again now, once,
        /// the question is signed over that.
        challenged: bool,
    },
    /// The answer carries signature headers that cannot be read.
    #[error("answer with a malformed signature header")]
    Head(#[from] HeadError),
    /// The answer is not the server's, not for this key, or not fresh.
    #[error("answer could not be verified")]
    NotVerified(#[source] Refusal),
    /// A signed answer with a status that does not answer the question.
    #[error("the server answered with status {status}")]
    Declined {
        /// The status.
        status: u16,
        /// Seconds that it asks to wait, unbounded; [`crate::RetryPolicy`] holds it.
        retry_after_s: Option<NonZeroU32>,
    },
    /// A signed answer whose body is not of the kind that was asked for: a spliced answer, or a
    /// fault of the server.
    #[error("answer of the wrong kind")]
    Body(#[from] BodyFault),
}

impl Error {
    /// The status of an answer that was not what was asked for.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::Unsigned { status, .. } | Self::Declined { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Seconds that the answer asks to wait, signed or not, unbounded.
    #[must_use]
    pub const fn retry_after_s(&self) -> Option<u32> {
        match self {
            Self::Unsigned {
                retry_after_s: Some(seconds),
                ..
            }
            | Self::Declined {
                retry_after_s: Some(seconds),
                ..
            } => Some(seconds.get()),
            _ => None,
        }
    }

    /// Whether the peer says that it does not accept the device: status 401 or 403.
    #[must_use]
    pub const fn is_unauthorized(&self) -> bool {
        matches!(self.status(), Some(401 | 403))
    }

    /// Whether the server asks for the same question over its challenge.
    pub(crate) const fn is_challenge(&self) -> bool {
        matches!(
            self,
            Self::Unsigned {
                challenged: true,
                ..
            }
        )
    }

    /// Whether an answer claimed to be the one asked for and was not proven to be: not signed, not
    /// fresh, or of the wrong kind.
    #[must_use]
    pub const fn is_unverified(&self) -> bool {
        match self {
            Self::Head(_) | Self::NotVerified(_) | Self::Body(_) => true,
            Self::Unsigned { status, .. } => *status < 400,
            _ => false,
        }
    }
}

/// Signature headers that cannot be read, in the dialect of the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeadError {
    /// Of the `Original` dialect.
    #[error(transparent)]
    Original(#[from] original::HeadError),
    /// Of the `Signed` dialect.
    #[error(transparent)]
    Signed(#[from] signed::HeadError),
}

impl From<signed::HeadError> for Error {
    fn from(error: signed::HeadError) -> Self {
        Self::Head(error.into())
    }
}

impl From<KeyError> for Error {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Key(error) => Self::Key(error),
            refusal => Self::NotVerified(refusal),
        }
    }
}

/// What is wrong with the body, or the location, of a signed answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BodyFault {
    /// Longer than the caller's buffer or the largest image.
    #[error("body over the limit of {limit} bytes")]
    TooLong {
        /// The limit in bytes, `u32::MAX` if it is beyond that.
        limit: u32,
    },
    /// A body where the status allows none.
    #[error("body where none is allowed")]
    NotEmpty,
    /// A problem document (RFC 9457) of the server, moved under another status.
    #[error("problem document in place of the answer")]
    Problem,
    /// An encoding that is not of the dialect, or not of this kind of answer.
    #[error("encoding that is not accepted here")]
    Encoding,
    /// What is secret came in clear.
    #[error("not encrypted")]
    NotEncrypted,
    /// What is encrypted cannot be decrypted with the device's key.
    #[error("could not be decrypted")]
    NotDecrypted(#[source] DecodeError),
    /// Not a secret: under 16 bytes, over 64, or with control characters.
    #[error("not a secret")]
    NotSecret,
    /// Configuration that is not a JSON object or array.
    #[error("not a JSON object or array")]
    NotJson,
    /// Not PEM text that begins with a certificate.
    #[error("not a certificate in PEM")]
    NotPem,
    /// The caller's own check of the body said no.
    #[error("refused by the application's check")]
    CheckedOut,
    /// The offer of a firmware names no version, another place than `/firmware?version=V`, or
    /// in the `Original` dialect something else than the signed body does.
    #[error("location is not a firmware version, or not the one that was signed")]
    Location,
    /// The image that the server has is another one than the manifest is about.
    #[error("another image than the manifest is about")]
    OtherImage,
    /// Another part of the image than was asked for.
    #[error("another part of the image than was asked for")]
    OtherPart,
    /// The image does not begin with the magic bytes of this hardware.
    #[error("image with the wrong magic bytes")]
    ImageMagic,
    /// The image is shorter than any image of this hardware.
    #[error("image under {limit} bytes")]
    ImageTooShort {
        /// The limit in bytes, `u32::MAX` if it is beyond that.
        limit: u32,
    },
}

impl BodyFault {
    /// Longer than this.
    pub(crate) fn too_long(limit: u64) -> Self {
        Self::TooLong {
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
        }
    }

    /// Shorter than this.
    pub(crate) fn image_too_short(limit: u64) -> Self {
        Self::ImageTooShort {
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
        }
    }
}
