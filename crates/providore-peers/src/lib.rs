//! Independent implementations of what providore signs and encrypts, to compare with.
//!
//! Not published, and not for use: a test that has only our own signer to verify with would not
//! notice if both were wrong. Each [`Peer`] knows RFC 9421 and nothing of providore. The suites go
//! all four ways: a peer accepts what we sign and we accept what it signs, requests and responses,
//! under other labels, in other orders, with signatures of others beside ours.
//!
//! ```
//! use providore_peers::{Httpsig, Message, Peer as _};
//!
//! for vector in providore_testkit::vectors::signed() {
//!     if vector.name == "config-clock-200" {
//!         let base = Httpsig.base(&Message::Request(&vector.request), "providore-2");
//!         assert_eq!(base, vector.request_base);
//!     }
//! }
//! ```
//!
//! | type or module | is |
//! |---|---|
//! | [`Peer`], [`Message`], [`Wanted`] | what is asked of an implementation |
//! | [`Httpsig`] | the crate `httpsig`: RFC 9421 |
//! | [`Python`] | the packages `http-message-signatures`: RFC 9421, RFC 9530; `http_ece`: RFC 8188; `cbor2` and `cryptography`: RFC 8949 and ES256 of RFC 9053 |
//! | [`suite`] | the four ways |
//!
//! Of packets of multicast DNS the peer is `simple-dns`, in `tests/dns_sd.rs`.
//!
//! `httpsig` needs nothing and runs in every `cargo test`. Python needs a virtual environment; its
//! tests are ignored until they are asked for, and then fail without it. docs/CONTRIBUTING.md
//! has the command.
//!
//! What they differ in from us, and from the RFCs:
//!
//! - `httpsig` writes the parameters that it received anew, in one order, so that it refuses rightly
//!   made signatures with another one. Ours have that order.
//! - `httpsig` derives nothing from a message: path and query are handed to it. It knows no digests.
//! - `http-message-signatures` cannot sign without `created`; for a challenge its two steps are called
//!   one by one.
//! - `http_ece` writes empty content without a record, which we refuse on purpose.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "a suite reports by panicking in the test that runs it"
)]

mod httpsig;
mod peer;
mod python;
pub mod suite;

pub use httpsig::Httpsig;
pub use peer::{Message, Peer, Wanted};
pub use python::Python;
