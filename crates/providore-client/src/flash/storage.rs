//! The agent's records in flash.

use core::{fmt, ops::Range};

use embedded_storage_async::nor_flash::NorFlash;
use sequential_storage::{
    Error,
    cache::{Cache, Uncached},
    map::{MapConfig, MapStorage, SerializationError, Value},
};

use super::layout::small;
use crate::{Record, Storage, StoreError};

/// [`Storage`] over a region of a flash, by the crate sequential-storage: a log of records, of which
/// the last one counts, in at least two sectors. Erasures are spread over all of them.
///
/// All records together must fit all sectors but one, and a record a sector. What was stored before
/// stays readable in flash until its sector comes up for erasure; so does what was removed. Where
/// others may read the flash, encrypt it.
///
/// ```
/// # use providore_client::{Record, Storage as _, StoreError, flash::FlashStorage};
/// # use embedded_storage_async::nor_flash::NorFlash;
/// # async fn example(flash: impl NorFlash) -> Result<(), StoreError> {
/// let mut buffer = [0; 4096];
/// let mut storage = FlashStorage::new(flash, 0x20_2000..0x20_6000, &mut buffer)?;
/// storage.store(Record::Config, b"{\"interval\":60}").await?;
/// # Ok(()) }
/// ```
pub struct FlashStorage<'b, F: NorFlash> {
    map: MapStorage<u8, F, Cache<Uncached, Uncached, Uncached, u8>>,
    buffer: &'b mut [u8],
}

impl<'b, F: NorFlash> FlashStorage<'b, F> {
    /// Records in this region, in bytes from the beginning of the flash.
    ///
    /// The longest record has two bytes less than `buffer`, and some less than a sector. A buffer
    /// that is shorter than one of an earlier start may not read what was stored then: a sector
    /// is always enough.
    ///
    /// # Errors
    /// [`StoreError::out_of_order`] if the region does not consist of two sectors or more, or is not
    /// within the flash.
    pub fn new(flash: F, region: Range<u32>, buffer: &'b mut [u8]) -> Result<Self, StoreError> {
        let sectors = small(F::ERASE_SIZE).saturating_mul(2);
        let enough = region
            .start
            .checked_add(sectors)
            .is_some_and(|end| end <= region.end);
        if !enough || region.end as usize > flash.capacity() {
            return Err(StoreError::out_of_order());
        }
        let config = MapConfig::try_new(region).map_err(|_| StoreError::out_of_order())?;
        let map = MapStorage::new(flash, config, Cache::new_uncached());
        Ok(Self { map, buffer })
    }

    /// The flash.
    pub fn release(self) -> F {
        self.map.destroy().0
    }

    /// Forgets everything: for a flash that has held something else, which can be neither read nor
    /// written.
    ///
    /// # Errors
    /// A fault of the medium.
    pub async fn erase(&mut self) -> Result<(), StoreError> {
        self.map.erase_all().await.map_err(|error| fault(&error))
    }

    async fn put(&mut self, record: Record, content: Option<&[u8]>) -> Result<(), StoreError> {
        let (key, item) = (key(record), Item(content));
        let stored = self.map.store_item(self.buffer, &key, &item).await;
        stored.map_err(|error| fault(&error))
    }
}

impl<F: NorFlash> Storage for FlashStorage<'_, F> {
    async fn load<'b>(
        &mut self,
        record: Record,
        buffer: &'b mut [u8],
    ) -> Result<Option<&'b [u8]>, StoreError> {
        let key = key(record);
        let found = self.map.fetch_item(self.buffer, &key).await;
        let found: Option<Item<'_>> = found.map_err(|error| fault(&error))?;
        let Some(Item(Some(content))) = found else {
            return Ok(None);
        };
        let place = buffer.get_mut(..content.len()).ok_or(StoreError::full())?;
        place.copy_from_slice(content);
        Ok(Some(place))
    }

    async fn store(&mut self, record: Record, content: &[u8]) -> Result<(), StoreError> {
        self.put(record, Some(content)).await
    }

    async fn remove(&mut self, record: Record) -> Result<(), StoreError> {
        // Removing an item by overwriting it is more than every flash can do, and not one step.
        self.put(record, None).await
    }
}

impl<F: NorFlash> fmt::Debug for FlashStorage<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FlashStorage(..)")
    }
}

/// A byte and what was stored, or nothing for what was removed.
struct Item<'a>(Option<&'a [u8]>);

impl<'a> Value<'a> for Item<'a> {
    fn serialize_into(&self, buffer: &mut [u8]) -> Result<usize, SerializationError> {
        let Some(content) = self.0 else { return Ok(0) };
        let length = content.len().saturating_add(1);
        let place = buffer.get_mut(..length).and_then(<[u8]>::split_first_mut);
        let (mark, place) = place.ok_or(SerializationError::BufferTooSmall)?;
        *mark = STORED;
        place.copy_from_slice(content);
        Ok(length)
    }

    fn deserialize_from(buffer: &'a [u8]) -> Result<(Self, usize), SerializationError> {
        let content = match buffer.split_first() {
            None => None,
            Some((&STORED, content)) => Some(content),
            Some(_) => return Err(SerializationError::InvalidFormat),
        };
        Ok((Self(content), buffer.len()))
    }
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
        Record::NextConfig => 9,
        Record::ConfigTrial => 10,
        Record::Server => 11,
    }
}

fn fault<E>(error: &Error<E>) -> StoreError {
    match error {
        Error::FullStorage
        | Error::ItemTooBig
        | Error::BufferTooBig
        | Error::BufferTooSmall(_)
        | Error::SerializationError(SerializationError::BufferTooSmall) => StoreError::full(),
        _ => StoreError::failed(),
    }
}

const STORED: u8 = 1;
