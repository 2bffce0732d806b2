//! The four ways between us and a peer.

use providore_sign::{
    HeaderInstructions, Refusal, SoftwareKey,
    signed::{
        ChallengeKey, Keys, RequestPolicy, RequestToSign, ResponseToSign, ResponseVerifier,
        Validity, sign_request, sign_response, verify_request,
    },
    subkeys::{self, Purpose},
};
use providore_testkit::{RequestMessage, ResponseMessage, simulator::Prng};
use providore_wire::{
    DeviceId, Method, ParseError, Target, Timestamp,
    signed::{
        LABEL, Nonce, REQUEST_FIELDS, REQUEST_TAG, RESPONSE_FIELDS, RESPONSE_TAG, RequestHead,
        ResponseHead,
    },
};
use sha2::{Digest as _, Sha256};

use crate::{Message, Peer, Wanted};

const SECRET: &[u8] = b"a secret that two peers know....";
const DEVICE: &str = "d8fa0180";

/// Far in the future: one of the peers looks at the clock of the machine.
const NOW: i64 = 4_102_444_800;

/// Labels that a dictionary may have (RFC 9651 section 3.2).
const LABELS: [&str; 5] = ["sig1", "*", "a-b.c_d*9", "pyhms", LABEL];

/// The peer accepts every request that we sign, under whatever circumstances.
pub fn peer_accepts_our_requests(peer: &mut impl Peer) {
    for request in our_requests() {
        for request in with_others(&request, peer) {
            check_request(&request, peer);
        }
    }
}

/// We accept every request that the peer signs: any label, any order.
pub fn we_accept_requests_of_the_peer(peer: &mut impl Peer) {
    for request in requests_of(peer) {
        for request in with_others(&request, peer) {
            check_request(&request, peer);
        }
    }
}

/// The peer accepts every response that we sign, to requests of ours and of its own.
pub fn peer_accepts_our_responses(peer: &mut impl Peer) {
    let mut questions = our_requests();
    questions.extend(requests_of(peer));
    for (at, question) in questions.iter().enumerate() {
        // One circumstance for each: all of them for all would be thousands.
        let mut circumstances = with_others(question, peer);
        let question = circumstances.swap_remove(at % circumstances.len());
        for response in our_responses(&question) {
            check_response(&response, &question, peer);
        }
    }
    for response in our_responses(&questions[0]) {
        for response in response_with_others(&response, &questions[0], peer) {
            check_response(&response, &questions[0], peer);
        }
    }
}

/// We accept every response that the peer signs, to requests of ours and of its own.
pub fn we_accept_responses_of_the_peer(peer: &mut impl Peer) {
    let random = Prng::new(3);
    let mut questions = our_requests();
    questions.extend(requests_of(peer));
    for (at, question) in questions.iter().enumerate() {
        for mut response in our_responses(question) {
            let label = with_request_head(question, |head| String::from(head.label()));
            let mut components = covered(&response.fields, &RESPONSE_FIELDS);
            let bound = ["@method", "@path", "@query"].map(|name| format!("\"{name}\";req"));
            components.extend(bound);
            components.push("\"@status\"".into());
            // Parameters have no order either.
            components.push(match at % 2 {
                0 => format!("\"signature\";req;key=\"{label}\""),
                _ => format!("\"signature\";key=\"{label}\";req"),
            });
            shuffle(&mut components, &random);
            response.fields = unsigned(&response.fields);
            let wanted = Wanted {
                label: LABELS[at % LABELS.len()],
                components,
                created: Some(NOW),
                expires: None,
                nonce: None,
                key_id: DEVICE,
                tag: RESPONSE_TAG,
            };
            let message = Message::Response(&response, question);
            response.fields = peer.sign(&message, &key(Purpose::Response), &wanted);
            let mut circumstances = response_with_others(&response, question, peer);
            let response = circumstances.swap_remove(at % circumstances.len());
            check_response(&response, question, peer);
        }
    }
}

/// Both accept the request and make the same of it; neither does with a key of another purpose or
/// with a change.
fn check_request(request: &RequestMessage, peer: &mut impl Peer) {
    let message = Message::Request(request);
    assert_eq!(verified(request), Ok(()), "{request:?}");
    let base = with_request_head(request, |head| {
        let mut base = Vec::new();
        let written = head.signature_base(|piece| {
            base.extend_from_slice(piece);
            Ok::<(), ParseError>(())
        });
        written.expect("a base");
        String::from_utf8(base).expect("a text")
    });
    assert_eq!(peer.base(&message, REQUEST_TAG), base);
    let theirs = peer.verify(&message, &key(Purpose::Request), REQUEST_TAG);
    assert_eq!(theirs, Ok(()), "{request:?}");

    let theirs = peer.verify(&message, &key(Purpose::Response), REQUEST_TAG);
    assert!(theirs.is_err(), "{request:?}");
    let mut changed = request.clone();
    changed.target = format!("{}x", request.target);
    assert_eq!(verified(&changed), Err(Refusal::WrongSignature));
    let message = Message::Request(&changed);
    let theirs = peer.verify(&message, &key(Purpose::Request), REQUEST_TAG);
    assert!(theirs.is_err(), "{request:?}");
}

/// As [`check_request`], a response.
fn check_response(response: &ResponseMessage, question: &RequestMessage, peer: &mut impl Peer) {
    let message = Message::Response(response, question);
    let (verdict, base) = answered(response, question);
    assert_eq!(verdict, Ok(()), "{response:?} to {question:?}");
    assert_eq!(peer.base(&message, RESPONSE_TAG), base);
    let theirs = peer.verify(&message, &key(Purpose::Response), RESPONSE_TAG);
    assert_eq!(theirs, Ok(()), "{response:?} to {question:?}");

    let theirs = peer.verify(&message, &key(Purpose::Request), RESPONSE_TAG);
    assert!(theirs.is_err(), "{response:?}");
    let mut changed = response.clone();
    changed.status = 418;
    let (verdict, _) = answered(&changed, question);
    assert_eq!(verdict, Err(Refusal::WrongSignature));
    let message = Message::Response(&changed, question);
    let theirs = peer.verify(&message, &key(Purpose::Response), RESPONSE_TAG);
    assert!(theirs.is_err(), "{response:?}");
}

fn verified(request: &RequestMessage) -> Result<(), Refusal> {
    with_request_head(request, |head| {
        let verified = verify_request(head, &request.body, &keys(), &policy(), time(NOW));
        verified.map(|verified| assert_eq!(verified.device(), &device()))
    })
}

fn with_request_head<T>(request: &RequestMessage, look: impl FnOnce(RequestHead<'_>) -> T) -> T {
    let target = Target::parse(&request.target).expect("a target");
    let method = request.method.parse().expect("a method");
    let head = RequestHead::parse(method, &target, request.fields());
    look(head.unwrap_or_else(|error| panic!("{error}: {request:?}")))
}

/// What we say of a response, and its base.
fn answered(
    response: &ResponseMessage,
    question: &RequestMessage,
) -> (Result<(), Refusal>, String) {
    with_request_head(question, |head| {
        let question = head.question();
        let head = ResponseHead::parse(response.status, &question, response.fields());
        let head = head.unwrap_or_else(|error| panic!("{error}: {response:?}"));
        let mut base = Vec::new();
        let written = head.signature_base(&question, |piece| {
            base.extend_from_slice(piece);
            Ok::<(), ParseError>(())
        });
        written.expect("a base");
        let verdict = ResponseVerifier::begin(&keys(), &head, &question, &device());
        let verdict = verdict.and_then(|mut verifier| {
            verifier.update(&response.body);
            verifier.finish().map(|_| ())
        });
        (verdict, String::from_utf8(base).expect("a text"))
    })
}

/// Requests of every shape, signed by us.
fn our_requests() -> Vec<RequestMessage> {
    let challenge = policy().challenges().issue(time(NOW), [9; 8]);
    let challenge = challenge.expect("a challenge");
    let challenge = Validity::Challenge(&challenge);
    let clock = Validity::window(time(NOW), 60);
    let (device, version) = (device(), "1.2.0+b".parse().expect("a version"));
    let get = |target| {
        let target = Target::parse(target).expect("a target");
        RequestToSign::new(&device, Method::Get, target)
    };
    let place = Target::parse("/report?a=b&c=%20d").expect("a target");
    let post = RequestToSign::new(&device, Method::Post, place);
    let part = get("/firmware?version=1.2.0")
        .range("bytes=0-9")
        .if_range("\"t\"");
    let json = post.content("application/json", b"{\"a\": [1]}");
    let none = post.content("text/plain", b"");
    [
        (get("/time"), challenge, "GET /time", &b""[..]),
        (get("/config").version(&version), clock, "GET /config", b""),
        (
            get("/config").if_none_match("\"t, u\""),
            challenge,
            "GET /config",
            b"",
        ),
        (part, clock, "GET /firmware?version=1.2.0", b""),
        (get("/"), clock, "GET /", b""),
        (get("/config?"), clock, "GET /config?", b""),
        (
            json.version(&version),
            clock,
            "POST /report?a=b&c=%20d",
            b"{\"a\": [1]}",
        ),
        (json, challenge, "POST /report?a=b&c=%20d", b"{\"a\": [1]}"),
        (none, clock, "POST /report?a=b&c=%20d", b""),
    ]
    .into_iter()
    .map(|(to_sign, validity, first, body)| {
        let mut memory = [0; HeaderInstructions::MAX_LEN];
        let drawn = Nonce::new([7; 16]);
        let headers = sign_request(&keys(), &to_sign, validity, &drawn, &mut memory);
        let headers = headers.expect("a signature");
        let (method, target) = first.split_once(' ').expect("two words");
        let mut fields = vec![("Host".into(), "192.0.2.1".into())];
        fields.extend(
            headers
                .fields()
                .map(|(name, value)| (name.into(), value.into())),
        );
        RequestMessage {
            method: method.into(),
            target: target.into(),
            fields,
            body: body.into(),
        }
    })
    .collect()
}

/// The same requests, signed by the peer: under several labels, in several orders.
fn requests_of(peer: &mut impl Peer) -> Vec<RequestMessage> {
    let random = Prng::new(1);
    let mut made = Vec::new();
    for request in our_requests() {
        for label in LABELS {
            let mut request = request.clone();
            request.fields = unsigned(&request.fields);
            let mut components = covered(&request.fields, &REQUEST_FIELDS);
            components.extend(["@method", "@path", "@query"].map(|name| format!("\"{name}\"")));
            shuffle(&mut components, &random);
            let mut fields = request.fields.iter();
            let by_clock = !fields.any(|(name, _)| name == "providore-challenge");
            let wanted = Wanted {
                label,
                components,
                created: by_clock.then_some(NOW),
                expires: by_clock.then_some(NOW + 60),
                nonce: Some("AQIDBAUGBwgJCgsMDQ4PEA"),
                key_id: DEVICE,
                tag: REQUEST_TAG,
            };
            let message = Message::Request(&request);
            request.fields = peer.sign(&message, &key(Purpose::Request), &wanted);
            made.push(request);
        }
    }
    made
}

/// Status, fields of the application, body.
type Shape<'s> = (u16, &'s [(&'s str, &'s [u8])], &'s [u8]);

/// Responses of every shape to a question, signed by us.
fn our_responses(question: &RequestMessage) -> Vec<ResponseMessage> {
    let challenge = policy().challenges().issue(time(NOW), [8; 8]);
    let challenge = challenge.expect("a challenge");
    let coded = [
        ("content-type", &b"application/json"[..]),
        ("content-encoding", b"aes128gcm"),
        ("ETag", b"\"a, b\""),
    ];
    let part = [
        ("content-type", &b"application/octet-stream"[..]),
        ("content-range", b"bytes 0-3/10"),
        (
            "repr-digest",
            b"sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:",
        ),
        ("accept-ranges", b"bytes"),
    ];
    let place = [("location", &b"/firmware?version=1.2.0%2Bb"[..])];
    let wait = [("retry-after", &b"12"[..])];
    let shapes: [Shape<'_>; 6] = [
        (200, &coded, b"\x00\xff\r\n"),
        (206, &part, b"0123"),
        (302, &place, b""),
        (204, &[], b""),
        (304, &coded[2..], b""),
        (429, &wait, b"{}"),
    ];
    let device = device();
    let respond = |(status, fields, body): Shape<'_>| {
        let to_sign = ResponseToSign {
            device: &device,
            status,
            fields: fields.iter().copied(),
            content_sha256: (!body.is_empty()).then(|| Sha256::digest(body).into()),
            challenge: &challenge,
            created: time(NOW),
        };
        let mut memory = [0; HeaderInstructions::MAX_LEN];
        let headers = with_request_head(question, |head| {
            sign_response(&keys(), &head.question(), &to_sign, &mut memory)
        });
        let headers = headers.expect("a signature");
        let text = |value: &[u8]| String::from_utf8(value.into()).expect("a text");
        let fields = fields
            .iter()
            .map(|(name, value)| ((*name).into(), text(value)));
        let ours = headers
            .fields()
            .map(|(name, value)| (name.into(), value.into()));
        ResponseMessage {
            status,
            reason: String::new(),
            fields: fields.chain(ours).collect(),
            body: body.into(),
        }
    };
    shapes.into_iter().map(respond).collect()
}

/// The request alone and beside signatures of others: before and behind ours, on the same line and
/// on one of their own, and one that the peer adds.
fn with_others(request: &RequestMessage, peer: &mut impl Peer) -> Vec<RequestMessage> {
    let (others, added) = others("\"@method\"");
    let message = Message::Request(request);
    let mut all = beside(&request.fields, &others);
    all.push(peer.sign(&message, b"the key of somebody else", &added));
    all.into_iter()
        .map(|fields| RequestMessage {
            fields,
            ..request.clone()
        })
        .collect()
}

/// As [`with_others`], a response.
fn response_with_others(
    response: &ResponseMessage,
    question: &RequestMessage,
    peer: &mut impl Peer,
) -> Vec<ResponseMessage> {
    let (others, added) = others("\"@status\"");
    let message = Message::Response(response, question);
    let mut all = beside(&response.fields, &others);
    all.push(peer.sign(&message, b"the key of somebody else", &added));
    all.into_iter()
        .map(|fields| ResponseMessage {
            fields,
            ..response.clone()
        })
        .collect()
}

/// The fields of somebody else's signature, and one that is to be made.
fn others(component: &str) -> ([(&'static str, String); 2], Wanted<'static>) {
    let input = format!("proxy=({component});created={NOW};keyid=\"gateway\"");
    let fields = [
        ("signature-input", input),
        ("signature", "proxy=:c2lnbmVkIGJ5IGEgcHJveHkuLi4=:".into()),
    ];
    let added = Wanted {
        label: "trace",
        components: vec![component.into()],
        created: Some(NOW),
        expires: None,
        nonce: None,
        key_id: "gateway",
        tag: "trace",
    };
    (fields, added)
}

type Fields = Vec<(String, String)>;

fn beside(fields: &Fields, others: &[(&str, String)]) -> Vec<Fields> {
    let mut lines: Vec<_> = others
        .iter()
        .map(|(name, value)| ((*name).into(), value.clone()))
        .collect();
    let joined = |join: &dyn Fn(&str, &str) -> String| {
        let fields = fields.iter().map(|(name, value)| {
            let other = others
                .iter()
                .find(|(other, _)| name.eq_ignore_ascii_case(other));
            let value = other.map_or(value.clone(), |(_, other)| join(value, other));
            (name.clone(), value)
        });
        fields.collect()
    };
    let before = [lines.as_slice(), fields].concat();
    let behind = [fields.as_slice(), &lines].concat();
    lines.reverse();
    let around = [&lines[..1], fields, &lines[1..]].concat();
    vec![
        fields.clone(),
        before,
        behind,
        around,
        joined(&|ours, other| format!("{ours}, {other}")),
        joined(&|ours, other| format!("{other} ,\t{ours}")),
    ]
}

/// Those fields of the profile that are there, as components.
fn covered(fields: &Fields, profile: &[&str]) -> Vec<String> {
    let names = fields.iter().map(|(name, _)| name.to_ascii_lowercase());
    let names = names.filter(|name| profile.contains(&name.as_str()));
    names.map(|name| format!("\"{name}\"")).collect()
}

fn unsigned(fields: &Fields) -> Fields {
    let signature = |name: &str| {
        let names = ["signature-input", "signature"];
        names.iter().any(|it| name.eq_ignore_ascii_case(it))
    };
    let fields = fields.iter().filter(|(name, _)| !signature(name));
    fields.cloned().collect()
}

fn shuffle(components: &mut [String], random: &Prng) {
    for place in (1..components.len()).rev() {
        components.swap(place, random.index(place + 1));
    }
}

fn keys() -> Keys {
    Keys::derive(&mut secret()).expect("keys")
}

fn key(purpose: Purpose) -> [u8; 32] {
    *subkeys::derive(&mut secret(), purpose)
        .expect("a key")
        .expose()
}

fn secret() -> SoftwareKey {
    SoftwareKey::new(SECRET).expect("a secret")
}

fn policy() -> RequestPolicy {
    let challenges = ChallengeKey::new(&[5; 32]).expect("a key");
    RequestPolicy::new(challenges, time(NOW - 3600))
}

fn device() -> DeviceId {
    DEVICE.parse().expect("an id")
}

fn time(unix: i64) -> Timestamp {
    Timestamp::from_unix(unix).expect("a time")
}
