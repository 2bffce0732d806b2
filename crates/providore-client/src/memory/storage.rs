//! Records in a map.

use alloc::{borrow::ToOwned as _, collections::BTreeMap, vec::Vec};

use super::Power;
use crate::{Record, Storage, StoreError};

/// Records that survive as long as the value does.
#[derive(Debug, Clone, Default)]
pub struct MemoryStorage {
    records: BTreeMap<Record, Vec<u8>>,
    power: Power,
}

impl MemoryStorage {
    /// Nothing stored yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Fails together with what else depends on `power`.
    #[must_use]
    pub fn with_power(mut self, power: &Power) -> Self {
        self.power = power.clone();
        self
    }

    /// The content of a record, for looking.
    #[must_use]
    pub fn content(&self, record: Record) -> Option<&[u8]> {
        self.records.get(&record).map(Vec::as_slice)
    }

    /// The power that stores and removes depend on.
    pub const fn power_mut(&mut self) -> &mut Power {
        &mut self.power
    }
}

impl Storage for MemoryStorage {
    async fn load<'b>(
        &mut self,
        record: Record,
        buffer: &'b mut [u8],
    ) -> Result<Option<&'b [u8]>, StoreError> {
        let Some(content) = self.records.get(&record) else {
            return Ok(None);
        };
        let place = buffer.get_mut(..content.len()).ok_or(StoreError::full())?;
        place.copy_from_slice(content);
        Ok(Some(place))
    }

    async fn store(&mut self, record: Record, content: &[u8]) -> Result<(), StoreError> {
        self.power.step(|| {
            self.records.insert(record, content.to_owned());
        })
    }

    async fn remove(&mut self, record: Record) -> Result<(), StoreError> {
        self.power.step(|| {
            self.records.remove(&record);
        })
    }
}
