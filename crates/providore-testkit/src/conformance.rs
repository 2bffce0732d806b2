//! One suite for each trait, run over every implementation.
//!
//! A suite takes a function that makes a fresh implementation, and panics at the first thing that
//! the trait's contract does not allow. `tests/conformance.rs` runs each over the implementations
//! of this workspace; the author of another one calls it from a test of their own.

mod mac_key;
mod replay_guard;
mod slots;
mod stores;

pub use mac_key::mac_key;
pub use replay_guard::{replay_guard, replay_guard_without_memory};
pub use slots::{firmware_slot, verified_image};
pub use stores::{
    NEXT_SECRET, SECRET, certificate_log, config_store, device_changes, device_store,
    firmware_store,
};
