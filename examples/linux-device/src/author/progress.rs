//! How far it is, for people who wait for a large image.

use std::io::{IsTerminal as _, Write as _, stderr};

/// A percentage on standard error, if that is a terminal.
pub(super) struct Progress {
    doing: &'static str,
    total: u64,
    done: u64,
    shown: Option<u64>,
    on: bool,
}

impl Progress {
    pub(super) fn new(doing: &'static str, total: u64) -> Self {
        Self {
            doing,
            total,
            done: 0,
            shown: None,
            on: total >= WORTH_SHOWING && stderr().is_terminal(),
        }
    }

    pub(super) fn advance(&mut self, bytes: usize) {
        self.done = self.done.saturating_add(bytes as u64);
        let percent = self.done.saturating_mul(100).checked_div(self.total);
        if self.on && percent != self.shown {
            self.shown = percent;
            // Not worth failing for.
            let _ = write!(stderr(), "\r{} {} %", self.doing, percent.unwrap_or(100));
        }
    }

    pub(super) fn end(self) {
        if self.shown.is_some() {
            let _ = writeln!(stderr());
        }
    }
}

/// Smaller images take no time.
const WORTH_SHOWING: u64 = 16 * 1024 * 1024;
