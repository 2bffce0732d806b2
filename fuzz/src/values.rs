//! Parsers of one value.

use std::path::{Component, Path};

use providore_wire::{
    DeviceId, FirmwareVersion, HardwareType, ParseError, Route, Signature, Target, Timestamp,
    original::Authorization,
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

fn assert_inside(error: ParseError, data: &[u8]) {
    assert!(error.offset() <= data.len(), "{error} of {}", data.len());
}
