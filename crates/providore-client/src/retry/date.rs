//! Dates as HTTP writes them (RFC 9110 section 5.6.7).

use providore_wire::Timestamp;

use super::number;

/// Seconds from now to a date, none if it is over.
pub(super) fn seconds_until(value: &[u8], now: Timestamp) -> Option<u32> {
    let seconds = http_date(value)?.seconds_since(now).max(0);
    Some(u32::try_from(seconds).unwrap_or(u32::MAX))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, the one form that senders may write today.
fn http_date(value: &[u8]) -> Option<Timestamp> {
    let [
        _,
        _,
        _,
        b',',
        b' ',
        d0,
        d1,
        b' ',
        m0,
        m1,
        m2,
        b' ',
        y0,
        y1,
        y2,
        y3,
        b' ',
        clock @ ..,
    ] = value
    else {
        return None;
    };
    let [h0, h1, b':', i0, i1, b':', s0, s1, b' ', b'G', b'M', b'T'] = clock else {
        return None;
    };
    let year = number(&[*y0, *y1, *y2, *y3], 9999)?;
    let month = MONTHS
        .iter()
        .position(|(name, _)| *name == [*m0, *m1, *m2])?;
    let (_, days) = *MONTHS.get(month)?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let day = number(
        &[*d0, *d1],
        days.saturating_add(u32::from(leap && month == 1)),
    )?;
    let (hour, minute) = (number(&[*h0, *h1], 23)?, number(&[*i0, *i1], 59)?);
    let second = number(&[*s0, *s1], 59)?;
    // Years begin in March, so that the day of a leap year is its last.
    let month = u32::try_from(month).ok()?.saturating_add(10) % 12;
    let years = year.checked_sub(u32::from(month > 9))?;
    let leaps = (years / 4)
        .saturating_sub(years / 100)
        .saturating_add(years / 400);
    let days = years.saturating_mul(365).saturating_add(leaps);
    let days = days.saturating_add(month.saturating_mul(153).saturating_add(2) / 5);
    let days = days.saturating_add(day.checked_sub(1)?);
    let since_1970 = i64::from(days).saturating_sub(719_468);
    let minutes = hour.saturating_mul(60).saturating_add(minute);
    let seconds = minutes.saturating_mul(60).saturating_add(second);
    Timestamp::from_unix(
        since_1970
            .saturating_mul(86_400)
            .saturating_add(i64::from(seconds)),
    )
}

/// And the days of each, in years that are no leap years.
const MONTHS: [([u8; 3], u32); 12] = [
    (*b"Jan", 31),
    (*b"Feb", 28),
    (*b"Mar", 31),
    (*b"Apr", 30),
    (*b"May", 31),
    (*b"Jun", 30),
    (*b"Jul", 31),
    (*b"Aug", 31),
    (*b"Sep", 30),
    (*b"Oct", 31),
    (*b"Nov", 30),
    (*b"Dec", 31),
];
