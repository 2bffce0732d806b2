//! Power, and when it fails.

use alloc::rc::Rc;
use core::cell::Cell;

use crate::StoreError;

/// Counts writes, and fails at a scripted one until the power is back.
///
/// Clones are the same power: a slot and a storage that share one fail together.
#[derive(Debug, Clone, Default)]
pub struct Power(Rc<Cell<State>>);

/// Where within a write the power fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "tests go through all of them, and there is no fourth"
)]
pub enum Cut {
    /// Before anything of it is done.
    Before,
    /// Half of it is done. What a medium does in one step is done or not.
    During,
    /// All of it is done, and nobody learns of it.
    After,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    steps: u32,
    cut_at: Option<(u32, Option<Cut>)>,
}

/// How far a write comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    Nothing,
    Half,
    Unheard,
    Whole,
}

impl Power {
    /// Power that never fails, until it is told to.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Fails when `steps` more writes have been done.
    pub fn cut_after(&self, steps: u32) {
        self.cut(steps, Cut::Before);
    }

    /// Fails at the write after `steps` more, there.
    pub fn cut(&self, steps: u32, cut: Cut) {
        let State { steps: done, .. } = self.0.get();
        self.set(done, Some((done.saturating_add(steps), Some(cut))));
    }

    /// The power is back.
    pub fn restore(&self) {
        self.set(self.steps(), None);
    }

    /// How many writes there have been.
    #[must_use]
    pub fn steps(&self) -> u32 {
        self.0.get().steps
    }

    /// Whether the power has failed and is not back.
    #[must_use]
    pub fn is_out(&self) -> bool {
        let State { steps, cut_at } = self.0.get();
        cut_at.is_some_and(|(at, cut)| steps >= at && cut.is_none())
    }

    fn set(&self, steps: u32, cut_at: Option<(u32, Option<Cut>)>) {
        self.0.set(State { steps, cut_at });
    }

    /// The next write.
    pub(super) fn write(&self) -> Reach {
        let State { steps, cut_at } = self.0.get();
        let Some((at, cut)) = cut_at.filter(|(at, _)| steps >= *at) else {
            self.set(steps.saturating_add(1), cut_at);
            return Reach::Whole;
        };
        self.set(steps, Some((at, None)));
        match cut {
            Some(Cut::During) => Reach::Half,
            Some(Cut::After) => Reach::Unheard,
            Some(Cut::Before) | None => Reach::Nothing,
        }
    }

    /// The next write of something that is done in one step.
    pub(super) fn step(&self, done: impl FnOnce()) -> Result<(), StoreError> {
        let reach = self.write();
        if reach.is_all() {
            done();
        }
        reach.outcome()
    }
}

impl Reach {
    pub(super) const fn is_all(self) -> bool {
        matches!(self, Self::Unheard | Self::Whole)
    }

    pub(super) const fn outcome(self) -> Result<(), StoreError> {
        match self {
            Self::Whole => Ok(()),
            _ => Err(StoreError::failed()),
        }
    }
}
