//! Time: asked for and waited for.

use providore_wire::Timestamp;

/// The device's clock.
///
/// In the `Signed` dialect it may show any time, or none: the device learns the right one from its
/// server, and needs from the clock only that seconds pass. In the `Original` dialect it must be
/// right within the server's skew before the first request (30 s by default): set it by SNTP or a
/// battery-backed clock first.
#[expect(
    async_fn_in_trait,
    reason = "no Send bound: executors of devices have one thread"
)]
pub trait Clock {
    /// What time it is; `None` if the device has no clock, or in the `Original` dialect as long as it
    /// has not been set.
    fn now(&mut self) -> Option<Timestamp>;

    /// Milliseconds since the device started: never back, whatever the time is set to. For deadlines
    /// of a device that does not know the time.
    fn uptime_ms(&mut self) -> u64;

    /// Waits. Coming back early is harmless, and is how a push notice wakes the agent.
    async fn sleep_ms(&mut self, milliseconds: u64);
}

impl<C: Clock + ?Sized> Clock for &mut C {
    fn now(&mut self) -> Option<Timestamp> {
        (**self).now()
    }

    fn uptime_ms(&mut self) -> u64 {
        (**self).uptime_ms()
    }

    async fn sleep_ms(&mut self, milliseconds: u64) {
        (**self).sleep_ms(milliseconds).await;
    }
}
