//! A device that runs this crate, in virtual time, against the real server core.

#![expect(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

extern crate alloc;

mod config;
mod notices;
mod story;
mod support;
