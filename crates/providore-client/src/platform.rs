//! What a device must be able to do, as traits: send, find, flash, remember, wait.

mod address;
mod clock;
mod error;
mod locator;
#[cfg(feature = "notices")]
mod notice_source;
mod slot;
mod storage;
mod transport;

pub use address::{AddressError, ServerAddress};
pub use clock::Clock;
pub use error::{StoreError, TransportError};
pub use locator::{AddressList, FixedAddress, Locator};
#[cfg(feature = "notices")]
pub use notice_source::{NoNotices, NoticeSource};
pub use slot::{FirmwareSlot, SlotState};
pub use storage::{Record, Storage};
pub use transport::{Answer, Body, Transport};

use crate::Entropy;

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
    /// Makes nonces, and spreads devices in time.
    pub entropy: E,
}

/// A complete [`Platform`]: every part fits its trait. Implemented for that struct alone; it keeps
/// six parameters out of the agent's signatures.
pub trait Parts {
    /// Sends requests.
    type Transport: Transport;
    /// Finds the server.
    type Locator: Locator;
    /// Holds firmware.
    type Slot: FirmwareSlot;
    /// Remembers.
    type Storage: Storage;
    /// Knows the time, and waits.
    type Clock: Clock;
    /// Makes nonces, and spreads devices in time.
    type Entropy: Entropy;

    /// The parts.
    fn parts(&mut self) -> &mut PlatformOf<Self>;
}

/// The [`Platform`] behind some [`Parts`].
pub type PlatformOf<P> = Platform<
    <P as Parts>::Transport,
    <P as Parts>::Locator,
    <P as Parts>::Slot,
    <P as Parts>::Storage,
    <P as Parts>::Clock,
    <P as Parts>::Entropy,
>;

impl<T, L, F, S, C, E> Parts for Platform<T, L, F, S, C, E>
where
    T: Transport,
    L: Locator,
    F: FirmwareSlot,
    S: Storage,
    C: Clock,
    E: Entropy,
{
    type Transport = T;
    type Locator = L;
    type Slot = F;
    type Storage = S;
    type Clock = C;
    type Entropy = E;

    fn parts(&mut self) -> &mut Self {
        self
    }
}
