//! The `Original` dialect: what devices and clients of the first Providore send and expect.
//!
//! A request carries `Authorization`, `Created-At`, `Expiry` and `X-Firmware-Version`; an answer
//! `created-at`, `expiry` and `signature`. [`RequestHead`] and [`ResponseHead`] are those headers,
//! parsed; [`CanonicalRequest`] and [`CanonicalResponseTail`] are the bytes that the signature
//! covers, handed out in pieces.
//!
//! ```
//! use providore_wire::original::{Form, RequestHead};
//! use providore_wire::Method;
//!
//! let fields = [
//!     ("authorization", &b"Hmac key-id=dev1, signature=\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\""[..]),
//!     ("created-at", b"2026-01-02T03:04:05Z"),
//!     ("expiry", b"2026-01-02T03:19:05Z"),
//!     ("x-firmware-version", b"1.0.0"),
//! ];
//! let head = RequestHead::parse(Method::Get, "/config", fields)?;
//! assert_eq!(head.device().as_str(), "dev1");
//! assert_eq!(head.form(), Form::Versioned);
//! # Ok::<(), providore_wire::original::HeadError>(())
//! ```

mod authorization;
mod canonical;
mod fields;
mod head;

pub use authorization::Authorization;
pub use canonical::{CanonicalRequest, CanonicalResponseTail, Form};
pub use fields::{Field, HeadError};
pub use head::{RequestHead, ResponseHead};

pub(crate) use fields::trim;
