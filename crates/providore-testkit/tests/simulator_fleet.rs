//! A fleet that starts in one second, at a server that can answer only so many.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use providore_client::Record;
use providore_server_core::Settings;
use providore_testkit::simulator::{Task, TokenBucket, Unit, Weather, World};

/// Starts so many devices at once, and expects that the last is provisioned within `hours`.
fn check(devices: usize, (per_s, burst): (u32, u32), permille: u64, hours: u64) {
    let limits = TokenBucket::new(per_s, burst);
    let world = World::with(Settings::DEFAULT, Some(limits.clone()));
    let roots_pem = world.root_pem();
    let mut units: Vec<Unit> = (0..devices)
        .map(|index| {
            let weather = Weather::storm(index as u64, permille);
            Unit::new(&world, &format!("dev{index}"), weather).with_roots(&roots_pem)
        })
        .collect();
    let lives = units.iter_mut().map(|unit| {
        let world = &world;
        Box::pin(async move {
            let days = unit.live(100).await;
            (days, world.timeline().now_ms())
        }) as Task<'_, (Option<u32>, u64)>
    });
    let mut ends: Vec<u64> = world
        .run_all(lives.collect())
        .into_iter()
        .map(|(days, at_ms)| {
            assert!(days.is_some(), "a device was starved");
            at_ms / 1000
        })
        .collect();
    ends.sort_unstable();
    let (median, last) = (ends[ends.len() / 2], ends[ends.len() - 1]);
    let (admitted, refused) = limits.counts();
    println!(
        "{devices} devices, {per_s}/s: {admitted} admitted, {refused} told to wait, \
         half provisioned after {median} s, all after {last} s"
    );
    assert!(last <= hours * 3600, "the last one after {last} s");
    let mut again = 0;
    for unit in &units {
        assert!(unit.is_provisioned());
        let issued = world.issued(&unit.peer);
        for pair in issued.windows(2) {
            // Only who comes back on another day, after the hour of repeats, gets another one.
            let apart_s = pair[1].at.seconds_since(pair[0].at);
            let same_csr_s = i64::from(Settings::DEFAULT.same_csr_s);
            assert!(apart_s > same_csr_s, "{}: {apart_s} s", unit.peer.id);
            again += 1;
        }
        let newest = issued.last().map(|entry| entry.chain_pem.as_str());
        assert_eq!(unit.text(Record::Certificate), newest, "{}", unit.peer.id);
    }
    println!("{again} devices came back so late that they got a second certificate");
}

#[test]
fn a_thousand_devices_after_a_blackout_are_all_provisioned() {
    check(1000, (20, 40), 0, 6);
}

#[test]
fn a_hundred_devices_on_a_bad_network_are_all_provisioned() {
    check(100, (2, 4), 200, 24);
}
