//! The operator: offers a next secret, changes his mind, uses a tool beside the running server.

use alloc::vec::Vec;

use super::{Action, MOST_OFFERED, Rotation, Rule, State};

impl Rotation {
    pub(super) fn operator_actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.drawn < MOST_OFFERED {
            actions.push(Action::Offer);
        }
        if state.server.next.is_some() {
            actions.push(Action::Withdraw);
        }
        if !self.rules.hold(Rule::NeverOfferedAgain) {
            let others = (0..=state.drawn).filter(|secret| *secret != state.server.secret);
            actions.extend(others.map(Action::OfferAgain));
        }
        if !self.rules.hold(Rule::NoBackupIsRestored) {
            actions.push(Action::RestoreBackup);
        }
        if !self.rules.hold(Rule::OperatorEditsInOneStep) {
            if state.operator.is_none() {
                actions.push(Action::OperatorReads);
            } else {
                actions.push(Action::OperatorWrites);
            }
        }
    }
}

impl State {
    pub(super) fn offer(&mut self) -> Option<()> {
        self.server.next = Some(self.draw()?);
        Some(())
    }

    /// As a program does that reads a file, changes a line and writes the file.
    pub(super) fn write_back(&mut self) -> Option<()> {
        self.server = self.operator.take()?;
        self.offer()
    }
}
