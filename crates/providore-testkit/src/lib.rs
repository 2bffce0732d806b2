//! Vectors, conformance suites and models with which the crates of providore are tested.
//!
//! Not published. A crate's own unit tests stay beside its code; what needs two crates, a heavy
//! dependency or more than one implementation of a trait is here.
//!
//! ```
//! use providore_testkit::{PeripheralKey, conformance};
//!
//! conformance::mac_key(PeripheralKey::new);
//! let original = providore_testkit::vectors::original();
//! assert_eq!(original.requests.len(), 66);
//! ```
//!
//! | module or type | is |
//! |---|---|
//! | [`vectors`] | what the first Providore signs, recorded from its own code; what `Signed` signs |
//! | [`conformance`] | one suite for each trait, run over every implementation |
//! | [`PeripheralKey`] | a model of a MAC key that is locked in hardware |
//! | [`parties`] | a device and a server that talk to each other in virtual time |
//! | [`simulator`] | an agent and a server on a link that loses, delays, repeats and damages |
//! | [`PoorFiles`] | a file system with the abilities of exFAT, or with little room |
//! | [`SharedStore`] | a store that outlives its server, and fails when told to |
//! | [`with_verified`] | a request that was really signed and verified |
//! | [`RequestMessage`], [`ResponseMessage`] | messages as bytes |

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a suite reports by panicking in the test that runs it"
)]

extern crate alloc;

pub mod conformance;
mod http_message;
pub mod parties;
mod peripheral;
mod poor_files;
mod requests;
mod shared_store;
pub mod simulator;
pub mod vectors;

pub use http_message::{RequestMessage, ResponseMessage};
pub use peripheral::PeripheralKey;
pub use poor_files::PoorFiles;
pub use requests::with_verified;
pub use shared_store::{SharedImage, SharedStore};

/// The code in README.md, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
