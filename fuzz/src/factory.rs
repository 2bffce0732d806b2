//! What a board of the ESP32 finds in its flash when it starts.

use std::convert::Infallible;

use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use esp32_parts::{
    ota::{BootRecord, Entry, OtaSlots, SECTOR_LEN},
    provisioning::{Provisioning, Secret},
};
use futures_lite::future::block_on;
use providore_client::{FirmwareSlot as _, SlotState};
use sha2::{Digest as _, Sha256};

/// What a device is told: as it lies there, and with a digest that is right whatever the fields are.
/// What is taken is written again and read as the same.
pub fn provisioning(data: &[u8]) {
    let outer = Provisioning::parse(data);
    let mut whole = b"PROVIDOR\x01\0\0\0".to_vec();
    whole.extend_from_slice(&(data.len() as u32).to_le_bytes());
    whole.extend_from_slice(&Sha256::digest(data));
    whole.extend_from_slice(data);
    for read in [outer, Provisioning::parse(&whole)] {
        let Ok(read) = read else { continue };
        if let Secret::Stored(secret) = read.secret {
            assert!((16..=256).contains(&secret.len()));
        }
        assert!(read.authors.iter().all(|key| key.len() == 65));
        let mut buffer = vec![0; 48 + 2 * data.len() + 64];
        let length = read
            .write(&mut buffer)
            .expect("what was read can be written");
        let again = Provisioning::parse(&buffer[..length]).expect("our own writing");
        assert_eq!(format!("{again:?}"), format!("{read:?}"));
        assert!(again.secret == read.secret && again.wifi_password == read.wifi_password);
    }
}

/// The boot record: two entries at whatever they are, and the slot that runs. Whatever is there, a
/// download can begin, and leaves a record by which what runs is kept.
pub fn ota_data(data: &[u8]) {
    let Some((first, rest)) = data.split_first_chunk::<32>() else {
        return;
    };
    let Some((second, rest)) = rest.split_first_chunk::<32>() else {
        return;
    };
    let running = usize::from(rest.first().is_some_and(|byte| byte & 1 == 1));
    for bytes in [first, second] {
        if let Some(entry) = Entry::parse(bytes) {
            assert_eq!(Entry::parse(&entry.to_bytes()), Some(entry));
        }
    }
    let mut otadata = Flash::new(2);
    otadata.0[..32].copy_from_slice(first);
    otadata.0[SECTOR_LEN..][..32].copy_from_slice(second);
    let (mut one, mut other) = (Flash::new(1), Flash::new(1));
    let mut slots = OtaSlots::new(&mut otadata, [&mut one, &mut other], running).unwrap();
    let state = block_on(slots.state()).unwrap();
    let begun = block_on(slots.begin(&"2".parse().unwrap(), 0));
    if state == SlotState::OnTrial {
        assert!(begun.is_err());
        block_on(slots.confirm()).unwrap();
        assert_eq!(block_on(slots.state()).unwrap(), SlotState::Settled);
        return;
    }
    if begun.is_ok() {
        assert_eq!(block_on(slots.state()).unwrap(), SlotState::Settled);
        let newest = slots.newest().unwrap().expect("an entry");
        assert_eq!(newest.slot(), running);
    } else {
        // Nothing but the end of all numbers stands in the way.
        let newest = BootRecord::new(&mut otadata).unwrap().newest().unwrap();
        assert!(newest.unwrap().1.sequence > u32::MAX - 3);
    }
}

/// Flash without faults.
struct Flash(Vec<u8>);

impl Flash {
    fn new(sectors: usize) -> Self {
        Self(vec![0xff; sectors * SECTOR_LEN])
    }
}

impl ErrorType for Flash {
    type Error = Infallible;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 4;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.copy_from_slice(&self.0[offset as usize..][..bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.len()
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = SECTOR_LEN;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Infallible> {
        self.0[from as usize..to as usize].fill(0xff);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Infallible> {
        let cells = self.0[offset as usize..].iter_mut();
        cells.zip(bytes).for_each(|(cell, byte)| *cell &= byte);
        Ok(())
    }
}
