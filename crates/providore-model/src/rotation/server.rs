//! The server: verifies a request, and answers it a moment later.

use alloc::vec::Vec;

use super::{
    Action, MOST_HANDLED, Rotation, Rule, Secret, State,
    device::{Answer, Ask},
};

/// What the server has stored of the device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Record {
    pub(super) secret: Secret,
    /// The one that takes its place when the device has signed with it.
    pub(super) next: Option<Secret>,
}

/// A request between its verification and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Handled {
    pub(super) ask: Ask,
    /// Whether the device still waits for this answer.
    pub(super) awaited: bool,
    /// The record when it was verified.
    pub(super) record: Record,
    /// What is to be stored before, or after, it is answered.
    pub(super) promote: Option<Secret>,
}

impl Rotation {
    pub(super) fn server_actions(state: &State, actions: &mut Vec<Action>) {
        if state.question.is_some() {
            actions.push(Action::Deliver);
        }
        actions.extend(state.signed.iter().copied().map(Action::DeliverOld));
        actions.extend(state.known.iter().copied().map(Action::Forge));
        actions.extend((0..state.handled.len()).map(Action::Finish));
        if state.late.is_some() {
            actions.push(Action::StoreLate);
        }
        actions.push(Action::ServerCrash);
    }

    /// The device's question.
    pub(super) fn verify(&self, state: &mut State) -> Option<()> {
        let question = state.question.clone()?;
        self.verify_under(state, question.under, question.ask, true)
    }

    /// A request whose answer nobody waits for.
    pub(super) fn verify_stray(&self, state: &mut State, under: Secret) -> Option<()> {
        let attacker_reads_it = state.known.contains(&under);
        self.verify_under(state, under, Ask::Other, false)?;
        if let (true, Some(next)) = (attacker_reads_it, state.server.next) {
            state.known.insert(next);
        }
        Some(())
    }

    fn verify_under(
        &self,
        state: &mut State,
        under: Secret,
        ask: Ask,
        awaited: bool,
    ) -> Option<()> {
        let mut promote = None;
        if state.server.next == Some(under) {
            if self.rules.hold(Rule::PromoteInOneStep) && self.rules.hold(Rule::PromoteBeforeAnswer)
            {
                promote_now(state, under);
            } else {
                promote = Some(under);
            }
        } else if state.server.secret != under {
            return None;
        }
        if awaited || promote.is_some() {
            let handled = Handled {
                ask,
                awaited,
                record: state.server.clone(),
                promote,
            };
            if state.handled.len() == MOST_HANDLED || state.handled.contains(&handled) {
                return None;
            }
            state.handled.push(handled);
        }
        Some(())
    }

    /// Answers one of the requests that are handled.
    pub(super) fn finish(&self, state: &mut State, number: usize) -> Option<()> {
        if number >= state.handled.len() {
            return None;
        }
        let handled = state.handled.remove(number);
        let mut record = if self.rules.hold(Rule::AnswerFromVerifiedRecord) {
            handled.record
        } else {
            state.server.clone()
        };
        if let Some(secret) = handled.promote {
            if self.rules.hold(Rule::PromoteBeforeAnswer) {
                promote_now(state, secret);
            } else {
                state.late = Some(secret);
            }
            promoted(&mut record, secret);
        }
        if handled.awaited {
            state.answers.insert(match (handled.ask, record.next) {
                (Ask::Other, _) => Answer::Other,
                (Ask::Secret, None) => Answer::Nothing,
                (Ask::Secret, Some(next)) => {
                    if !self.rules.hold(Rule::SecretTravelsEncrypted) {
                        state.known.insert(next);
                    }
                    Answer::Secret(next)
                }
            });
        }
        Some(())
    }

    pub(super) fn store_late(state: &mut State) {
        if let Some(secret) = state
            .late
            .take()
            .filter(|it| state.server.next == Some(*it))
        {
            promote_now(state, secret);
        }
    }
}

fn promote_now(state: &mut State, secret: Secret) {
    promoted(&mut state.server, secret);
}

fn promoted(record: &mut Record, secret: Secret) {
    *record = Record { secret, next: None };
}
