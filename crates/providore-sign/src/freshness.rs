//! Is it fresh: the validity window of a message against a clock.

use providore_wire::Timestamp;

use crate::{Refusal, refusal::seconds};

/// What validity windows are accepted.
///
/// ```
/// use providore_sign::Freshness;
///
/// let strict = Freshness { max_window_s: 120, ..Freshness::DEFAULT };
/// assert_eq!(strict.max_skew_s, 30);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "settings are written as literals"
)]
pub struct Freshness {
    /// The longest window from creation to expiry, in seconds.
    pub max_window_s: u32,
    /// How far the peer's clock may differ from ours, in seconds.
    pub max_skew_s: u32,
}

impl Freshness {
    /// 15 minutes, which is what deployed clients send, and 30 s of skew, which NTP keeps easily.
    pub const DEFAULT: Self = Self {
        max_window_s: 900,
        max_skew_s: 30,
    };

    /// Whether a message made at `created` and valid to `expiry` counts at `now`.
    ///
    /// # Errors
    /// [`Refusal::Window`], [`Refusal::FromTheFuture`], [`Refusal::Expired`].
    pub fn admit(
        &self,
        created: Timestamp,
        expiry: Timestamp,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let window_s = expiry.seconds_since(created);
        if window_s < 0 || window_s > i64::from(self.max_window_s) {
            return Err(Refusal::Window {
                window_s: seconds(window_s),
            });
        }
        let skew = i64::from(self.max_skew_s);
        let ahead_s = created.seconds_since(now).saturating_sub(skew);
        if ahead_s > 0 {
            return Err(Refusal::FromTheFuture {
                ahead_s: seconds(ahead_s),
            });
        }
        let ago_s = now.seconds_since(expiry).saturating_sub(skew);
        if ago_s > 0 {
            return Err(Refusal::Expired {
                ago_s: seconds(ago_s),
            });
        }
        Ok(())
    }
}

impl Default for Freshness {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(created: i64, expiry: i64, now: i64, expected: Result<(), Refusal>) {
        let at = |seconds| {
            Timestamp::from_unix(1_767_323_045)
                .unwrap()
                .saturating_add(seconds)
        };
        let outcome = Freshness::DEFAULT.admit(at(created), at(expiry), at(now));
        assert_eq!(outcome, expected, "{created} {expiry} {now}");
    }

    #[test]
    fn a_window_counts_from_creation_to_expiry_give_or_take_the_skew() {
        check(0, 900, 0, Ok(()));
        check(0, 900, -30, Ok(()));
        check(0, 900, -31, Err(Refusal::FromTheFuture { ahead_s: 1 }));
        check(0, 900, 930, Ok(()));
        check(0, 900, 931, Err(Refusal::Expired { ago_s: 1 }));
        check(0, 0, 0, Ok(()));
    }

    #[test]
    fn windows_too_long_or_reversed_are_refused() {
        check(0, 901, 0, Err(Refusal::Window { window_s: 901 }));
        check(0, -1, 0, Err(Refusal::Window { window_s: -1 }));
        check(
            0,
            2_304_000_000,
            0,
            Err(Refusal::Window { window_s: i32::MAX }),
        );
    }

    #[test]
    fn the_ends_of_time_do_not_overflow() {
        let (min, max) = (Timestamp::MIN, Timestamp::MAX);
        assert!(Freshness::DEFAULT.admit(min, max, min).is_err());
        assert!(Freshness::DEFAULT.admit(max, min, max).is_err());
        assert!(Freshness::DEFAULT.admit(max, max, min).is_err());
        assert!(Freshness::DEFAULT.admit(min, min, max).is_err());
    }
}
