//! Every implementation of a trait passes the suite of that trait.
#![expect(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    reason = "helpers of tests"
)]

use futures_lite::future::block_on;
use providore_client::{
    flash::{self, FlashLayout, FlashSlots, FlashStorage, TRIAL_BOOTS},
    memory::{MemoryFlash, MemorySlot, MemoryStorage, Power},
};
use providore_sign::{
    BoundedReplayGuard, HeaderInstructions, KeyError, MacKey as _, Refusal, RefuseAll,
    ReplayLimits, SoftwareKey, original,
};
use providore_testkit::{PeripheralKey, conformance};
use providore_wire::{Timestamp, original::ResponseHead};

#[test]
fn software_key() {
    conformance::mac_key(|secret| SoftwareKey::new(secret).unwrap());
}

#[test]
fn shared_key() {
    conformance::mac_key(|secret| {
        let key: &SoftwareKey = Box::leak(Box::new(SoftwareKey::new(secret).unwrap()));
        key.share()
    });
}

#[test]
fn peripheral_key() {
    conformance::mac_key(PeripheralKey::new);
}

#[test]
fn bounded_replay_guard() {
    conformance::replay_guard(|per_device, total| {
        BoundedReplayGuard::new(ReplayLimits { per_device, total })
    });
}

#[test]
fn memory_slot() {
    for sector in [1, 512, 4096] {
        conformance::firmware_slot(
            || MemorySlot::running(b"what runs").with_sectors(8192, sector),
            |mut slot| {
                slot.restart();
                slot
            },
        );
    }
}

#[test]
fn flash_slots() {
    flash_slots_of::<1, 128>();
    flash_slots_of::<4, 512>();
    flash_slots_of::<16, 2048>();
    flash_slots_of::<32, 4096>();
}

fn flash_slots_of<const WORD: usize, const SECTOR: usize>() {
    let sector = u32::try_from(SECTOR).unwrap();
    let (first, second) = (4 * sector, 4 * sector + 8192);
    let layout = FlashLayout {
        boot: sector..3 * sector,
        slot_a: first..second,
        slot_b: second..second + 8192,
    };
    conformance::firmware_slot(
        || {
            let sectors = 4 + 2 * 8192 / SECTOR;
            let flash = MemoryFlash::<WORD, SECTOR>::new(sectors, &Power::new());
            FlashSlots::new(flash, layout.clone()).unwrap()
        },
        |slots| {
            let mut flash = slots.release();
            block_on(flash::start(&mut flash, &layout, TRIAL_BOOTS)).unwrap();
            FlashSlots::new(flash, layout.clone()).unwrap()
        },
    );
}

#[test]
fn memory_storage() {
    conformance::storage(MemoryStorage::new, |storage| storage);
}

#[test]
fn flash_storage() {
    flash_storage_of::<1, 2048>(4);
    flash_storage_of::<4, 4096>(2);
    flash_storage_of::<32, 4096>(8);
}

fn flash_storage_of<const WORD: usize, const SECTOR: usize>(sectors: usize) {
    let over = |flash: MemoryFlash<WORD, SECTOR>| {
        let region = 0..u32::try_from(sectors * SECTOR).unwrap();
        FlashStorage::new(flash, region).unwrap()
    };
    conformance::storage(
        || over(MemoryFlash::new(sectors, &Power::new())),
        |storage| over(storage.release()),
    );
}

#[test]
fn a_guard_that_refuses_all() {
    conformance::replay_guard_without_memory(RefuseAll::default());
}

#[test]
fn a_fault_of_the_hardware_loses_the_computation_and_nothing_else() {
    let mut key = PeripheralKey::new(b"secret");
    for (calls, update, finish) in [
        (1, Err(PeripheralKey::BUSY), Err(KeyError::NotStarted)),
        (2, Ok(()), Err(PeripheralKey::BUSY)),
        (9, Ok(()), Ok(())),
    ] {
        key.fail_after(calls);
        key.begin().unwrap();
        assert_eq!(key.update(b"data"), update);
        assert_eq!(key.finish().map(|_| ()), finish);
    }
    key.fail_after(0);
    assert_eq!(key.begin(), Err(PeripheralKey::BUSY));
    key.begin().unwrap();
}

#[test]
fn a_fault_at_any_call_refuses_the_answer_and_never_accepts_it() {
    let created = Timestamp::from_unix(1_767_323_045).unwrap();
    let mut signer = original::ResponseSigner::begin(SoftwareKey::new(b"secret").unwrap()).unwrap();
    signer.update(b"{}").unwrap();
    let mut memory = [0; HeaderInstructions::MAX_LEN];
    let headers = signer.finish(created, 900, &mut memory).unwrap();

    // Begin, one chunk, four pieces of the tail, finish: the eighth call does not come.
    for calls in 0..8 {
        let mut key = PeripheralKey::new(b"secret");
        key.fail_after(calls);
        let fields = headers
            .fields()
            .map(|(name, value)| (name, value.as_bytes()));
        let head = ResponseHead::parse(fields).unwrap();
        let policy = original::ResponsePolicy::default();
        let outcome = original::ResponseVerifier::begin(&mut key, head, &policy, created, created)
            .and_then(|mut verifier| {
                verifier.update(b"{}")?;
                verifier.finish()
            });
        let expected = match calls {
            7 => Ok(2),
            _ => Err(Refusal::Key(PeripheralKey::BUSY)),
        };
        assert_eq!(
            outcome.map(|response| response.length()),
            expected,
            "{calls}"
        );
    }
}
