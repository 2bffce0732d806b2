//! NOR flash that loses power.

use alloc::{rc::Rc, vec, vec::Vec};
use core::{cell::RefCell, fmt, ops::Range};

use embedded_storage_async::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

use super::{Power, power::Reach};

/// A NOR flash in memory, with words of `WORD` bytes and sectors of `SECTOR` bytes.
///
/// As on the chip, a write only turns ones into zeros, and a word is written once until its sector
/// is erased; whoever wants more gets [`NorFlashErrorKind::Other`]. A write or an erasure that the
/// power fails in is done in part: up to some bit, or here and there. Clones are the same flash:
/// what is left of it after a restart.
#[derive(Clone)]
pub struct MemoryFlash<const WORD: usize = 4, const SECTOR: usize = 4096> {
    bytes: Rc<RefCell<Vec<u8>>>,
    power: Power,
    tears: u64,
}

impl<const WORD: usize, const SECTOR: usize> MemoryFlash<WORD, SECTOR> {
    /// A flash of so many sectors, all of them erased.
    #[must_use]
    pub fn new(sectors: usize, power: &Power) -> Self {
        let length = SECTOR.saturating_mul(sectors);
        Self {
            bytes: Rc::new(RefCell::new(vec![0xFF; length])),
            power: power.clone(),
            tears: 0,
        }
    }

    /// What a cut leaves half done depends on this number, and on how many writes there were.
    #[must_use]
    pub const fn with_tears(mut self, tears: u64) -> Self {
        self.tears = tears;
        self
    }

    /// The power that writes and erasures depend on, and that counts them.
    #[must_use]
    pub const fn power(&self) -> &Power {
        &self.power
    }

    /// What lies there, for looking; empty if it is not within the flash.
    #[must_use]
    pub fn content(&self, range: Range<usize>) -> Vec<u8> {
        self.bytes.borrow().get(range).unwrap_or_default().to_vec()
    }

    /// Puts something there, as a factory does, whatever was there before.
    pub fn put(&self, offset: usize, content: &[u8]) {
        let mut bytes = self.bytes.borrow_mut();
        let place = bytes.get_mut(offset..).unwrap_or_default();
        for (to, from) in place.iter_mut().zip(content) {
            *to = *from;
        }
    }

    fn range(&self, begin: u32, length: usize, unit: usize) -> Result<Range<usize>, FlashFault> {
        let begin = begin as usize;
        let end = begin.saturating_add(length);
        if [begin, length]
            .iter()
            .any(|at| at.checked_rem(unit) != Some(0))
        {
            return Err(FlashFault(NorFlashErrorKind::NotAligned));
        }
        if end > self.bytes.borrow().len() {
            return Err(FlashFault(NorFlashErrorKind::OutOfBounds));
        }
        Ok(begin..end)
    }

    /// Takes each byte in the range to its aim, as far as the power goes.
    fn change(&self, range: Range<usize>, aim: impl Iterator<Item = u8>) -> Result<(), FlashFault> {
        let reach = self.power.write();
        let length = range.len();
        let mut dice = Dice(self.tears ^ (u64::from(self.power.steps()) << 32));
        let tear = dice.tear(length);
        let mut bytes = self.bytes.borrow_mut();
        let place = bytes.get_mut(range).unwrap_or_default();
        for (at, (byte, aim)) in place.iter_mut().zip(aim).enumerate() {
            let done = match reach {
                Reach::Nothing => 0,
                Reach::Half => tear.done(at, &mut dice),
                Reach::Unheard | Reach::Whole => 0xFF,
            };
            *byte = (*byte & !done) | (aim & done);
        }
        match reach {
            Reach::Whole => Ok(()),
            _ => Err(FlashFault(NorFlashErrorKind::Other)),
        }
    }
}

impl<const WORD: usize, const SECTOR: usize> ErrorType for MemoryFlash<WORD, SECTOR> {
    type Error = FlashFault;
}

impl<const WORD: usize, const SECTOR: usize> ReadNorFlash for MemoryFlash<WORD, SECTOR> {
    const READ_SIZE: usize = WORD;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashFault> {
        if self.power.is_out() {
            return Err(FlashFault(NorFlashErrorKind::Other));
        }
        let range = self.range(offset, bytes.len(), WORD)?;
        let content = self.bytes.borrow();
        for (to, from) in bytes.iter_mut().zip(content.get(range).unwrap_or_default()) {
            *to = *from;
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.borrow().len()
    }
}

impl<const WORD: usize, const SECTOR: usize> NorFlash for MemoryFlash<WORD, SECTOR> {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = SECTOR;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashFault> {
        let length = to.checked_sub(from);
        let length = length.ok_or(FlashFault(NorFlashErrorKind::OutOfBounds))?;
        let range = self.range(from, length as usize, SECTOR)?;
        self.change(range, core::iter::repeat(0xFF))
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashFault> {
        let range = self.range(offset, bytes.len(), WORD)?;
        let written = |bytes: &Vec<u8>| {
            let place = bytes.get(range.clone()).unwrap_or_default();
            place.iter().any(|byte| *byte != 0xFF)
        };
        if written(&self.bytes.borrow()) {
            return Err(FlashFault(NorFlashErrorKind::Other));
        }
        self.change(range, bytes.iter().copied())
    }
}

impl<const WORD: usize, const SECTOR: usize> fmt::Debug for MemoryFlash<WORD, SECTOR> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryFlash")
            .field("power", &self.power)
            .finish_non_exhaustive()
    }
}

/// Why a [`MemoryFlash`] did not do what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlashFault(NorFlashErrorKind);

impl NorFlashError for FlashFault {
    fn kind(&self) -> NorFlashErrorKind {
        self.0
    }
}

/// How an operation is torn.
#[derive(Clone, Copy)]
enum Tear {
    /// Up to this bit, counted in all bytes.
    Prefix(usize),
    /// Any bit, or none.
    Anywhere,
}

impl Tear {
    /// The bits of the byte at that place that were done.
    fn done(self, at: usize, dice: &mut Dice) -> u8 {
        match self {
            Self::Anywhere => dice.byte(),
            Self::Prefix(bits) => match bits.saturating_sub(at.saturating_mul(8)) {
                bits @ 0..8 => {
                    !(0xFF_u8
                        .checked_shr(u32::try_from(bits).unwrap_or(0))
                        .unwrap_or(0))
                }
                _ => 0xFF,
            },
        }
    }
}

/// The same numbers for the same operation, every time.
struct Dice(u64);

impl Dice {
    /// The splitmix64 of Steele, Lea and Flood.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn byte(&mut self) -> u8 {
        let [byte, ..] = self.next().to_le_bytes();
        byte
    }

    fn tear(&mut self, length: usize) -> Tear {
        if self.byte() < 0x80 {
            return Tear::Anywhere;
        }
        let bits = (length as u64).saturating_mul(8).saturating_add(1);
        let bits = self.next().checked_rem(bits).unwrap_or(0);
        Tear::Prefix(usize::try_from(bits).unwrap_or(0))
    }
}
