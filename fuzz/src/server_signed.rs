//! The front door of the server in the `Signed` dialect.

use futures_lite::future::block_on;
use providore_server_core::{
    Body, Device, Dialect, Failure, FirmwareStore as _, MemoryImage, MemoryStore, Moment, Request,
    Response, Server, Settings, Start,
};
use providore_sign::{
    HeaderInstructions, SoftwareKey,
    content_coding::decode_in_place,
    signed::{Keys, RequestToSign, ResponseVerifier, Validity, sign_request},
};
use providore_testkit::parties::Message;
use providore_wire::{
    DeviceId, FirmwareVersion, Method, Route, Target, Timestamp,
    signed::{Nonce, RequestHead, ResponseHead},
};

use crate::{
    fields::{fields, head_and_body, value},
    server::{AUTHORITY, IMAGE, now, releases},
    tampering::flip_request,
};

const SECRET: &[u8] = b"the secret of a fuzzed device";
const NEXT_SECRET: &[u8] = b"what is to follow that secret";
const CONFIG: &[u8] = br#"{"password":"correct horse"}"#;

/// A request: `METHOD target`, header lines, an empty line, a body.
///
/// As it stands nobody signed it with our key: it gets the one refusal that all get. Signed, it is
/// answered to the device alone and once; with a bit changed it is refused like all others; and
/// what is secret is in no answer in clear.
pub fn server_signed(data: &[u8]) {
    let (head, body) = head_and_body(data);
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = core::str::from_utf8(line).ok();
    let Some((method, target)) = line.and_then(|line| line.split_once(' ')) else {
        return;
    };
    let fields = fields(head);
    let server = server();
    let stranger = Request {
        method,
        target,
        fields: &fields,
        body,
        peer: None,
    };
    let answer = handle(&server, &stranger, now());
    let parsed = Target::parse(target);
    let route = parsed.map(|target| Route::of(target.path()));
    match route {
        Err(_) => assert_eq!(answer.status, 400),
        Ok(Some(route)) if route.is_public() => assert!(matches!(answer.status, 200 | 405)),
        Ok(_) if body.len() > Request::MAX_BODY => assert_eq!(answer.status, 413),
        Ok(_) => {
            assert_refused(&server, &answer, method);
            if let (Ok(method), Ok(target)) = (method.parse(), parsed) {
                ask_signed(&server, method, (target, stranger.target), &fields, body);
            }
        }
    }
}

fn ask_signed(
    server: &Server<MemoryStore>,
    method: Method,
    (parsed, target): (Target<'_>, &str),
    fields: &[(&str, &[u8])],
    body: &[u8],
) {
    let Some(message) = sign(method, (parsed, target), fields, body) else {
        return;
    };
    let place = data_sum(&message);
    for bit in [place, place / 7] {
        if let Some(changed) = flip_request(&message, bit) {
            let answer = ask(server, &changed, now());
            let route = Target::parse(&changed.target).map(|target| Route::of(target.path()));
            let public = matches!(route, Ok(Some(route)) if route.is_public());
            if route.is_ok() && !public {
                assert_refused(server, &answer, &changed.method);
            }
        }
    }
    let answer = ask(server, &message, now());
    let known = [200, 204, 206, 302, 304, 404, 405, 413, 415, 416, 422];
    assert!(known.contains(&answer.status), "{}", answer.status);
    if method != Method::Head {
        assert_verifies(&message, &answer);
    }
    let again = ask(server, &message, now().saturating_add(1));
    assert_refused(server, &again, &message.method);
    assert_noted(server, parsed, method);
}

/// Only a report has the server note that firmware failed, and only of releases that it offers.
fn assert_noted(server: &Server<MemoryStore>, target: Target<'_>, method: Method) {
    let noted = block_on(server.store().failures(&device())).expect("in memory");
    let is_report = Route::of(target.path()) == Some(Route::Report) && method == Method::Post;
    assert!(noted.is_empty() || is_report);
    for failure in noted {
        assert!(
            releases()
                .iter()
                .any(|release| release.version == failure.version)
        );
        assert!(!failure.reason().contains(char::is_control));
        assert!(failure.reason().chars().count() <= Failure::MAX_REASON);
    }
}

/// Which bits are changed depends on all of the message.
fn data_sum(message: &Message) -> usize {
    let signature = message.value("signature");
    let digits = signature.bytes().take(40);
    digits.fold(0, |sum: usize, digit| {
        sum.wrapping_mul(31).wrapping_add(usize::from(digit))
    }) >> 1
}

/// The request as the device signs it, over a clock or a challenge.
fn sign(
    method: Method,
    (parsed, target): (Target<'_>, &str),
    fields: &[(&str, &[u8])],
    body: &[u8],
) -> Option<Message> {
    let text = |name: &str, most: usize| {
        let mut values = fields
            .iter()
            .filter(|(field, _)| field.eq_ignore_ascii_case(name));
        let &(_, value) = values.next().filter(|_| values.next().is_none())?;
        let text = core::str::from_utf8(value).ok()?.trim();
        (text.len() <= most && text.is_ascii()).then_some(text)
    };
    let device = device();
    let version: Option<FirmwareVersion> =
        text("x-firmware-version", 64).and_then(|text| text.parse().ok());
    let mut request = RequestToSign::new(&device, method, parsed);
    if let Some(version) = &version {
        request = request.version(version);
    }
    if let Some(range) = text("range", 48) {
        request = request.range(range);
    }
    if let Some(tag) = text("if-range", 80) {
        request = request.if_range(tag);
    }
    if let Some(tag) = text("if-none-match", 80) {
        request = request.if_none_match(tag);
    }
    if let Some(content_type) = text("content-type", 64) {
        request = request.content(content_type, body);
    }
    let body = text("content-type", 64).map_or(&b""[..], |_| body);
    let nonce = Nonce::new([6; Nonce::LEN]);
    let mut memory = [0; HeaderInstructions::MAX_LEN];
    let headers = sign_request(
        &keys(),
        &request,
        Validity::window(now(), 300),
        &nonce,
        &mut memory,
    )
    .ok()?;
    let ours = headers
        .fields()
        .map(|(name, value)| (name.into(), value.into()));
    Some(Message {
        method: method.as_str().into(),
        target: target.into(),
        fields: ours.collect(),
        body: body.into(),
    })
}

/// The answer that every failure of authentication has, but for the challenge of its second.
fn assert_refused(server: &Server<MemoryStore>, answer: &Answer, method: &str) {
    let plain = Request {
        method,
        target: "/config",
        fields: &[],
        body: b"",
        peer: None,
    };
    // Another second, and not so much later that going back to `now` is a clock that was set back.
    let plain = handle(server, &plain, now().saturating_add(3));
    assert_eq!((answer.status, plain.status), (401, 401));
    let alike = |answer: &Answer| -> Vec<_> {
        let fields = answer.fields.iter();
        let fields = fields.map(|(name, value)| match *name {
            "providore-challenge" => (*name, value.len().to_string()),
            _ => (*name, value.to_string()),
        });
        fields.collect()
    };
    assert_eq!(alike(answer), alike(&plain));
    assert_eq!(bytes(answer), bytes(&plain));
}

/// The device verifies it, and can read what was encrypted for it.
fn assert_verifies(question: &Message, answer: &Answer) {
    let target = Target::parse(&question.target).expect("ours");
    let asked = question.fields.iter();
    let asked = asked.map(|(name, value)| (name.as_str(), value.as_slice()));
    let method = question.method.parse().expect("ours");
    let asked = RequestHead::parse(method, &target, asked).expect("ours");
    let bound = asked.question();
    let fields: Vec<(&str, &[u8])> = answer
        .fields
        .iter()
        .map(|(name, value)| (*name, value.as_bytes()))
        .collect();
    let head = ResponseHead::parse(answer.status, &bound, fields.iter().copied());
    let head = head.expect("a signed answer");
    let keys = keys();
    let mut verifier =
        ResponseVerifier::begin(&keys, &head, &bound, &device()).expect("the server's");
    let body = bytes(answer);
    verifier.update(&body);
    let verified = verifier.finish().expect("a genuine answer");
    assert_eq!(
        (verified.created(), head.challenge().is_some()),
        (now(), true)
    );
    let secret = match Route::of(target.path()) {
        Some(Route::Config) => CONFIG,
        Some(Route::Secret) => NEXT_SECRET,
        _ => return assert_eq!(value(&fields, "content-encoding"), None),
    };
    if answer.status == 200 {
        assert_eq!(value(&fields, "content-encoding"), Some(&b"aes128gcm"[..]));
        let mut content = body;
        let plain = decode_in_place(keys.content_key(), &mut content);
        assert_eq!(plain, Ok(secret));
    }
}

type Answer = Response<MemoryImage>;

fn ask(server: &Server<MemoryStore>, message: &Message, now: Timestamp) -> Answer {
    let fields = message.fields.iter();
    let fields: Vec<_> = fields
        .map(|(name, value)| (name.as_str(), value.as_slice()))
        .collect();
    let request = Request {
        method: &message.method,
        target: &message.target,
        fields: &fields,
        body: &message.body,
        peer: None,
    };
    handle(server, &request, now)
}

/// Asks, and looks through the answer for what is secret.
fn handle(server: &Server<MemoryStore>, request: &Request<'_>, now: Timestamp) -> Answer {
    let moment = Moment {
        now,
        entropy: [3; Moment::ENTROPY_LEN],
    };
    let answer = block_on(server.handle(request, &moment));
    let values = answer.fields.iter().map(|(_, value)| value.as_bytes());
    for part in values.chain([bytes(&answer).as_slice()]) {
        for secret in [SECRET, NEXT_SECRET, CONFIG] {
            // Half of it is too much as well.
            let half = &secret[..secret.len() / 2];
            let clear = part.windows(half.len()).any(|window| window == half);
            assert!(!clear, "{:?} to {}", answer.fields, request.target);
        }
    }
    answer
}

fn bytes(answer: &Answer) -> Vec<u8> {
    match &answer.body {
        Body::Empty => Vec::new(),
        Body::Bytes(bytes) => bytes.to_vec(),
        Body::Image { start, length, .. } => {
            let at = |offset: u64| usize::try_from(offset).expect("a short image");
            IMAGE[at(*start)..at(start + length)].to_vec()
        }
        _ => panic!("a new kind of body"),
    }
}

fn server() -> Server<MemoryStore> {
    let record = Device::new(device(), SECRET, Dialect::Signed).expect("a device");
    let mut record = record.with_next_secret(NEXT_SECRET).expect("a secret");
    record.releases = releases();
    let store = MemoryStore::default();
    block_on(async {
        for release in &record.releases {
            let (hardware, version) = (release.hardware.clone(), release.version.clone());
            store.put_image(hardware, version, IMAGE).await;
        }
        store.put_device(record).await;
        store.put_config(device(), None, CONFIG).await;
    });
    let start = Start {
        at: now().saturating_add(-3600),
        stranger: [9; 32],
        challenges: [8; 32],
    };
    Server::new(store, &*AUTHORITY, Settings::DEFAULT, &start).expect("a server")
}

fn keys() -> Keys {
    let mut secret = SoftwareKey::new(SECRET).expect("a key");
    Keys::derive(&mut secret).expect("derives")
}

fn device() -> DeviceId {
    "d8fa0180".parse().expect("an id")
}
