//! Notices make the device ask early, and not often.

use alloc::collections::VecDeque;
use core::future::pending;

use providore_client::NoticeSource;
use providore_sign::{SoftwareKey, notice::NoticeKey};
use providore_testkit::simulator::{Timeline, Unit, World};
use providore_wire::notice::Waiting;

use crate::support::{Lamp, live, live_with, set_config, settled_device};

const HOUR: u64 = 3600;
const OTHER: &str = r#"{"interval":5}"#;

/// Datagrams, and when they come: in milliseconds of virtual time.
struct Mail {
    timeline: Timeline,
    datagrams: VecDeque<(u64, Vec<u8>)>,
}

impl NoticeSource for Mail {
    async fn receive(&mut self, buffer: &mut [u8]) -> usize {
        let Some((at_ms, _)) = self.datagrams.front() else {
            return pending().await;
        };
        let wait_ms = at_ms.saturating_sub(self.timeline.now_ms());
        self.timeline.sleep_ms(wait_ms).await;
        let (_, datagram) = self.datagrams.pop_front().unwrap();
        for (slot, byte) in buffer.iter_mut().zip(&datagram) {
            *slot = *byte;
        }
        datagram.len().min(buffer.len())
    }
}

/// What the server of the world sends to this device so many milliseconds from now.
fn notice(world: &World, unit: &Unit, in_ms: u64) -> (u64, Vec<u8>) {
    let mut secret = SoftwareKey::new(unit.peer.secret.as_bytes()).unwrap();
    let key = NoticeKey::derive(&mut secret, &unit.peer.id).unwrap();
    let unix_ms = u64::try_from(world.now().unix()).unwrap() * 1000;
    let datagram = key.sign(Waiting::CONFIG, unix_ms + in_ms).unwrap();
    (world.timeline().now_ms() + in_ms, datagram.to_vec())
}

fn mail(world: &World, datagrams: impl IntoIterator<Item = (u64, Vec<u8>)>) -> Mail {
    Mail {
        timeline: world.timeline().clone(),
        datagrams: datagrams.into_iter().collect(),
    }
}

/// When the device asked for its configuration since `from_ms`, in milliseconds after that.
fn polls(unit: &Unit, from_ms: u64) -> Vec<u64> {
    let log = unit.link.log().iter();
    let polls = log.filter(|it| it.request.target == "/config" && it.answer.status != 401);
    let times = polls.map(|it| it.sent_ms);
    times.filter_map(|ms| ms.checked_sub(from_ms)).collect()
}

#[test]
fn a_notice_speeds_up_the_next_day() {
    let lamp = Lamp::default();
    let (world, mut unit) = settled_device(&lamp);
    let (begun_ms, sent_ms) = (world.timeline().now_ms(), 600_000);
    let mut mail = mail(&world, [notice(&world, &unit, sent_ms)]);
    set_config(&world, &unit, OTHER);
    live_with(&world, &mut unit, &lamp, HOUR / 2, &mut mail);
    let polls = polls(&unit, begun_ms);
    assert_eq!(polls.len(), 2, "{polls:?}");
    // Within the jitter of five seconds, and what a refused question before it takes.
    assert!((sent_ms..sent_ms + 6_000).contains(&polls[1]), "{polls:?}");
}

#[test]
fn a_flood_of_notices_gives_one_poll_per_interval() {
    let lamp = Lamp::default();
    let (world, mut unit) = settled_device(&lamp);
    let begun_ms = world.timeline().now_ms();
    // Every half a second, for twenty minutes; each of them genuine and new.
    let flood = (20..2_400).map(|count| notice(&world, &unit, count * 500));
    let mut mail = mail(&world, flood.collect::<Vec<_>>());
    live_with(&world, &mut unit, &lamp, 20 * 60, &mut mail);
    let polls = polls(&unit, begun_ms);
    assert!((10..=21).contains(&polls.len()), "{polls:?}");
    for pair in polls[1..].windows(2) {
        assert!(pair[1] - pair[0] >= 60_000, "{polls:?}");
    }
    println!("2380 notices in 20 minutes, {} polls", polls.len());
}

#[test]
fn an_old_notice_that_is_sent_again_changes_nothing() {
    let lamp = Lamp::default();
    let (world, mut unit) = settled_device(&lamp);
    let begun_ms = world.timeline().now_ms();
    let (at_ms, datagram) = notice(&world, &unit, 60_000);
    let again = (1..30).map(|minutes| (at_ms + minutes * 60_000, datagram.clone()));
    let mut mail = mail(&world, again.collect::<Vec<_>>());
    live_with(&world, &mut unit, &lamp, HOUR / 2, &mut mail);
    // The first day, and the notice that somebody held back for a minute.
    assert_eq!(polls(&unit, begun_ms).len(), 2);
    // After a restart it is older than what the server answers.
    live_with(&world, &mut unit, &lamp, HOUR / 4, &mut mail);
    assert_eq!(polls(&unit, begun_ms).len(), 3);
}

#[test]
fn datagrams_of_strangers_change_nothing() {
    let lamp = Lamp::default();
    let (world, mut unit) = settled_device(&lamp);
    let begun_ms = world.timeline().now_ms();
    let stranger = Unit::new(&world, "dev2", lamp.weather());
    let (_, genuine) = notice(&world, &unit, 60_000);
    let mut long = genuine.clone();
    long.push(0);
    let mut flipped = genuine.clone();
    flipped[5] ^= 2;
    let (_, foreign) = notice(&world, &stranger, 60_000);
    let datagrams = [long, flipped, foreign, Vec::new(), genuine[1..].to_vec()];
    let datagrams = datagrams
        .into_iter()
        .map(|bytes| (begun_ms + 60_000, bytes));
    let mut mail = mail(&world, datagrams);
    live_with(&world, &mut unit, &lamp, HOUR / 2, &mut mail);
    assert!(mail.datagrams.is_empty());
    assert_eq!(polls(&unit, begun_ms).len(), 1);
    let events = lamp.events.borrow();
    let ignored = events.iter().filter(|it| it.starts_with("NoticeIgnored"));
    assert_eq!(ignored.count(), 5);
}

#[test]
fn without_notices_a_day_comes_by_itself() {
    let lamp = Lamp::default();
    let (world, mut unit) = settled_device(&lamp);
    live(&world, &mut unit, &lamp, 5 * HOUR / 2);
    assert_eq!(polls(&unit, 0).len(), 3);
}
