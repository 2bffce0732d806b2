//! Who accepts what from whom: the answer of exactly this question, the request of exactly this
//! device.
//!
//! The attacker carries every message. He has seen every MAC, may put each on other contents, and
//! is the owner of a device of his own, so that he can also make requests under that device's key.
//! Time and nonce memory are left out: the server answers the same request as often as he likes,
//! which is more than [`freshness`](crate::freshness) lets it do.

use alloc::{vec, vec::Vec};

use stateright::{Model, Property};

use crate::Rules;

const MOST_QUESTIONS: usize = 2;
const MOST_ANSWERS: usize = 2;
const MOST_ACCEPTED: usize = 2;

/// A rule of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// A request's MAC is made over `@method`, `@path` and `@query`.
    RequestCoversRoute,
    /// A request's MAC is made over `content-digest`.
    RequestCoversBody,
    /// An answer's MAC is made over `@status`.
    AnswerCoversStatus,
    /// An answer's MAC is made over `content-digest`.
    AnswerCoversBody,
    /// An answer's MAC is made over the signature of its question.
    AnswerCoversQuestion,
    /// An answer's MAC is made over the route of its question.
    AnswerCoversRoute,
    /// No two questions have the same nonce.
    NonceIsNew,
    /// A request is verified under the key of the device that it claims to be from.
    KeyOfClaimedDevice,
    /// An answer without a MAC is a hint, never an answer.
    UnsignedIsOnlyAHint,
}

/// Who has a key that the server knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Owner {
    /// The device that keeps to the protocol.
    Device,
    /// The attacker, as the owner of another device.
    Attacker,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Route {
    /// `POST /report`
    Report,
    /// `GET /config`
    Config,
}

/// The contents of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Body {
    /// One.
    This,
    /// Another.
    That,
}

/// The status of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Status {
    /// 200
    Ok,
    /// 304, or 404: there is nothing for you.
    Nothing,
}

/// What a request says, each part in its header field or line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Request {
    /// The `keyid`.
    pub claimed: Owner,
    /// Method, path and query.
    pub route: Route,
    /// The body.
    pub body: Body,
    /// The `nonce`.
    pub nonce: u8,
}

impl Request {
    /// A request.
    #[must_use]
    pub const fn new(claimed: Owner, route: Route, body: Body, nonce: u8) -> Self {
        Self {
            claimed,
            route,
            body,
            nonce,
        }
    }
}

/// What an answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Answer {
    /// The status.
    pub status: Status,
    /// The body.
    pub body: Body,
}

impl Answer {
    /// An answer.
    #[must_use]
    pub const fn new(status: Status, body: Body) -> Self {
        Self { status, body }
    }
}

/// A MAC of a request: its key and what is under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct RequestMac {
    key: Owner,
    claimed: Owner,
    route: Option<Route>,
    body: Option<Body>,
    nonce: u8,
}

/// A MAC of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct AnswerMac {
    key: Owner,
    status: Option<Status>,
    body: Option<Body>,
    question: Option<RequestMac>,
    route: Option<Route>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Question {
    said: Request,
    mac: RequestMac,
}

/// What the server did, and for which question as it saw it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Served {
    request: Request,
    request_mac: RequestMac,
    /// How many questions there were: an answer cannot be to a later one.
    asked_before: u8,
    answer: Answer,
    mac: AnswerMac,
}

/// Everything there is at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    questions: Vec<Question>,
    /// Whether the device waits for the answer to the last of them.
    waits: bool,
    served: Vec<Served>,
    /// Which question, and what the device took for its answer.
    accepted: Vec<(usize, Answer)>,
}

/// Under which MAC the attacker hands in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestUnder {
    /// That of the device's question of this number.
    Question(usize),
    /// One made with the key of his own device.
    OwnKey,
}

/// Under which MAC the attacker hands an answer to the device.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnswerUnder {
    /// That of the answer of this number.
    Answer(usize),
    /// One made with the key of his own device, over whatever helps.
    OwnKey,
    /// None.
    Nothing,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// The device asks. If it waited for another answer, it has given up, or was restarted.
    Ask(Route, Body),
    /// A request reaches the server, and it would answer it like this.
    Request(RequestUnder, Request, Answer),
    /// An answer reaches the device.
    Answer(AnswerUnder, Answer),
}

/// One device, the server, and an attacker who has another device.
#[derive(Debug, Clone)]
pub struct Agreement {
    rules: Rules<Rule>,
}

impl Agreement {
    /// The model under these rules.
    #[must_use]
    pub const fn new(rules: Rules<Rule>) -> Self {
        Self { rules }
    }

    fn covered<T>(&self, rule: Rule, value: T) -> Option<T> {
        self.rules.hold(rule).then_some(value)
    }

    fn request_mac(&self, key: Owner, said: Request) -> RequestMac {
        RequestMac {
            key,
            claimed: said.claimed,
            route: self.covered(Rule::RequestCoversRoute, said.route),
            body: self.covered(Rule::RequestCoversBody, said.body),
            nonce: said.nonce,
        }
    }

    fn answer_mac(
        &self,
        key: Owner,
        question: RequestMac,
        route: Route,
        answer: Answer,
    ) -> AnswerMac {
        AnswerMac {
            key,
            status: self.covered(Rule::AnswerCoversStatus, answer.status),
            body: self.covered(Rule::AnswerCoversBody, answer.body),
            question: self.covered(Rule::AnswerCoversQuestion, question),
            route: self.covered(Rule::AnswerCoversRoute, route),
        }
    }

    /// The server verifies a request and answers it.
    fn serve(&self, state: &mut State, mac: RequestMac, said: Request, answer: Answer) {
        let key = if self.rules.hold(Rule::KeyOfClaimedDevice) {
            said.claimed
        } else {
            mac.key
        };
        if state.served.len() == MOST_ANSWERS || mac != self.request_mac(key, said) {
            return;
        }
        state.served.push(Served {
            request: said,
            request_mac: mac,
            asked_before: u8::try_from(state.questions.len()).unwrap_or(u8::MAX),
            answer,
            mac: self.answer_mac(key, mac, said.route, answer),
        });
    }

    /// The device verifies an answer to its last question.
    fn accept(&self, state: &mut State, mac: Option<AnswerMac>, answer: Answer) -> Option<()> {
        let last = state.questions.last().filter(|_| state.waits)?;
        let expected = self.answer_mac(Owner::Device, last.mac, last.said.route, answer);
        let good = match mac {
            Some(mac) => mac == expected,
            None => !self.rules.hold(Rule::UnsignedIsOnlyAHint),
        };
        if good && state.accepted.len() < MOST_ACCEPTED {
            state.accepted.push((state.questions.len() - 1, answer));
            state.waits = false;
        }
        Some(())
    }

    fn ask(&self, state: &mut State, route: Route, body: Body) {
        let nonce = if self.rules.hold(Rule::NonceIsNew) {
            u8::try_from(state.questions.len()).unwrap_or(u8::MAX)
        } else {
            0
        };
        let said = Request::new(Owner::Device, route, body, nonce);
        let mac = self.request_mac(Owner::Device, said);
        state.questions.push(Question { said, mac });
        state.waits = true;
    }
}

/// The attacker's choices.
const ROUTES: [Route; 2] = [Route::Report, Route::Config];
const BODIES: [Body; 2] = [Body::This, Body::That];
const ANSWERS: [Answer; 3] = [
    Answer::new(Status::Ok, Body::This),
    Answer::new(Status::Ok, Body::That),
    Answer::new(Status::Nothing, Body::This),
];

fn requests(claimed: Owner, nonce: u8) -> impl Iterator<Item = Request> {
    ROUTES.into_iter().flat_map(move |route| {
        let bodies = BODIES.into_iter();
        bodies.map(move |body| Request::new(claimed, route, body, nonce))
    })
}

impl Model for Agreement {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            questions: Vec::new(),
            waits: false,
            served: Vec::new(),
            accepted: Vec::new(),
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.questions.len() < MOST_QUESTIONS {
            for said in requests(Owner::Device, 0) {
                actions.push(Action::Ask(said.route, said.body));
            }
        }
        // A nonce that the device has used is worth most to him.
        let nonce = state.questions.last().map_or(0, |last| last.said.nonce);
        let owners = [Owner::Device, Owner::Attacker].into_iter();
        let owned = owners.flat_map(|claimed| requests(claimed, nonce));
        let heard = state
            .questions
            .iter()
            .enumerate()
            .flat_map(|(number, question)| {
                requests(Owner::Device, question.said.nonce)
                    .map(move |said| (RequestUnder::Question(number), said))
            });
        let handed_in = heard.chain(owned.map(|said| (RequestUnder::OwnKey, said)));
        for (under, said) in handed_in {
            for answer in ANSWERS {
                actions.push(Action::Request(under.clone(), said, answer));
            }
        }
        let heard = (0..state.served.len()).map(AnswerUnder::Answer);
        for under in heard.chain([AnswerUnder::OwnKey, AnswerUnder::Nothing]) {
            for answer in ANSWERS {
                actions.push(Action::Answer(under.clone(), answer));
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Ask(route, body) => self.ask(&mut state, route, body),
            Action::Request(under, said, answer) => {
                let mac = match under {
                    RequestUnder::Question(number) => state.questions.get(number)?.mac,
                    RequestUnder::OwnKey => self.request_mac(Owner::Attacker, said),
                };
                self.serve(&mut state, mac, said, answer);
            }
            Action::Answer(under, answer) => {
                let mac = match under {
                    AnswerUnder::Answer(number) => Some(state.served.get(number)?.mac),
                    AnswerUnder::OwnKey => {
                        let question = state.questions.last()?;
                        let route = question.said.route;
                        Some(self.answer_mac(Owner::Attacker, question.mac, route, answer))
                    }
                    AnswerUnder::Nothing => None,
                };
                self.accept(&mut state, mac, answer)?;
            }
        }
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("an answer is of its question", |_, state: &State| {
                state.accepted.iter().all(|(number, answer)| {
                    let question = state.questions.get(*number);
                    state.served.iter().any(|served| {
                        served.answer == *answer
                            && question.is_some_and(|question| {
                                question.said == served.request
                                    && question.mac == served.request_mac
                            })
                            && usize::from(served.asked_before) > *number
                    })
                })
            }),
            Property::always("a request is of its device", |_, state: &State| {
                let mut served = state.served.iter();
                served.all(|served| match served.request.claimed {
                    Owner::Attacker => true,
                    Owner::Device => {
                        let mut questions = state.questions.iter();
                        questions.any(|question| question.said == served.request)
                    }
                })
            }),
            Property::sometimes("a question is answered", |_, state: &State| {
                !state.accepted.is_empty()
            }),
            Property::sometimes("two questions are answered", |_, state: &State| {
                state.accepted.len() == 2
            }),
            Property::sometimes("an answer with nothing is accepted", |_, state: &State| {
                let mut accepted = state.accepted.iter();
                accepted.any(|(_, answer)| answer.status == Status::Nothing)
            }),
            Property::sometimes("the attacker's own device is served", |_, state: &State| {
                let mut served = state.served.iter();
                served.any(|served| served.request.claimed == Owner::Attacker)
            }),
        ]
    }
}
