//! The latest time that this server has seen, kept across restarts.
//!
//! A server forgets which requests it has answered when it is restarted, and so refuses those from
//! before its start. That is worth nothing if its clock is behind by then: a machine without a
//! battery, before it has heard of the time. So the time is written down now and then, and the
//! server counts as started no earlier. Until the clock is past it, devices are served over
//! challenges.

use std::{
    fs,
    io::{self, ErrorKind},
    path::PathBuf,
};

use providore_server_core::json_files::write_private;
use providore_wire::Timestamp;

use crate::data::DataFolder;

/// How often the time is written down, in seconds.
pub(super) const INTERVAL_S: u32 = 60;

/// A time this far ahead of the clock is worth a word to the operator, in seconds.
const SUSPICIOUS_S: i64 = 300;

/// The file `certificateStore/last-seen`: a time, and whether the server had ended by then.
#[derive(Debug, Clone)]
pub(super) struct LastSeen(PathBuf);

impl LastSeen {
    pub(super) fn of(folder: &DataFolder) -> Self {
        Self(folder.layout.certificates.join("last-seen"))
    }

    /// From when on this server remembers what it answered, if it is started now.
    pub(super) fn start(&self, now: Timestamp) -> Timestamp {
        let seen = fs::read_to_string(&self.0).ok();
        let seen = seen.as_deref().and_then(earliest_start);
        let start = seen.map_or(now, |seen| seen.max(now));
        let ahead_s = start.seconds_since(now);
        if ahead_s > SUSPICIOUS_S {
            let file = self.0.display();
            tracing::warn!(
                "the clock is {ahead_s} s behind what it showed before: devices are served, over \
                 challenges; if the clock is right, remove {file}"
            );
        }
        start
    }

    /// Writes down that the server runs, or has ended. A disk that is full is no reason not to
    /// serve.
    pub(super) fn note_or_say(&self, now: Timestamp, state: State) {
        if let Err(error) = self.note(now, state) {
            let file = self.0.display();
            tracing::error!(%error, "{file} cannot be written; after a restart, keep the clock right");
        }
    }

    fn note(&self, now: Timestamp, state: State) -> io::Result<()> {
        let later = match fs::read_to_string(&self.0) {
            Ok(text) => parse(&text).is_some_and(|(seen, _)| seen > now),
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        if later {
            return Ok(());
        }
        let word = match state {
            State::Running => RUNNING,
            State::Ended => ENDED,
        };
        let line = format!("{} {word}\n", now.to_rfc3339().as_str());
        write_private(&self.0, line.as_bytes())
    }
}

/// What is written beside the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Running,
    Ended,
}

const RUNNING: &str = "running";
const ENDED: &str = "ended";

fn parse(text: &str) -> Option<(Timestamp, State)> {
    let (time, word) = text.trim_end().split_once(' ')?;
    let state = match word {
        RUNNING => State::Running,
        ENDED => State::Ended,
        _ => return None,
    };
    Some((time.parse().ok()?, state))
}

/// A server that did not end itself went on for as long as it would not have written again.
fn earliest_start(text: &str) -> Option<Timestamp> {
    let (seen, state) = parse(text)?;
    Some(match state {
        State::Ended => seen,
        State::Running => seen.saturating_add(i64::from(INTERVAL_S)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix(1_767_323_045)
            .unwrap()
            .saturating_add(seconds)
    }

    /// Notes this at 0, and starts at `now`.
    fn check(state: State, now: i64, expected: i64) {
        let folder = tempfile::tempdir().unwrap();
        let seen = LastSeen(folder.path().join("last-seen"));
        assert_eq!(seen.start(at(now)), at(now), "nothing is known");
        seen.note(at(0), state).unwrap();
        assert_eq!(seen.start(at(now)), at(expected), "{state:?} {now}");
    }

    #[test]
    fn a_server_counts_as_started_no_earlier_than_it_has_been_seen() {
        check(State::Ended, 10, 10);
        check(State::Ended, -86_400, 0);
        check(State::Running, 100, 100);
        check(State::Running, 10, 60);
        check(State::Running, -86_400, 60);
    }

    #[test]
    fn a_clock_that_is_set_back_is_not_written_down() {
        let folder = tempfile::tempdir().unwrap();
        let seen = LastSeen(folder.path().join("last-seen"));
        seen.note(at(0), State::Ended).unwrap();
        seen.note(at(-1), State::Running).unwrap();
        assert_eq!(seen.start(at(-100)), at(0));
    }

    #[test]
    fn a_file_that_is_damaged_is_as_good_as_none() {
        for text in ["", "x", "2026-01-02T03:04:05Z", "yesterday ended\n"] {
            assert_eq!(earliest_start(text), None, "{text:?}");
        }
    }
}
