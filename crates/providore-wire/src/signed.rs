//! The `Signed` dialect: a profile of HTTP Message Signatures (RFC 9421).
//!
//! ```text
//! request   "@method" "@path" "@query" and those of REQUEST_FIELDS that it has
//!           ;nonce="…";alg="hmac-sha256";keyid="device id";tag="providore-2", and either
//!           ;created=…;expires=… or the field providore-challenge
//! response  "@status" and those of RESPONSE_FIELDS that it has,
//!           "@method";req "@path";req "@query";req "signature";req;key="label of the request"
//!           ;created=…;alg="hmac-sha256";keyid="device id";tag="providore-2-response"
//! ```
//!
//! A message may carry other signatures and other fields; ours is the one with the tag, under any
//! label, with its components in any order. [`RequestHead`] and [`ResponseHead`] check everything
//! that can be checked without a key and are claims until `providore-sign` has verified them.
//! Without the feature `any-spelling`, ours is the only signature, written as in the lines above in that
//! order; any other message counts as unsigned.
//! [`RequestDraft`] and [`ResponseDraft`] are what a signer writes, always in the order above.
//!
//! ```
//! use providore_wire::{Method, Target, signed::{RequestHead, Validity}};
//!
//! let target = Target::parse("/config")?;
//! let fields = [
//!     ("signature-input", &br#"a=("@method" "@path" "@query");created=1767323045;expires=1767323345;nonce="AAAAAAAAAAAAAAAAAAAAAA";alg="hmac-sha256";keyid="dev1";tag="providore-2""#[..]),
//!     ("signature", b"a=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"),
//! ];
//! let head = RequestHead::parse(Method::Get, &target, fields)?;
//! assert_eq!(head.device().as_str(), "dev1");
//! let Validity::Window { created, expires } = head.validity() else { panic!() };
//! assert_eq!(expires.seconds_since(*created), 300);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod base;
mod canonical;
mod challenge;
mod draft;
mod error;
mod fields;
mod gathered;
mod nonce;
mod question;
mod request;
mod response;

pub use challenge::Challenge;
pub use draft::{RequestDraft, ResponseDraft};
pub use error::HeadError;
pub use fields::{REQUEST_FIELDS, RESPONSE_FIELDS};
pub use gathered::ResponseFields;
pub use nonce::Nonce;
pub use question::Question;
pub use request::{RequestHead, Validity};
pub use response::ResponseHead;

pub(crate) use fields::Found;

/// The label under which this implementation signs.
pub const LABEL: &str = "providore";

/// The `alg` of both directions (RFC 9421 section 3.3.3).
pub const ALGORITHM: &str = "hmac-sha256";

/// The `tag` of a request's signature: what tells it from others, and the version of the profile.
pub const REQUEST_TAG: &str = "providore-2";

/// The `tag` of a response's signature.
pub const RESPONSE_TAG: &str = "providore-2-response";

/// The field that carries a [`Challenge`].
pub const CHALLENGE_FIELD: &str = "providore-challenge";

#[cfg(test)]
#[cfg(feature = "any-spelling")]
mod tests;
