//! The agent's records in flash: two banks, one of which counts.
//!
//! ```text
//!  bank    header, entries, erased to the end
//!  header  magic "pvS1", sequence number (4), zeros (16), checksum (8)
//!  entry   key (1), 1 stored or 0 removed (1), zeros (2), length (4), checksum (8), content
//! ```
//!
//! Numbers are little-endian; a checksum is the first 8 bytes of the SHA-256 of what is before it
//! and of the content. Entries begin at whole words. The last entry of a key counts; the bank with
//! the later number counts. A store appends an entry. When there is no room, or something unfinished
//! in the way, the other bank is erased and what counts is copied there; its header comes last.

use core::{fmt, ops::Range};

use embedded_storage_async::nor_flash::NorFlash;
use sha2::{Digest as _, Sha256};

use super::{
    layout::{READ_LEN, is_region, length, small},
    words::{Words, copy, fault, read_exact},
};
use crate::{Record, Storage, StoreError};

/// [`Storage`] over two sectors of a flash or more, without a buffer.
///
/// All records together must fit half the region, with 16 to 48 bytes more for each. What was stored
/// before stays readable in flash until its bank is erased again, and so does what was removed:
/// where others may read the flash, encrypt it. A region that holds something else is empty.
///
/// docs/ARCHITECTURE.md says why this is not sequential-storage.
///
/// ```
/// # use providore_client::{Record, Storage as _, StoreError, flash::FlashStorage};
/// # use embedded_storage_async::nor_flash::NorFlash;
/// # async fn example(flash: impl NorFlash) -> Result<(), StoreError> {
/// let mut storage = FlashStorage::new(flash, 0x20_2000..0x20_6000)?;
/// storage.store(Record::Config, b"{\"interval\":60}").await?;
/// # Ok(()) }
/// ```
pub struct FlashStorage<F> {
    flash: F,
    banks: [Range<u32>; 2],
}

impl<F: NorFlash> FlashStorage<F> {
    /// Records in this region, in bytes from the beginning of the flash.
    ///
    /// # Errors
    /// [`StoreError::out_of_order`] if the region does not consist of two whole sectors or more, is
    /// not within the flash, or if the flash has words of more than 32 bytes.
    pub fn new(flash: F, region: Range<u32>) -> Result<Self, StoreError> {
        let sectors = length(&region).div_euclid(small(F::ERASE_SIZE).max(1));
        if sectors < 2 || !is_region(&flash, &region) {
            return Err(StoreError::out_of_order());
        }
        let half = sectors.div_euclid(2).saturating_mul(small(F::ERASE_SIZE));
        let middle = region.start.saturating_add(half);
        let banks = [region.start..middle, middle..middle.saturating_add(half)];
        Ok(Self { flash, banks })
    }

    /// The flash.
    pub fn release(self) -> F {
        self.flash
    }

    /// The bank that counts, with its number; a region that is new has the first one, empty.
    async fn newest(&mut self) -> Result<Newest, StoreError> {
        let [first, second] = self.banks.clone();
        let numbers = [self.sequence(&first).await?, self.sequence(&second).await?];
        let (counts, other, sequence) = match numbers {
            [Some(one), Some(two)] if two.wrapping_sub(one) < 1 << 31 => (second, first, two),
            [Some(one), _] => (first, second, one),
            [None, Some(two)] => (second, first, two),
            [None, None] => {
                return Ok(Newest {
                    log: Log::default(),
                    other: first,
                    sequence: 0,
                });
            }
        };
        Ok(Newest {
            log: self.walk(counts).await?,
            other,
            sequence,
        })
    }

    async fn sequence(&mut self, bank: &Range<u32>) -> Result<Option<u32>, StoreError> {
        let mut header = [0; HEADER_LEN];
        read_exact(&mut self.flash, bank.start, &mut header).await?;
        let number = header.strip_prefix(MAGIC).and_then(<[u8]>::first_chunk);
        let sequence = number.map_or(0, |number| u32::from_le_bytes(*number));
        Ok((header == header_of(sequence)).then_some(sequence))
    }

    /// Looks at every entry of a bank, up to the first that is none.
    async fn walk(&mut self, bank: Range<u32>) -> Result<Log, StoreError> {
        let mut log = Log::default();
        let mut at = bank.start.saturating_add(small(HEADER_LEN));
        loop {
            let room = bank.end.saturating_sub(at);
            let mut head = [0xFF; HEAD_LEN];
            if room >= small(HEAD_LEN) {
                read_exact(&mut self.flash, at, &mut head).await?;
            }
            if head == [0xFF; HEAD_LEN] {
                log.free = at..bank.end;
                return Ok(log);
            }
            let entry = Entry::parse(&head).filter(|entry| entry.size::<F>() <= room);
            let Some(entry) = entry else { return Ok(log) };
            if self.checksum(at, &entry).await? != entry.checksum {
                return Ok(log);
            }
            if let Some(last) = log.last.get_mut(usize::from(entry.key)) {
                *last = if entry.stored { at } else { 0 };
            }
            at = at.saturating_add(entry.size::<F>());
        }
    }

    async fn checksum(&mut self, at: u32, entry: &Entry) -> Result<[u8; CHECKSUM_LEN], StoreError> {
        let mut digest = entry.digest();
        let mut part = [0; READ_LEN];
        let (mut at, mut left) = (at.saturating_add(small(HEAD_LEN)), entry.length);
        while left > 0 {
            let length = left.min(small(READ_LEN));
            let part = part.get_mut(..length as usize).unwrap_or_default();
            read_exact(&mut self.flash, at, part).await?;
            digest.update(&*part);
            (at, left) = (at.saturating_add(length), left.saturating_sub(length));
        }
        Ok(short(digest))
    }

    async fn entry(&mut self, at: u32) -> Result<Entry, StoreError> {
        let mut head = [0; HEAD_LEN];
        read_exact(&mut self.flash, at, &mut head).await?;
        Entry::parse(&head).ok_or(StoreError::failed())
    }

    async fn put(&mut self, key: u8, content: Option<&[u8]>) -> Result<(), StoreError> {
        let Newest {
            log,
            other,
            sequence,
        } = self.newest().await?;
        let entry = Entry::new(key, content)?;
        let content = content.unwrap_or_default();
        if !entry.stored && log.find(key).is_none() {
            return Ok(());
        }
        if entry.size::<F>() <= length(&log.free) && self.is_erased(&log.free, &entry).await? {
            let mut words = Words::new(log.free.start, false);
            return self.write(&mut words, &entry, content).await;
        }
        self.flash
            .erase(other.start, other.end)
            .await
            .map_err(fault)?;
        let mut words = Words::new(other.start.saturating_add(small(HEADER_LEN)), false);
        for at in log.last.into_iter().filter(|at| *at > 0) {
            let kept = self.entry(at).await?;
            if kept.key != key {
                self.keep(&mut words, &other, at, &kept).await?;
            }
        }
        if entry.stored {
            room_for::<F>(&words, &other, &entry)?;
            self.write(&mut words, &entry, content).await?;
        }
        // All of it was read back, and nothing of it counts before its header does.
        let header = header_of(sequence.wrapping_add(1));
        self.flash.write(other.start, &header).await.map_err(fault)
    }

    /// Whether an entry can be written there. A write that was cut may have left something behind
    /// what looks erased.
    async fn is_erased(&mut self, free: &Range<u32>, entry: &Entry) -> Result<bool, StoreError> {
        let (mut at, mut left) = (free.start, entry.size::<F>());
        let mut part = [0; READ_LEN];
        while left > 0 {
            let length = left.min(small(READ_LEN));
            let part = part.get_mut(..length as usize).unwrap_or_default();
            read_exact(&mut self.flash, at, part).await?;
            if part.iter().any(|byte| *byte != 0xFF) {
                return Ok(false);
            }
            (at, left) = (at.saturating_add(length), left.saturating_sub(length));
        }
        Ok(true)
    }

    async fn write(
        &mut self,
        words: &mut Words,
        entry: &Entry,
        content: &[u8],
    ) -> Result<(), StoreError> {
        let at = words.position();
        words.append(&mut self.flash, &entry.to_bytes()).await?;
        words.append(&mut self.flash, content).await?;
        self.close(words, at, entry).await
    }

    /// Copies an entry from the other bank.
    async fn keep(
        &mut self,
        words: &mut Words,
        bank: &Range<u32>,
        from: u32,
        entry: &Entry,
    ) -> Result<(), StoreError> {
        room_for::<F>(words, bank, entry)?;
        let at = words.position();
        let mut part = [0; READ_LEN];
        let (mut from, mut left) = (from, entry.length.saturating_add(small(HEAD_LEN)));
        while left > 0 {
            let length = left.min(small(READ_LEN));
            let part = part.get_mut(..length as usize).unwrap_or_default();
            read_exact(&mut self.flash, from, part).await?;
            words.append(&mut self.flash, part).await?;
            (from, left) = (from.saturating_add(length), left.saturating_sub(length));
        }
        self.close(words, at, entry).await
    }

    /// Ends an entry, and reads it back.
    async fn close(&mut self, words: &mut Words, at: u32, entry: &Entry) -> Result<(), StoreError> {
        words.pad(&mut self.flash).await?;
        let end = at.saturating_add(entry.size::<F>());
        if words.position() < end {
            // A word of reading is longer than one of writing.
            *words = Words::new(end, false);
        }
        if self.entry(at).await? == *entry && self.checksum(at, entry).await? == entry.checksum {
            Ok(())
        } else {
            Err(StoreError::failed())
        }
    }
}

impl<F: NorFlash> Storage for FlashStorage<F> {
    async fn load<'b>(
        &mut self,
        record: Record,
        buffer: &'b mut [u8],
    ) -> Result<Option<&'b [u8]>, StoreError> {
        let Some(at) = self.newest().await?.log.find(key(record)) else {
            return Ok(None);
        };
        let length = self.entry(at).await?.length as usize;
        let place = buffer.get_mut(..length).ok_or(StoreError::full())?;
        let content = at.saturating_add(small(HEAD_LEN));
        read_exact(&mut self.flash, content, place).await?;
        Ok(Some(place))
    }

    async fn store(&mut self, record: Record, content: &[u8]) -> Result<(), StoreError> {
        self.put(key(record), Some(content)).await
    }

    async fn remove(&mut self, record: Record) -> Result<(), StoreError> {
        self.put(key(record), None).await
    }
}

impl<F> fmt::Debug for FlashStorage<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlashStorage")
            .field("banks", &self.banks)
            .finish_non_exhaustive()
    }
}

/// The bank that counts, and the other one.
struct Newest {
    log: Log,
    other: Range<u32>,
    sequence: u32,
}

/// What a bank holds.
#[derive(Default)]
struct Log {
    /// Where the last entry of each key is; 0 if there is none, or if it was removed.
    last: [u32; KEYS],
    /// Where the next entry goes; empty if something is in the way.
    free: Range<u32>,
}

impl Log {
    fn find(&self, key: u8) -> Option<u32> {
        self.last
            .get(usize::from(key))
            .copied()
            .filter(|at| *at > 0)
    }
}

/// What stands before a content.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    key: u8,
    stored: bool,
    length: u32,
    checksum: [u8; CHECKSUM_LEN],
}

impl Entry {
    fn new(key: u8, content: Option<&[u8]>) -> Result<Self, StoreError> {
        let length = content.map_or(0, <[u8]>::len);
        let mut entry = Self {
            key,
            stored: content.is_some(),
            length: u32::try_from(length).map_err(|_| StoreError::full())?,
            checksum: [0; CHECKSUM_LEN],
        };
        let digest = entry.digest().chain_update(content.unwrap_or_default());
        entry.checksum = short(digest);
        Ok(entry)
    }

    /// Keys that this firmware does not know are another's: they are kept.
    fn parse(head: &[u8; HEAD_LEN]) -> Option<Self> {
        let ([key, stored @ (0 | 1), 0, 0], rest) = head.split_first_chunk()? else {
            return None;
        };
        let (length, checksum) = rest.split_first_chunk()?;
        let entry = Self {
            key: *key,
            stored: *stored == 1,
            length: u32::from_le_bytes(*length),
            checksum: *checksum.first_chunk()?,
        };
        (usize::from(*key) < KEYS).then_some(entry)
    }

    fn to_bytes(&self) -> [u8; HEAD_LEN] {
        let mut head = [0; HEAD_LEN];
        let (content, checksum) = head.split_at_mut(HEAD_LEN.saturating_sub(CHECKSUM_LEN));
        copy(&self.unchecked(), content);
        copy(&self.checksum, checksum);
        head
    }

    fn unchecked(&self) -> [u8; 8] {
        let [a, b, c, d] = self.length.to_le_bytes();
        [self.key, self.stored.into(), 0, 0, a, b, c, d]
    }

    fn digest(&self) -> Sha256 {
        Sha256::new_with_prefix(self.unchecked())
    }

    /// In flash, with what fills its last word.
    fn size<F: NorFlash>(&self) -> u32 {
        let word = small(F::WRITE_SIZE.max(F::READ_SIZE));
        let length = self.length.saturating_add(small(HEAD_LEN));
        length.checked_next_multiple_of(word).unwrap_or(u32::MAX)
    }
}

fn room_for<F: NorFlash>(
    words: &Words,
    bank: &Range<u32>,
    entry: &Entry,
) -> Result<(), StoreError> {
    if entry.size::<F>() <= bank.end.saturating_sub(words.position()) {
        Ok(())
    } else {
        Err(StoreError::full())
    }
}

fn header_of(sequence: u32) -> [u8; HEADER_LEN] {
    let mut header = [0; HEADER_LEN];
    let (content, checksum) = header.split_at_mut(HEADER_LEN.saturating_sub(CHECKSUM_LEN));
    let (magic, rest) = content.split_at_mut(MAGIC.len());
    copy(MAGIC, magic);
    copy(&sequence.to_le_bytes(), rest);
    let digest = Sha256::new_with_prefix(&*content);
    copy(&short(digest), checksum);
    header
}

/// Against writes that were cut, not against anybody who can write.
fn short(digest: Sha256) -> [u8; CHECKSUM_LEN] {
    let digest: [u8; 32] = digest.finalize().into();
    *digest.first_chunk().unwrap_or(&[0; CHECKSUM_LEN])
}

/// Kept in flash: a number is never given to another record.
const fn key(record: Record) -> u8 {
    match record {
        Record::Config => 1,
        Record::Certificate => 2,
        Record::PreviousCertificate => 3,
        Record::Authority => 4,
        Record::RefusedFirmware => 5,
        Record::Update => 6,
        Record::Secret => 7,
        Record::NextSecret => 8,
    }
}

const MAGIC: &[u8] = b"pvS1";
const HEADER_LEN: usize = 32;
const HEAD_LEN: usize = 16;
const CHECKSUM_LEN: usize = 8;

/// As many records as there may be, of this firmware and of others that run before or after it.
const KEYS: usize = 32;
