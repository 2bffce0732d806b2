//! A device from the box to the firmware, the configuration and the certificate that wait for it.

use providore_client::{Record, memory::Cut};
use providore_testkit::simulator::{CONFIG_1, CONFIG_2, Fault, Unit, Weather, image_of};

use crate::support::{Lamp, device, live, reports, wire_up};

const DAYS: u64 = 5 * 3600;

/// Runs 2.0.0 for good, with its configuration in use.
fn is_provisioned(unit: &Unit, lamp: &Lamp) -> bool {
    unit.slot.image() == image_of("2.0.0", 2_500)
        && !unit.slot.is_on_trial()
        && unit.text(Record::Config) == Some(CONFIG_2)
        && unit.text(Record::NextConfig).is_none()
        && lamp.config().as_deref() == Some(CONFIG_2)
        && (cfg!(not(feature = "certificates")) || unit.text(Record::Certificate).is_some())
}

#[test]
fn a_device_lives_from_the_box_to_its_second_firmware() {
    let lamp = Lamp::default();
    let (world, mut unit) = device(&lamp);
    assert_eq!(live(&world, &mut unit, &lamp, DAYS), 1);
    assert!(is_provisioned(&unit, &lamp), "{:#?}", lamp.events.borrow());
    let told = reports(&unit);
    let of_firmware = r#"{"what":"firmware","outcome":"applied","version":"2.0.0"}"#;
    assert!(told.iter().any(|it| it == of_firmware), "{told:?}");
    println!("statuses: {:?}", lamp.statuses.borrow());
}

#[test]
fn firmware_that_fails_its_own_test_goes_and_is_not_installed_again() {
    let lamp = Lamp::default();
    let (world, mut unit) = device(&lamp);
    lamp.defect.set(Some("the lamp does not light"));
    assert_eq!(live(&world, &mut unit, &lamp, DAYS), 2);
    let rest = live(&world, &mut unit, &lamp, DAYS);
    assert_eq!(rest, 0);
    assert_eq!(unit.version().as_str(), "1.0.0");
    assert_eq!(lamp.config().as_deref(), Some(CONFIG_1));
    let told = reports(&unit);
    let failed = told.iter().filter(|it| it.contains("does not light"));
    assert_eq!(failed.count(), 1, "{told:?}");
}

#[test]
fn the_power_may_fail_at_any_write() {
    let mut cuts = 0;
    for kind in [Cut::Before, Cut::During, Cut::After] {
        for at in 0.. {
            let lamp = Lamp::default();
            let (world, mut unit) = device(&lamp);
            let power = wire_up(&mut unit);
            power.cut(at, kind);
            live(&world, &mut unit, &lamp, DAYS);
            if !power.is_out() {
                break;
            }
            cuts += 1;
            power.restore();
            live(&world, &mut unit, &lamp, DAYS);
            let events = lamp.events.borrow();
            assert!(is_provisioned(&unit, &lamp), "{kind:?} {at}: {events:#?}");
        }
    }
    println!("{cuts} power cuts in the whole life of a device");
    assert!(cuts > 30);
}

#[test]
fn the_server_may_restart_and_answers_may_be_lost_at_any_exchange() {
    let faults = [
        Fault::RestartBefore,
        Fault::RestartAfter,
        Fault::AnswerLost,
        Fault::Reset(700),
    ];
    let mut runs = 0;
    for fault in faults {
        for at in 0.. {
            let lamp = Lamp::default();
            let (world, mut unit) = device(&lamp);
            unit.link.set_weather(Weather::at(at, &[fault]));
            live(&world, &mut unit, &lamp, DAYS);
            let events = lamp.events.borrow();
            assert!(is_provisioned(&unit, &lamp), "{fault:?} {at}: {events:#?}");
            runs += 1;
            if at > unit.link.tried() {
                break;
            }
        }
    }
    println!("{runs} lives, each with one fault");
}

#[test]
fn a_device_gets_there_when_a_fifth_of_all_exchanges_fails() {
    for seed in 0..20 {
        let lamp = Lamp::default();
        let (world, mut unit) = device(&lamp);
        unit.link.set_weather(Weather::storm(seed, 200));
        for _ in 0..4 {
            live(&world, &mut unit, &lamp, 4 * DAYS);
        }
        let events = lamp.events.borrow();
        assert!(is_provisioned(&unit, &lamp), "{seed}: {events:#?}");
    }
}
