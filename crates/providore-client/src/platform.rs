//! What a device must be able to do, as traits: send, find, flash, remember, wait.

mod address;
mod clock;
mod error;
mod locator;
mod slot;
mod storage;
mod transport;

pub use address::{AddressError, ServerAddress};
pub use clock::Clock;
pub use error::{StoreError, TransportError};
pub use locator::{AddressList, FixedAddress, Locator};
pub use slot::FirmwareSlot;
pub use storage::{Record, Storage};
pub use transport::{Answer, Body, Transport};

/// The parts of a device that the [`Agent`](crate::Agent) works with.
#[derive(Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the application puts its parts together as a literal"
)]
pub struct Platform<T, L, F, S, C, E> {
    /// Sends requests.
    pub transport: T,
    /// Finds the server.
    pub locator: L,
    /// Holds firmware.
    pub slot: F,
    /// Remembers.
    pub storage: S,
    /// Knows the time, and waits.
    pub clock: C,
    /// Spreads devices in time.
    pub entropy: E,
}
