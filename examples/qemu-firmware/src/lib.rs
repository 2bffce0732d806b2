//! The board: QEMU's machine `virt` as a microcontroller with flash, a network card and no clock.
//!
//! | module | is |
//! |---|---|
//! | [`flash`] | the flash chip, and [`flash::Partition`]s of it |
//! | [`image`] | how an image begins, and how it is started |
//! | [`memory`] | heap and stack, measured |
//! | [`net`] | the network card, for embassy-net |
//! | [`power`] | restart, switch off, panic |
//! | [`random`] | the source of randomness |
//! | [`time`] | the time since power came on, and the executor |
//! | [`uart`] | the log |
//!
//! `unsafe` is in the modules whose registers or linker symbols need it and nowhere else.
#![no_std]
#![warn(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::pedantic,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    missing_docs,
    unsafe_op_in_unsafe_fn
)]

pub mod flash;
pub mod image;
pub mod memory;
pub mod net;
pub mod power;
pub mod random;
pub mod time;
pub mod uart;
mod virtio;
