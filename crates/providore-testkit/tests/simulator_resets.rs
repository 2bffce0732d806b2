//! A connection that breaks at any byte, an answer that ends at any byte, any bit that flips: what
//! is stored is whole, and the next exchange succeeds.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use providore_client::Record;
use providore_testkit::simulator::{CONFIG_1, Fault, Unit, Weather, World, image};

/// One step of a day.
#[derive(Debug, Clone, Copy)]
enum Step {
    Config,
    Certificate,
    Firmware,
}

impl Step {
    /// Runs the step once on a device that has just been started.
    fn run(self, world: &World, unit: &mut Unit) -> bool {
        world.run(async {
            let mut agent = unit.start();
            match self {
                Self::Config => agent.check_config().await.is_ok(),
                Self::Certificate => agent.check_certificate().await.is_ok(),
                Self::Firmware => agent.check_firmware().await.is_ok(),
            }
        })
    }

    fn is_done(self, unit: &Unit) -> bool {
        match self {
            Self::Config => unit.text(Record::Config) == Some(CONFIG_1),
            Self::Certificate => unit.text(Record::Certificate).is_some(),
            Self::Firmware => unit.slot.image() == image("2.0.0"),
        }
    }

    fn is_untouched(self, unit: &Unit) -> bool {
        match self {
            Self::Config => unit.storage.content(Record::Config).is_none(),
            Self::Certificate => unit.storage.content(Record::Certificate).is_none(),
            Self::Firmware => unit.slot.image() == image("1.0.0"),
        }
    }
}

/// Lets `fault(n)` happen to an exchange of a step, for every n, or every `stride`th, within it, and
/// expects the step to be done or the device to be as before; then, every so many, that it recovers.
fn check(
    step: Step,
    exchange: usize,
    (stride, every): (usize, usize),
    fault: impl Fn(usize) -> Fault,
) {
    let world = World::new();
    let mut unit = Unit::new(&world, "dev1", Weather::fair()).with_roots(&world.root_pem());
    let (slot, storage) = (unit.slot.clone(), unit.storage.clone());
    assert!(step.run(&world, &mut unit));
    let recorded = &unit.link.log()[exchange];
    let length = match fault(0) {
        Fault::Reset(_) => recorded.wire_len(),
        _ => recorded.answer_len(),
    };
    let (mut done, mut recovered) = (0, 0);
    for at in (0..=length).step_by(stride) {
        (unit.slot, unit.storage) = (slot.clone(), storage.clone());
        let weather = Weather::at(exchange, &[fault(at)]);
        unit.link.set_weather(weather);
        if step.run(&world, &mut unit) {
            assert!(step.is_done(&unit), "{step:?} {:?}", fault(at));
            done += 1;
            continue;
        }
        assert!(step.is_untouched(&unit), "{step:?} {:?}", fault(at));
        if at % every == 0 {
            assert!(step.run(&world, &mut unit), "{step:?} {:?}", fault(at));
            assert!(step.is_done(&unit));
            recovered += 1;
        }
    }
    println!(
        "{step:?}, exchange {exchange}, {:?} to {length}: {done} unharmed, {recovered} recovered",
        fault(0)
    );
    assert!(recovered > 0);
    assert_eq!(
        world.issued(&unit.peer).len(),
        usize::from(matches!(step, Step::Certificate))
    );
}

#[test]
fn a_reset_at_any_byte_of_a_configuration_leaves_the_old_one() {
    check(Step::Config, 0, (1, 1), Fault::Reset);
}

#[test]
fn a_reset_at_any_byte_of_a_certificate_request_issues_one_certificate() {
    check(Step::Certificate, 0, (1, 64), Fault::Reset);
}

#[test]
fn a_reset_at_any_byte_of_a_firmware_check_leaves_the_old_image() {
    check(Step::Firmware, 0, (1, 1), Fault::Reset);
}

#[test]
fn a_reset_at_any_byte_of_a_download_leaves_the_old_image() {
    check(Step::Firmware, 1, (1, 1), Fault::Reset);
}

#[test]
fn an_answer_that_ends_early_is_never_taken_for_the_whole() {
    for exchange in [0, 1] {
        check(Step::Firmware, exchange, (1, 8), Fault::Truncated);
    }
    check(Step::Config, 0, (1, 1), Fault::Truncated);
    check(Step::Certificate, 0, (7, 98), Fault::Truncated);
}

#[test]
fn a_bit_that_flips_in_an_answer_changes_nothing_that_is_kept() {
    for bit in [0, 5, 7] {
        check(Step::Config, 0, (1, 8), |byte| Fault::Flipped { byte, bit });
        check(Step::Firmware, 0, (1, 8), |byte| Fault::Flipped {
            byte,
            bit,
        });
        check(Step::Firmware, 1, (1, 64), |byte| Fault::Flipped {
            byte,
            bit,
        });
    }
    check(Step::Certificate, 0, (7, 98), |byte| Fault::Flipped {
        byte,
        bit: 0,
    });
}
