//! On a bad network the device gets everything all the same, and never less than it had.

#![expect(clippy::arithmetic_side_effects, reason = "a test fails by panicking")]

use providore_testkit::simulator::{Unit, Weather, World};

/// Lives through a storm with this seed, and says how many days and exchanges that took.
fn check(seed: u64, permille: u64) -> (u32, usize) {
    let world = World::new();
    let mut unit = Unit::new(&world, "dev1", Weather::storm(seed, permille));
    let days = world.run(unit.live(200));
    assert!(days.is_some(), "seed {seed}, {permille} ‰: not provisioned");
    assert!(unit.is_provisioned());
    (days.unwrap_or(u32::MAX), unit.link.tried())
}

fn check_seeds(seeds: u64, permille: u64) {
    let (mut most, mut exchanges) = (0, 0);
    for seed in 0..seeds {
        let (days, tried) = check(seed, permille);
        most = most.max(days);
        exchanges += tried;
    }
    println!("{permille} ‰: {seeds} seeds, {exchanges} exchanges, at most {most} days");
}

#[test]
fn without_faults_it_takes_a_day_on_each_firmware() {
    check_seeds(1, 0);
    assert_eq!(check(1, 0).0, 2);
}

#[test]
fn every_device_is_provisioned_when_a_third_of_all_exchanges_fails() {
    check_seeds(40, 333);
}

#[test]
fn every_device_is_provisioned_when_two_thirds_of_all_exchanges_fail() {
    check_seeds(20, 667);
}
