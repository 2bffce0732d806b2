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
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the application's one clock"
        )]
        let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        let seconds = i64::try_from(since.as_secs()).ok()?;
        (seconds > self.earliest)
            .then(|| Timestamp::from_unix(seconds))
            .flatten()
    }

    fn uptime_ms(&mut self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    async fn sleep_ms(&mut self, milliseconds: u64) {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }
}

// 2025-01-01
const EARLIEST: i64 = 1_735_689_600;
