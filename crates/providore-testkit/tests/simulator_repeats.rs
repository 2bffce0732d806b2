//! A certificate request that is sent, delivered or answered more than once issues one certificate.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use providore_client::{CertificateStep, Record};
use providore_testkit::simulator::{Fault, TIMEOUT_MS, Unit, Weather, World};

const DELAYED: Fault = Fault::Delayed {
    out_ms: TIMEOUT_MS + 4_000,
    back_ms: 0,
};

/// Lets faults happen to the first certificate requests; expects that the device gets, within
/// `attempts`, the one certificate that was issued.
fn check(attempts: usize, faults: &[Fault]) {
    let world = World::new();
    let weather = Weather::script(faults);
    let mut unit = Unit::new(&world, "dev1", weather).with_roots(&world.root_pem());
    let tried = world.run(async {
        let mut agent = unit.start();
        for attempt in 1..=attempts {
            if let Ok(CertificateStep::Stored { .. }) = agent.check_certificate().await {
                return Some(attempt);
            }
        }
        None
    });
    assert!(tried.is_some(), "{faults:?}: not within {attempts}");
    // What is still on its way arrives as well.
    world.pass_s(120);
    let issued = world.issued(&unit.peer);
    assert_eq!(issued.len(), 1, "{faults:?}");
    let stored = unit.text(Record::Certificate);
    assert_eq!(stored, Some(issued[0].chain_pem.as_str()), "{faults:?}");
}

#[test]
fn a_request_that_arrives_twice_issues_one_certificate() {
    check(1, &[Fault::Duplicated]);
    check(2, &[Fault::AnswerLost, Fault::Duplicated]);
}

#[test]
fn a_retry_after_a_lost_answer_gets_the_same_certificate() {
    check(2, &[Fault::AnswerLost]);
    check(4, &[Fault::AnswerLost; 3]);
    check(2, &[Fault::Truncated(700)]);
}

#[test]
fn a_request_that_arrives_after_its_retry_issues_nothing() {
    check(2, &[DELAYED]);
    check(4, &[DELAYED; 3]);
}

#[test]
fn a_server_that_restarts_within_a_request_issues_one_certificate() {
    check(2, &[Fault::RestartAfter]);
    check(3, &[Fault::RestartAfter, Fault::RestartAfter]);
    check(2, &[Fault::AnswerLost, Fault::RestartBefore]);
    check(3, &[DELAYED, Fault::RestartAfter]);
}

#[test]
fn a_log_that_fails_hands_out_nothing_that_is_not_written_down() {
    for part in ["append", "issued", "device"] {
        check(2, &[Fault::StoreFails(part)]);
        check(3, &[Fault::StoreFails(part), Fault::AnswerLost]);
    }
}

/// Lets a fault happen to one exchange of a whole life, each in its turn.
fn check_each(fault: Fault) {
    let mut exchange = 0;
    loop {
        let world = World::new();
        let mut unit = Unit::new(&world, "dev1", Weather::at(exchange, &[fault]));
        let days = world.run(unit.live(10));
        assert!(days.is_some(), "{fault:?} at exchange {exchange}");
        assert_eq!(
            world.issued(&unit.peer).len(),
            1,
            "{fault:?} at exchange {exchange}"
        );
        if unit.link.tried() <= exchange {
            println!("{fault:?}: {exchange} exchanges, each hit once");
            return;
        }
        exchange += 1;
    }
}

#[test]
fn one_fault_at_any_exchange_of_a_life_is_survived() {
    check_each(Fault::RequestLost);
    check_each(Fault::AnswerLost);
    check_each(DELAYED);
    check_each(Fault::Duplicated);
    check_each(Fault::RestartBefore);
    check_each(Fault::RestartAfter);
    for part in [
        "device", "config", "image", "read", "tear", "append", "issued",
    ] {
        check_each(Fault::StoreFails(part));
    }
}
