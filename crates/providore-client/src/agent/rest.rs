//! From one day to the next.

#[cfg(feature = "notices")]
mod notice;

use providore_sign::MacKey;

use super::{Agent, Event};
use crate::{Clock as _, Parts, retry::below};

impl<K: MacKey, P: Parts> Agent<'_, K, P> {
    /// Sleeps until the next day: [`Settings::interval_s`](super::Settings::interval_s), a tenth more
    /// or less; while firmware is on trial, hardly: the next call waits what it owes.
    pub async fn rest(&mut self) {
        let milliseconds = self.begin_rest();
        self.platform.parts().clock.sleep_ms(milliseconds).await;
    }

    /// How long it is.
    fn begin_rest(&mut self) -> u64 {
        let parts = self.platform.parts();
        let whole = u64::from(self.settings.interval_s).saturating_mul(1000);
        let spread = below(whole.div_euclid(5), &mut parts.entropy);
        let milliseconds = whole
            .saturating_sub(whole.div_euclid(10))
            .saturating_add(spread);
        let milliseconds = match (self.trial_left_ms(), self.owed_ms) {
            (None, _) => milliseconds,
            // A failure of this device's own owes nothing, and must not keep it busy.
            (Some(_), 0) => PAUSE_MS,
            (Some(_), _) => 0,
        };
        self.say(&Event::Resting { milliseconds });
        milliseconds
    }
}

const PAUSE_MS: u64 = 1_000;
