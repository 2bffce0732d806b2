//! HTTP message signatures (RFC 9421): what is signed, and the fields that say so.
//!
//! ```text
//! Signature-Input: label=( component … );created=…;keyid="…" …
//! Signature:       label=:base64:
//!
//! signature-base        = *( signature-base-line LF ) signature-params-line
//! signature-base-line   = component-identifier ":" SP value
//! signature-params-line = DQUOTE "@signature-params" DQUOTE ":" SP inner-list
//! ```
//!
//! Which components a signature covers is data: [`Draft`] writes it, [`SignatureInput`] reads it,
//! and from either [`RequestParts`] and [`ResponseParts`] make the signature base, in pieces. No algorithm is known here; which components, parameters
//! and labels there must be is for a profile to say.
//!
//! Supported are all derived components, fields, and the component parameters `req`, `key` and
//! `name`. The others are refused with
//! [`UnsupportedParameter`](crate::ParseErrorKind::UnsupportedParameter): `sf`, because it needs
//! the type of every field, `bs` and `tr`, because nothing here uses them.
//!
//! ```
//! use providore_wire::ParseError;
//! use providore_wire::message_signatures::{
//!     Component, Derived, Draft, RequestParts, SignatureParameters, signature_field,
//! };
//!
//! let components = [Component::derived(Derived::Method), Component::field("content-type")];
//! let draft = Draft::new(&components).created(1_618_884_473).key_id("dev1");
//! let text = draft.to_text::<256>()?;
//! let parameters = SignatureParameters::parse(text.as_str().as_bytes())?;
//!
//! let fields = [("Content-Type", &b" text/plain "[..])];
//! let request = RequestParts {
//!     method: "POST",
//!     scheme: "http",
//!     authority: "example.com",
//!     path: "/report",
//!     query: None,
//!     fields: fields.iter().copied(),
//! };
//! let mut base = Vec::new();
//! request.signature_base(&parameters, |piece| {
//!     base.extend_from_slice(piece);
//!     Ok::<(), ParseError>(())
//! })?;
//! assert_eq!(
//!     String::from_utf8_lossy(&base),
//!     "\"@method\": POST\n\
//!      \"content-type\": text/plain\n\
//!      \"@signature-params\": (\"@method\" \"content-type\");created=1618884473;keyid=\"dev1\"",
//! );
//! assert_eq!(
//!     parameters.to_field::<256>("sig1")?.as_str(),
//!     "sig1=(\"@method\" \"content-type\");created=1618884473;keyid=\"dev1\"",
//! );
//! assert_eq!(signature_field::<64>("sig1", b"hi")?.as_str(), "sig1=:aGk=:");
//! # Ok::<(), ParseError>(())
//! ```

mod accept;
mod base;
mod component;
mod draft;
mod fields;
mod message;
mod parameters;
mod query;

pub use accept::{AcceptSignature, RequestedSignature};
pub use base::Covering;
pub(crate) use base::is_content;
pub use component::{Component, ComponentName, Derived};
pub use draft::Draft;
pub use fields::{SignatureInput, Signatures, signature_field};
pub use message::{RequestParts, ResponseParts};
pub use parameters::SignatureParameters;

#[cfg(test)]
mod tests;
