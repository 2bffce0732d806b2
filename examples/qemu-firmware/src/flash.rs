//! The flash chip: the second bank of parallel NOR flash that QEMU's machine `virt` has, kept in a file.
//!
//! It speaks the Common Flash Interface with Intel's commands: two chips of 16 bits side by side, so
//! that every command goes to both in one word of 32 bits.

use core::ops::Range;

use embassy_time::{Duration, Timer};
use embedded_storage_async::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use providore_client::flash::FlashLayout;

/// The chip, 32 MiB.
///
/// A handle: nothing happens on the chip between two calls, so that several of them do not disturb
/// each other.
#[derive(Debug, Clone, Copy)]
pub struct Flash;

/// What is erased at once, in bytes.
pub const SECTOR: u32 = 256 * 1024;

/// What is written in the factory: who the device is, and whom it trusts.
pub const FACTORY: Range<u32> = sectors(0, 1);
/// The key that the device made for its certificate.
pub const KEY: Range<u32> = sectors(3, 1);
/// What the device remembers.
pub const STORAGE: Range<u32> = sectors(4, 4);
/// Which slot runs, the slot that the factory fills, and the other one.
pub const FIRMWARE: FlashLayout = FlashLayout {
    boot: sectors(1, 2),
    slot_a: sectors(8, 8),
    slot_b: sectors(16, 8),
};

const fn sectors(first: u32, count: u32) -> Range<u32> {
    let start = first.saturating_mul(SECTOR);
    start..start.saturating_add(count.saturating_mul(SECTOR))
}

impl Flash {
    /// Reads at once, for a program that does not wait for anything.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn read_now(self, offset: u32, bytes: &mut [u8]) -> Result<(), Fault> {
        chip::read(address(offset, bytes.len(), 1)?, bytes);
        Ok(())
    }

    /// Replaces 1 by 0 at once, for a program that does not wait for anything.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn write_now(self, offset: u32, bytes: &[u8]) -> Result<(), Fault> {
        let mut address = address(offset, bytes.len(), WORD)?;
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = BLOCK.saturating_sub(address.rem_euclid(BLOCK));
            let (block, behind) = rest.split_at(room.min(rest.len()));
            chip::program(address, block)?;
            address = address.saturating_add(block.len());
            rest = behind;
        }
        Ok(())
    }

    /// Erases at once, for a program that does not wait for anything.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn erase_now(self, from: u32, to: u32) -> Result<(), Fault> {
        let length = to.checked_sub(from).ok_or(Fault::Range)?;
        let length = usize::try_from(length).map_err(|_| Fault::Range)?;
        let start = address(from, length, SECTOR as usize)?;
        for sector in (start..start.saturating_add(length)).step_by(SECTOR as usize) {
            chip::erase(sector)?;
        }
        Ok(())
    }
}

/// Where `length` bytes from `offset` on lie, both multiples of `unit`.
fn address(offset: u32, length: usize, unit: usize) -> Result<usize, Fault> {
    let offset = usize::try_from(offset).map_err(|_| Fault::Range)?;
    let end = offset.checked_add(length).ok_or(Fault::Range)?;
    if end > CAPACITY {
        return Err(Fault::Range);
    }
    if !offset.is_multiple_of(unit) || !length.is_multiple_of(unit) {
        return Err(Fault::Alignment);
    }
    Ok(offset)
}

/// Why the chip did not do what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Beyond the end of the chip.
    Range,
    /// Not at a multiple of what can be written or erased.
    Alignment,
    /// The chip says that it could not.
    Chip,
}

impl NorFlashError for Fault {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::Range => NorFlashErrorKind::OutOfBounds,
            Self::Alignment => NorFlashErrorKind::NotAligned,
            Self::Chip => NorFlashErrorKind::Other,
        }
    }
}

impl ErrorType for Flash {
    type Error = Fault;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Fault> {
        self.read_now(offset, bytes)
    }

    fn capacity(&self) -> usize {
        CAPACITY
    }
}

/// The emulator writes and erases at once. A chip takes its time, and so does this driver: as long
/// as the chips do that are sold with microcontrollers.
impl NorFlash for Flash {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = SECTOR as usize;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Fault> {
        self.erase_now(from, to)?;
        let sectors = u64::from(to.saturating_sub(from)).div_euclid(u64::from(SECTOR));
        Timer::after(Duration::from_millis(sectors.saturating_mul(ERASE_MS))).await;
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Fault> {
        self.write_now(offset, bytes)?;
        let words = (bytes.len() as u64).div_euclid(WORD as u64);
        Timer::after(Duration::from_micros(words.saturating_mul(PROGRAM_WORD_US))).await;
        Ok(())
    }
}

/// What is written at least.
const WORD: usize = 4;
/// What is written at most, and within which a write must stay.
const BLOCK: usize = 2048;
const CAPACITY: usize = 32 * 1024 * 1024;

/// 256 bytes in half a millisecond.
const PROGRAM_WORD_US: u64 = 8;
/// A quarter of a second.
const ERASE_MS: u64 = 250;

/// The chip's commands and registers.
mod chip {
    use super::{BLOCK, Fault, WORD};

    const BANK: usize = 0x2200_0000;

    const ERASE: u8 = 0x20;
    const WRITE_BUFFER: u8 = 0xE8;
    const CONFIRM: u8 = 0xD0;
    const READ_ARRAY: u8 = 0xFF;

    const READY: u32 = 0x0080_0080;
    const FAILED: u32 = 0x0030_0030;

    pub fn read(address: usize, bytes: &mut [u8]) {
        let source = (BANK.wrapping_add(address)) as *const u8;
        // SAFETY: callers stay within the chip, which is in the mode for reading between commands.
        unsafe { source.copy_to_nonoverlapping(bytes.as_mut_ptr(), bytes.len()) };
    }

    /// Whole words within one block.
    pub fn program(address: usize, bytes: &[u8]) -> Result<(), Fault> {
        // The emulator's chip would also make 1 of 0, which no flash can do.
        let mut block = [0; BLOCK];
        let present = block.get_mut(..bytes.len()).ok_or(Fault::Chip)?;
        read(address, present);
        for (present, new) in present.iter_mut().zip(bytes) {
            *present &= new;
        }
        let words = present.chunks_exact(WORD).map(|word| {
            let word = word.iter().rev();
            word.fold(0, |word, byte| word << 8 | u32::from(*byte))
        });

        command(address, WRITE_BUFFER);
        let last = u32::try_from(words.len())
            .map_err(|_| Fault::Chip)?
            .wrapping_sub(1);
        put(address, last << 16 | last);
        for (word, address) in words.zip((address..).step_by(WORD)) {
            put(address, word);
        }
        command(address, CONFIRM);
        finish(address)
    }

    pub fn erase(sector: usize) -> Result<(), Fault> {
        command(sector, ERASE);
        command(sector, CONFIRM);
        finish(sector)
    }

    fn finish(address: usize) -> Result<(), Fault> {
        let status = loop {
            let status = get(address);
            if status & READY == READY {
                break status;
            }
        };
        command(address, READ_ARRAY);
        if status & FAILED == 0 {
            Ok(())
        } else {
            Err(Fault::Chip)
        }
    }

    fn command(address: usize, command: u8) {
        let command = u32::from(command);
        put(address, command << 16 | command);
    }

    fn put(address: usize, word: u32) {
        // SAFETY: within the chip, and aligned, as `address` sees to.
        unsafe { (BANK.wrapping_add(address) as *mut u32).write_volatile(word) }
    }

    fn get(address: usize) -> u32 {
        // SAFETY: as above.
        unsafe { (BANK.wrapping_add(address) as *const u32).read_volatile() }
    }
}
