//! The device: which secret it signs with, and what it makes of an answer.

use alloc::vec::Vec;

use super::{Action, Rotation, Rule, Secret, State};

/// What the device asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ask {
    /// The secret that waits.
    Secret,
    /// Anything else.
    Other,
}

/// What an answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Answer {
    Secret(Secret),
    Nothing,
    Other,
}

/// What the device has stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Device {
    pub(super) secret: Secret,
    /// The one that takes its place when it has brought a good answer.
    pub(super) pending: Option<Secret>,
}

/// What the device waits for an answer to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Question {
    pub(super) under: Secret,
    pub(super) ask: Ask,
}

impl Rotation {
    pub(super) fn device_actions(state: &State, actions: &mut Vec<Action>) {
        if state.question.is_none() {
            actions.extend([Action::Ask(Ask::Secret), Action::Ask(Ask::Other)]);
        } else {
            actions.extend([Action::Refused, Action::GiveUp]);
        }
        actions.push(Action::DeviceCrash);
        actions.extend(state.answers.iter().map(|answer| match answer {
            Answer::Secret(secret) => Action::TakeSecret(*secret),
            Answer::Nothing => Action::TakeNothing,
            Answer::Other => Action::TakeOther,
        }));
    }

    pub(super) fn ask(state: &mut State, ask: Ask) -> Option<()> {
        let pending = state.unsaved.or(state.device.pending);
        // With the old secret it asks for nothing but the new one.
        if state.question.is_some() || (state.fall_back && ask == Ask::Other) {
            return None;
        }
        let under = match pending {
            Some(pending) if !state.fall_back => pending,
            _ => state.device.secret,
        };
        state.question = Some(Question { under, ask });
        state.signed.insert(under);
        Some(())
    }

    /// The question was refused, or somebody says so.
    pub(super) fn refused(&self, state: &mut State) -> Option<()> {
        let under = state.question.as_ref()?.under;
        state.end_question();
        if under != state.device.secret {
            state.fall_back = self.rules.hold(Rule::FallBackToOld);
        } else if self.rules.hold(Rule::ReturnToPending) {
            state.fall_back = false;
        }
        Some(())
    }

    /// The question was answered, by somebody who has the secret under which it was asked.
    pub(super) fn take(&self, state: &mut State, answer: Answer) -> Option<()> {
        let under = state.question.as_ref()?.under;
        state.end_question();
        state.fall_back = false;
        let proven = under != state.device.secret;
        let replaced = matches!(answer, Answer::Secret(new) if new != under);
        if proven && (self.rules.hold(Rule::ProvenBecomesOnly) || !replaced) {
            state.device.secret = under;
            state.device.pending = None;
            state.unsaved = None;
        }
        match answer {
            Answer::Secret(new) if new == state.device.secret => {}
            Answer::Secret(new) if !self.rules.hold(Rule::KeepOldUntilProven) => {
                state.device.secret = new;
            }
            Answer::Secret(new) if !self.rules.hold(Rule::StorePendingBeforeUse) => {
                state.unsaved = Some(new);
            }
            Answer::Secret(new) => state.device.pending = Some(new),
            // The operator has changed his mind.
            Answer::Nothing if self.rules.hold(Rule::WithdrawnIsForgotten) => {
                state.device.pending = None;
            }
            Answer::Nothing | Answer::Other => {}
        }
        Some(())
    }
}
