//! The platform in memory: for tests, simulators and examples.
//!
//! [`MemoryTransport`] asks a closure, [`MemorySlot`] and [`MemoryStorage`] can lose power at any
//! step, [`MemoryClock`] stands still until somebody sleeps. With the feature `flash`, `MemoryFlash`
//! is the NOR flash below the module `flash`.

mod clock;
#[cfg(feature = "flash")]
mod flash;
mod power;
mod slot;
mod storage;
mod transport;

pub use clock::MemoryClock;
#[cfg(feature = "flash")]
pub use flash::{FlashFault, MemoryFlash};
pub use power::{Cut, Power};
pub use slot::MemorySlot;
pub use storage::MemoryStorage;
pub use transport::{MemoryAnswer, MemoryBody, MemoryHead, MemoryRequest, MemoryTransport};
