//! Answers that the link recorded and plays again are refused, and what is stored stays.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use futures_lite::future::block_on;
use providore_client::{AgentError, Error, Record};
use providore_sign::Refusal;
use providore_testkit::simulator::{CONFIG_1, Fault, Unit, Weather, World, image};

/// Lives until certificate, configuration and an offer of firmware are recorded; then asks for the
/// configuration `age_s` later, and gets the answer `before` that one.
fn ask_again(age_s: u64, before: usize) -> (Unit, Result<(), AgentError>) {
    let world = World::new();
    let mut unit = Unit::new(&world, "dev1", Weather::fair());
    world.run(async {
        let mut agent = unit.start();
        let _ = agent.check_certificate().await;
        let _ = agent.check_config().await;
    });
    world.pass_s(age_s);
    let newer = br#"{"interval":9}"#.to_vec();
    let version = Some("1.0.0".parse().unwrap());
    block_on(
        world
            .store()
            .put_config(unit.peer.id.clone(), version, newer),
    );
    let answered = unit.link.log().len();
    assert_eq!(
        answered, 3,
        "a request for each of certificate, CA and configuration"
    );
    unit.link
        .set_weather(Weather::at(0, &[Fault::Replayed(before)]));
    let outcome = world.run(async {
        let mut agent = unit.start();
        agent.check_config().await.map(drop)
    });
    (unit, outcome)
}

fn check(age_s: u64, before: usize, expected: impl Fn(&Result<(), AgentError>) -> bool) {
    let (unit, outcome) = ask_again(age_s, before);
    assert!(expected(&outcome), "{age_s} s, {before}: {outcome:?}");
    assert_eq!(
        unit.text(Record::Config),
        Some(CONFIG_1),
        "{age_s} s, {before}"
    );
}

fn is_old(outcome: &Result<(), AgentError>) -> bool {
    let Err(AgentError::Answer(Error::NotVerified(refusal))) = outcome else {
        return false;
    };
    matches!(
        refusal,
        Refusal::OlderThanQuestion { .. } | Refusal::Expired { .. }
    )
}

#[test]
fn an_answer_from_before_the_question_is_refused() {
    for age_s in [31, 32, 60, 600, 899, 900, 930, 931, 86_400] {
        check(age_s, 0, is_old);
    }
}

#[test]
fn an_answer_of_another_kind_is_refused_at_any_age() {
    // The CA is shown unsigned; the chain is signed, and no configuration.
    for age_s in [0, 29, 31, 86_400] {
        check(age_s, 1, |outcome| {
            matches!(outcome, Err(AgentError::Answer(Error::Unsigned { .. })))
        });
        check(age_s, 2, Result::is_err);
    }
}

#[test]
fn within_the_skew_the_answer_before_cannot_be_told_from_the_new_one() {
    // A limit of the dialect: no answer names its question. Half a minute of delay is the cost.
    check(29, 0, Result::is_ok);
}

#[test]
fn no_day_on_old_answers_changes_anything() {
    let mut tried = 0;
    for before in 0..7 {
        let world = World::new();
        let mut unit = Unit::new(&world, "dev1", Weather::fair());
        assert!(world.run(unit.live(5)).is_some());
        let (slot, storage) = (unit.slot.clone(), unit.storage.clone());
        world.pass_s(3600);
        let earlier = unit.link.log().len();
        // The same old answer, whatever is asked: one from before, not one kept back just now.
        let back = before % earlier;
        let replay = move |index| vec![Fault::Replayed(index + back)];
        unit.link.set_weather(Weather::new(replay));
        world.run(async {
            let mut agent = unit.start();
            let day = agent.day().await;
            assert!(day.config.is_none(), "answer {before}: {day:?}");
            assert!(day.firmware.is_none(), "answer {before}: {day:?}");
        });
        tried += unit.link.tried();
        for record in [Record::Config, Record::Certificate, Record::Authority] {
            assert_eq!(unit.storage.content(record), storage.content(record));
        }
        assert_eq!(unit.slot.image(), slot.image());
        assert_eq!(unit.slot.image(), image("2.0.0"));
        // When the link is honest again, so is the day.
        unit.link.set_weather(Weather::fair());
        assert!(world.run(unit.live(2)).is_some());
    }
    println!("{tried} exchanges answered with old answers");
}
