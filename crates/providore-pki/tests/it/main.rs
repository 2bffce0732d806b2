//! The crate from outside: what it accepts, what it refuses, and what others make of its output.
#![cfg(feature = "alloc")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests")]

mod chain_attacks;
mod common;
mod issuing;
#[cfg(feature = "manifest")]
mod manifest;
mod openssl;
mod request_attacks;
mod request_properties;
