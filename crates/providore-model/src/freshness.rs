//! When the server executes a request: fresh by its own clock or by a challenge, and new.
//!
//! The unit of time is the skew that is tolerated. The attacker has every request from the moment
//! it was signed, and hands it in whenever and as often as he likes; what he never hands in was
//! lost. He may ask for a challenge at any time, and show any of them to the device.

use alloc::{vec, vec::Vec};
use core::mem::{swap, take};

use stateright::{Model, Property};

use crate::Rules;

/// How far a device's clock may be ahead.
const SKEW: i8 = 1;
/// How long a request signed by the clock is valid.
const WINDOW: i8 = 2;
/// How long a challenge is accepted.
const CHALLENGE_LIFE: i8 = 2;
/// How wrong device clocks are, in either direction: more than is tolerated.
const WORST_CLOCK: i8 = 2;
/// How far the server's clock is set back, once.
const STEP_BACK: i8 = 2;
/// How many nonces the server has room for.
const ROOM: usize = 1;
/// So many ticks after it was signed, a request is executed too late.
const LATE: i8 = WINDOW + SKEW + 1;
const MOST_REQUESTS: usize = 2;
const MOST_STARTS: usize = 3;
const LAST_TICK: i8 = 6;

/// A rule of the protocol, or something that it takes for granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// A nonce is accepted once.
    NonceIsNew,
    /// A request is refused after its `expires`.
    ExpiredIsRefused,
    /// A request whose `created` is further in the future than the skew is refused.
    FutureIsRefused,
    /// A request from before the start of the server is refused.
    RestartRule,
    /// The skew is added to the start of the server.
    RestartSkew,
    /// A request of the very instant at which the restart rule ends is refused too.
    RestartRuleIsStrict,
    /// A challenge is refused when it is too old.
    ChallengeExpires,
    /// A challenge from before a restart is void.
    ChallengeBoundToStart,
    /// A nonce is remembered through the last instant at which its request could be accepted.
    GuardKeepsUntilExpiry,
    /// A full guard refuses, and never makes room.
    FullGuardRefuses,
    /// Fresh and new are judged by one reading of the clock, in one step.
    OneReadingOfTheClock,
    /// A clock that is set back while the server runs is handled as a restart is.
    SetBackIsRestart,
    /// The server counts as started no earlier than any time that it has seen.
    StartedNoEarlierThanSeen,
    /// Taken for granted: the process before a restart has ended when the next one starts.
    OneServerAtATime,
}

/// What makes a request fresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Proof {
    /// `created`, by the clock of the device; `expires` is a window later.
    Clock(i8),
    /// A challenge.
    Challenge {
        /// When the server made it.
        issued: i8,
        /// Which start of the server made it.
        start: usize,
    },
}

/// A start of the server, or a clock that was set back, which is handled like one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Start {
    /// What the clock showed.
    began: i8,
    /// What it showed at the end.
    ended: i8,
    /// The time that it counts as.
    counts_as: i8,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Request {
    proof: Proof,
    signed_at: i8,
    /// Ticks since then, up to the first at which it is late.
    age: i8,
    executed: u8,
    executed_after_restart: bool,
}

impl Request {
    fn by_clock(&self) -> bool {
        matches!(self.proof, Proof::Clock(_))
    }

    /// How far the clock was ahead, or how far behind if negative, when this was signed.
    fn error(&self) -> Option<i8> {
        match self.proof {
            Proof::Clock(created) => Some(created - self.signed_at),
            Proof::Challenge { .. } => None,
        }
    }

    fn by_a_clock_far_ahead(&self) -> bool {
        self.error().is_some_and(|error| error > SKEW)
    }
}

/// Everything there is at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    /// What the clock of the server shows.
    now: i8,
    /// The latest that it has shown.
    seen: i8,
    set_back: bool,
    /// When the server was started, each time.
    starts: Vec<Start>,
    /// In the order in which they were signed.
    requests: Vec<Request>,
    /// Requests whose nonces are remembered, the oldest first.
    guard: Vec<usize>,
    /// The same of the process before the last restart, if that goes on.
    former_guard: Vec<usize>,
    /// A request found fresh, whose nonce is not looked up yet.
    stalled: Option<usize>,
    executed_late: bool,
    executed_late_by_a_clock_far_ahead: bool,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Time passes.
    Tick,
    /// The device signs a new request.
    Sign(Proof),
    /// The attacker hands in the request with this number.
    HandIn(usize),
    /// The same, and the process before the last restart gets it.
    HandInToFormer(usize),
    /// The attacker hands in a request, but the server is interrupted between the two checks.
    HandInSlowly(usize),
    /// The server goes on.
    GoOn,
    /// The server crashes and is back at once, which is the worst moment.
    Restart,
    /// The clock of the server is set back.
    SetBack,
}

/// One device, its server, and an attacker between them.
#[derive(Debug, Clone)]
pub struct Freshness {
    rules: Rules<Rule>,
}

impl Freshness {
    /// The model under these rules.
    #[must_use]
    pub const fn new(rules: Rules<Rule>) -> Self {
        Self { rules }
    }

    fn is_fresh(&self, state: &State, proof: Proof) -> bool {
        match proof {
            Proof::Clock(created) => {
                let future = created > state.now + SKEW && self.rules.hold(Rule::FutureIsRefused);
                let expired =
                    created + WINDOW < state.now && self.rules.hold(Rule::ExpiredIsRefused);
                !future && !expired && self.began_after_start(state, created)
            }
            Proof::Challenge { issued, start } => {
                let old =
                    issued + CHALLENGE_LIFE < state.now && self.rules.hold(Rule::ChallengeExpires);
                let void =
                    start + 1 != state.starts.len() && self.rules.hold(Rule::ChallengeBoundToStart);
                !old && !void
            }
        }
    }

    fn began_after_start(&self, state: &State, created: i8) -> bool {
        let skew = if self.rules.hold(Rule::RestartSkew) {
            SKEW
        } else {
            0
        };
        let Some(start) = state.starts.last() else {
            return false;
        };
        let start = start.counts_as + skew;
        if !self.rules.hold(Rule::RestartRule) {
            true
        } else if self.rules.hold(Rule::RestartRuleIsStrict) {
            created > start
        } else {
            created >= start
        }
    }

    /// Forgets the nonces whose requests could not be accepted any more.
    fn forget(&self, state: &mut State) {
        let spare = i8::from(!self.rules.hold(Rule::GuardKeepsUntilExpiry));
        let State {
            now,
            guard,
            requests,
            ..
        } = state;
        guard.retain(|number| {
            let until = requests
                .get(*number)
                .map_or(i8::MIN, |request| match request.proof {
                    Proof::Clock(created) => created + WINDOW,
                    Proof::Challenge { issued, .. } => issued + CHALLENGE_LIFE,
                });
            *now + spare <= until
        });
    }

    fn hand_in(&self, state: &mut State, number: usize) -> Option<()> {
        let proof = state.requests.get(number)?.proof;
        if !self.is_fresh(state, proof) {
            return None;
        }
        self.execute_if_new(state, number)
    }

    /// Looks the nonce up, records it, and executes the request.
    fn execute_if_new(&self, state: &mut State, number: usize) -> Option<()> {
        self.forget(state);
        if self.rules.hold(Rule::NonceIsNew) {
            if state.guard.contains(&number) {
                return None;
            }
            if state.guard.len() == ROOM {
                if self.rules.hold(Rule::FullGuardRefuses) {
                    return None;
                }
                state.guard.remove(0);
            }
            state.guard.push(number);
        }
        let restarted = state.starts.len() > 1;
        let request = state.requests.get_mut(number)?;
        request.executed = (request.executed + 1).min(2);
        request.executed_after_restart |= restarted;
        if request.age == LATE {
            if request.by_a_clock_far_ahead() {
                state.executed_late_by_a_clock_far_ahead = true;
            } else {
                state.executed_late = true;
            }
        }
        Some(())
    }

    /// Every challenge that some start of the server made until now.
    fn challenges(state: &State) -> impl Iterator<Item = Proof> {
        state.starts.iter().enumerate().flat_map(|(number, start)| {
            let issued = start.began..=start.ended;
            issued.map(move |issued| Proof::Challenge {
                issued,
                start: number,
            })
        })
    }

    /// Begins to remember anew: what was before counts no more.
    fn begin(&self, state: &mut State) {
        let seen = self.rules.hold(Rule::StartedNoEarlierThanSeen);
        state.starts.push(Start {
            began: state.now,
            ended: state.now,
            counts_as: if seen { state.seen } else { state.now },
        });
        state.former_guard = take(&mut state.guard);
        if self.rules.hold(Rule::OneServerAtATime) {
            state.former_guard.clear();
        }
        state.stalled = None;
    }
}

impl Model for Freshness {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            now: 0,
            seen: 0,
            set_back: false,
            starts: vec![Start {
                began: 0,
                ended: 0,
                counts_as: 0,
            }],
            requests: Vec::new(),
            guard: Vec::new(),
            former_guard: Vec::new(),
            stalled: None,
            executed_late: false,
            executed_late_by_a_clock_far_ahead: false,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.now < LAST_TICK {
            actions.push(Action::Tick);
        }
        if state.requests.len() < MOST_REQUESTS {
            // The clock may be set between two requests, so that each has its own error.
            for error in -WORST_CLOCK..=WORST_CLOCK {
                actions.push(Action::Sign(Proof::Clock(state.now + error)));
            }
            actions.extend(Self::challenges(state).map(Action::Sign));
        }
        let numbers = 0..state.requests.len();
        actions.extend(numbers.clone().map(Action::HandIn));
        if !self.rules.hold(Rule::OneServerAtATime) {
            actions.extend(numbers.clone().map(Action::HandInToFormer));
        }
        if !self.rules.hold(Rule::OneReadingOfTheClock) {
            actions.extend(numbers.map(Action::HandInSlowly));
            actions.push(Action::GoOn);
        }
        if state.starts.len() < MOST_STARTS {
            actions.push(Action::Restart);
        }
        if state.now >= STEP_BACK && !state.set_back && state.starts.len() < MOST_STARTS {
            actions.push(Action::SetBack);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Tick => {
                state.now += 1;
                state.seen = state.seen.max(state.now);
                if let Some(start) = state.starts.last_mut() {
                    start.ended = start.ended.max(state.now);
                }
                for request in &mut state.requests {
                    request.age = LATE.min(request.age + 1);
                }
                self.forget(&mut state);
            }
            Action::Sign(proof) => state.requests.push(Request {
                proof,
                signed_at: state.now,
                age: 0,
                executed: 0,
                executed_after_restart: false,
            }),
            Action::HandIn(number) => {
                self.hand_in(&mut state, number)?;
            }
            Action::HandInToFormer(number) => {
                let start = state.starts.pop().filter(|_| !state.starts.is_empty())?;
                swap(&mut state.guard, &mut state.former_guard);
                self.hand_in(&mut state, number)?;
                swap(&mut state.guard, &mut state.former_guard);
                state.starts.push(start);
            }
            Action::HandInSlowly(number) => {
                let proof = state.requests.get(number)?.proof;
                if state.stalled.is_some() || !self.is_fresh(&state, proof) {
                    return None;
                }
                state.stalled = Some(number);
            }
            Action::GoOn => {
                let number = state.stalled.take()?;
                self.execute_if_new(&mut state, number);
            }
            Action::Restart => self.begin(&mut state),
            Action::SetBack => {
                state.now -= STEP_BACK;
                state.set_back = true;
                if self.rules.hold(Rule::SetBackIsRestart) {
                    self.begin(&mut state);
                }
            }
        }
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        fn some(state: &State, is: impl Fn(&Request) -> bool) -> bool {
            let mut requests = state.requests.iter();
            requests.any(|request| request.executed > 0 && is(request))
        }
        vec![
            Property::always("executed at most once", |_, state: &State| {
                state.requests.iter().all(|request| request.executed < 2)
            }),
            Property::always("executed soon or never", |_, state: &State| {
                !state.executed_late
            }),
            Property::sometimes("executed by the clock", |_, state| {
                some(state, Request::by_clock)
            }),
            Property::sometimes("executed by challenge", |_, state| {
                some(state, |request| !request.by_clock())
            }),
            Property::sometimes("executed by the clock after a restart", |_, state| {
                some(state, |it| it.executed_after_restart && it.by_clock())
            }),
            Property::sometimes("executed by challenge after a restart", |_, state| {
                some(state, |it| it.executed_after_restart && !it.by_clock())
            }),
            Property::sometimes(
                "executed by the clock after it was set back",
                |_, state: &State| {
                    state.set_back && some(state, |it| it.executed_after_restart && it.by_clock())
                },
            ),
            Property::sometimes(
                "executed by challenge after the clock was set back",
                |_, state: &State| {
                    state.set_back && some(state, |it| it.executed_after_restart && !it.by_clock())
                },
            ),
            Property::sometimes("executed with a clock that is ahead", |_, state| {
                some(state, |it| it.error().is_some_and(|error| error > 0))
            }),
            Property::sometimes("executed with a clock that is behind", |_, state| {
                some(state, |it| it.error().is_some_and(|error| error < 0))
            }),
            // A limit, not a wish: the server cannot tell when such a request was made.
            Property::sometimes(
                "executed late, if the clock was far ahead",
                |_, state: &State| state.executed_late_by_a_clock_far_ahead,
            ),
            Property::sometimes("the guard is full", |_, state: &State| {
                state.guard.len() == ROOM
            }),
        ]
    }
}
