//! Replacing the secret: whatever is lost, and whoever crashes when, device and server have one in
//! common, and find it.
//!
//! Every written record is atomic and durable. The attacker has every request that was ever signed,
//! may hand each in whenever and as often as he likes, and may refuse any question, since a refusal
//! is not signed. That an answer reaches only its own question is shown by
//! [`agreement`](crate::agreement), so here the device has the answers to its present question only.

mod device;
mod operator;
mod server;
mod state;

use alloc::{vec, vec::Vec};

use stateright::{Model, Property};

pub use device::Ask;
pub use state::State;

use crate::Rules;

/// Secrets are numbered in the order in which they were drawn.
pub type Secret = u8;

/// How many secrets the operator draws, beside the first.
const MOST_OFFERED: Secret = 4;
/// How many requests the server handles at a time.
const MOST_HANDLED: usize = 2;
/// In how many questions a device gets through and has the newest secret, once nothing is lost.
const QUESTIONS_TO_RECOVER: usize = 3;

/// A rule of the protocol, or something that it takes for granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// The device keeps the old secret until the new one has brought a good answer.
    KeepOldUntilProven,
    /// The device has stored the new secret before it signs with it.
    StorePendingBeforeUse,
    /// A secret that brought a good answer is the device's only one before the next takes its place
    /// beside it.
    ProvenBecomesOnly,
    /// A device whose new secret is refused tries the old one.
    FallBackToOld,
    /// A device whose old secret is refused tries the new one again.
    ReturnToPending,
    /// A device that is told that nothing waits forgets the new secret that was refused.
    WithdrawnIsForgotten,
    /// The server has stored the new secret as its only one before it answers.
    PromoteBeforeAnswer,
    /// The server verifies a request under the next secret and promotes that in one step.
    PromoteInOneStep,
    /// The server answers from the record under which it verified.
    AnswerFromVerifiedRecord,
    /// What the operator changes, he changes in the record as it is then.
    OperatorEditsInOneStep,
    /// A secret that was offered once is never offered again.
    NeverOfferedAgain,
    /// A secret is encrypted on its way to the device.
    SecretTravelsEncrypted,
    /// Taken for granted: nobody else has the secret that is being replaced.
    NobodyHasTheOldSecret,
    /// Taken for granted: the server's record is never an older one again.
    NoBackupIsRestored,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// The operator draws a secret and offers it as the next.
    Offer,
    /// The operator offers one that he offered before.
    OfferAgain(Secret),
    /// The operator withdraws the next secret.
    Withdraw,
    /// The operator's tool reads the record.
    OperatorReads,
    /// The operator's tool writes it back, with a new secret as the next.
    OperatorWrites,
    /// The operator restores a copy of the very first record.
    RestoreBackup,
    /// The device asks.
    Ask(Ask),
    /// The device is told that it is refused, by the server or by the attacker.
    Refused,
    /// The device takes the answer to its question.
    TakeSecret(Secret),
    /// The same, when no secret waits.
    TakeNothing,
    /// The same, when it asked for something else.
    TakeOther,
    /// The device waits no longer.
    GiveUp,
    /// The device crashes.
    DeviceCrash,
    /// The device's question reaches the server and is verified.
    Deliver,
    /// An older request under this secret reaches the server and is verified.
    DeliverOld(Secret),
    /// A request that the attacker signed with this secret is verified.
    Forge(Secret),
    /// The server answers the request of this number among those that it handles.
    Finish(usize),
    /// The server stores what it did not store before it answered.
    StoreLate,
    /// The server crashes.
    ServerCrash,
}

/// One device, its server, their operator, and an attacker between them.
#[derive(Debug, Clone)]
pub struct Rotation {
    rules: Rules<Rule>,
}

impl Rotation {
    /// The model under these rules.
    #[must_use]
    pub const fn new(rules: Rules<Rule>) -> Self {
        Self { rules }
    }

    /// How many questions it takes until device and server have one and the same secret and nothing
    /// waits, if from now on nothing is lost and nobody interferes.
    fn questions_to_recover(&self, state: &State) -> Option<usize> {
        let mut state = state.clone();
        state.end_everything_in_flight();
        for asked in 0..=QUESTIONS_TO_RECOVER {
            if asked > 0 && state.is_settled() {
                return Some(asked);
            }
            Self::ask(&mut state, Ask::Secret)?;
            let good = self.verify(&mut state).is_some();
            while self.finish(&mut state, 0).is_some() {}
            Self::store_late(&mut state);
            match state.only_answer() {
                Some(answer) if good => self.take(&mut state, answer)?,
                _ => self.refused(&mut state)?,
            }
        }
        None
    }
}

impl Model for Rotation {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let leaked = !self.rules.hold(Rule::NobodyHasTheOldSecret);
        vec![State::new(leaked)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.operator_actions(state, actions);
        Self::device_actions(state, actions);
        Self::server_actions(state, actions);
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Offer => state.offer()?,
            Action::OfferAgain(secret) => state.server.next = Some(secret),
            Action::Withdraw => state.server.next = None,
            Action::OperatorReads => state.operator = Some(state.server.clone()),
            Action::OperatorWrites => state.write_back()?,
            Action::RestoreBackup => state.server = server::Record::default(),
            Action::Ask(ask) => Self::ask(&mut state, ask)?,
            Action::Refused => self.refused(&mut state)?,
            Action::TakeSecret(secret) => self.take(&mut state, device::Answer::Secret(secret))?,
            Action::TakeNothing => self.take(&mut state, device::Answer::Nothing)?,
            Action::TakeOther => self.take(&mut state, device::Answer::Other)?,
            Action::GiveUp => state.end_question()?,
            Action::DeviceCrash => state.device_crash(),
            Action::Deliver => self.verify(&mut state)?,
            Action::DeliverOld(secret) | Action::Forge(secret) => {
                self.verify_stray(&mut state, secret)?;
            }
            Action::Finish(number) => self.finish(&mut state, number)?,
            Action::StoreLate => Self::store_late(&mut state),
            Action::ServerCrash => state.server_crash(),
        }
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("a secret in common", |_, state: &State| {
                state.has_secret_in_common()
            }),
            Property::always("they get through within three questions", |model, state| {
                model.questions_to_recover(state).is_some()
            }),
            Property::sometimes("all three are needed", |model: &Self, state| {
                model.questions_to_recover(state) == Some(QUESTIONS_TO_RECOVER)
            }),
            Property::sometimes("a rotation is complete", |_, state: &State| {
                state.is_settled() && state.server.secret == 1
            }),
            Property::sometimes("a second rotation is complete", |_, state: &State| {
                state.is_settled() && state.server.secret == 2
            }),
            Property::sometimes(
                "an offer is replaced before it was taken",
                |_, state: &State| state.server.secret == 0 && state.server.next == Some(2),
            ),
            Property::sometimes(
                "an offer is replaced after it was taken",
                |_, state: &State| state.device.pending == Some(1) && state.server.next == Some(2),
            ),
        ]
    }
}
