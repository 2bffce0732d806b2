//! The key that the device's certificate is for. The device makes it and nobody else ever sees it.

use providore_pki::SoftwareKey;
use qemu_firmware::{flash::Partition, log, random::Random};

/// The key that was made at the first start.
///
/// # Panics
/// If the flash chip fails: there is no device without a key.
pub fn load_or_make(random: &mut Random) -> SoftwareKey {
    if let Some(key) = load() {
        return key;
    }
    let key = loop {
        // One in 2^32 is not a key: zero, or above the order of the group.
        let mut scalar = [0; SCALAR];
        random.fill(&mut scalar);
        if let Ok(key) = SoftwareKey::from_scalar(&scalar) {
            break key;
        }
    };
    let partition = Partition::KEY;
    partition.erase_now(0, Partition::SECTOR).expect("flash");
    partition.write_now(0, &*key.to_scalar()).expect("flash");
    // The mark comes last: without it, the power failed before the key was whole.
    partition.write_now(MARK_AT, MARK).expect("flash");
    log!("key: made");
    key
}

fn load() -> Option<SoftwareKey> {
    let (mut scalar, mut mark) = ([0; SCALAR], [0; MARK.len()]);
    Partition::KEY.read_now(MARK_AT, &mut mark).ok()?;
    Partition::KEY.read_now(0, &mut scalar).ok()?;
    (mark == *MARK).then_some(())?;
    SoftwareKey::from_scalar(&scalar).ok()
}

const SCALAR: usize = 32;
const MARK_AT: u32 = 32;
const MARK: &[u8; 4] = b"done";
