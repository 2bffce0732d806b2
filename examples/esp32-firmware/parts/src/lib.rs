//! What of the firmware needs no chip, and so is tested on the host.
//!
//! | module | is |
//! |---|---|
//! | [`ota`] | two slots and the boot record of ESP-IDF, as the client's `FirmwareSlot` |
//! | [`provisioning`] | what a device is told in the factory: who it is, its key, its Wi-Fi, its authors |
#![no_std]

pub mod ota;
pub mod provisioning;
