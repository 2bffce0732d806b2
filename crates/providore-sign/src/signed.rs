//! Signing and verifying in the `Signed` dialect: HTTP Message Signatures (RFC 9421).
//!
//! A client goes [`sign_request`], then [`ResponseVerifier`] → [`VerifiedResponse`]; a server goes
//! [`verify_request`] → [`VerifiedRequest`], a [`ReplayGuard`](crate::ReplayGuard), then
//! [`sign_response`]. Both hold [`Keys`], derived from the device's secret once.
//!
//! ```
//! use providore_sign::{HeaderInstructions, SoftwareKey, signed::{self, Keys, RequestToSign, Validity}};
//! use providore_wire::{Method, Target, Timestamp, signed::{Nonce, RequestHead}};
//!
//! let keys = Keys::derive(&mut SoftwareKey::new(b"32 random bytes of this device..")?)?;
//! let device = "d8fa0180".parse()?;
//! let target = Target::parse("/config")?;
//! let now = Timestamp::from_unix(1_767_323_045).ok_or("clock")?;
//! let request = RequestToSign::new(&device, Method::Get, target);
//! let nonce = Nonce::new([7; 16]); // fresh from the system's generator, every time
//! let validity = Validity::window(now, 60);
//! let mut memory = [0; HeaderInstructions::MAX_LEN];
//! let headers = signed::sign_request(&keys, &request, validity, &nonce, &mut memory)?;
//!
//! // On the server, with the headers of any HTTP library in any order:
//! let fields: Vec<_> = headers.fields().map(|(name, value)| (name, value.as_bytes())).collect();
//! let head = RequestHead::parse(Method::Get, &target, fields.iter().copied())?;
//! let started = now.saturating_add(-3600);
//! let policy = signed::RequestPolicy::new(signed::ChallengeKey::new(&[9; 32])?, started);
//! let verified = signed::verify_request(head, b"", &keys, &policy, now)?;
//! assert_eq!(verified.device(), &device);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module or type | is |
//! |---|---|
//! | [`Keys`] | the sub-keys of one device |
//! | [`RequestToSign`], [`sign_request`] | the device's side of a request |
//! | [`RequestPolicy`], [`verify_request`], [`VerifiedRequest`] | the server's side of it |
//! | [`ResponseToSign`], [`sign_response`] | the server's side of a response |
//! | [`ResponseVerifier`], [`VerifiedResponse`] | the device's side of it |
//! | [`ChallengeKey`] | challenges that a server makes and accepts without remembering them |
//! | [`ServerTime`] | the time that a device knows from its server |

mod challenge;
mod keys;
mod request;
mod response;
mod server_time;

pub use challenge::ChallengeKey;
pub use keys::Keys;
pub use request::{
    RequestPolicy, RequestToSign, Validity, VerifiedRequest, sign_request, verify_request,
};
pub use response::{ResponseToSign, ResponseVerifier, VerifiedResponse, sign_response};
pub use server_time::ServerTime;

#[cfg(test)]
mod tests;
