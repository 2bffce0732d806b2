//! What a device finds in its flash.

use futures_lite::future::block_on;
use providore_client::{
    Record, SlotState, Storage as _,
    flash::{BootRecord, BootSectors, BootWrite, FlashStorage, Slot},
    memory::{Cut, MemoryFlash, Power},
};
use sha2::{Digest as _, Sha256};

/// How often an image on trial is started, which records get a good checksum, how far the next
/// write comes; then both records.
///
/// A record is read as it was written. Whatever is there, there is a slot to run; a device that is
/// started over and over comes to rest; a write that is cut leaves the old record or the new one.
pub fn boot_record(data: &[u8]) {
    let [trial_boots, sealed, reach, records @ ..] = data else {
        return;
    };
    let mut sectors = [[0xFF; BootRecord::LEN]; 2];
    let mut bytes = records.iter();
    for (nth, sector) in sectors.iter_mut().enumerate() {
        for (to, from) in sector.iter_mut().zip(&mut bytes) {
            *to = *from;
        }
        if (*sealed >> nth) & 1 == 1 {
            let digest = Sha256::digest(&sector[..88]);
            sector[88..].copy_from_slice(&digest[..8]);
        }
        if let Some(record) = BootRecord::parse(sector) {
            assert_eq!(record.to_bytes(), *sector);
        }
    }
    for _ in 0..=u32::from(*trial_boots) + 1 {
        let before = BootSectors::read(&sectors[0], &sectors[1]);
        let decision = before.decide(*trial_boots);
        let Some(write) = decision.write else {
            assert_ne!(before.record().state(), SlotState::OnTrial);
            assert_eq!(decision.slot, before.record().active());
            return;
        };
        check_cut(&sectors, &write, usize::from(*reach));
        sectors[write.sector] = write.bytes;
        let after = BootSectors::read(&sectors[0], &sectors[1]);
        assert_eq!(after.record().to_bytes(), write.bytes);
        assert_eq!(after.record().active(), decision.slot);
        assert_eq!(after.record().image(decision.slot), &decision.image);
        let other = before.decide_without_active().expect("the one before");
        assert_ne!(other.slot, before.record().active());
        assert!(matches!(other.slot, Slot::A | Slot::B));
    }
    panic!("started over and over");
}

fn check_cut(sectors: &[[u8; BootRecord::LEN]; 2], write: &BootWrite, reach: usize) {
    let before = BootSectors::read(&sectors[0], &sectors[1]);
    let mut torn = *sectors;
    let sector = &mut torn[write.sector];
    *sector = [0xFF; BootRecord::LEN];
    let reach = reach.min(BootRecord::LEN);
    sector[..reach].copy_from_slice(&write.bytes[..reach]);
    let found = BootSectors::read(&torn[0], &torn[1]);
    let new = found.record().to_bytes() == write.bytes;
    assert!(new || found.record() == before.record());
}

/// How many changes follow, the changes, then what lies in the flash to begin with.
///
/// A change is a record, a length, and where the power fails: its record then has the old content
/// or the new one, and all others what they had.
pub fn flash_records(data: &[u8]) {
    let [count, data @ ..] = data else {
        return;
    };
    let (changes, content) = data.split_at(data.len().min(usize::from(count % 16) * 3));
    let power = Power::new();
    let flash = MemoryFlash::<4, 256>::new(4, &power);
    flash.put(0, content);
    let mut records = found(&flash);
    for (nth, change) in changes.chunks_exact(3).enumerate() {
        let record = RECORDS[usize::from(change[0] % 8)];
        let new = vec![nth as u8; usize::from(change[1])];
        let new = Some(new).filter(|_| change[0] < 0xE0);
        let cut = [Cut::Before, Cut::During, Cut::After][usize::from(change[2] % 3)];
        let flash = flash.clone().with_tears(change[2].into());
        power.cut(u32::from(change[2] / 3), cut);
        let mut storage = FlashStorage::new(flash.clone(), 0..1024).expect("four sectors");
        let outcome = match &new {
            Some(content) => block_on(storage.store(record, content)),
            None => block_on(storage.remove(record)),
        };
        power.restore();
        let before = records.clone();
        let place = &mut records[usize::from(change[0] % 8)];
        place.clone_from(&new);
        let now = found(&flash);
        match outcome {
            Ok(()) => assert_eq!(now, records),
            Err(_) => assert!(now == before || now == records),
        }
        records = now;
    }
}

type Found = [Option<Vec<u8>>; 8];

fn found(flash: &MemoryFlash<4, 256>) -> Found {
    let mut storage = FlashStorage::new(flash.clone(), 0..1024).expect("four sectors");
    RECORDS.map(|record| {
        let mut place = [0; 1024];
        let content = block_on(storage.load(record, &mut place)).expect("a flash that works");
        content.map(<[u8]>::to_vec)
    })
}

const RECORDS: [Record; 8] = [
    Record::Config,
    Record::Certificate,
    Record::PreviousCertificate,
    Record::Authority,
    Record::RefusedFirmware,
    Record::Update,
    Record::Secret,
    Record::NextSecret,
];
