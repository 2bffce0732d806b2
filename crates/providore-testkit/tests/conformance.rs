//! Every implementation of a trait passes the suite of that trait.

use providore_client::memory::MemorySlot;
use providore_sign::{
    BoundedReplayGuard, KeyError, MacKey as _, Refusal, RefuseAll, ReplayLimits, SoftwareKey,
    original,
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
    let headers = signer.finish(created, 900).unwrap();

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
