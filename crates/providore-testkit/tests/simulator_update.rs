//! Firmware of an author's through the real server: any weather, restarts of the server, and power
//! that fails at any write of a device's whole life.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use futures_lite::future::block_on;
use providore_client::{Record, UpdatePhase, UpdateState, memory::Cut};
use providore_server_core::{DeviceStore as _, FirmwareStore as _};
use providore_testkit::simulator::{CONFIG_1, CONFIG_2, Fault, Unit, Weather, World, image};
use providore_wire::Dialect;

fn unit(world: &World, weather: Weather) -> Unit {
    Unit::speaking(Dialect::Signed, world, "dev1", weather).with_authors(world)
}

fn state(unit: &Unit) -> UpdateState {
    let record = unit.storage.content(Record::Update);
    record.map_or_else(UpdateState::new, |record| {
        UpdateState::decode(record).expect("a record is whole")
    })
}

/// That it runs what its author signed, for good, and has said so.
fn settled(world: &World, unit: &Unit, what: &str) {
    assert!(unit.is_provisioned(), "{what}");
    assert_eq!(state(unit).floor(), 2, "{what}");
    let failures = block_on(world.store().failures(&unit.peer.id)).expect("a store");
    assert!(failures.is_empty(), "{what}");
}

#[test]
fn firmware_of_an_author_arrives_when_a_third_of_all_exchanges_fails() {
    let (mut most, mut exchanges) = (0, 0);
    for seed in 0..12 {
        let world = World::new();
        let mut unit = unit(&world, Weather::storm(seed, 333));
        if seed % 2 == 0 {
            unit.remove_clock();
        }
        let days = world.run(unit.live(200));
        settled(&world, &unit, &format!("seed {seed}"));
        most = most.max(days.expect("provisioned"));
        exchanges += unit.link.tried();
    }
    println!("12 seeds, {exchanges} exchanges, at most {most} days");
}

#[test]
fn a_server_that_restarts_in_the_middle_of_an_update_goes_on_with_it() {
    for exchange in 0..8 {
        for fault in [Fault::RestartBefore, Fault::RestartAfter] {
            let world = World::new();
            let mut unit = unit(&world, Weather::at(exchange, &[fault]));
            assert!(world.run(unit.live(6)).is_some(), "{exchange} {fault:?}");
            settled(&world, &unit, &format!("{exchange} {fault:?}"));
        }
    }
}

const NEXT: &str = "another secret of the device dev1";

/// A device for which everything waits: a configuration, a certificate, firmware, a secret.
fn new_life() -> (World, Unit) {
    let world = World::new();
    let unit = unit(&world, Weather::fair());
    block_on(async {
        let store = world.store();
        let known = store.device(&unit.peer.id).await.expect("a store");
        let record = (*known.expect("a device")).clone();
        let record = record.with_next_secret(NEXT.as_bytes());
        store.put_device(record.expect("a secret")).await;
    });
    (world, unit)
}

fn is_done(world: &World, unit: &Unit) -> bool {
    let known = block_on(world.store().device(&unit.peer.id)).expect("a store");
    let old = unit.peer.record().key_check();
    let replaced = known.expect("a device").key_check() != old;
    let idle = state(unit).phase() == UpdatePhase::Idle;
    unit.is_provisioned() && replaced && idle && unit.storage.content(Record::NextSecret).is_none()
}

/// One day after the other, each of a device that has just been started.
fn live(world: &World, unit: &mut Unit, what: &str) {
    for _ in 0..12 {
        let whole = [image("1.0.0"), image("2.0.0")];
        assert!(whole.iter().any(|it| it == unit.slot.image()), "{what}");
        let config = unit.text(Record::Config);
        let known = matches!(config, None | Some(CONFIG_1 | CONFIG_2));
        assert!(known, "{what}: {config:?}");
        unit.slot.restart();
        world.run(async {
            let _ = unit.start().day().await;
        });
        unit.slot.power_mut().restore();
        if is_done(world, unit) {
            return;
        }
        world.pass_s(600);
    }
    panic!("{what}: never done");
}

#[test]
fn a_cut_at_any_write_of_a_whole_life_is_survived() {
    let (world, mut unit) = new_life();
    let power = unit.share_power();
    live(&world, &mut unit, "without a cut");
    let writes = power.steps();
    let mut tried = 0;
    for write in 0..writes {
        for cut in [Cut::Before, Cut::During, Cut::After] {
            let what = format!("{cut:?} write {write} of {writes}");
            let (world, mut unit) = new_life();
            unit.share_power().cut(write, cut);
            live(&world, &mut unit, &what);
            settled(&world, &unit, &what);
            assert!(!world.issued(&unit.peer).is_empty(), "{what}");
            tried += 1;
        }
    }
    println!("{tried} power cuts, at each of {writes} writes of a whole life");
}
