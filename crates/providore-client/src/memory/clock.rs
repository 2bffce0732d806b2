//! A clock that stands still until somebody sleeps.

use providore_wire::Timestamp;

use crate::Clock;

/// Virtual time in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct MemoryClock {
    start: Option<Timestamp>,
    passed_ms: u64,
}

impl MemoryClock {
    /// A clock that shows `now`.
    #[must_use]
    pub const fn new(now: Timestamp) -> Self {
        Self {
            start: Some(now),
            passed_ms: 0,
        }
    }

    /// A clock that nobody has set.
    #[must_use]
    pub const fn unset() -> Self {
        Self {
            start: None,
            passed_ms: 0,
        }
    }

    /// How long all sleeps together were, in milliseconds.
    #[must_use]
    pub const fn slept_ms(&self) -> u64 {
        self.passed_ms
    }

    /// Lets time pass.
    pub const fn advance_ms(&mut self, milliseconds: u64) {
        self.passed_ms = self.passed_ms.saturating_add(milliseconds);
    }
}

impl Clock for MemoryClock {
    fn now(&mut self) -> Option<Timestamp> {
        let seconds = i64::try_from(self.passed_ms.div_euclid(1000)).unwrap_or(i64::MAX);
        self.start.map(|start| start.saturating_add(seconds))
    }

    fn uptime_ms(&mut self) -> u64 {
        self.passed_ms
    }

    async fn sleep_ms(&mut self, milliseconds: u64) {
        self.advance_ms(milliseconds);
    }
}
