//! What device, server, operator and attacker have.

use alloc::{collections::BTreeSet, vec::Vec};

use super::{
    MOST_OFFERED, Secret,
    device::{Answer, Device, Question},
    server::{Handled, Record},
};

/// Everything there is at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    /// Stored by the server.
    pub(super) server: Record,
    /// Requests between their verification and their answer.
    pub(super) handled: Vec<Handled>,
    /// A secret that the server answered with and has not stored.
    pub(super) late: Option<Secret>,
    /// What the operator's tool has read, and not yet written back.
    pub(super) operator: Option<Record>,
    /// The newest secret that was drawn.
    pub(super) drawn: Secret,
    /// Stored by the device.
    pub(super) device: Device,
    /// A new secret that the device uses and has not stored.
    pub(super) unsaved: Option<Secret>,
    /// Whether the next question is signed with the old secret.
    pub(super) fall_back: bool,
    pub(super) question: Option<Question>,
    /// Genuine answers to this question.
    pub(super) answers: BTreeSet<Answer>,
    /// Secrets under which the attacker has requests.
    pub(super) signed: BTreeSet<Secret>,
    /// Secrets that the attacker knows.
    pub(super) known: BTreeSet<Secret>,
}

impl State {
    pub(super) fn new(leaked: bool) -> Self {
        Self {
            server: Record::default(),
            handled: Vec::new(),
            late: None,
            operator: None,
            drawn: 0,
            device: Device::default(),
            unsaved: None,
            fall_back: false,
            question: None,
            answers: BTreeSet::new(),
            signed: BTreeSet::new(),
            known: leaked.then_some(0).into_iter().collect(),
        }
    }

    /// A secret that nobody has seen.
    pub(super) fn draw(&mut self) -> Option<Secret> {
        (self.drawn < MOST_OFFERED).then(|| {
            self.drawn += 1;
            self.drawn
        })
    }

    /// Stored on both sides: what is only in memory is lost in a crash.
    pub(super) fn has_secret_in_common(&self) -> bool {
        let server = [Some(self.server.secret), self.server.next];
        let device = [Some(self.device.secret), self.device.pending];
        let mut device = device.iter().flatten();
        device.any(|secret| server.contains(&Some(*secret)))
    }

    /// Both have the same secret, and nothing waits.
    pub(super) fn is_settled(&self) -> bool {
        self.server.secret == self.device.secret
            && self.server.next.is_none()
            && self.device.pending.is_none()
            && self.unsaved.is_none()
    }

    pub(super) fn end_question(&mut self) -> Option<()> {
        self.question.take()?;
        self.answers.clear();
        // Whatever the server makes of it, nobody takes the answer any more.
        for handled in &mut self.handled {
            handled.awaited = false;
        }
        self.handled
            .retain(|handled| handled.awaited || handled.promote.is_some());
        Some(())
    }

    pub(super) fn device_crash(&mut self) {
        self.end_question();
        self.unsaved = None;
        self.fall_back = false;
    }

    pub(super) fn server_crash(&mut self) {
        self.handled.clear();
        self.late = None;
    }

    /// Whatever is under way is lost; what is in memory stays.
    pub(super) fn end_everything_in_flight(&mut self) {
        self.end_question();
        self.handled.clear();
        self.operator = None;
    }

    pub(super) fn only_answer(&self) -> Option<Answer> {
        self.answers.first().copied()
    }
}
