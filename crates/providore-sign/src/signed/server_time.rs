//! The time that a device knows from its server.

use providore_wire::Timestamp;

use super::VerifiedHead;

/// How far the device's clock is off, and a floor below which no time is believed.
///
/// Both come from responses whose signature has been verified, so that a device needs no SNTP, and
/// its clock may start in 1970 or be set wildly wrong.
///
/// ```
/// use providore_sign::signed::ServerTime;
/// use providore_wire::Timestamp;
///
/// // Nothing has been heard of the server: the clock is taken as it is.
/// let since_1970 = Timestamp::from_unix(12).ok_or("clock")?;
/// let time = ServerTime::new();
/// assert_eq!(time.now(Some(since_1970)), Some(since_1970));
/// assert_eq!(time.now(None), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct ServerTime {
    /// What to add to the device's clock, in seconds.
    offset_s: i64,
    /// The latest time that a response was made at.
    floor: Option<Timestamp>,
}

impl ServerTime {
    /// By how much a clock may be off before it is corrected, in seconds: half of the skew that a
    /// server accepts. Less is the time that a message takes.
    pub const TOLERANCE_S: i64 = 15;

    /// Nothing is known yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            offset_s: 0,
            floor: None,
        }
    }

    /// The time, from what the clock of the device shows. Without a clock, the floor.
    #[must_use]
    pub fn now(&self, clock: Option<Timestamp>) -> Option<Timestamp> {
        let corrected = clock.map(|clock| clock.saturating_add(self.offset_s));
        corrected.max(self.floor)
    }

    /// Learns from a response that arrived when the device's clock showed `clock`.
    ///
    /// A response that somebody held back makes the clock late by as long, until the next one; it
    /// never takes it below what was known before.
    pub fn learn(&mut self, response: &VerifiedHead, clock: Option<Timestamp>) {
        let created = response.created();
        self.floor = self.floor.max(Some(created));
        let Some(clock) = clock else { return };
        let shown = clock.saturating_add(self.offset_s);
        if shown.seconds_since(created).saturating_abs() > Self::TOLERANCE_S {
            self.offset_s = created.seconds_since(clock);
        }
    }
}
