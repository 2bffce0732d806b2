//! The system's clock.

use core::time::Duration;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use providore_client::Clock;
use providore_wire::{Dialect, Timestamp};

/// The system's clock. In the `Signed` dialect it may be wrong; in the `Original` dialect it may not,
/// and one that shows a time before this program was written has not been set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemClock {
    earliest: i64,
    started: Instant,
}

impl SystemClock {
    pub(crate) fn new(dialect: Dialect) -> Self {
        let must_be_right = dialect < Dialect::Signed;
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the application's one clock"
        )]
        let started = Instant::now();
        Self {
            started,
            earliest: if must_be_right { EARLIEST } else { 0 },
        }
    }
}

impl Clock for SystemClock {
    fn now(&mut self) -> Option<Timestamp> {
        let since = system_time().duration_since(UNIX_EPOCH).ok()?;
        let seconds = i64::try_from(since.as_secs()).ok()?;
        (seconds > self.earliest)
            .then(|| Timestamp::from_unix(seconds))
            .flatten()
    }

    fn uptime_ms(&mut self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// A timer stands still while the machine sleeps, and the clock goes on: whichever says first that
    /// the time is over is believed.
    async fn sleep_ms(&mut self, milliseconds: u64) {
        let began = system_time();
        let mut left = Duration::from_millis(milliseconds);
        while !left.is_zero() && !is_over(began, system_time(), milliseconds) {
            let slice = left.min(LOOK_EVERY);
            tokio::time::sleep(slice).await;
            left = left.saturating_sub(slice);
        }
    }
}

/// Whether so many milliseconds have passed by the clock; one that was set back says nothing.
fn is_over(began: SystemTime, now: SystemTime, milliseconds: u64) -> bool {
    let passed = now.duration_since(began);
    passed.is_ok_and(|passed| passed >= Duration::from_millis(milliseconds))
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the application's one clock"
)]
fn system_time() -> SystemTime {
    SystemTime::now()
}

/// How often the clock is looked at in a long rest.
const LOOK_EVERY: Duration = Duration::from_secs(60);

// 2025-01-01
const EARLIEST: i64 = 1_735_689_600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_is_over_when_the_clock_says_so_and_not_when_it_was_set_back() {
        let began = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let later = |seconds| began + Duration::from_secs(seconds);
        assert!(!is_over(began, later(3599), 3_600_000));
        assert!(is_over(began, later(3600), 3_600_000));
        assert!(
            is_over(began, later(86_400), 3_600_000),
            "the machine slept"
        );
        assert!(!is_over(later(60), began, 1), "set back");
    }
}
