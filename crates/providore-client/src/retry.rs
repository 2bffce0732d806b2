//! How long to wait: what the server asks for, and what is added to it.

#[cfg(feature = "any-spelling")]
mod date;

use core::num::NonZeroU32;

use providore_wire::Timestamp;

/// Randomness: it makes the nonces of requests, and spreads devices in time.
///
/// # Security
/// It need not be secret, but must be seeded anew at every start, from a hardware generator. In the
/// `Signed` dialect an answer counts because nobody can have made it before the question: a device
/// that draws the same nonces after each start, and asks over the same challenge or at the same
/// time by its clock, asks the same question twice, and takes the old answer for the new.
pub trait Entropy {
    /// 32 bits, all values equally likely.
    fn next_u32(&mut self) -> u32;
}

impl<F: FnMut() -> u32> Entropy for F {
    fn next_u32(&mut self) -> u32 {
        self()
    }
}

/// How long to wait before asking again.
///
/// After the n-th failure in a row, between 0 and `base_ms` · 2ⁿ⁻¹ ("full jitter"), at most
/// `cap_ms`. If the server named a time, that time instead, at least 1 s and at most
/// `max_retry_after_s`, and up to a tenth more: a fleet that was told the same second does not come
/// back in it. The header may be a stranger's, and the bound is all that this can cost.
///
/// ```
/// use providore_client::RetryPolicy;
///
/// let policy = RetryPolicy::default();
/// let mut entropy = || u32::MAX;
/// assert_eq!(policy.wait_ms(1, None, &mut entropy), 1_999);
/// assert_eq!(policy.wait_ms(30, None, &mut entropy), 299_999);
/// let mut entropy = || 0;
/// assert_eq!(policy.wait_ms(1, Some(60), &mut entropy), 60_000);
/// assert_eq!(policy.wait_ms(1, Some(u32::MAX), &mut entropy), 3_600_000);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "settings are written as literals"
)]
pub struct RetryPolicy {
    /// The longest wait after the first failure, in milliseconds.
    pub base_ms: u32,
    /// The longest wait after any failure, in milliseconds.
    pub cap_ms: u32,
    /// The most that a `Retry-After` is believed, in seconds.
    pub max_retry_after_s: u32,
}

impl RetryPolicy {
    /// 2 s, 5 minutes, 1 hour.
    pub const DEFAULT: Self = Self {
        base_ms: 2_000,
        cap_ms: 300_000,
        max_retry_after_s: 3_600,
    };

    /// Milliseconds to wait after `failures` in a row, at least one, of which the last named
    /// `retry_after_s`.
    #[must_use]
    pub fn wait_ms(
        &self,
        failures: u32,
        retry_after_s: Option<u32>,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> u64 {
        if let Some(seconds) = retry_after_s {
            let seconds = seconds.clamp(1, self.max_retry_after_s.max(1));
            let wait = u64::from(seconds).saturating_mul(1000);
            return wait.saturating_add(below(wait.div_euclid(10), entropy));
        }
        // 2^31 times anything is over every cap.
        let doublings = failures.saturating_sub(1).min(31);
        let bound = u64::from(self.base_ms) << doublings;
        below(bound.min(u64::from(self.cap_ms)), entropy)
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A number from 0 up to, not including, `bound`, of which only the lower 32 bits count.
pub(crate) fn below(bound: u64, entropy: &mut (impl Entropy + ?Sized)) -> u64 {
    let bound = bound.min(u64::from(u32::MAX));
    bound.saturating_mul(u64::from(entropy.next_u32())) >> 32
}

/// What `Retry-After` (RFC 9110 section 10.2.3) says, in seconds from now, at least one; `None` if it
/// is not there or not readable, or a date while nobody knows the time. A device without the feature
/// `any-spelling` reads seconds alone, as a providore server writes them.
pub(crate) fn after(value: Option<&[u8]>, now: Option<Timestamp>) -> Option<NonZeroU32> {
    let seconds = seconds(value?, now)?;
    Some(NonZeroU32::new(seconds).unwrap_or(NonZeroU32::MIN))
}

fn seconds(value: &[u8], now: Option<Timestamp>) -> Option<u32> {
    if !value.is_empty() && value.iter().all(u8::is_ascii_digit) {
        return number(value, u32::MAX);
    }
    #[cfg(feature = "any-spelling")]
    return date::seconds_until(value, now?);
    #[cfg(not(feature = "any-spelling"))]
    {
        let _ = now;
        None
    }
}

/// Nothing but digits, and not more than that.
fn number(digits: &[u8], most: u32) -> Option<u32> {
    let number = digits.iter().try_fold(0_u32, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| digit & 15)?;
        Some(number.saturating_mul(10).saturating_add(u32::from(digit)))
    });
    number.filter(|number| *number <= most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BorrowedHead, Head as _};

    fn check(value: &str, expected: Option<u32>) {
        let now = Timestamp::from_unix(784_111_777).unwrap(); // Sun, 06 Nov 1994 08:49:37 GMT
        let fields = [("Retry-After", value.as_bytes())];
        let head = BorrowedHead {
            status: 503,
            fields: &fields,
        };
        let value = head.field("retry-after");
        let seconds = after(value, Some(now)).map(NonZeroU32::get);
        assert_eq!(seconds, expected, "{value:?}");
    }

    #[test]
    fn seconds_are_read() {
        check("0", Some(1));
        check(" 120 ", Some(120));
    }

    #[test]
    #[cfg(feature = "any-spelling")]
    fn dates_are_read() {
        check("Sun, 06 Nov 1994 08:50:37 GMT", Some(60));
        check("Sun, 06 Nov 1994 08:00:00 GMT", Some(1));
        check("Tue, 29 Feb 2000 00:00:00 GMT", Some(167_670_623));
        check("Mon, 01 Mar 2100 23:59:59 GMT", Some(3_323_517_022));
        check("Fri, 31 Dec 9999 23:59:59 GMT", Some(u32::MAX));
    }

    #[test]
    fn a_storm_of_digits_is_the_largest_number() {
        check("99999999999999999999999999", Some(u32::MAX));
    }

    #[test]
    fn what_is_neither_is_not_there() {
        for value in [
            "",
            "-1",
            "1.5",
            "soon",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "Mon, 29 Feb 2100 08:49:37 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT x",
        ] {
            check(value, None);
        }
    }

    #[test]
    fn no_wait_leaves_its_bounds() {
        let policy = RetryPolicy::default();
        for random in [0, 1, u32::MAX / 2, u32::MAX] {
            for failures in [0, 1, 2, 8, 9, 33, u32::MAX] {
                let wait = policy.wait_ms(failures, None, &mut || random);
                let bound = 2_000_u64 << failures.saturating_sub(1).min(31);
                assert!(wait < bound.min(300_000), "{failures} {random}: {wait}");
            }
            for asked in [0, 1, 3_600, u32::MAX] {
                let wait = policy.wait_ms(1, Some(asked), &mut || random);
                assert!(
                    (1_000..3_960_000).contains(&wait),
                    "{asked} {random}: {wait}"
                );
                assert!(wait >= u64::from(asked.min(3_600)) * 1_000);
            }
        }
    }
}
