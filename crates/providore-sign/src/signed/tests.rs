extern crate alloc;
use alloc::{string::String, vec::Vec};

use providore_wire::{
    DeviceId, FirmwareVersion, Method, Target, Timestamp,
    signed::{Challenge, Nonce, Question, RequestHead, ResponseHead},
};
use sha2::{Digest as _, Sha256};

use super::*;
use crate::{HeaderInstructions, KeyError, Refusal, SoftwareKey};

/// A moment: so many seconds after the server started.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix(1_767_323_045)
        .unwrap()
        .saturating_add(seconds)
}

fn keys(secret: &[u8]) -> Keys {
    Keys::derive(&mut SoftwareKey::new(secret).unwrap()).unwrap()
}

const SECRET: &[u8] = b"a secret of a device, 32 bytes..";

fn policy() -> RequestPolicy {
    RequestPolicy::new(ChallengeKey::new(&[9; 32]).unwrap(), at(0))
}

fn device() -> DeviceId {
    "d8fa0180".parse().unwrap()
}

fn owned(headers: &HeaderInstructions<'_>) -> Vec<(&'static str, String)> {
    let fields = headers.fields();
    fields.map(|(name, value)| (name, value.into())).collect()
}

/// A request as it is delivered.
struct Delivered {
    method: Method,
    target: String,
    fields: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Delivered {
    fn new(validity: Validity<'_>) -> Self {
        let device = device();
        let version: FirmwareVersion = "1.0.0".parse().unwrap();
        let request =
            RequestToSign::new(&device, Method::Post, Target::parse("/report?a=b").unwrap())
                .version(&version)
                .content("application/json", b"{}")
                .if_none_match("\"1\"");
        let (keys, nonce) = (keys(SECRET), Nonce::new([7; 16]));
        let mut memory = [0; HeaderInstructions::MAX_LEN];
        let headers = sign_request(&keys, &request, validity, &nonce, &mut memory).unwrap();
        Self {
            method: Method::Post,
            target: "/report?a=b".into(),
            fields: owned(&headers),
            body: b"{}".to_vec(),
        }
    }

    fn verify(&self, secret: &[u8], now: Timestamp) -> Result<(), Refusal> {
        let target = Target::parse(&self.target).unwrap();
        let fields = self
            .fields
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()));
        let head = RequestHead::parse(self.method, &target, fields).unwrap();
        let verified = verify_request(head, &self.body, &keys(secret), &policy(), now)?;
        assert_eq!(verified.device(), &device());
        assert_eq!(verified.replay_token().value(), &[7; 16]);
        Ok(())
    }
}

/// Signs a request at 100, lets `change` work on it, and delivers it in the same second.
fn check(change: impl FnOnce(&mut Delivered), expected: Result<(), Refusal>) {
    let mut delivered = Delivered::new(Validity::window(at(100), 60));
    change(&mut delivered);
    assert_eq!(delivered.verify(SECRET, at(100)), expected);
}

#[test]
fn what_is_signed_is_accepted() {
    check(|_| {}, Ok(()));
    check(|request| request.fields.reverse(), Ok(()));
}

#[test]
fn any_changed_part_is_refused() {
    let wrong = Err(Refusal::WrongSignature);
    check(|request| request.method = Method::Put, wrong);
    check(|request| request.target = "/reports?a=b".into(), wrong);
    check(|request| request.target = "/report?a=c".into(), wrong);
    check(|request| request.target = "/report".into(), wrong);
    check(|request| request.body[0] = b'[', Err(Refusal::WrongDigest));
    check(|request| request.body.clear(), Err(Refusal::WrongDigest));
    for (name, value) in [
        ("content-type", "text/plain"),
        ("x-firmware-version", "1.0.1"),
        ("if-none-match", "\"2\""),
    ] {
        let change = |request: &mut Delivered| {
            let field = request.fields.iter_mut().find(|(field, _)| *field == name);
            field.unwrap().1 = value.into();
        };
        check(change, wrong);
    }
}

#[test]
fn a_key_of_another_device_or_purpose_does_not_fit() {
    let delivered = Delivered::new(Validity::window(at(100), 60));
    let wrong = Err(Refusal::WrongSignature);
    assert_eq!(
        delivered.verify(b"the secret of another device", at(100)),
        wrong
    );
}

/// Signs at `created` for `lifetime_s`, delivers at `now`.
fn check_window(created: i64, lifetime_s: u32, now: i64, expected: Result<(), Refusal>) {
    let delivered = Delivered::new(Validity::window(at(created), lifetime_s));
    let outcome = delivered.verify(SECRET, at(now));
    assert_eq!(outcome, expected, "{created} {lifetime_s} {now}");
}

#[test]
fn a_window_is_short_and_present() {
    check_window(100, 300, 100, Ok(()));
    check_window(100, 301, 100, Err(Refusal::Window { window_s: 301 }));
    check_window(100, 300, 400, Ok(()));
    check_window(100, 300, 401, Err(Refusal::Expired { ago_s: 1 }));
    check_window(130, 60, 100, Ok(()));
    check_window(131, 60, 100, Err(Refusal::FromTheFuture { ahead_s: 1 }));
}

#[test]
fn a_request_that_may_be_from_before_the_start_is_refused() {
    check_window(-1, 300, 1, Err(Refusal::BeforeStart { before_s: 31 }));
    // A clock that is 30 s ahead dates a request of the last second before the start so.
    check_window(30, 300, 1, Err(Refusal::BeforeStart { before_s: 0 }));
    check_window(31, 300, 1, Ok(()));
}

#[test]
fn a_challenge_counts_for_a_minute_and_for_its_server() {
    let challenges = policy().challenges().clone();
    let check = |challenge: &Challenge, now: i64, expected| {
        let delivered = Delivered::new(Validity::Challenge(challenge));
        assert_eq!(delivered.verify(SECRET, at(now)), expected, "{now}");
    };
    let challenge = challenges.issue(at(1), [1; 8]).unwrap();
    check(&challenge, 1, Ok(()));
    check(&challenge, 61, Ok(()));
    check(&challenge, 62, Err(Refusal::OldChallenge { age_s: 61 }));
    check(&challenge, 0, Err(Refusal::OldChallenge { age_s: -1 }));
    // The same server, started anew.
    let restarted = ChallengeKey::new(&[10; 32]).unwrap();
    let foreign = Err(Refusal::ForeignChallenge);
    check(&restarted.issue(at(1), [1; 8]).unwrap(), 1, foreign);
    check(&Challenge::parse(&[b'A'; 64]).unwrap(), 1, foreign);
    check(&Challenge::parse(&[b'A'; 16]).unwrap(), 1, foreign);
}

#[test]
fn any_changed_character_of_a_challenge_is_noticed() {
    let challenges = policy().challenges().clone();
    let challenge = challenges.issue(at(1), [1; 8]).unwrap();
    for index in 0..challenge.as_str().len() {
        let mut text = challenge.as_str().as_bytes().to_vec();
        text[index] = if text[index] == b'A' { b'B' } else { b'A' };
        let changed = Challenge::parse(&text).unwrap();
        assert!(challenges.check(&changed, at(1)).is_err(), "{index}");
    }
}

const QUESTION: (&str, &str, Option<&str>) = ("GET", "/config", None);

fn question(tag: u8) -> Question<'static> {
    Question::new(QUESTION, "q", &providore_wire::Signature::new([tag; 32]))
}

/// A response to `GET /config` as it is delivered.
struct Answer {
    status: u16,
    fields: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn new() -> Self {
        let challenge = policy().challenges().issue(at(100), [1; 8]).unwrap();
        let fields = [("etag", &b"\"1\""[..]), ("server", b"x")];
        let response = ResponseToSign {
            device: &device(),
            status: 200,
            fields,
            content_sha256: Some(Sha256::digest(b"{}").into()),
            challenge: &challenge,
            created: at(100),
        };
        let mut memory = [0; HeaderInstructions::MAX_LEN];
        let headers = sign_response(&keys(SECRET), &question(1), &response, &mut memory).unwrap();
        let mut fields = owned(&headers);
        fields.push(("etag", "\"1\"".into()));
        Self {
            status: 200,
            fields,
            body: b"{}".to_vec(),
        }
    }

    fn verify(
        &self,
        secret: &[u8],
        question: &Question<'_>,
        device: &DeviceId,
    ) -> Result<VerifiedResponse, Refusal> {
        let fields = self
            .fields
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()));
        let head = ResponseHead::parse(self.status, question, fields).unwrap();
        let mut verifier = ResponseVerifier::begin(&keys(secret), &head, question, device)?;
        for chunk in self.body.chunks(1) {
            verifier.update(chunk);
        }
        verifier.finish()
    }
}

/// Signs an answer, lets `change` work on it, delivers it as that to `question`.
fn check_answer(
    change: impl FnOnce(&mut Answer),
    question: &Question<'_>,
    expected: Result<u64, Refusal>,
) {
    let mut answer = Answer::new();
    change(&mut answer);
    let outcome = answer.verify(SECRET, question, &device());
    assert_eq!(outcome.map(|response| response.length()), expected);
}

#[test]
fn an_answer_counts_for_its_question() {
    check_answer(|_| {}, &question(1), Ok(2));
    let wrong = Err(Refusal::WrongSignature);
    // Of the same route, a minute ago.
    check_answer(|_| {}, &question(2), wrong);
    let signature = providore_wire::Signature::new([1; 32]);
    for target in [
        ("HEAD", "/config", None),
        ("GET", "/firmware", None),
        ("GET", "/config", Some("a")),
    ] {
        check_answer(|_| {}, &Question::new(target, "q", &signature), wrong);
    }
}

#[test]
fn any_changed_part_of_an_answer_is_refused() {
    let wrong = Err(Refusal::WrongSignature);
    check_answer(|answer| answer.status = 204, &question(1), wrong);
    check_answer(
        |answer| answer.fields[1].1 = "A".repeat(64),
        &question(1),
        wrong,
    );
    check_answer(
        |answer| answer.fields[4].1 = "\"2\"".into(),
        &question(1),
        wrong,
    );
    let digest = Err(Refusal::WrongDigest);
    check_answer(|answer| answer.body[1] = b']', &question(1), digest);
    check_answer(|answer| answer.body.push(b' '), &question(1), digest);
    check_answer(|answer| answer.body.clear(), &question(1), digest);
}

#[test]
fn an_answer_to_another_device_is_refused() {
    let answer = Answer::new();
    let wrong = Refusal::WrongSignature;
    let other = b"the secret of another device";
    assert_eq!(answer.verify(other, &question(1), &device()), Err(wrong));
    let outcome = answer.verify(SECRET, &question(1), &"d8fa0181".parse().unwrap());
    assert_eq!(outcome, Err(Refusal::OtherDevice));
}

#[test]
fn content_that_nobody_signed_is_refused() {
    let challenge = policy().challenges().issue(at(100), [1; 8]).unwrap();
    let response = ResponseToSign {
        device: &device(),
        status: 204,
        fields: [],
        content_sha256: None,
        challenge: &challenge,
        created: at(100),
    };
    let mut memory = [0; HeaderInstructions::MAX_LEN];
    let headers = sign_response(&keys(SECRET), &question(1), &response, &mut memory).unwrap();
    let mut answer = Answer {
        status: 204,
        fields: owned(&headers),
        body: Vec::new(),
    };
    let verify = |answer: &Answer| answer.verify(SECRET, &question(1), &device());
    assert!(verify(&answer).is_ok());
    answer.body.push(b'x');
    assert_eq!(verify(&answer), Err(Refusal::BodyNotCovered));
}

#[test]
fn a_field_that_the_server_sets_twice_is_not_signed() {
    let challenge = policy().challenges().issue(at(100), [1; 8]).unwrap();
    let response = ResponseToSign {
        device: &device(),
        status: 200,
        fields: [("etag", &b"\"1\""[..]), ("ETag", b"\"2\"")],
        content_sha256: None,
        challenge: &challenge,
        created: at(100),
    };
    let mut memory = [0; HeaderInstructions::MAX_LEN];
    let signed = sign_response(&keys(SECRET), &question(1), &response, &mut memory);
    assert_eq!(signed.err(), Some(KeyError::Message));
}

#[test]
fn the_longest_messages_fit() {
    let device: DeviceId = "d".repeat(64).parse().unwrap();
    let version = "1".repeat(64).parse().unwrap();
    let challenge = Challenge::parse(&[b'A'; 64]).unwrap();
    let tag = "t".repeat(80);
    let target = Target::parse("/firmware?version=1").unwrap();
    let (content_type, range) = ("c".repeat(64), "r".repeat(48));
    let request = RequestToSign::new(&device, Method::Options, target)
        .version(&version)
        .content(&content_type, b"x")
        .range(&range)
        .if_range(&tag)
        .if_none_match(&tag);
    let nonce = Nonce::new([0xff; 16]);
    let validity = Validity::Challenge(&challenge);
    let mut memory = [0; HeaderInstructions::MAX_LEN];
    let headers = sign_request(&keys(SECRET), &request, validity, &nonce, &mut memory).unwrap();
    assert_eq!(headers.fields().count(), HeaderInstructions::MAX_FIELDS);
    assert!(headers.lines().len() > HeaderInstructions::MAX_LEN - 20);
    let fields = headers
        .fields()
        .map(|(name, value)| (name, value.as_bytes()));
    let head = RequestHead::parse(Method::Options, &target, fields).unwrap();
    let policy = RequestPolicy::new(ChallengeKey::new(&[9; 32]).unwrap(), at(0));
    let outcome = verify_request(head, b"x", &keys(SECRET), &policy, at(0));
    assert_eq!(outcome.map(|_| ()), Err(Refusal::ForeignChallenge));
}

#[test]
fn a_clock_is_put_right_by_the_server_alone() {
    let check = |clock: i64, passed: i64, expected: i64| {
        let answer = Answer::new();
        let question = question(1);
        let fields = answer
            .fields
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()));
        let head = ResponseHead::parse(200, &question, fields).unwrap();
        let response = ResponseVerifier::begin(&keys(SECRET), &head, &question, &device()).unwrap();
        let mut time = ServerTime::new();
        let clock = at(clock);
        time.learn(&response, Some(clock));
        let now = time.now(Some(clock.saturating_add(passed)));
        assert_eq!(now, Some(at(expected)), "{clock:?}");
        // Whatever the clock does, it is never earlier than the server was.
        assert_eq!(time.now(None), Some(at(100)));
        assert_eq!(time.now(Some(Timestamp::MIN)), Some(at(100)));
    };
    // In 1970, in 2100, and right within the tolerance.
    check(-1_767_323_045, 50, 150);
    check(2_400_000_000, 50, 150);
    check(110, 50, 160);
    check(90, 50, 140);
}
