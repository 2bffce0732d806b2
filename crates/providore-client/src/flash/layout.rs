//! Where in the flash is what.

use core::ops::Range;

use embedded_storage_async::nor_flash::NorFlash;

use super::Slot;
use crate::StoreError;

/// The regions of [`FlashSlots`](super::FlashSlots), in bytes from the beginning of the flash.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "an application writes it as a literal"
)]
pub struct FlashLayout {
    /// Two sectors for the record of which slot runs.
    pub boot: Range<u32>,
    /// The slot that runs where nothing says otherwise.
    pub slot_a: Range<u32>,
    /// The other slot.
    pub slot_b: Range<u32>,
}

impl FlashLayout {
    /// Where a slot lies.
    #[must_use]
    pub const fn slot(&self, slot: Slot) -> &Range<u32> {
        match slot {
            Slot::A => &self.slot_a,
            Slot::B => &self.slot_b,
        }
    }

    /// The longest image in bytes.
    pub(super) fn capacity(&self) -> u32 {
        length(&self.slot_a).min(length(&self.slot_b))
    }

    /// Where a sector of the record begins.
    pub(super) fn sector<F: NorFlash>(&self, sector: usize) -> u32 {
        let skipped = F::ERASE_SIZE.saturating_mul(sector);
        self.boot.start.saturating_add(small(skipped))
    }

    /// Whether it fits this flash, and nothing in it overlaps.
    pub(super) fn check<F: NorFlash>(&self, flash: &F) -> Result<(), StoreError> {
        let regions = [&self.boot, &self.slot_a, &self.slot_b];
        let fits = |region: &&Range<u32>| is_region(flash, region);
        let [boot, a, b] = regions;
        let apart = [(boot, a), (boot, b), (a, b)]
            .iter()
            .all(|(one, other)| one.end <= other.start || other.end <= one.start);
        let two_sectors = length(boot) == small(F::ERASE_SIZE).saturating_mul(2);
        if regions.iter().all(fits) && apart && two_sectors {
            Ok(())
        } else {
            Err(StoreError::out_of_order())
        }
    }
}

/// Whether these are sectors of this flash, whose words are such as we write.
pub(super) fn is_region<F: NorFlash>(flash: &F, region: &Range<u32>) -> bool {
    let is_sector = |at: &u32| at.checked_rem(small(F::ERASE_SIZE)) == Some(0);
    let sectors_fit = F::ERASE_SIZE.checked_rem(READ_LEN) == Some(0);
    let words_fit = is_word(F::READ_SIZE) && is_word(F::WRITE_SIZE);
    words_fit
        && sectors_fit
        && region.start < region.end
        && [region.start, region.end].iter().all(is_sector)
        && region.end as usize <= flash.capacity()
}

/// Words divide records, and what is read or written at once.
const fn is_word(size: usize) -> bool {
    size.is_power_of_two() && size <= MAX_WORD
}

pub(super) const fn length(region: &Range<u32>) -> u32 {
    region.end.saturating_sub(region.start)
}

/// No flash of a microcontroller has 4 GiB.
pub(super) fn small(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// The longest word that can be read or written at once, in bytes.
pub(super) const MAX_WORD: usize = 32;

/// How much is read back at once, in bytes: a divisor of every sector, and not less than a record.
pub(super) const READ_LEN: usize = 128;
