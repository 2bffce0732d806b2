//! Times of certificates.

use core::time::Duration;

use der::DateTime;
use x509_cert::time::Time;

/// From when to when a certificate is valid, both ends included, in seconds since the Unix epoch.
///
/// ```
/// use providore_pki::{Validity, ValidityError};
///
/// let now_unix = 1_767_323_045;
/// let quarter = Validity::starting_at(now_unix, 90 * 86_400)?;
/// // Devices whose clock is a little late can use the certificate at once.
/// assert_eq!(quarter.not_before_unix(), now_unix - Validity::BACKDATED_S);
/// assert_eq!(quarter.not_after_unix(), now_unix + 90 * 86_400);
/// # Ok::<(), ValidityError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    not_before: u64,
    not_after: u64,
}

/// Why two times are not a validity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValidityError {
    /// The end is not after the beginning.
    #[error("the end of the validity is not after its beginning")]
    Empty,
    /// The end is after 9999-12-31T23:59:59Z, the last date that a certificate can hold.
    #[error("the end of the validity is after the year 9999")]
    TooLate,
}

impl Validity {
    /// How far back a certificate's life begins before it is issued: five minutes.
    pub const BACKDATED_S: u64 = 300;

    /// Begins [`Validity::BACKDATED_S`] ago and ends `lifetime_s` from now.
    ///
    /// # Errors
    /// [`ValidityError::Empty`] for a lifetime of zero, [`ValidityError::TooLate`].
    pub fn starting_at(now_unix: u64, lifetime_s: u64) -> Result<Self, ValidityError> {
        if lifetime_s == 0 {
            return Err(ValidityError::Empty);
        }
        Self::new(
            now_unix.saturating_sub(Self::BACKDATED_S),
            now_unix.saturating_add(lifetime_s),
        )
    }

    /// Between two times.
    ///
    /// # Errors
    /// [`ValidityError::Empty`], [`ValidityError::TooLate`].
    pub fn new(not_before_unix: u64, not_after_unix: u64) -> Result<Self, ValidityError> {
        if not_before_unix >= not_after_unix {
            return Err(ValidityError::Empty);
        }
        if not_after_unix > LAST_UNIX {
            return Err(ValidityError::TooLate);
        }
        Ok(Self {
            not_before: not_before_unix,
            not_after: not_after_unix,
        })
    }

    /// The first second.
    #[must_use]
    pub fn not_before_unix(&self) -> u64 {
        self.not_before
    }

    /// The last second.
    #[must_use]
    pub fn not_after_unix(&self) -> u64 {
        self.not_after
    }

    /// The part that lies within `outer`.
    pub(crate) fn clamped_to(&self, outer: &Self) -> Result<Self, ValidityError> {
        Self::new(
            self.not_before.max(outer.not_before),
            self.not_after.min(outer.not_after),
        )
    }
}

/// `UTCTime` to 2049 and `GeneralizedTime` from 2050 (RFC 5280, 4.1.2.5).
pub(crate) fn to_x509(unix: u64) -> der::Result<Time> {
    DateTime::from_unix_duration(Duration::from_secs(unix)).map(Time::from)
}

pub(crate) fn from_x509(time: Time) -> u64 {
    time.to_unix_duration().as_secs()
}

// 9999-12-31T23:59:59Z
const LAST_UNIX: u64 = 253_402_300_799;
