//! Heads of messages, and what is signed of them.

use providore_sign::{
    Freshness, HeaderInstructions, MacKey as _, Refusal, SoftwareKey,
    original::{RequestPolicy, RequestToSign, sign_request, verify_request},
};
use providore_wire::{
    DeviceId, FirmwareVersion, Method, Signature, Target, Timestamp,
    original::{Authorization, RequestHead, ResponseHead},
};

use crate::fields::{fields, head_and_body, value};

const ANY_FRESHNESS: RequestPolicy = RequestPolicy {
    freshness: Freshness {
        max_window_s: u32::MAX,
        max_skew_s: 0,
    },
    allow_unversioned: true,
};

/// A request: `METHOD target`, header lines, an empty line, a body.
///
/// What is signed of it equals a naive concatenation, does not depend on the order and case of the
/// fields, and when signed with the right key gets exactly the verdict that its parts deserve.
pub fn request_head(data: &[u8]) {
    let (head, body) = head_and_body(data);
    let Some((method, target)) = request_line(head) else {
        return;
    };
    let mut fields = fields(head);
    let Ok(read) = RequestHead::parse(method, target.path(), fields.iter().copied()) else {
        return;
    };
    let naive = naive_canonical(method, target.path(), &fields, body);
    assert_eq!(canonical(&read, body), naive);

    fields.reverse();
    let upper: Vec<_> = fields
        .iter()
        .map(|(name, value)| (name.to_ascii_uppercase(), *value))
        .collect();
    let upper = upper.iter().map(|(name, value)| (name.as_str(), *value));
    let again = RequestHead::parse(method, target.path(), upper).expect("the same fields");
    assert_eq!(canonical(&again, body), naive);

    let authorization = Authorization::new(read.device().clone(), sign(b"secret", &naive));
    let text = authorization.to_text();
    for (name, value) in &mut fields {
        if name.eq_ignore_ascii_case("authorization") {
            *value = text.as_str().as_bytes();
        }
    }
    let signed = RequestHead::parse(method, target.path(), fields).expect("our own spelling");
    assert_eq!(verdict(&signed, body, b"secret"), deserved(&signed, body));
    assert_eq!(
        verdict(&signed, body, b"Secret"),
        Err(Refusal::WrongSignature)
    );
}

fn request_line(head: &[u8]) -> Option<(Method, Target<'_>)> {
    let line = head.split(|byte| *byte == b'\n').next()?;
    let (method, target) = core::str::from_utf8(line).ok()?.split_once(' ')?;
    Some((method.parse().ok()?, Target::parse(target).ok()?))
}

fn canonical(head: &RequestHead<'_>, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let done = head.canonical().pieces::<()>(body, |piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    });
    assert_eq!(done, Ok(()));
    bytes
}

fn naive_canonical(method: Method, path: &str, fields: &[(&str, &[u8])], body: &[u8]) -> Vec<u8> {
    let mut lines = vec![
        method.as_str().as_bytes().to_vec(),
        path.as_bytes().to_vec(),
    ];
    let version = value(fields, "x-firmware-version");
    lines.extend(version.map(|version| {
        let text: String = version.iter().map(|byte| char::from(*byte)).collect();
        text.into_bytes()
    }));
    for name in ["created-at", "expiry"] {
        lines.push(value(fields, name).expect("a mandatory field").to_vec());
    }
    if version.is_some() && matches!(method, Method::Post | Method::Put) {
        lines.push(body.to_vec());
    }
    lines.join(&b'\n')
}

fn sign(secret: &[u8], bytes: &[u8]) -> Signature {
    let mut key = SoftwareKey::new(secret).expect("a key");
    key.begin().expect("begins");
    key.update(bytes).expect("takes data");
    key.finish().expect("finishes").publish()
}

fn verdict(head: &RequestHead<'_>, body: &[u8], secret: &[u8]) -> Result<(), Refusal> {
    let mut key = SoftwareKey::new(secret).expect("a key");
    verify_request(head.clone(), body, &mut key, &ANY_FRESHNESS, head.created()).map(|_| ())
}

fn deserved(head: &RequestHead<'_>, body: &[u8]) -> Result<(), Refusal> {
    if !body.is_empty() && !head.canonical().covers_body() {
        return Err(Refusal::BodyNotCovered);
    }
    let window_s = head.expiry().seconds_since(head.created());
    if (0..=i64::from(u32::MAX)).contains(&window_s) {
        Ok(())
    } else {
        let most = if window_s < 0 { i32::MIN } else { i32::MAX };
        let window_s = i32::try_from(window_s).unwrap_or(most);
        Err(Refusal::Window { window_s })
    }
}

/// An answer: header lines. The signed tail equals a naive concatenation in any order of fields.
pub fn response_head(data: &[u8]) {
    let (head, _) = head_and_body(data);
    let mut fields = fields(head);
    let Ok(read) = ResponseHead::parse(fields.iter().copied()) else {
        return;
    };
    let mut naive = Vec::new();
    for name in ["created-at", "expiry"] {
        naive.push(b'\n');
        naive.extend_from_slice(value(&fields, name).expect("a mandatory field"));
    }
    assert_eq!(tail(&read), naive);
    fields.reverse();
    let again = ResponseHead::parse(fields).expect("the same fields");
    assert_eq!(tail(&again), naive);
    assert_eq!(again.signature().as_bytes(), read.signature().as_bytes());
    assert_eq!(
        (again.created(), again.expiry()),
        (read.created(), read.expiry())
    );
}

fn tail(head: &ResponseHead<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let done = head.tail().pieces::<()>(|piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    });
    assert_eq!(done, Ok(()));
    bytes
}

/// What a client signs, a server accepts: `id`, `version`, `METHOD target`, created and lifetime in
/// one line each, then the body.
pub fn request_round_trip(data: &[u8]) {
    let mut parts = data.splitn(5, |byte| *byte == b'\n');
    let mut part = || parts.next().unwrap_or_default();
    let (device, version, line, times, body) = (part(), part(), part(), part(), part());
    let (Ok(device), Ok(version)) = (DeviceId::parse(device), FirmwareVersion::parse(version))
    else {
        return;
    };
    let Some((method, target)) = request_line(line) else {
        return;
    };
    let Some((created, lifetime_s)) = creation(times) else {
        return;
    };
    let request = RequestToSign {
        device: &device,
        method,
        path: target.path(),
        version: &version,
        body,
    };
    let mut key = SoftwareKey::new(b"secret").expect("a key");
    let mut memory = [0; HeaderInstructions::MAX_LEN];
    let headers =
        sign_request(&mut key, &request, created, lifetime_s, &mut memory).expect("signs");
    let fields = headers
        .fields()
        .map(|(name, value)| (name, value.as_bytes()));
    let head = RequestHead::parse(method, target.path(), fields).expect("what we write");
    assert_eq!(head.device(), &device);
    assert_eq!(head.firmware_version(), Some(version));
    assert_eq!(verdict(&head, body, b"secret"), deserved(&head, body));
}

/// `timestamp seconds`
fn creation(times: &[u8]) -> Option<(Timestamp, u32)> {
    let (created, lifetime_s) = core::str::from_utf8(times).ok()?.split_once(' ')?;
    Some((created.parse().ok()?, lifetime_s.parse().ok()?))
}
