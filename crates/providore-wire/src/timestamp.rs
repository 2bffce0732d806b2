//! Instants on the wire: read in every deployed ISO 8601 spelling, written in one.
//!
//! ```text
//! timestamp = date [ ( "T" / " " ) clock [ zone ] ]
//! date      = year [ "-" month [ "-" day ] ] / year month day      ; calendar
//!           / year [ "-" ] "W" week [ [ "-" ] weekday ]            ; week
//!           / year [ "-" ] ordinal                                 ; day of the year
//! clock     = hour [ [ ":" ] minute [ [ ":" ] second [ ( "." / "," ) 1*9DIGIT ] ] ]
//! zone      = "Z" / ( "+" / "-" ) hour [ [ ":" ] minute ]
//! ```
//!
//! This is what the deployed servers were seen to accept. They read a date without a zone as their
//! own local time; here it is UTC, on every machine. Fractions of a second are dropped.
//! Lower-case `t` and `z`, second 60 and everything that is not ISO 8601 are refused, as there.

use core::{fmt, str::FromStr};

use time::{Date, Month, OffsetDateTime, Weekday};

use crate::{ParseError, ParseErrorKind, text::Text};

/// Whole seconds since the Unix epoch, between the years 0 and 9999.
///
/// ```
/// use providore_wire::Timestamp;
///
/// let instant: Timestamp = "2026-01-02T14:04:05.678+11:00".parse()?;
/// assert_eq!(instant.unix(), 1_767_323_045);
/// assert_eq!(instant.to_rfc3339().as_str(), "2026-01-02T03:04:05Z");
/// # Ok::<(), providore_wire::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The longest spelling that is read, in bytes: a full date, nanoseconds and an offset.
    pub const MAX_LEN: usize = 35;

    /// The Unix epoch: `1970-01-01T00:00:00Z`.
    pub const UNIX_EPOCH: Self = Self(0);

    /// The earliest instant: `0000-01-01T00:00:00Z`.
    pub const MIN: Self = Self(-62_167_219_200);

    /// The latest instant: `9999-12-31T23:59:59Z`.
    pub const MAX: Self = Self(253_402_300_799);

    /// An instant from whole seconds since the Unix epoch; nothing outside the years 0 to 9999.
    #[must_use]
    #[cfg_attr(not(feature = "any-spelling"), inline(never))] // Comparisons of 64 bits, which many inline.
    pub const fn from_unix(seconds: i64) -> Option<Self> {
        if seconds < Self::MIN.0 || seconds > Self::MAX.0 {
            None
        } else {
            Some(Self(seconds))
        }
    }

    /// Whole seconds since the Unix epoch.
    #[must_use]
    pub const fn unix(self) -> i64 {
        self.0
    }

    /// The instant so many seconds later (earlier when negative), held at [`Self::MIN`] and
    /// [`Self::MAX`].
    #[must_use]
    #[cfg_attr(not(feature = "any-spelling"), inline(never))]
    pub fn saturating_add(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds)).clamp(Self::MIN, Self::MAX)
    }

    /// Seconds from `earlier` to this instant, negative when this one comes first.
    #[must_use]
    #[cfg_attr(not(feature = "any-spelling"), inline(never))]
    pub const fn seconds_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The 20 characters `2026-01-02T03:04:05Z` (RFC 3339): the longest that the deployed C
    /// firmware has room for.
    #[must_use]
    pub fn to_rfc3339(self) -> Text<20> {
        let mut bytes = *b"0000-00-00T00:00:00Z";
        // Every instant of this type is a date that exists; an empty text would be refused by every
        // reader.
        let Ok(at) = OffsetDateTime::from_unix_timestamp(self.0) else {
            return Text::new();
        };
        let (date, clock) = (at.date(), at.time());
        let year = u16::try_from(date.year()).unwrap_or(0);
        let fields = [
            (0, u8::try_from(year.div_euclid(100)).unwrap_or(0)),
            (2, u8::try_from(year.rem_euclid(100)).unwrap_or(0)),
            (5, u8::from(date.month())),
            (8, date.day()),
            (11, clock.hour()),
            (14, clock.minute()),
            (17, clock.second()),
        ];
        for (at, value) in fields {
            if let Some([tens, ones]) = bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut())
            {
                *tens = b'0'.saturating_add(value.div_euclid(10));
                *ones = b'0'.saturating_add(value.rem_euclid(10));
            }
        }
        let mut text = Text::new();
        let _ = text.push_str(core::str::from_utf8(&bytes).unwrap_or_default());
        text
    }

    /// Parses a header value.
    ///
    /// # Errors
    /// [`ParseErrorKind::TooLong`], [`ParseErrorKind::UnexpectedByte`],
    /// [`ParseErrorKind::UnexpectedEnd`], or [`ParseErrorKind::OutOfRange`] for a date that does
    /// not exist.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        if bytes.len() > Self::MAX_LEN {
            return Err(ParseError::new(ParseErrorKind::TooLong, Self::MAX_LEN));
        }
        let mut cursor = Cursor { bytes, offset: 0 };
        let date = cursor.date()?;
        let seconds = if cursor.take_any(b"T ").is_some() {
            cursor.clock()?
        } else {
            0
        };
        if cursor.offset < bytes.len() {
            return Err(cursor.fail(ParseErrorKind::UnexpectedByte));
        }
        let midnight = date.midnight().assume_utc().unix_timestamp();
        Self::from_unix(midnight.saturating_add(seconds))
            .ok_or_else(|| cursor.fail(ParseErrorKind::OutOfRange))
    }
}

impl FromStr for Timestamp {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text.as_bytes())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.to_rfc3339().as_str())
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl Cursor<'_> {
    fn fail(&self, kind: ParseErrorKind) -> ParseError {
        ParseError::new(kind, self.offset)
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.offset).copied()
    }

    fn take_any(&mut self, set: &[u8]) -> Option<u8> {
        let byte = self.peek().filter(|byte| set.contains(byte))?;
        self.offset = self.offset.saturating_add(1);
        Some(byte)
    }

    /// Digits that follow, without taking them.
    fn run_of_digits(&self) -> usize {
        let rest = self.bytes.get(self.offset..).unwrap_or_default();
        rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
    }

    fn digits(&mut self, count: usize) -> Result<u16, ParseError> {
        let mut value: u16 = 0;
        for _ in 0..count {
            let byte = self
                .peek()
                .ok_or_else(|| self.fail(ParseErrorKind::UnexpectedEnd))?;
            if !byte.is_ascii_digit() {
                return Err(self.fail(ParseErrorKind::UnexpectedByte));
            }
            let digit = u16::from(byte.saturating_sub(b'0'));
            value = value.saturating_mul(10).saturating_add(digit);
            self.offset = self.offset.saturating_add(1);
        }
        Ok(value)
    }

    fn two_digits(&mut self, limit: u8) -> Result<u8, ParseError> {
        let value = self.digits(2)?;
        u8::try_from(value)
            .ok()
            .filter(|value| *value <= limit)
            .ok_or_else(|| self.fail(ParseErrorKind::OutOfRange))
    }

    fn date(&mut self) -> Result<Date, ParseError> {
        let year = i32::from(self.digits(4)?);
        let extended = self.take_any(b"-").is_some();
        let date = if self.take_any(b"W").is_some() {
            self.week_date(year)?
        } else {
            match (self.run_of_digits(), extended) {
                (0, false) => Date::from_ordinal_date(year, 1).ok(),
                (3, _) => Date::from_ordinal_date(year, self.digits(3)?).ok(),
                _ => self.month_and_day(year, extended)?,
            }
        };
        date.ok_or_else(|| self.fail(ParseErrorKind::OutOfRange))
    }

    fn week_date(&mut self, year: i32) -> Result<Option<Date>, ParseError> {
        let week = self.two_digits(53)?;
        let dash = self.take_any(b"-").is_some();
        let number = if dash || self.run_of_digits() > 0 {
            self.digits(1)?.saturating_sub(1)
        } else {
            0
        };
        let weekday = u8::try_from(number).ok().filter(|number| *number < 7);
        Ok(weekday.and_then(|number| {
            Date::from_iso_week_date(year, week, Weekday::Monday.nth_next(number)).ok()
        }))
    }

    fn month_and_day(&mut self, year: i32, extended: bool) -> Result<Option<Date>, ParseError> {
        let month = self.two_digits(12)?;
        let day = if extended {
            if self.take_any(b"-").is_some() {
                self.two_digits(31)?
            } else {
                1
            }
        } else {
            self.two_digits(31)?
        };
        Ok(Month::try_from(month)
            .ok()
            .and_then(|month| Date::from_calendar_date(year, month, day).ok()))
    }

    /// Seconds since midnight, less the offset of the zone.
    fn clock(&mut self) -> Result<i64, ParseError> {
        let hour = self.two_digits(24)?;
        let mut minute = 0;
        let mut second = 0;
        let colon = self.take_any(b":").is_some();
        if colon || self.run_of_digits() > 0 {
            minute = self.two_digits(59)?;
            let colon = self.take_any(b":").is_some();
            if colon || self.run_of_digits() > 0 {
                second = self.two_digits(59)?;
                self.fraction()?;
            }
        }
        if hour == 24 && (minute, second) != (0, 0) {
            return Err(self.fail(ParseErrorKind::OutOfRange));
        }
        let local = seconds(hour, minute).saturating_add(i64::from(second));
        Ok(local.saturating_sub(self.zone()?))
    }

    fn fraction(&mut self) -> Result<(), ParseError> {
        if self.take_any(b".,").is_none() {
            return Ok(());
        }
        match self.run_of_digits() {
            0 if self.peek().is_none() => Err(self.fail(ParseErrorKind::UnexpectedEnd)),
            0 => Err(self.fail(ParseErrorKind::UnexpectedByte)),
            1..=9 => {
                self.offset = self.offset.saturating_add(self.run_of_digits());
                Ok(())
            }
            _ => Err(self.fail(ParseErrorKind::TooLong)),
        }
    }

    fn zone(&mut self) -> Result<i64, ParseError> {
        let sign = match self.take_any(b"Z+-") {
            None | Some(b'Z') => return Ok(0),
            Some(sign) => sign,
        };
        let hour = self.two_digits(23)?;
        let colon = self.take_any(b":").is_some();
        let minute = if colon || self.run_of_digits() > 0 {
            self.two_digits(59)?
        } else {
            0
        };
        let offset = seconds(hour, minute);
        Ok(if sign == b'-' {
            offset.saturating_neg()
        } else {
            offset
        })
    }
}

fn seconds(hour: u8, minute: u8) -> i64 {
    i64::from(hour)
        .saturating_mul(3600)
        .saturating_add(i64::from(minute).saturating_mul(60))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSTANT: i64 = 1_767_323_045; // 2026-01-02T03:04:05Z

    fn check(text: &str, expected: Result<i64, (ParseErrorKind, usize)>) {
        let outcome = Timestamp::parse(text.as_bytes());
        assert_eq!(
            outcome
                .map(Timestamp::unix)
                .map_err(|e| (e.kind(), e.offset())),
            expected,
            "{text:?}"
        );
    }

    #[test]
    fn deployed_spellings_of_one_instant_are_equal() {
        for text in [
            "2026-01-02T03:04:05Z",
            "2026-01-02T03:04:05.678Z",
            "2026-01-02T03:04:05,678Z",
            "2026-01-02T03:04:05+00:00",
            "2026-01-02T14:04:05+11:00",
            "2026-01-01T20:34:05-0630",
            "2026-01-02 03:04:05",
            "2026-01-02T03:04:05",
            "20260102T030405Z",
            "2026-002T03:04:05Z",
            "2026002T030405Z",
            "2026-W01-5T03:04:05Z",
            "2026W015T030405Z",
        ] {
            check(text, Ok(INSTANT));
        }
    }

    #[test]
    fn shortened_dates_are_read_as_their_beginning() {
        let midnight = INSTANT - 3 * 3600 - 4 * 60 - 5;
        check("2026-01-02", Ok(midnight));
        check("2026-01-01T24:00:00", Ok(midnight));
        check("2026-01-02T03", Ok(midnight + 3 * 3600));
        check("2026-01-02T03:04Z", Ok(midnight + 3 * 3600 + 240));
        check("2026", Ok(midnight - 86_400));
        check("2026-01", Ok(midnight - 86_400));
        check("2026-W01", Ok(midnight - 4 * 86_400));
    }

    #[test]
    fn dates_that_do_not_exist_are_refused() {
        check("2026-02-30", Err((ParseErrorKind::OutOfRange, 10)));
        check("2026-13-01", Err((ParseErrorKind::OutOfRange, 7)));
        check(
            "2026-01-02T03:04:61Z",
            Err((ParseErrorKind::OutOfRange, 19)),
        );
        check(
            "2026-01-02T24:00:01Z",
            Err((ParseErrorKind::OutOfRange, 19)),
        );
        check("2026-W54-1", Err((ParseErrorKind::OutOfRange, 8)));
        check("2026-W01-8", Err((ParseErrorKind::OutOfRange, 10)));
        check("9999-12-31T24:00:00", Err((ParseErrorKind::OutOfRange, 19)));
    }

    #[test]
    fn other_notations_are_refused_at_the_byte() {
        check("", Err((ParseErrorKind::UnexpectedEnd, 0)));
        check("1767323045", Err((ParseErrorKind::OutOfRange, 6)));
        check(
            "Fri, 02 Jan 2026 03:04:05 GMT",
            Err((ParseErrorKind::UnexpectedByte, 0)),
        );
        check(
            "2026-01-02t03:04:05Z",
            Err((ParseErrorKind::UnexpectedByte, 10)),
        );
        check(
            "2026-01-02T03:04:05z",
            Err((ParseErrorKind::UnexpectedByte, 19)),
        );
        check(
            "2026-01-02T03:04:05Z ",
            Err((ParseErrorKind::UnexpectedByte, 20)),
        );
        check(
            "2026-01-02T03:04:05.Z",
            Err((ParseErrorKind::UnexpectedByte, 20)),
        );
        check(&"2".repeat(36), Err((ParseErrorKind::TooLong, 35)));
    }

    #[test]
    fn what_is_written_is_read_back() {
        for unix in [
            Timestamp::MIN.0,
            -1,
            0,
            951_782_400,
            INSTANT,
            Timestamp::MAX.0,
        ] {
            let text = Timestamp(unix).to_rfc3339();
            assert_eq!(text.as_str().len(), 20);
            check(text.as_str(), Ok(unix));
        }
    }
}
