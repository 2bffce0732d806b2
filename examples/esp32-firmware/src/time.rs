//! A clock that shows how long the board runs.

use embassy_time::{Instant, Timer};
use providore_client::Clock;
use providore_wire::Timestamp;

/// The board has no battery: after a start it is 1970. The device learns the time from its server and
/// only needs seconds to pass.
#[derive(Debug)]
pub(crate) struct Uptime;

impl Clock for Uptime {
    fn now(&mut self) -> Option<Timestamp> {
        Timestamp::from_unix(i64::try_from(Instant::now().as_secs()).ok()?)
    }

    fn uptime_ms(&mut self) -> u64 {
        Instant::now().as_millis()
    }

    async fn sleep_ms(&mut self, milliseconds: u64) {
        Timer::after_millis(milliseconds).await;
    }
}
