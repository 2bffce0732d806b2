//! The partition `otadata`: two sectors, each with one entry at its beginning.

use embedded_storage::nor_flash::NorFlash;
use providore_client::StoreError;

/// The length of a sector of flash, which is erased as a whole.
pub const SECTOR_LEN: usize = 0x1000;

const ENTRY_LEN: usize = 32;
const STATE_AT: usize = 24;
const CRC_AT: usize = 28;

/// What the bootloader knows of an image, `esp_ota_img_states_t`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum ImageState {
    /// To be tried: the bootloader makes it [`PendingVerify`](Self::PendingVerify) when it starts it.
    New = 0,
    /// Being tried: if it is so at the next start, the bootloader makes it [`Aborted`](Self::Aborted).
    PendingVerify = 1,
    /// Good.
    Valid = 2,
    /// Said by itself not to be good.
    Invalid = 3,
    /// It did not last.
    Aborted = 4,
    /// Nothing is known. Such an image is started, and not watched.
    Undefined = u32::MAX,
}

impl ImageState {
    fn of(number: u32) -> Self {
        match number {
            0 => Self::New,
            1 => Self::PendingVerify,
            2 => Self::Valid,
            3 => Self::Invalid,
            4 => Self::Aborted,
            _ => Self::Undefined,
        }
    }
}

/// Half of the boot record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// From 1; the higher one counts. Says which slot: that of an even number is the second.
    pub sequence: u32,
    /// What is known of its image.
    pub state: ImageState,
}

impl Entry {
    /// What a record begins with: this slot is good.
    #[must_use]
    pub fn first(slot: usize) -> Self {
        Self {
            sequence: if slot == 0 { 1 } else { 2 },
            state: ImageState::Valid,
        }
    }

    /// The slot: 0 or 1.
    #[must_use]
    pub const fn slot(&self) -> usize {
        if self.sequence % 2 == 1 { 0 } else { 1 }
    }

    /// The entry after this one, for a slot.
    ///
    /// # Errors
    /// [`StoreError::full`] after four billion updates.
    pub fn next(&self, slot: usize, state: ImageState) -> Result<Self, StoreError> {
        let step = if slot == self.slot() { 2 } else { 1 };
        let sequence = self.sequence.checked_add(step);
        let sequence = sequence.filter(|sequence| *sequence != u32::MAX);
        Ok(Self {
            sequence: sequence.ok_or_else(StoreError::full)?,
            state,
        })
    }

    /// Reads an entry; `None` if the sector is erased, torn, or something else.
    #[must_use]
    pub fn parse(bytes: &[u8; ENTRY_LEN]) -> Option<Self> {
        let sequence = word(bytes, 0)?;
        let unwritten = sequence == 0 || sequence == u32::MAX;
        if unwritten || word(bytes, CRC_AT)? != checksum(sequence) {
            return None;
        }
        let state = ImageState::of(word(bytes, STATE_AT)?);
        Some(Self { sequence, state })
    }

    /// The bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; ENTRY_LEN] {
        let mut bytes = [0xff; ENTRY_LEN];
        let words = [
            (0, self.sequence),
            (STATE_AT, self.state as u32),
            (CRC_AT, checksum(self.sequence)),
        ];
        for (at, value) in words {
            for (slot, byte) in bytes.iter_mut().skip(at).zip(value.to_le_bytes()) {
                *slot = byte;
            }
        }
        bytes
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*four))
}

/// CRC-32 of the sequence number alone, as the chip's ROM computes it from all ones: it begins with 0.
fn checksum(sequence: u32) -> u32 {
    let mut sum = sequence;
    for _ in 0..32 {
        let carry = if sum & 1 == 1 { 0xedb8_8320 } else { 0 };
        sum = sum >> 1 ^ carry;
    }
    !sum
}

/// The partition.
#[derive(Debug)]
pub struct BootRecord<F> {
    flash: F,
}

impl<F: NorFlash> BootRecord<F> {
    /// A record in this partition.
    ///
    /// # Errors
    /// [`StoreError::failed`] if it has other than two sectors.
    pub fn new(flash: F) -> Result<Self, StoreError> {
        if flash.capacity() != 2 * SECTOR_LEN || F::ERASE_SIZE != SECTOR_LEN {
            return Err(StoreError::failed());
        }
        Ok(Self { flash })
    }

    /// The entry of a sector, 0 or 1.
    ///
    /// # Errors
    /// A fault of the flash.
    pub fn read(&mut self, sector: usize) -> Result<Option<Entry>, StoreError> {
        let mut words = Words([0; ENTRY_LEN]);
        self.flash
            .read((sector * SECTOR_LEN) as u32, &mut words.0)
            .map_err(|_| StoreError::failed())?;
        Ok(Entry::parse(&words.0))
    }

    /// The entry that was written last, whatever it says, and its sector.
    ///
    /// # Errors
    /// A fault of the flash.
    pub fn newest(&mut self) -> Result<Option<(usize, Entry)>, StoreError> {
        let (first, second) = (self.read(0)?, self.read(1)?);
        let first = first.map(|entry| (0, entry));
        let second = second.map(|entry| (1, entry));
        Ok(first
            .into_iter()
            .chain(second)
            .max_by_key(|(_, entry)| entry.sequence))
    }

    /// Writes an entry, and looks whether it is there.
    ///
    /// # Errors
    /// A fault of the flash, or [`StoreError::mismatch`] if it did not take the entry.
    pub fn write(&mut self, sector: usize, entry: Entry) -> Result<(), StoreError> {
        self.erase(sector)?;
        let words = Words(entry.to_bytes());
        self.flash
            .write((sector * SECTOR_LEN) as u32, &words.0)
            .map_err(|_| StoreError::failed())?;
        if self.read(sector)? == Some(entry) {
            Ok(())
        } else {
            Err(StoreError::mismatch())
        }
    }

    /// Makes a sector empty.
    ///
    /// # Errors
    /// A fault of the flash.
    pub fn erase(&mut self, sector: usize) -> Result<(), StoreError> {
        let begin = (sector * SECTOR_LEN) as u32;
        self.flash
            .erase(begin, begin + SECTOR_LEN as u32)
            .map_err(|_| StoreError::failed())
    }
}

/// Aligned, as the chip's driver wants it.
#[repr(C, align(4))]
struct Words([u8; ENTRY_LEN]);
