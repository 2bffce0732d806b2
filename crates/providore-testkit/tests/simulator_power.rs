//! Power that fails at any write, on a network that fails as well.

#![expect(clippy::arithmetic_side_effects, reason = "a test fails by panicking")]

use providore_client::Record;
use providore_testkit::simulator::{CONFIG_1, CONFIG_2, Unit, Weather, World, image};

/// Lives with the power cut after so many writes to slot and storage, starting anew after each
/// day, and then without cuts.
fn check(slot_steps: u32, storage_steps: u32, seed: u64) {
    let world = World::new();
    let mut unit = Unit::new(&world, "dev1", Weather::storm(seed, 100));
    for day in 0..4 {
        unit.slot.power_mut().cut_after(slot_steps + day);
        unit.storage.power_mut().cut_after(storage_steps + day);
        world.run(async {
            let mut agent = unit.start();
            let _ = agent.day().await;
        });
        let what = format!("cut after {slot_steps}, {storage_steps}, seed {seed}");
        let whole = [image("1.0.0"), image("2.0.0")];
        assert!(
            whole.iter().any(|image| image == unit.slot.image()),
            "{what}"
        );
        let config = unit.text(Record::Config);
        assert!(
            matches!(config, None | Some(CONFIG_1 | CONFIG_2)),
            "{what}: {config:?}"
        );
        unit.slot.power_mut().restore();
        unit.storage.power_mut().restore();
        world.pass_s(3600);
    }
    assert!(world.run(unit.live(100)).is_some(), "never provisioned");
}

#[test]
fn a_cut_at_any_write_is_survived() {
    let mut tried = 0;
    for slot_steps in 0..8 {
        for storage_steps in 0..4 {
            check(
                slot_steps,
                storage_steps,
                u64::from(slot_steps * 4 + storage_steps),
            );
            tried += 4;
        }
    }
    println!("{tried} power cuts");
}
