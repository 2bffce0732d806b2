//! What a server asks a device to wait, it waits.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use providore_server_core::Settings;
use providore_testkit::simulator::{Fault, Link, TokenBucket, Unit, Weather, World};

/// Looks through what was asked, and expects that no question came sooner than the answer before
/// had asked for. Says how often one had asked.
fn check(link: &Link) -> usize {
    let mut asked = 0;
    for pair in link.log().windows(2) {
        let Some(wait) = pair[0].field("retry-after") else {
            continue;
        };
        let wait_ms = wait.parse::<u64>().unwrap() * 1000;
        let waited_ms = pair[1].sent_ms - pair[0].sent_ms;
        assert!(waited_ms >= wait_ms, "waited {waited_ms} ms of {wait_ms}");
        // And a tenth more at most, beside the rest between two days.
        let rest_ms = 3_960_000;
        assert!(waited_ms <= wait_ms + wait_ms / 10 + rest_ms + 1_000);
        asked += 1;
    }
    asked
}

#[test]
fn a_device_waits_while_a_store_fails() {
    let mut asked = 0;
    for part in ["device", "config", "image", "read", "append", "issued"] {
        let world = World::new();
        let faults = [Fault::StoreFails(part)];
        let weather =
            Weather::new(move |index| faults.iter().filter(|_| index < 12).copied().collect());
        let mut unit = Unit::new(&world, "dev1", weather);
        // All within one start: what was asked is not stored.
        world.run(async {
            let mut agent = unit.start();
            for _ in 0..4 {
                let _ = agent.day().await;
            }
        });
        let asks = check(&unit.link);
        assert!(asks > 0, "{part}");
        asked += asks;
    }
    println!("{asked} waits that a failing store asked for");
}

#[test]
fn a_device_waits_where_too_many_ask() {
    let limits = TokenBucket::new(1, 1);
    let world = World::with(Settings::DEFAULT, Some(limits.clone()));
    let mut unit = Unit::new(&world, "dev1", Weather::fair());
    world.run(async {
        let mut agent = unit.start();
        for _ in 0..20 {
            let _ = agent.check_config().await;
        }
    });
    let asked = check(&unit.link);
    println!("{asked} waits that limits asked for: {:?}", limits.counts());
    assert!(asked > 0);
}
