//! The agent in the `Signed` dialect: any clock, any weather, and another secret on the way.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use futures_lite::future::block_on;
use providore_client::{ConfigStep, Record, SecretStep};
use providore_server_core::DeviceStore as _;
use providore_testkit::simulator::{CONFIG_1, Fault, Unit, Weather, World};
use providore_wire::Dialect;

fn unit(world: &World, weather: Weather) -> Unit {
    Unit::speaking(Dialect::Signed, world, "dev1", weather)
}

/// Seconds from 1970 to the start of virtual time.
const SINCE_1970: i64 = providore_testkit::parties::START;

/// Provisions a device as `set` made its clock, in fair weather, and says how many exchanges that
/// took.
fn check_clock(what: &str, set: impl Fn(&Unit)) -> usize {
    let world = World::new();
    let mut unit = unit(&world, Weather::fair());
    set(&unit);
    assert_eq!(world.run(unit.live(3)), Some(2), "{what}");
    assert_eq!(world.issued(&unit.peer).len(), 1, "{what}");
    unit.link.tried()
}

#[test]
fn a_device_that_starts_in_1970_goes_through_everything() {
    let right = check_clock("right", |_| {});
    // One refusal for each start of the device: every agent has to hear the time once.
    let wrong = right + 2;
    for skew_s in [-SINCE_1970, -86_400, -600, 600, 86_400, 2_400_000_000] {
        let tried = check_clock("wrong", |unit| unit.set_skew_s(skew_s));
        assert!(
            tried <= wrong,
            "{skew_s} s: {tried} exchanges, {right} with a right clock"
        );
    }
    assert!(check_clock("none", Unit::remove_clock) <= wrong);
}

#[test]
fn a_server_that_restarted_a_moment_ago_serves_everybody() {
    for exchange in 0..8 {
        for fault in [Fault::RestartBefore, Fault::RestartAfter] {
            let world = World::new();
            let mut unit = unit(&world, Weather::at(exchange, &[fault]));
            assert!(world.run(unit.live(4)).is_some(), "{exchange} {fault:?}");
            assert_eq!(world.issued(&unit.peer).len(), 1, "{exchange} {fault:?}");
        }
    }
}

#[test]
fn every_device_is_provisioned_when_a_third_of_all_exchanges_fails() {
    let (mut most, mut exchanges) = (0, 0);
    for seed in 0..40 {
        let world = World::new();
        let mut unit = unit(&world, Weather::storm(seed, 333));
        match seed % 3 {
            0 => unit.remove_clock(),
            1 => unit.set_skew_s(-SINCE_1970),
            _ => {}
        }
        let days = world.run(unit.live(200));
        assert!(unit.is_provisioned(), "seed {seed}");
        most = most.max(days.expect("provisioned"));
        exchanges += unit.link.tried();
    }
    println!("40 seeds, {exchanges} exchanges, at most {most} days");
}

#[test]
fn any_bit_that_flips_in_an_answer_leaves_the_old_configuration() {
    let world = World::new();
    let mut unit = unit(&world, Weather::fair());
    let ask = |world: &World, unit: &mut Unit| {
        world.run(async { unit.start().check_config().await.is_ok() })
    };
    let empty = unit.storage.clone();
    assert!(ask(&world, &mut unit));
    let length = unit.link.log().first().expect("an exchange").answer_len();
    let (mut unharmed, mut refused) = (0, 0);
    for byte in 0..length {
        for bit in 0..8 {
            unit.storage = empty.clone();
            unit.link
                .set_weather(Weather::at(0, &[Fault::Flipped { byte, bit }]));
            if ask(&world, &mut unit) {
                assert_eq!(unit.text(Record::Config), Some(CONFIG_1), "{byte} {bit}");
                unharmed += 1;
            } else {
                assert!(
                    unit.storage.content(Record::Config).is_none(),
                    "{byte} {bit}"
                );
                refused += 1;
            }
            // The guard has room for so many questions of a device at a time.
            if (byte * 8 + usize::from(bit)) % 200 == 0 {
                world.pass_s(300);
            }
        }
    }
    println!("{unharmed} flips in what is not signed, {refused} refused");
    assert!(refused > 2_000 && unharmed < refused / 4);
}

/// Makes the operator set a next secret.
fn rotate(world: &World, unit: &Unit, secret: &str) {
    let store = world.store();
    let known = block_on(store.device(&unit.peer.id)).expect("a store");
    let record = (*known.expect("a device")).clone();
    let record = record
        .with_next_secret(secret.as_bytes())
        .expect("a secret");
    block_on(store.put_device(record));
}

const NEXT: &str = "another secret of the device dev1";

/// Whether the server has let go of the old secret.
fn is_replaced(world: &World, unit: &Unit) -> bool {
    let known = block_on(world.store().device(&unit.peer.id)).expect("a store");
    let old = unit.peer.record().key_check();
    known.expect("a device").key_check() != old
}

#[test]
fn another_secret_replaces_the_present_one() {
    let world = World::new();
    let mut unit = unit(&world, Weather::fair());
    rotate(&world, &unit, NEXT);
    let step = world.run(async { unit.start().check_secret().await });
    assert_eq!(step.expect("fair weather"), SecretStep::Replaced);
    assert!(is_replaced(&world, &unit));
    assert!(unit.storage.content(Record::NextSecret).is_none());
    // A restart, with the secret that was given at the factory.
    let step = world.run(async { unit.start().check_config().await });
    assert_eq!(step.expect("fair weather"), ConfigStep::Stored);
}

#[test]
fn whatever_fails_in_a_rotation_leaves_a_secret_in_common() {
    let faults = [
        Fault::RequestLost,
        Fault::AnswerLost,
        Fault::Duplicated,
        Fault::Replayed(0),
        Fault::RestartBefore,
        Fault::RestartAfter,
        Fault::StoreFails("device"),
        Fault::Delayed {
            out_ms: 45_000,
            back_ms: 20,
        },
        Fault::Truncated(10),
        Fault::Reset(900),
    ];
    for fault in faults {
        for exchange in 0..5 {
            let world = World::new();
            let mut unit = unit(&world, Weather::at(exchange, &[fault]));
            rotate(&world, &unit, NEXT);
            // The operator changes the mind of the server in between.
            for secret in [NEXT, "a third secret of the device dev1", NEXT] {
                let _ = world.run(async { unit.start().check_secret().await });
                if !is_replaced(&world, &unit) {
                    rotate(&world, &unit, secret);
                }
                world.pass_s(400);
            }
            let mut last = None;
            for _ in 0..6 {
                last = Some(world.run(async { unit.start().check_secret().await }));
                world.pass_s(400);
            }
            assert!(
                matches!(last, Some(Ok(_))),
                "{fault:?} at {exchange}: {last:?}"
            );
            assert!(is_replaced(&world, &unit), "{fault:?} at {exchange}");
        }
    }
}

#[test]
fn a_device_that_is_told_nonsense_keeps_its_dialect() {
    // Whatever is answered, nothing is ever sent that is not signed in this dialect.
    let world = World::new();
    let mut unit = unit(&world, Weather::storm(7, 900));
    let _ = world.run(unit.live(20));
    for recorded in unit.link.log() {
        let fields = &recorded.request.fields;
        assert!(fields.iter().all(|(name, _)| name != "authorization"));
    }
}
