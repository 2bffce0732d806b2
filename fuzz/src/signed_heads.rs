//! Heads of the `Signed` dialect, and what is signed of them.

use std::sync::LazyLock;

use providore_sign::{
    HeaderInstructions, MacKey as _, Refusal, SoftwareKey,
    signed::{
        ChallengeKey, Keys, RequestPolicy, RequestToSign, ResponseToSign, ResponseVerifier,
        Validity, VerifiedHead, sign_request, sign_response, verify_request,
    },
    subkeys::{self, Purpose},
};
use providore_wire::{
    DeviceId, FirmwareVersion, Method, ParseError, Signature, Target, Text, Timestamp,
    message_signatures::{ComponentName, SignatureInput, SignatureParameters, signature_field},
    signed::{
        Challenge, LABEL, Nonce, Question, REQUEST_FIELDS, RESPONSE_FIELDS, RequestHead,
        ResponseHead, Validity as Claimed,
    },
};

use crate::fields::{fields, head_and_body, value};

const SECRET: &[u8] = b"the secret of a fuzzed device";

static KEYS: LazyLock<Keys> = LazyLock::new(|| keys(SECRET));
static OTHER_KEYS: LazyLock<Keys> = LazyLock::new(|| keys(b"the secret of another one"));
static CHALLENGES: LazyLock<ChallengeKey> =
    LazyLock::new(|| ChallengeKey::new(&[7; 32]).expect("32 bytes"));

fn keys(secret: &[u8]) -> Keys {
    Keys::derive(&mut SoftwareKey::new(secret).expect("a key")).expect("a software key derives")
}

fn sign(purpose: Purpose, base: &[u8]) -> Signature {
    let mut secret = SoftwareKey::new(SECRET).expect("a key");
    let sub_key = subkeys::derive(&mut secret, purpose).expect("derives");
    let mut key = sub_key.to_key();
    key.begin().expect("begins");
    key.update(base).expect("takes data");
    key.finish().expect("finishes").publish()
}

fn now() -> Timestamp {
    Timestamp::from_unix(1_767_323_045).expect("a date")
}

type Fields<'a> = Vec<(&'a str, &'a [u8])>;

/// A request: `METHOD target`, header lines, an empty line, a body.
///
/// What is read of it equals a naive signature base, does not depend on the order and case of the
/// fields, and when signed with the right key gets exactly the verdict that its parts deserve.
/// What a device signs of the same parts is read and verified.
pub fn signed_request_head(data: &[u8]) {
    let (head, body) = head_and_body(data);
    let Some((method, target)) = request_line(head) else {
        return;
    };
    let fields = fields(head);
    if let Ok(read) = RequestHead::parse(method, &target, fields.iter().copied()) {
        read_request(&read, &target, &fields, body);
    }
    round_trip(method, target, &fields, body);
}

fn request_line(head: &[u8]) -> Option<(Method, Target<'_>)> {
    let line = head.split(|byte| *byte == b'\n').next()?;
    let (method, target) = core::str::from_utf8(line).ok()?.split_once(' ')?;
    Some((method.parse().ok()?, Target::parse(target).ok()?))
}

fn read_request(read: &RequestHead<'_>, target: &Target<'_>, fields: &Fields<'_>, body: &[u8]) {
    let base = request_base(read);
    let query = format!("?{}", target.query().unwrap_or_default());
    let naive = naive_base(fields, read.label(), |name| match name {
        "@method" => read.method().as_str().into(),
        "@path" => target.path().into(),
        "@query" => query.clone(),
        _ => unreachable!("{name} is accepted"),
    });
    assert_eq!(base.is_some(), naive.is_some());
    assert_covers(read.label(), fields, &REQUEST_FIELDS);

    let upper = upper_and_reversed(fields);
    let shown = upper.iter().map(|(name, value)| (name.as_str(), *value));
    let again = RequestHead::parse(read.method(), target, shown).expect("the same fields");
    assert_eq!(request_base(&again), base);
    assert_eq!(
        (again.device(), again.nonce(), again.validity()),
        (read.device(), read.nonce(), read.validity())
    );

    let Some(base) = base else {
        assert!(matches!(
            verdict(read, body, &KEYS),
            Err(Refusal::Malformed(_))
        ));
        return;
    };
    assert_eq!(Some(&base), naive.as_ref());
    assert_eq!(
        verdict(read, body, &KEYS),
        Err(Refusal::WrongSignature),
        "nobody signed it"
    );
    let signature = sign(Purpose::Request, &base);
    let text: Text<ROOM> = signature_field(read.label(), signature.as_bytes()).expect("room");
    let signed = resigned(fields, &text);
    let signed = RequestHead::parse(read.method(), target, signed).expect("another signature");
    assert_eq!(verdict(&signed, body, &KEYS), deserved(&signed, body));
    let foreign = verdict(&signed, body, &OTHER_KEYS);
    assert_eq!(foreign, Err(Refusal::WrongSignature));
}

/// The longest label, and 44 digits.
const ROOM: usize = 256;

/// The same fields with one line of signatures.
fn resigned<'a>(fields: &Fields<'a>, signature: &'a Text<ROOM>) -> Fields<'a> {
    let others = |(name, _): &&(&str, _)| !name.eq_ignore_ascii_case("signature");
    let mut fields: Fields<'_> = fields.iter().filter(others).copied().collect();
    fields.push(("Signature", signature.as_str().as_bytes()));
    fields
}

fn upper_and_reversed<'a>(fields: &Fields<'a>) -> Vec<(String, &'a [u8])> {
    let upper = |(name, value): &(&str, &'a [u8])| (name.to_ascii_uppercase(), *value);
    fields.iter().rev().map(upper).collect()
}

fn request_base(head: &RequestHead<'_>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let done = head.signature_base::<ParseError>(|piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    });
    done.ok().map(|()| bytes)
}

/// The parameters of the signature with this label, in whichever line.
fn parameters<'a>(fields: &Fields<'a>, label: &str) -> SignatureParameters<'a> {
    let lines = fields
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("signature-input"));
    lines
        .filter_map(|(_, line)| SignatureInput::parse(trimmed(line)).ok())
        .find_map(|line| line.get(label).ok().flatten())
        .expect("the signature that was found")
}

fn trimmed(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// One line for each component, joined; `None` if a value cannot stand in one.
fn naive_base(
    fields: &Fields<'_>,
    label: &str,
    derived: impl Fn(&str) -> String,
) -> Option<Vec<u8>> {
    let parameters = parameters(fields, label);
    let mut lines = Vec::new();
    for component in parameters.components() {
        let name = component.name();
        let value = match name {
            ComponentName::Derived(_) => derived(name.as_str()).into_bytes(),
            ComponentName::Field(name) => value(fields, name).expect("a covered field").to_vec(),
        };
        if !value.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t')) {
            return None;
        }
        let name = format!("\"{}\": ", name.as_str());
        lines.push([name.into_bytes(), value].concat());
    }
    let text: Text<4096> = parameters.to_text().expect("room");
    lines.push(format!("\"@signature-params\": {}", text.as_str()).into_bytes());
    Some(lines.join(&b'\n'))
}

/// All fields of the profile that are there are covered.
fn assert_covers(label: &str, fields: &Fields<'_>, profile: &[&str]) {
    let covered: Vec<String> = parameters(fields, label)
        .components()
        .map(|component| component.name().as_str().into())
        .collect();
    for name in profile {
        let there = value(fields, name).is_some();
        let named = covered.iter().filter(|covered| covered == name).count();
        assert_eq!(named, usize::from(there), "{name}");
    }
}

/// Verified at the moment at which it says that it was made, by a server that has been up long.
fn verdict(head: &RequestHead<'_>, body: &[u8], keys: &Keys) -> Result<(), Refusal> {
    let moment = match head.validity() {
        Claimed::Window { created, .. } => *created,
        Claimed::Challenge(_) => now(),
    };
    let policy = RequestPolicy::new(CHALLENGES.clone(), started(moment));
    verify_request(head.clone(), body, keys, &policy, moment).map(|verified| {
        assert_eq!(verified.device(), head.device());
        assert_eq!(verified.replay_token().value(), head.nonce().as_bytes());
        assert!(verified.replay_token().until() >= moment);
    })
}

/// Just long enough before `moment` that it counts.
fn started(moment: Timestamp) -> Timestamp {
    moment.saturating_add(-31)
}

fn deserved(head: &RequestHead<'_>, body: &[u8]) -> Result<(), Refusal> {
    let fits = |digest: &[u8; 32]| sha256(body) == *digest;
    match head.content_digest() {
        Some(digest) if !fits(digest) => return Err(Refusal::WrongDigest),
        None if !body.is_empty() => return Err(Refusal::BodyNotCovered),
        _ => {}
    }
    match head.validity() {
        Claimed::Challenge(challenge) => CHALLENGES.check(challenge, now()).map(|_| ()),
        Claimed::Window { created, expires } => {
            let window_s = expires.seconds_since(*created);
            if !(0..=i64::from(RequestPolicy::MAX_WINDOW_S)).contains(&window_s) {
                return Err(Refusal::Window {
                    window_s: told(window_s),
                });
            }
            // In the first seconds of time nobody can have been up long.
            match started(*created).saturating_add(30).seconds_since(*created) {
                before_s @ 0.. => Err(Refusal::BeforeStart {
                    before_s: told(before_s),
                }),
                _ => Ok(()),
            }
        }
    }
}

/// A span of time as a refusal tells it.
fn told(span: i64) -> i32 {
    i32::try_from(span).unwrap_or(if span < 0 { i32::MIN } else { i32::MAX })
}

fn sha256(body: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(body).into()
}

/// What a device signs of these parts: the fields of the profile, `id`, and `lifetime` where it
/// has a clock.
fn round_trip(method: Method, target: Target<'_>, fields: &Fields<'_>, body: &[u8]) {
    let Some(parts) = Parts::of(fields) else {
        return;
    };
    let mut request = RequestToSign::new(&parts.device, method, target);
    if let Some(version) = &parts.version {
        request = request.version(version);
    }
    if let Some(content_type) = parts.text("content-type", 64) {
        request = request.content(content_type, body);
    }
    if let Some(range) = parts.text("range", 48) {
        request = request.range(range);
    }
    if let Some(tag) = parts.text("if-range", 80) {
        request = request.if_range(tag);
    }
    if let Some(tag) = parts.text("if-none-match", 80) {
        request = request.if_none_match(tag);
    }
    let challenge = CHALLENGES.issue(now(), [1; 8]).expect("issues");
    let validity = match parts.lifetime_s {
        Some(lifetime_s) => Validity::window(now(), lifetime_s),
        None => Validity::Challenge(&challenge),
    };
    let nonce = Nonce::new([5; Nonce::LEN]);
    let mut memory = [0; HeaderInstructions::MAX_LEN];
    let Ok(headers) = sign_request(&KEYS, &request, validity, &nonce, &mut memory) else {
        return;
    };
    let shown = headers
        .fields()
        .map(|(name, value)| (name, value.as_bytes()));
    let head = RequestHead::parse(method, &target, shown).expect("what we write");
    assert_eq!((head.device(), head.nonce()), (&parts.device, &nonce));
    assert_eq!(head.label(), LABEL);
    for name in ["content-type", "range", "if-range", "if-none-match"] {
        let ours = headers.value(name).map(|text| trimmed(text.as_bytes()));
        assert_eq!(head.field(name), ours);
        assert_eq!(ours, value(fields, name));
    }
    assert_eq!(head.firmware_version(), parts.version);
    let sent = match parts.text("content-type", 64) {
        Some(_) => body,
        None => b"",
    };
    assert_eq!(verdict(&head, sent, &KEYS), deserved(&head, sent));
    assert!(matches!(
        deserved(&head, sent),
        Ok(()) | Err(Refusal::Window { .. })
    ));
    let foreign = verdict(&head, sent, &OTHER_KEYS);
    assert_eq!(foreign, Err(Refusal::WrongSignature));
}

struct Parts<'a> {
    fields: &'a Fields<'a>,
    device: DeviceId,
    version: Option<FirmwareVersion>,
    lifetime_s: Option<u32>,
}

impl<'a> Parts<'a> {
    /// `None` if something is repeated or longer than a device may send.
    fn of(fields: &'a Fields<'a>) -> Option<Self> {
        let names = fields.iter().map(|(name, _)| name.to_ascii_lowercase());
        let mut names: Vec<String> = names.collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            return None;
        }
        let found = |name| value(fields, name);
        let longest = [
            ("content-type", 64),
            ("range", 48),
            ("if-range", 80),
            ("if-none-match", 80),
        ];
        let mut longest = longest.iter();
        let usable = longest.all(|(name, most)| {
            found(name).is_none_or(|value| value.len() <= *most && value.is_ascii())
        });
        let lifetime = found("lifetime").and_then(|text| core::str::from_utf8(text).ok());
        usable.then_some(Self {
            fields,
            device: DeviceId::parse(found("id").unwrap_or(b"dev1")).ok()?,
            version: found("x-firmware-version").and_then(|it| FirmwareVersion::parse(it).ok()),
            lifetime_s: lifetime.and_then(|text| text.parse().ok()),
        })
    }

    fn text(&self, name: &str, most: usize) -> Option<&'a str> {
        let text = core::str::from_utf8(value(self.fields, name)?).ok()?;
        assert!(text.len() <= most);
        Some(text)
    }
}

/// An answer to a question of ours: the status, header lines, an empty line, a body.
///
/// What is read of it does not depend on the order and case of the fields; signed by the server it
/// counts for this question and this body alone. What a server signs of the same fields is read
/// and verified.
pub fn signed_response_head(data: &[u8]) {
    let (head, body) = head_and_body(data);
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let Some(status) = core::str::from_utf8(line)
        .ok()
        .and_then(|line| line.trim().parse::<u16>().ok())
    else {
        return;
    };
    let fields = fields(head);
    let question = question(1);
    if let Ok(read) = ResponseHead::parse(status, &question, fields.iter().copied()) {
        read_response(&read, &question, &fields, body);
    }
    answer_round_trip(status, &question, &fields, body);
}

/// A question of ours; another for each number.
fn question(number: u8) -> Question<'static> {
    let target = ("GET", "/firmware", Some("version=2.0.0"));
    Question::new(target, LABEL, &Signature::new([number; 32]))
}

fn read_response(
    read: &ResponseHead<'_>,
    question: &Question<'_>,
    fields: &Fields<'_>,
    body: &[u8],
) {
    let upper = upper_and_reversed(fields);
    let shown = upper.iter().map(|(name, value)| (name.as_str(), *value));
    let again = ResponseHead::parse(read.status(), question, shown).expect("the same fields");
    let base = response_base(read, question);
    assert_eq!(response_base(&again, question), base);
    assert_eq!(
        (again.device(), again.created()),
        (read.device(), read.created())
    );
    for name in RESPONSE_FIELDS {
        assert_eq!(read.field(name), value(fields, name));
    }
    let Some(base) = base else {
        return;
    };
    assert_eq!(
        heard(read, question, body, &KEYS),
        Err(Refusal::WrongSignature)
    );

    let label = label_of(fields, "providore-2-response");
    assert_covers(&label, fields, &RESPONSE_FIELDS);
    let signature = sign(Purpose::Response, &base);
    let text: Text<ROOM> = signature_field(&label, signature.as_bytes()).expect("room");
    let signed = resigned(fields, &text);
    let head = ResponseHead::parse(read.status(), question, signed).expect("another signature");
    let verdict = heard(&head, question, body, &KEYS);
    let expected = match head.content_digest() {
        Some(digest) if digest != sha256(body) => Err(Refusal::WrongDigest),
        None if !body.is_empty() => Err(Refusal::BodyNotCovered),
        _ => Ok(body.len() as u64),
    };
    assert_eq!(verdict, expected);
    assert_only_for(&head, question, body);
}

fn label_of(fields: &Fields<'_>, tag: &str) -> String {
    let lines = fields
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("signature-input"));
    let inputs = lines.filter_map(|(_, line)| SignatureInput::parse(trimmed(line)).ok());
    for input in inputs {
        for label in input.labels() {
            let parameters = input.get(label).ok().flatten();
            let tagged = parameters.and_then(|found| found.tag().and_then(|tag| tag.as_plain()));
            if tagged == Some(tag) {
                return label.into();
            }
        }
    }
    panic!("the signature that was found")
}

fn response_base(head: &ResponseHead<'_>, question: &Question<'_>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let done = head.signature_base::<ParseError>(question, |piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    });
    done.ok().map(|()| bytes)
}

/// Verified by the device that it names, byte by byte.
fn heard(
    head: &ResponseHead<'_>,
    question: &Question<'_>,
    body: &[u8],
    keys: &Keys,
) -> Result<u64, Refusal> {
    let device = head.device().into();
    let mut verifier = VerifiedHead::verify(keys, head, question, &device)?.body();
    for chunk in body.chunks(7) {
        verifier.update(chunk);
    }
    verifier.finish().map(|verified| verified.length())
}

/// Neither another question, nor another key, nor another device accepts it.
fn assert_only_for(head: &ResponseHead<'_>, question: &Question<'_>, body: &[u8]) {
    let wrong = Err(Refusal::WrongSignature);
    assert_eq!(heard(head, &self::question(2), body, &KEYS), wrong);
    assert_eq!(heard(head, question, body, &OTHER_KEYS), wrong);
    let other: DeviceId = "somebody".parse().expect("an id");
    if head.device().as_str() != other.as_str() {
        let begun = ResponseVerifier::begin(&KEYS, head, question, &other);
        assert!(matches!(begun, Err(Refusal::OtherDevice)));
    }
}

fn answer_round_trip(status: u16, question: &Question<'_>, fields: &Fields<'_>, body: &[u8]) {
    let ours = [
        "signature-input",
        "signature",
        "content-digest",
        "providore-challenge",
    ];
    let others = |(name, _): &&(&str, &[u8])| !ours.contains(&name.to_ascii_lowercase().as_str());
    let fields: Fields<'_> = fields.iter().filter(others).copied().collect();
    let device = "dev1".parse().expect("an id");
    let challenge = Challenge::parse(b"AAAAAAAAAAAAAAAA").expect("16 letters");
    let response = ResponseToSign {
        device: &device,
        status,
        fields: fields.iter().copied(),
        content_sha256: (!body.is_empty()).then(|| sha256(body)),
        challenge: &challenge,
        created: now(),
    };
    let mut memory = [0; HeaderInstructions::MAX_LEN];
    let Ok(headers) = sign_response(&KEYS, question, &response, &mut memory) else {
        return;
    };
    let more = headers
        .fields()
        .map(|(name, value)| (name, value.as_bytes()));
    let all = fields.iter().copied().chain(more);
    let head = ResponseHead::parse(status, question, all).expect("what we write");
    assert_eq!((head.status(), head.created()), (status, now()));
    assert_eq!(head.challenge().as_ref(), Some(&challenge));
    let verdict = heard(&head, question, body, &KEYS);
    assert_eq!(verdict, Ok(body.len() as u64));
    assert_only_for(&head, question, body);
}
