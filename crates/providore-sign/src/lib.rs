//! Signed HTTP for devices with one shared secret: who said it, to what, and is it fresh.
//!
//! It opens no socket, touches no HTTP type, reads no clock and holds no list of devices. Signing
//! returns the headers to set; verifying takes what was received and returns a proof value.
//!
//! ```
//! use providore_sign::{HeaderInstructions, SoftwareKey, original};
//! use providore_wire::{Method, Timestamp, original::RequestHead};
//!
//! let mut key = SoftwareKey::new(b"the device's secret")?;
//! let (device, version) = ("d8fa0180".parse()?, "1.0.0".parse()?);
//! let request = original::RequestToSign {
//!     device: &device, method: Method::Get, path: "/config", version: &version, body: b"",
//! };
//! let now = Timestamp::from_unix(1_767_323_045).ok_or("clock")?;
//! let mut memory = [0; HeaderInstructions::MAX_LEN];
//! let headers = original::sign_request(&mut key, &request, now, 900, &mut memory)?;
//!
//! // On the server, with the headers of any HTTP library in any order:
//! let fields = headers.fields().map(|(name, value)| (name, value.as_bytes()));
//! let head = RequestHead::parse(Method::Get, "/config", fields)?;
//! let policy = original::RequestPolicy::default();
//! let verified = original::verify_request(head, b"", &mut key, &policy, now)?;
//! assert_eq!(verified.device(), &device);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module or type | is |
//! |---|---|
//! | [`MacKey`], [`SoftwareKey`], [`SharedKey`] | a key that takes pieces and yields a tag; hardware fits |
//! | [`signed`] | requests and responses of the `Signed` dialect: RFC 9421 |
//! | [`original`] | requests and answers of the `Original` dialect |
//! | [`subkeys`] | a key for each purpose and each device, from one secret |
//! | [`notice`] | the datagram by which a server says that something waits |
//! | `content_coding` | encryption of what is secret: the content coding `aes128gcm` (RFC 8188) |
//! | [`Freshness`] | which validity windows count |
//! | [`ReplayGuard`] | first time or seen before |
//! | [`HeaderInstructions`] | what signing asks the application to set |
//! | [`Refusal`] | why a message was refused: for the log, never for the peer |
//!
//! | feature | adds |
//! |---|---|
//! | `any-spelling` | signatures of `Signed` as other libraries spell them, as in `providore-wire`; on by default |
//! | `alloc` | `BoundedReplayGuard`, the guard of a server |
//! | `content-coding` | `content_coding`, with AES-GCM |
#![no_std]

#[cfg(feature = "alloc")]
extern crate alloc;

#[cfg(feature = "content-coding")]
pub mod content_coding;
mod freshness;
mod instructions;
mod key;
mod mac;
pub mod notice;
pub mod original;
mod refusal;
mod replay;
pub mod signed;
pub mod subkeys;

#[doc(no_inline)]
pub use providore_wire;

pub use freshness::Freshness;
pub use instructions::HeaderInstructions;
pub use key::{ComputedTag, KeyError, MacKey, SharedKey, SoftwareKey};
pub use refusal::Refusal;
#[cfg(feature = "alloc")]
pub use replay::{BoundedReplayGuard, ReplayLimits};
pub use replay::{RefuseAll, ReplayGuard, ReplayToken, Use};
