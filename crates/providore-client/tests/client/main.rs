//! The client against a server made with `providore-sign`, through the public API.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]
#![cfg_attr(feature = "memory", expect(clippy::panic, reason = "helpers of tests"))]

#[cfg(feature = "memory")]
extern crate alloc;

#[cfg(feature = "memory")]
mod agent;
mod attacks;
#[cfg(all(feature = "memory", feature = "certificates"))]
mod certificates;
#[cfg(feature = "memory")]
mod discovery;
#[cfg(all(feature = "memory", feature = "embedded-nal"))]
mod nal;
mod operations;
#[cfg(feature = "memory")]
mod power_cuts;
#[cfg(feature = "memory")]
mod signed_agent;
mod signed_attacks;
#[cfg(all(feature = "memory", feature = "certificates"))]
mod signed_certificates;
mod signed_operations;
mod signed_support;
mod support;
