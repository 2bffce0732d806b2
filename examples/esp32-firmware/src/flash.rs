//! The partitions, as partitions.csv has them: found by their labels in the table on the chip.

use core::cell::RefCell;

use embassy_embedded_hal::flash::partition::BlockingPartition;
use embassy_sync::blocking_mutex::{Mutex, raw::NoopRawMutex};
use esp_bootloader_esp_idf::partitions::{
    PARTITION_TABLE_MAX_LEN, PartitionEntry, PartitionTable, read_partition_table,
};
use esp_hal::peripherals::FLASH;
use esp_storage::FlashStorage as Chip;
use esp32_parts::provisioning::Provisioning;
use static_cell::StaticCell;

/// A partition. Several share the chip; nobody holds it for longer than an operation.
pub(crate) type Region = BlockingPartition<'static, NoopRawMutex, Chip<'static>>;

type Shared = Mutex<NoopRawMutex, RefCell<Chip<'static>>>;

/// What is where.
pub(crate) struct Layout {
    pub(crate) otadata: Region,
    pub(crate) slots: [Region; 2],
    /// Which slot the code is in that says this: the boot record may name another.
    pub(crate) running: usize,
    pub(crate) records: Region,
    pub(crate) records_len: u32,
    /// The beginning of the provisioning partition, as it was at the start.
    told: &'static [u8],
}

/// Reads the table of partitions.
pub(crate) fn open(chip: FLASH<'static>) -> Result<Layout, &'static str> {
    static SHARED: StaticCell<Shared> = StaticCell::new();
    static TOLD: StaticCell<[u8; Provisioning::MAX_LEN]> = StaticCell::new();
    let mut flash = Chip::new(chip);
    let mut buffer = [0; PARTITION_TABLE_MAX_LEN];
    let table = read_partition_table(&mut flash, &mut buffer)
        .map_err(|_| "there is no table of partitions")?;
    let [otadata, first, second, records, provision] =
        ["otadata", "ota_0", "ota_1", "records", "provision"].map(|label| find(&table, label));
    let (first, second) = (first?, second?);
    let running = table.booted_partition().ok().flatten();
    let running = running.ok_or("the image runs from no partition")?.offset();
    let running = [first, second]
        .iter()
        .position(|slot| slot.offset() == running);
    let told = TOLD.init([0; Provisioning::MAX_LEN]);
    flash
        .read_nor(provision?.offset(), told)
        .map_err(|_| "the provisioning partition cannot be read")?;
    let (otadata, records) = (otadata?, records?);
    let shared: &'static Shared = SHARED.init(Mutex::new(RefCell::new(flash)));
    let region = |entry: PartitionEntry| Region::new(shared, entry.offset(), entry.len());
    Ok(Layout {
        otadata: region(otadata),
        slots: [region(first), region(second)],
        running: running.ok_or("the image runs from neither ota_0 nor ota_1")?,
        records: region(records),
        records_len: records.len(),
        told,
    })
}

impl Layout {
    /// What the device was told in the factory.
    pub(crate) fn provisioning(&self) -> Result<Provisioning<'static>, &'static str> {
        Provisioning::parse(self.told).map_err(|fault| {
            esp_println::println!("provisioning: {fault}");
            "this board is not provisioned: README.md, \"Provision it\""
        })
    }
}

fn find(table: &PartitionTable<'_>, label: &str) -> Result<PartitionEntry, &'static str> {
    let mut entries = table.iter();
    entries
        .find(|entry| entry.label_as_str() == label)
        .ok_or("a partition of partitions.csv is missing")
}
