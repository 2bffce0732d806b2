//! Parsers of one value.

use std::{
    path::{Component, Path},
    sync::LazyLock,
};

use providore_sign::{Refusal, signed::ChallengeKey};
use providore_wire::{
    DeviceId, FirmwareVersion, HardwareType, Name, ParseError, Route, Signature, Target, Timestamp,
    original::Authorization,
    signed::{Challenge, Nonce},
};

/// `Authorization: Hmac …`: what is read is written in one spelling and read again.
pub fn authorization(data: &[u8]) {
    match Authorization::parse(data) {
        Ok(read) => {
            let text = read.to_text();
            assert!(text.as_str().len() <= Authorization::TEXT_LEN);
            let again = Authorization::parse(text.as_str().as_bytes()).expect("our own spelling");
            assert_eq!(again.device(), read.device());
            assert_eq!(again.signature().as_bytes(), read.signature().as_bytes());
            assert_eq!(again.to_text().as_str(), text.as_str());
        }
        Err(error) => assert_inside(error, data),
    }
}

/// Device ids, firmware versions and hardware types: kept as sent, and one plain name to a file system.
pub fn device_id(data: &[u8]) {
    let version = FirmwareVersion::parse(data);
    let hardware = HardwareType::parse(data).map(|hardware| hardware.to_string());
    let same = version.as_ref().map(ToString::to_string);
    assert_eq!(hardware, same.map_err(|error| *error));
    let lent = Name::parse(data).map(|name| name.to_string());
    assert_eq!(lent, hardware);
    match DeviceId::parse(data) {
        Ok(id) => {
            assert_eq!(id.as_str().as_bytes(), data);
            assert_eq!(version.expect("one grammar for both").as_str(), id.as_str());
            assert!((1..=DeviceId::MAX_LEN).contains(&data.len()));
            let mut parts = Path::new(id.as_str()).components();
            assert_eq!(parts.next(), Some(Component::Normal(id.as_str().as_ref())));
            assert_eq!(parts.next(), None);
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        Err(error) => {
            assert_eq!(version, Err(error));
            assert_inside(error, data);
        }
    }
}

/// Signatures in base64: only the one spelling that is written.
pub fn signature(data: &[u8]) {
    match Signature::parse(data) {
        Ok(read) => {
            assert_eq!(read.to_base64().as_str().as_bytes(), data);
            let again = Signature::new(*read.as_bytes());
            assert_eq!(again.to_base64().as_str(), read.to_base64().as_str());
        }
        Err(error) => assert_inside(error, data),
    }
}

/// Timestamps: in any spelling, out in one; the common spelling against plain arithmetic.
pub fn timestamp(data: &[u8]) {
    match Timestamp::parse(data) {
        Ok(read) => {
            let text = read.to_rfc3339();
            assert_eq!(text.as_str().len(), 20);
            assert_eq!(Timestamp::parse(text.as_str().as_bytes()), Ok(read));
            assert!((Timestamp::MIN..=Timestamp::MAX).contains(&read));
            assert_eq!(Timestamp::from_unix(read.unix()), Some(read));
            if is_plain(data) {
                assert_eq!(read.unix(), plain_unix(data));
                assert_eq!(text.as_str().as_bytes(), data);
            }
        }
        Err(error) => assert_inside(error, data),
    }
}

/// Whether this is `YYYY-MM-DDThh:mm:ssZ`, with an hour below 24.
fn is_plain(data: &[u8]) -> bool {
    let shape = b"0000-00-00T00:00:00Z";
    data.len() == shape.len()
        && data.iter().zip(shape).all(|(byte, shape)| match shape {
            b'0' => byte.is_ascii_digit(),
            _ => byte == shape,
        })
        && &data[11..13] != b"24"
}

fn plain_unix(data: &[u8]) -> i64 {
    let number = |from: usize, to: usize| {
        let digits = data[from..to].iter();
        digits.fold(0_i64, |sum, digit| sum * 10 + i64::from(digit - b'0'))
    };
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    // Years that begin in March end with the leap day.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = year * 365 + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (153 * month + 2) / 5
        + day
        - 719_469;
    days * 86_400 + number(11, 13) * 3600 + number(14, 16) * 60 + number(17, 19)
}

/// Request targets: the path is a part of what was sent, byte for byte.
pub fn target(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    match Target::parse(text) {
        Ok(read) => {
            assert!(read.path().starts_with('/'));
            let origin = match read.query() {
                Some(query) => format!("{}?{query}", read.path()),
                None => read.path().into(),
            };
            assert!(text.ends_with(&origin));
            assert_eq!(Target::parse(&origin), Ok(read));
            if let Some(route) = Route::of(read.path()) {
                assert_eq!(Route::of(route.path()), Some(route));
                let path = read.path().to_ascii_lowercase();
                assert_eq!(path.strip_suffix('/').unwrap_or(&path), route.path());
            }
            if let Ok(Some(version)) = read.version() {
                let escaped = version.as_str().replace('+', "%2B");
                let escaped = escaped.replace(':', "%3A").replace(' ', "%20");
                let again = format!("/firmware?version={escaped}");
                let again = Target::parse(&again).expect("a version has no other escape");
                assert_eq!(again.version(), Ok(Some(version)));
            }
        }
        Err(error) => assert_inside(error, data),
    }
}

static CHALLENGES: LazyLock<ChallengeKey> =
    LazyLock::new(|| ChallengeKey::new(&[7; 32]).expect("32 bytes"));

/// Challenges: the text as it was sent, and none counts but one that was issued, in its time.
///
/// An input is a text, and 10 bytes of it are the randomness, the age and a bit to flip.
pub fn challenge(data: &[u8]) {
    let now = Timestamp::from_unix(1_767_323_045).expect("a date");
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let fits = (Challenge::MIN_LEN..=Challenge::MAX_LEN).contains(&data.len());
    match Challenge::parse(data) {
        Ok(read) => {
            assert!(fits && data.iter().all(allowed));
            assert_eq!(read.as_str().as_bytes(), data);
            assert_eq!(CHALLENGES.check(&read, now), Err(Refusal::ForeignChallenge));
        }
        Err(error) => {
            assert!(!fits || !data.iter().all(allowed));
            assert!(error.offset() <= data.len());
        }
    }
    let Some(([r0, r1, r2, r3, r4, r5, r6, r7, age_s, at], _)) = data.split_first_chunk() else {
        return;
    };
    let random = [*r0, *r1, *r2, *r3, *r4, *r5, *r6, *r7];
    let age_s = i32::from(age_s.cast_signed());
    let issued = CHALLENGES.issue(now, random).expect("issues");
    let verdict = CHALLENGES.check(&issued, now.saturating_add(age_s.into()));
    match age_s {
        0..=60 => assert_eq!(verdict, Ok(now)),
        _ => assert_eq!(verdict, Err(Refusal::OldChallenge { age_s })),
    }
    let mut changed = issued.as_str().as_bytes().to_vec();
    let place = usize::from(*at) % changed.len();
    changed[place] ^= 1 << (random[0] % 8);
    if let Ok(changed) = Challenge::parse(&changed) {
        let verdict = CHALLENGES.check(&changed, now);
        assert_eq!(verdict, Err(Refusal::ForeignChallenge));
    }
}

/// Nonces: one spelling of 16 bytes.
pub fn nonce(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    let digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    // Four bits are left over in the last digit.
    let ends = text.ends_with(['A', 'Q', 'g', 'w']);
    let fits = text.len() == Nonce::TEXT_LEN && text.bytes().all(digit) && ends;
    match Nonce::parse(text) {
        Ok(read) => {
            assert!(fits);
            assert_eq!(read.to_text().as_str(), text);
            assert_eq!(Nonce::new(*read.as_bytes()), read);
        }
        Err(_) => assert!(!fits),
    }
}

fn assert_inside(error: ParseError, data: &[u8]) {
    assert!(error.offset() <= data.len(), "{error} of {}", data.len());
}
