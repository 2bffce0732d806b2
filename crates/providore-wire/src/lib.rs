//! The bytes of providore: header grammar, canonical strings, timestamps, identifiers and routes.
//!
//! It does no cryptography, reads no clock, allocates nothing and has no opinion on who may say
//! what: a value of these types is well formed, not true. `providore-sign` verifies it.
//!
//! ```
//! use providore_wire::{DeviceId, Route, Target, Timestamp};
//!
//! let device: DeviceId = "d8fa0180".parse()?;
//! let target = Target::parse("/firmware?version=1.4.0")?;
//! assert_eq!(Route::of(target.path()), Some(Route::Firmware));
//! let created: Timestamp = "2026-01-02T14:04:05+11:00".parse()?;
//! assert_eq!(created.to_rfc3339().as_str(), "2026-01-02T03:04:05Z");
//!
//! let error = "d8fa/0180".parse::<DeviceId>().unwrap_err();
//! assert_eq!(error.to_string(), "unexpected byte at byte 4");
//! # Ok::<(), providore_wire::ParseError>(())
//! ```
//!
//! | module or type | is |
//! |---|---|
//! | [`DeviceId`], [`FirmwareVersion`], [`HardwareType`], [`Name`] | bounded names that are never a path |
//! | [`Timestamp`] | an instant: every deployed spelling in, RFC 3339 out |
//! | [`Target`], [`Route`], [`Method`] | what is asked for |
//! | [`Signature`] | a published HMAC tag and its base64 |
//! | [`signed`] | the `Signed` dialect: a profile of RFC 9421 |
//! | [`original`] | headers and canonical strings of the `Original` dialect |
//! | [`structured`] | structured fields (RFC 9651), bounded, in borrowed views |
//! | [`message_signatures`] | signature parameters and signature bases of RFC 9421 |
//! | [`digest_fields`] | `Content-Digest` and `Repr-Digest` of RFC 9530 |
//! | [`notice`] | the datagram by which a server says that something waits |
//! | [`dns_sd`] | finding a server: the packets of multicast DNS that it takes |
//! | [`written`] | text that people write: secrets, and files with a byte order mark |
//! | [`Dialect`] | which dialect an application chose |
//! | [`ParseError`] | what was wrong, and at which byte |
//!
//! It is `no_std` and needs no allocator, always.
//!
//! | feature | adds |
//! |---|---|
//! | `any-spelling` | signatures of `Signed` as other libraries spell them; see [`signed`]; on by default |
#![no_std]
// What is never inlined without the feature `any-spelling` is called from several places: a device has
// its code once, a server is a fifth faster with copies of it.

mod base64;
mod dialect;
pub mod digest_fields;
pub mod dns_sd;
mod error;
mod id;
pub mod message_signatures;
mod method;
pub mod notice;
pub mod original;
mod route;
mod signature;
pub mod signed;
pub mod structured;
mod target;
mod text;
mod timestamp;
pub mod written;

pub use dialect::Dialect;
pub use error::{ParseError, ParseErrorKind};
pub use id::{DeviceId, FirmwareVersion, HardwareType, Name};
pub use method::Method;
pub use route::Route;
pub use signature::Signature;
pub use target::Target;
pub use text::Text;
pub use timestamp::Timestamp;

/// The longest configuration in bytes, as a server may serve it: what it is willing to hold for each
/// device, and far more than a microcontroller can. A device that can hold less says so in a report.
pub const MAX_CONFIG_LEN: usize = 1024 * 1024;
