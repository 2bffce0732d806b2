//! NOR flash of a microcontroller: what the device remembers, and two slots for firmware.
//!
//! [`FlashStorage`] keeps the agent's records, [`FlashSlots`] two images and the record that says
//! which of them runs, [`BootSectors`] is what a bootloader makes of that record. All of it holds
//! when power fails in the middle of a write or an erasure.
//!
//! ```text
//!   | boot: two sectors | slot A           | slot B           | storage: two sectors or more |
//! ```
//!
//! Flash is anything with the traits of embedded-storage-async; where a driver has the blocking ones,
//! or several parts share one flash, embassy-embedded-hal has `BlockingAsync` and `Partition`.
//!
//! ```
//! # use providore_client::{FirmwareSlot as _, SlotState, StoreError, flash::*};
//! # use embedded_storage_async::nor_flash::NorFlash;
//! # async fn example(mut flash: impl NorFlash) -> Result<(), StoreError> {
//! let layout = FlashLayout {
//!     boot: 0..0x2000,
//!     slot_a: 0x2000..0x10_2000,
//!     slot_b: 0x10_2000..0x20_2000,
//! };
//! // In the bootloader, which then jumps to that slot:
//! let slot = start(&mut flash, &layout, TRIAL_BOOTS).await?;
//!
//! // In the firmware, which gives the slots to its agent:
//! let mut slots = FlashSlots::new(flash, layout)?;
//! if slots.state().await? == SlotState::OnTrial {
//!     slots.confirm().await?;
//! }
//! # Ok(()) }
//! ```

mod boot;
mod layout;
mod slots;
mod storage;
mod words;

pub use boot::{BootDecision, BootImage, BootRecord, BootSectors, BootWrite, Slot, TRIAL_BOOTS};
pub use layout::FlashLayout;
pub use slots::{FlashSlots, start};
pub use storage::FlashStorage;
