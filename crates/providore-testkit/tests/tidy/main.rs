//! House rules that no lint of the compiler holds.
//!
//! What is checked is found, not listed: members by `cargo metadata`, files by walking the
//! repository. A new crate is under every rule from its first commit.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

extern crate alloc;

mod canary;
mod dependencies;
mod front_pages;
mod fuzzing;
mod manifests;
mod sources;
mod threats;
mod workspace;
