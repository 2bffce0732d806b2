//! Log lines that strangers cause: so many a second, and the rest as a number.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::clock;

/// Lines of one kind in a second. An operator who looks for one refused device sees enough; at this
/// rate a stranger writes 150 MB a day at most, and the counters have the rest.
const LINES: u32 = 10;

const SECOND: Duration = Duration::from_secs(1);

/// Lines of one kind.
#[derive(Debug)]
pub(super) struct Capped {
    /// What they are about, in the line that says how many were left out.
    about: &'static str,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    began: Option<Instant>,
    said: u32,
    left_out: u64,
}

impl Capped {
    pub(super) fn new(about: &'static str) -> Self {
        Self {
            about,
            state: Mutex::default(),
        }
    }

    /// Writes a line, unless this second had enough of them.
    pub(super) fn say(&self, line: impl FnOnce()) {
        let (admitted, left_out) = self.admit(clock::instant());
        self.tell(left_out);
        if admitted {
            line();
        }
    }

    /// Says how many lines were left out, once their second is over. Call it every second or so.
    pub(super) fn settle(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let left_out = state.renew(clock::instant());
        drop(state);
        self.tell(left_out);
    }

    fn admit(&self, now: Instant) -> (bool, u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let left_out = state.renew(now);
        if state.said < LINES {
            state.said = state.said.saturating_add(1);
            (true, left_out)
        } else {
            state.left_out = state.left_out.saturating_add(1);
            (false, left_out)
        }
    }

    fn tell(&self, left_out: u64) {
        if left_out > 0 {
            tracing::warn!("{left_out} more {}", self.about);
        }
    }
}

impl State {
    /// Begins a new second if the last one is over; returns what was left out in it.
    fn renew(&mut self, now: Instant) -> u64 {
        let began = *self.began.get_or_insert(now);
        if now.saturating_duration_since(began) < SECOND {
            return 0;
        }
        let left_out = self.left_out;
        *self = Self {
            began: Some(now),
            ..Self::default()
        };
        left_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_so_many_lines_and_the_next_says_how_many_more_there_were() {
        let lines = Capped::new("requests refused");
        let now = clock::instant();
        let said = (0..1000).filter(|_| lines.admit(now).0).count();
        assert_eq!(said, 10);
        assert_eq!(lines.admit(now + SECOND), (true, 990));
        assert_eq!(lines.admit(now + SECOND), (true, 0));
        lines.settle();
    }
}
