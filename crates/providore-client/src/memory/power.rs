//! Power, and when it fails.

use crate::StoreError;

/// Counts writes, and fails from a scripted one on until the power is back.
#[derive(Debug, Clone, Copy, Default)]
pub struct Power {
    steps: u32,
    cut_at: Option<u32>,
}

impl Power {
    /// Fails when `steps` more writes have been done.
    pub const fn cut_after(&mut self, steps: u32) {
        self.cut_at = Some(self.steps.saturating_add(steps));
    }

    /// The power is back.
    pub const fn restore(&mut self) {
        self.cut_at = None;
    }

    /// How many writes there have been.
    #[must_use]
    pub const fn steps(&self) -> u32 {
        self.steps
    }

    pub(super) fn step(&mut self) -> Result<(), StoreError> {
        if self.cut_at.is_some_and(|at| self.steps >= at) {
            return Err(StoreError::failed());
        }
        self.steps = self.steps.saturating_add(1);
        Ok(())
    }
}
