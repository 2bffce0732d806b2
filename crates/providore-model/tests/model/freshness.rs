//! No request is executed twice, or late.

use providore_model::{
    Rules,
    freshness::{
        Action::{self, *},
        Freshness, Proof, Rule,
    },
};

use crate::check::{AtLeast, finds, holds};

const ONCE: &str = "executed at most once";
const SOON: &str = "executed soon or never";

/// A challenge from the first tick of the first start.
const FIRST: Action = Sign(Proof::Challenge {
    issued: 0,
    start: 0,
});

/// `created`
const fn by_clock(created: i8) -> Action {
    Sign(Proof::Clock(created))
}

fn check(rule: Rule, property: &'static str, attack: &[Action]) {
    let model = Freshness::new(Rules::without(rule));
    finds(model, property, attack.to_vec());
}

#[test]
fn no_request_is_executed_twice_or_late() {
    holds(Freshness::new(Rules::all()), AtLeast(2_000_000));
}

#[test]
fn a_replay_within_the_window() {
    let attack = [Tick, Tick, by_clock(2), HandIn(0), HandIn(0)];
    check(Rule::NonceIsNew, ONCE, &attack);
}

#[test]
fn a_replay_after_the_window() {
    let attack = [
        Tick,
        Tick,
        by_clock(2),
        Tick,
        Tick,
        Tick,
        HandIn(0),
        HandIn(0),
    ];
    check(Rule::ExpiredIsRefused, ONCE, &attack);
}

#[test]
fn a_delay_beyond_the_window() {
    let attack = [Tick, Tick, by_clock(2), Tick, Tick, Tick, Tick, HandIn(0)];
    check(Rule::ExpiredIsRefused, SOON, &attack);
}

#[test]
fn a_replay_after_a_restart() {
    let attack = [Tick, Tick, by_clock(2), HandIn(0), Restart, HandIn(0)];
    check(Rule::RestartRule, ONCE, &attack);
}

#[test]
fn a_replay_after_a_restart_with_a_clock_that_is_ahead() {
    let attack = [Tick, Tick, by_clock(3), HandIn(0), Restart, HandIn(0)];
    check(Rule::RestartSkew, ONCE, &attack);
    check(Rule::RestartRuleIsStrict, ONCE, &attack);
}

#[test]
fn a_replay_after_a_restart_with_a_clock_that_is_far_ahead() {
    let attack = [Tick, Tick, by_clock(4), HandIn(0), Restart, HandIn(0)];
    check(Rule::FutureIsRefused, ONCE, &attack);
}

#[test]
fn a_replay_under_a_challenge_that_the_guard_has_forgotten() {
    let attack = [FIRST, Tick, Tick, Tick, HandIn(0), HandIn(0)];
    check(Rule::ChallengeExpires, ONCE, &attack);
}

#[test]
fn a_delay_under_an_old_challenge() {
    let attack = [FIRST, Tick, Tick, Tick, Tick, HandIn(0)];
    check(Rule::ChallengeExpires, SOON, &attack);
}

#[test]
fn a_replay_after_a_restart_under_a_challenge_from_before() {
    let attack = [FIRST, HandIn(0), Restart, HandIn(0)];
    check(Rule::ChallengeBoundToStart, ONCE, &attack);
}

#[test]
fn a_replay_in_the_last_tick_of_the_window() {
    let attack = [Tick, Tick, by_clock(2), Tick, Tick, HandIn(0), HandIn(0)];
    check(Rule::GuardKeepsUntilExpiry, ONCE, &attack);
}

#[test]
fn a_replay_after_other_requests_have_filled_the_guard() {
    let attack = [FIRST, FIRST, HandIn(0), HandIn(1), HandIn(0)];
    check(Rule::FullGuardRefuses, ONCE, &attack);
}

#[test]
fn a_replay_whose_body_arrives_when_the_guard_has_forgotten() {
    let attack = [
        Tick,
        Tick,
        by_clock(2),
        Tick,
        Tick,
        HandInSlowly(0),
        HandIn(0),
        Tick,
        GoOn,
    ];
    check(Rule::OneReadingOfTheClock, ONCE, &attack);
}

#[test]
fn a_replay_after_the_clock_of_the_server_was_set_back() {
    let attack = [FIRST, Tick, Tick, HandIn(0), Tick, SetBack, HandIn(0)];
    check(Rule::SetBackIsRestart, ONCE, &attack);
}

#[test]
fn a_replay_after_a_restart_with_the_clock_set_back() {
    let attack = [
        Tick,
        Tick,
        Tick,
        by_clock(3),
        HandIn(0),
        SetBack,
        Restart,
        Tick,
        HandIn(0),
    ];
    check(Rule::StartedNoEarlierThanSeen, ONCE, &attack);
}

/// Two servers behind one address, or a new one that starts before the old one has ended.
#[test]
fn a_replay_to_the_server_that_was_to_be_replaced() {
    let attack = [
        Restart,
        Tick,
        Tick,
        by_clock(2),
        HandIn(0),
        HandInToFormer(0),
    ];
    check(Rule::OneServerAtATime, ONCE, &attack);
}
