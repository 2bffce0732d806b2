//! A device's clock may be wrong by half a minute, and no more.

use providore_client::{AgentError, Error, Record};
use providore_sign::Refusal;
use providore_testkit::simulator::{Fault, Unit, Weather, World};

/// What becomes of a device whose clock is wrong.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Accepted,
    RefusedByServer,
    RefusedByDevice,
    Other(String),
}
use Verdict::{Accepted, Other, RefusedByDevice, RefusedByServer};

/// Asks for the configuration with a clock that is so many seconds ahead.
fn verdict(skew_s: i64, weather: Weather) -> Verdict {
    let world = World::new();
    let mut unit = Unit::new(&world, "dev1", weather);
    unit.set_skew_s(skew_s);
    let outcome = world.run(async { unit.start().check_config().await });
    assert_eq!(
        unit.storage.content(Record::Config).is_some(),
        outcome.is_ok()
    );
    match outcome {
        Ok(_) => Accepted,
        Err(AgentError::Answer(error)) if error.is_unauthorized() => RefusedByServer,
        Err(AgentError::Answer(Error::NotVerified(
            Refusal::FromTheFuture { .. } | Refusal::OlderThanQuestion { .. },
        ))) => RefusedByDevice,
        Err(error) => Other(format!("{error:?}")),
    }
}

fn check(skews_s: impl IntoIterator<Item = i64>, expected: &Verdict) {
    for skew_s in skews_s {
        assert_eq!(
            verdict(skew_s, Weather::fair()),
            *expected,
            "{skew_s} s ahead"
        );
    }
}

#[test]
fn a_clock_within_the_window_is_accepted() {
    check(-30..=30, &Accepted);
}

#[test]
fn a_clock_beyond_the_window_is_refused() {
    // A request from the future, an answer from the future, and a request that has expired.
    check(
        (31..=90).chain([900, 86_400, 400_000_000]),
        &RefusedByServer,
    );
    check((-930..=-900).chain(-90..=-31), &RefusedByDevice);
    check([-931, -1_000, -86_400, -400_000_000], &RefusedByServer);
}

#[test]
fn a_slow_link_does_not_make_a_right_clock_wrong() {
    for (out_ms, back_ms) in [(14_000, 15_000), (29_000, 500), (0, 29_500)] {
        let weather = Weather::script(&[Fault::Delayed { out_ms, back_ms }]);
        assert_eq!(verdict(0, weather), Accepted, "{out_ms} {back_ms}");
    }
}

#[test]
fn a_clock_that_is_set_later_ends_the_waiting() {
    for skew_s in [-86_400, -600, 600, 86_400] {
        let world = World::new();
        let mut unit = Unit::new(&world, "dev1", Weather::fair());
        unit.set_skew_s(skew_s);
        assert_eq!(world.run(unit.live(3)), None, "{skew_s} s");
        let issued = world.issued(&unit.peer).len();
        println!(
            "{skew_s} s: {issued} certificates issued in three days of the agent, none stored"
        );
        assert!(unit.storage.content(Record::Certificate).is_none());
        unit.set_skew_s(0);
        assert!(world.run(unit.live(5)).is_some(), "{skew_s} s");
    }
}
