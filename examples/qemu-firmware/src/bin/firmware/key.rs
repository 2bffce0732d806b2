//! The key that the device's certificate is for. The device makes it and nobody else ever sees it.

use providore_pki::SoftwareKey;
use qemu_firmware::{
    flash::{Flash, KEY},
    log,
    random::Random,
};

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
    Flash.erase_now(KEY.start, KEY.end).expect("flash");
    Flash
        .write_now(KEY.start, &*key.to_scalar())
        .expect("flash");
    // The mark comes last: without it, the power failed before the key was whole.
    Flash.write_now(MARK_AT, MARK).expect("flash");
    log!("key: made");
    key
}

fn load() -> Option<SoftwareKey> {
    let (mut scalar, mut mark) = ([0; SCALAR], [0; MARK.len()]);
    Flash.read_now(MARK_AT, &mut mark).ok()?;
    Flash.read_now(KEY.start, &mut scalar).ok()?;
    (mark == *MARK).then_some(())?;
    SoftwareKey::from_scalar(&scalar).ok()
}

const SCALAR: usize = 32;
const MARK_AT: u32 = KEY.start + 32;
const MARK: &[u8; 4] = b"done";
