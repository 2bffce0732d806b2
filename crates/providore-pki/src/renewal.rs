//! When to ask for the next certificate: after two thirds of its life, not all devices at once.

/// What a device should do about its certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Renewal {
    /// Keep it, and look again at the given time.
    NotYet {
        /// Seconds since the Unix epoch.
        at_unix: u64,
    },
    /// Ask for a new one; the old one stays in use until the new one works.
    Due,
    /// It can no longer be used; ask for a new one.
    Expired,
}

/// Advises on a certificate: due after two thirds of its life, moved by up to 5 % of its life
/// either way so that devices which were enrolled together do not come back together.
///
/// `entropy` moves the date; a device draws it once per certificate and keeps it (or hashes its
/// own id), as a fresh draw at every look would pull the date forward.
///
/// A certificate that is not valid yet is due as well: the clock of its server was ahead when it was
/// issued, and until it begins nobody accepts it. Give a time that is known, such as that of the server's
/// last answer.
///
/// ```
/// use providore_pki::renewal::{Renewal, advise};
///
/// let (not_before, not_after) = (1_000_000, 1_030_000);
/// let middle = 1 << 31;
/// assert_eq!(
///     advise(not_before, not_after, 1_010_000, middle),
///     Renewal::NotYet { at_unix: 1_020_000 }
/// );
/// assert_eq!(advise(not_before, not_after, 1_020_000, middle), Renewal::Due);
/// assert_eq!(advise(not_before, not_after, 1_030_001, middle), Renewal::Expired);
/// ```
#[must_use]
pub fn advise(not_before_unix: u64, not_after_unix: u64, now_unix: u64, entropy: u32) -> Renewal {
    if now_unix > not_after_unix {
        return Renewal::Expired;
    }
    if now_unix < not_before_unix {
        return Renewal::Due;
    }
    let life = u128::from(not_after_unix.saturating_sub(not_before_unix));
    // 2/3 - 1/20 = 37/60 of the life at the earliest, 2/3 + 1/20 = 43/60 at the latest.
    let earliest = life.saturating_mul(37).div_euclid(60);
    let spread = life.div_euclid(10).saturating_mul(u128::from(entropy)) >> 32;
    let after = u64::try_from(earliest.saturating_add(spread)).unwrap_or(u64::MAX);
    let at_unix = not_before_unix.saturating_add(after);
    if now_unix >= at_unix {
        Renewal::Due
    } else {
        Renewal::NotYet { at_unix }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;

    fn check(now_day: u64, entropy: u32, expected: &str) {
        let now_unix = now_day.saturating_mul(DAY);
        let advice = match advise(0, 90 * DAY, now_unix, entropy) {
            Renewal::NotYet { at_unix } => {
                assert!(at_unix > now_unix && at_unix <= 65 * DAY);
                "not yet"
            }
            Renewal::Due => "due",
            Renewal::Expired => "expired",
        };
        assert_eq!(advice, expected, "day {now_day}, entropy {entropy}");
    }

    #[test]
    fn renewal_falls_between_the_jitter_bounds() {
        for entropy in [0, 1, u32::MAX / 2, u32::MAX] {
            check(0, entropy, "not yet");
            check(55, entropy, "not yet");
            check(65, entropy, "due");
            check(90, entropy, "due");
            check(91, entropy, "expired");
        }
        check(56, 0, "due");
        check(64, u32::MAX, "not yet");
    }

    #[test]
    fn a_certificate_from_a_clock_that_was_ahead_is_due_until_it_begins() {
        let (begin, end) = (1_000 * DAY, 1_090 * DAY);
        assert_eq!(advise(begin, end, begin - 365 * DAY, 0), Renewal::Due);
        assert_eq!(advise(begin, end, begin - 1, 0), Renewal::Due);
        assert!(matches!(
            advise(begin, end, begin, 0),
            Renewal::NotYet { .. }
        ));
    }

    #[test]
    fn odd_lifetimes_do_not_overflow() {
        for (not_before, not_after) in [(0, 0), (0, u64::MAX), (u64::MAX, u64::MAX), (9, 3)] {
            for now in [0, 5, u64::MAX] {
                let _ = advise(not_before, not_after, now, u32::MAX);
            }
        }
    }
}
