//! Configurations that come, fail and go.

use providore_client::Record;
use providore_testkit::simulator::{CONFIG_1, Fault, Unit, Weather};

use crate::support::{CUTS_OFF, Lamp, REFUSED, live, reports, set_config, settled_device, wire_up};

const HOUR: u64 = 3600;
const OTHER: &str = r#"{"interval":5}"#;

/// A device that has lived with `CONFIG_1` is given `config` for three hours: which are applied, and
/// what is reported.
fn check(config: &str, applied: &[&str], reported: &[&str]) {
    let lamp = Lamp::default();
    let (world, mut unit) = settled_device(&lamp);
    live(&world, &mut unit, &lamp, HOUR);
    assert_eq!(lamp.config().unwrap(), CONFIG_1);
    let before = reports(&unit).len();
    lamp.applied.borrow_mut().clear();

    set_config(&world, &unit, config);
    live(&world, &mut unit, &lamp, 3 * HOUR);
    assert_eq!(*lamp.applied.borrow(), applied, "{config}");
    assert_eq!(reports(&unit).split_off(before), reported, "{config}");
    assert_eq!(unit.text(Record::NextConfig), None);
    assert_eq!(unit.text(Record::Config), applied.last().copied());
}

#[test]
fn a_configuration_with_which_the_server_is_reached_stays() {
    let told = r#"{"what":"config","outcome":"applied"}"#;
    check(OTHER, &[CONFIG_1, OTHER], &[told]);
}

#[test]
fn one_that_cuts_the_device_off_falls_back_and_is_reported_once() {
    let told = r#"{"what":"config","outcome":"rolled-back","reason":"the server was not reached with it"}"#;
    check(CUTS_OFF, &[CONFIG_1, CUTS_OFF, CONFIG_1], &[told]);
}

#[test]
fn one_that_the_application_refuses_is_not_used_and_is_reported_once() {
    let told = r#"{"what":"config","outcome":"failed","reason":"the interval is negative"}"#;
    check(REFUSED, &[CONFIG_1, CONFIG_1], &[told]);
}

#[test]
fn the_first_configuration_falls_back_to_none() {
    let lamp = Lamp::default();
    let (world, mut unit) = settled_device(&lamp);
    set_config(&world, &unit, CUTS_OFF);
    live(&world, &mut unit, &lamp, 3 * HOUR);
    assert_eq!(*lamp.applied.borrow(), ["", CUTS_OFF, ""]);
    assert_eq!(unit.text(Record::Config), None);
}

#[test]
fn one_that_failed_is_tried_again_only_after_another_one() {
    let lamp = Lamp::default();
    let (world, mut unit) = settled_device(&lamp);
    let tried = |lamp: &Lamp| {
        let applied = lamp.applied.borrow();
        applied.iter().filter(|config| *config == CUTS_OFF).count()
    };
    live(&world, &mut unit, &lamp, HOUR);
    set_config(&world, &unit, CUTS_OFF);
    for _ in 0..4 {
        live(&world, &mut unit, &lamp, 3 * HOUR);
    }
    assert_eq!(tried(&lamp), 1, "through restarts");
    set_config(&world, &unit, CONFIG_1);
    live(&world, &mut unit, &lamp, 3 * HOUR);
    set_config(&world, &unit, CUTS_OFF);
    live(&world, &mut unit, &lamp, 3 * HOUR);
    assert_eq!(tried(&lamp), 2);
    assert_eq!(lamp.config().unwrap(), CONFIG_1);
}

#[test]
fn a_server_that_is_away_for_a_while_is_no_fault_of_the_configuration() {
    let lamp = Lamp::default();
    let (world, mut unit) = settled_device(&lamp);
    live(&world, &mut unit, &lamp, HOUR);
    set_config(&world, &unit, OTHER);
    // It hands the configuration out, and is away for the next 9 minutes at least.
    unit.link.set_weather(Weather::new(|exchange| {
        let away = (3..12).contains(&exchange);
        away.then_some(Fault::RequestLost).into_iter().collect()
    }));
    live(&world, &mut unit, &lamp, 3 * HOUR);
    assert_eq!(lamp.config().unwrap(), OTHER);
}

#[test]
fn one_that_crashes_the_device_falls_back_after_a_few_starts() {
    let lamp = Lamp::default();
    let (world, mut unit) = settled_device(&lamp);
    live(&world, &mut unit, &lamp, HOUR);
    set_config(&world, &unit, CUTS_OFF);
    lamp.applied.borrow_mut().clear();
    // Each time it runs for a minute.
    for _ in 0..5 {
        live(&world, &mut unit, &lamp, 60);
    }
    let applied = lamp.applied.borrow().clone();
    let tried = applied.iter().filter(|config| *config == CUTS_OFF).count();
    assert_eq!(tried, 3);
    let told = reports(&unit).pop().unwrap();
    assert!(told.contains("restarted again and again"), "{told}");
    assert_eq!(unit.text(Record::Config), Some(CONFIG_1));
    assert_eq!(lamp.config().unwrap(), CONFIG_1);
}

/// The whole story with the power cut at a write, and once more at another after that.
fn check_power_cut(first: u32, second: u32) -> bool {
    let lamp = Lamp::default();
    let (world, mut unit) = settled_device(&lamp);
    let power = wire_up(&mut unit);
    let mut was_cut = false;
    let at_most = |unit: &mut Unit, cut: u32| {
        power.cut_after(cut);
        live(&world, unit, &lamp, 2 * HOUR);
        power.restore();
        let stored = unit.text(Record::Config);
        assert!(
            matches!(stored, None | Some(CONFIG_1 | OTHER)),
            "cut at {first}, {second}: {stored:?}"
        );
    };
    for config in [CONFIG_1, CUTS_OFF, OTHER] {
        set_config(&world, &unit, config);
        let before = power.steps();
        at_most(&mut unit, first);
        was_cut |= power.steps() - before >= first;
        at_most(&mut unit, second);
        live(&world, &mut unit, &lamp, 3 * HOUR);
        let expected = if config == CUTS_OFF { CONFIG_1 } else { config };
        let what = format!("cut at {first}, {second}");
        assert_eq!(lamp.config().as_deref(), Some(expected), "{what}");
        assert_eq!(unit.text(Record::Config), Some(expected), "{what}");
        assert_eq!(unit.text(Record::NextConfig), None, "{what}");
    }
    let told = reports(&unit);
    let rolled_back = told.iter().filter(|it| it.contains("rolled-back"));
    // Again after each cut between telling it and noting that.
    assert!((1..=3).contains(&rolled_back.count()), "{told:?}");
    was_cut
}

#[test]
fn a_power_cut_at_any_write_leaves_a_good_configuration() {
    let mut tried = 0;
    for first in 0.. {
        let mut was_cut = false;
        for second in 0..6 {
            was_cut |= check_power_cut(first, second);
            tried += 1;
        }
        if !was_cut {
            break;
        }
    }
    println!("{tried} pairs of power cuts, in each of three configurations");
    assert!(tried > 12);
}

#[test]
fn a_server_that_restarts_at_any_exchange_changes_nothing() {
    let mut exchanges = 0;
    for at in 0.. {
        for fault in [Fault::RestartBefore, Fault::RestartAfter, Fault::AnswerLost] {
            let lamp = Lamp::default();
            let (world, mut unit) = settled_device(&lamp);
            unit.link.set_weather(Weather::at(at, &[fault]));
            live(&world, &mut unit, &lamp, 2 * HOUR);
            set_config(&world, &unit, OTHER);
            live(&world, &mut unit, &lamp, 2 * HOUR);
            assert_eq!(lamp.config().as_deref(), Some(OTHER), "{fault:?} at {at}");
            exchanges = unit.link.tried();
        }
        if at >= exchanges {
            break;
        }
    }
    println!("{exchanges} exchanges, each with three faults");
}
