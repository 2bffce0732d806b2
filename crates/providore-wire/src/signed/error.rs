//! Why a head is not one of this profile.

use crate::ParseError;

/// What keeps a message from being one of the `Signed` dialect, before any key is looked at.
///
/// Names are references to a `&str`, half as long as the `&str`: errors are handed on in many places,
/// and on a small device each word of them costs code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeadError {
    /// No signature carries the tag of this profile.
    #[error("no signature of this profile")]
    Unsigned,
    /// Two signatures carry the tag of this profile, or two stand under one label.
    #[error("more than one signature of this profile")]
    SignedTwice,
    /// A field that the profile looks at is repeated or malformed.
    #[error("field {name}")]
    Field {
        /// Its name in lower case.
        name: &'static &'static str,
        /// What was wrong in it.
        #[source]
        cause: ParseError,
    },
    /// A component that must be covered is not.
    #[error("{component} is not covered by the signature")]
    NotCovered {
        /// Its name.
        component: &'static &'static str,
    },
    /// A field is covered that the message has not: something on the way has dropped it.
    #[error("{component} is covered by the signature, and dropped on the way")]
    Dropped {
        /// Its name.
        component: &'static &'static str,
    },
    /// A component is covered that this profile does not know, or in a form that it does not know.
    #[error("a component is covered that does not belong there")]
    UnknownComponent,
    /// A parameter of the signature is missing or has no value of this profile.
    #[error("signature parameter {name}")]
    Parameter {
        /// Its name.
        name: &'static &'static str,
    },
    /// The signature has a parameter that this profile does not know.
    #[error("a signature parameter does not belong there")]
    UnknownParameter,
    /// Neither a window nor a challenge, or both.
    #[error("neither a validity window nor a challenge, or both")]
    Validity,
}
