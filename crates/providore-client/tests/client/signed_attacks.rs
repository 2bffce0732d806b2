//! What somebody on the way can do to an answer of the `Signed` dialect, and what comes of it.

use core::num::NonZeroU32;

use crate::{
    signed_support::{
        DEVICE, Delivered, NEXT, SECRET, Server, deliver, device, encrypted, exchange, moment,
        named, plain,
    },
    support::{Reply, at},
};
use proptest::prelude::*;
use providore_client::{
    BodyFault, BorrowedHead, CertificateRequest, Config, CurrentCertificate, Error, Exchange,
    FirmwareCheck, FirmwareDownload, FirmwareOutcome, HeadError, ImageCheck, NextSecret, Outcome,
    Report, Request, Subject, TimeCheck, WrittenReport,
};
use providore_sign::{HeaderInstructions, Refusal, content_coding::DecodeError};
use providore_wire::signed;

const WRONG: Error = Error::NotVerified(Refusal::WrongSignature);
const CONFIG: &[u8] = b"{\"a\":1}";

/// What a server would answer to `GET /config`.
fn config() -> Reply {
    encrypted(SECRET, CONFIG)
}

fn check_config(answer: impl FnOnce(&Delivered) -> Reply, expected: Error) {
    let outcome = exchange(Config::new(), answer, |_| "accepted".into());
    assert_eq!(outcome, Err(expected));
}

/// An honest answer to `GET /config` on which somebody works on its way.
fn check_changed(change: impl FnOnce(&mut Reply), expected: Error) {
    let answer = |request: &Delivered| {
        let mut reply = Server::new().sign(request, config().with("etag", "\"1\""));
        change(&mut reply);
        reply
    };
    check_config(answer, expected);
}

/// The question of another moment, device or place, asked by `ask`: its answer is given to ours.
fn check_answer_to(ask: impl FnOnce() -> Delivered, device: &str, expected: Error) {
    let foreign = Server::new().sign_for(device, &ask(), config());
    check_config(|_| foreign, expected);
}

fn question(id: &str, operation: impl providore_client::Operation, nonce: u8) -> Delivered {
    let mut device = named(id, SECRET);
    Delivered::of(
        &Exchange::ask(
            operation,
            &mut device,
            moment(Some(at(-60)), nonce),
            &mut [0; Request::MAX_LEN],
        )
        .unwrap(),
    )
}

#[test]
fn an_answer_of_the_same_route_a_minute_ago() {
    check_answer_to(|| question(DEVICE, Config::new(), 1), DEVICE, WRONG);
}

#[test]
fn an_answer_to_another_question_of_this_moment() {
    check_answer_to(
        || question(DEVICE, CurrentCertificate::new(), 7),
        DEVICE,
        WRONG,
    );
}

#[test]
fn an_answer_for_another_device() {
    check_answer_to(|| question("d8fa0181", Config::new(), 7), "d8fa0181", WRONG);
    // Made with our key, to our question, and for somebody else.
    let answer = |request: &Delivered| Server::new().sign_for("d8fa0181", request, config());
    check_config(answer, Error::NotVerified(Refusal::OtherDevice));
    let stranger = Server {
        secret: NEXT.to_vec(),
        ..Server::new()
    };
    check_config(|request| stranger.sign(request, config()), WRONG);
}

#[test]
fn a_request_reflected_as_an_answer() {
    let answer = |request: &Delivered| {
        let mut reply = Reply::unsigned(200, b"{}");
        for (name, value) in &request.fields {
            reply = reply.with(name, value);
        }
        reply
    };
    let unsigned = Error::Unsigned {
        status: 200,
        retry_after_s: None,
        challenged: false,
    };
    check_config(answer, unsigned);
    // With the tag of an answer it is not one either: the components are those of a request.
    let answer = |request: &Delivered| {
        let mut reply = answer(request);
        for (name, value) in &mut reply.fields {
            if name == "signature-input" {
                let text = String::from_utf8(value.clone()).unwrap();
                *value = text
                    .replace("\"providore-2\"", "\"providore-2-response\"")
                    .into();
            }
        }
        reply
    };
    let unknown = HeadError::Signed(signed::HeadError::UnknownComponent);
    check_config(answer, Error::Head(unknown));
}

#[test]
fn statuses_from_a_stranger_are_hints() {
    for status in [200, 204, 302, 304, 401, 403, 404, 429, 500] {
        let unsigned = Error::Unsigned {
            status,
            retry_after_s: NonZeroU32::new(7),
            challenged: false,
        };
        let reply = Reply::unsigned(status, b"{}").with("Retry-After", "7");
        check_config(|_| reply, unsigned);
        assert_eq!(unsigned.is_unverified(), status < 400);
    }
}

#[test]
fn a_challenge_counts_with_status_401_alone() {
    for status in [200, 204, 400, 403, 500] {
        let challenge = Server::new().challenge();
        let reply = Reply::unsigned(status, b"").with("providore-challenge", challenge.as_str());
        let unsigned = Error::Unsigned {
            status,
            retry_after_s: None,
            challenged: false,
        };
        check_config(|_| reply, unsigned);
    }
}

#[test]
fn a_401_that_a_stranger_signed() {
    let stranger = Server {
        secret: NEXT.to_vec(),
        ..Server::new()
    };
    check_config(|request| stranger.sign(request, plain(401, b"")), WRONG);
}

#[test]
fn an_answer_of_the_weaker_dialect() {
    // Signed with the very same secret.
    let key = providore_sign::SoftwareKey::new(SECRET).unwrap();
    let mut signer = providore_sign::original::ResponseSigner::begin(key).unwrap();
    signer.update(CONFIG).unwrap();
    let mut memory = [0; HeaderInstructions::MAX_LEN];
    let headers = signer.finish(at(0), 900, &mut memory).unwrap();
    let mut reply = Reply::unsigned(200, CONFIG);
    for (name, value) in headers.fields() {
        reply = reply.with(name, value);
    }
    let unsigned = Error::Unsigned {
        status: 200,
        retry_after_s: None,
        challenged: false,
    };
    check_config(|_| reply, unsigned);
}

#[test]
fn a_status_moved_to_another() {
    for status in [201, 204, 304, 404] {
        check_changed(|reply| reply.status = status, WRONG);
    }
}

#[test]
fn a_changed_cut_or_lengthened_body() {
    let wrong = Error::NotVerified(Refusal::WrongDigest);
    check_changed(|reply| reply.body.push(b' '), wrong);
    check_changed(|reply| reply.body.truncate(20), wrong);
    check_changed(|reply| reply.body.clear(), wrong);
    check_changed(|reply| reply.body[30] ^= 1, wrong);
}

#[test]
fn encryption_that_was_stripped() {
    let change = |reply: &mut Reply| reply.fields.retain(|(name, _)| name != "content-encoding");
    let not_covered = HeadError::Signed(signed::HeadError::UnknownComponent);
    check_changed(change, Error::Head(not_covered));
}

#[test]
fn secrets_in_clear() {
    let clear = |request: &Delivered| Server::new().sign(request, plain(200, CONFIG));
    check_config(clear, BodyFault::NotEncrypted.into());
    let clear = |request: &Delivered| Server::new().sign(request, plain(200, NEXT));
    let outcome = exchange(NextSecret::new(), clear, |_| "accepted".into());
    assert_eq!(outcome, Err(BodyFault::NotEncrypted.into()));
}

#[test]
fn encryption_with_another_key() {
    let answer = |request: &Delivered| Server::new().sign(request, encrypted(NEXT, CONFIG));
    let tag = DecodeError::WrongTag { record: 0 };
    check_config(answer, BodyFault::NotDecrypted(tag).into());
}

#[test]
fn an_encoding_that_is_not_known() {
    for name in ["gzip", "identity", "aes128gcm, gzip", ""] {
        let coded = || plain(200, CONFIG).with("content-encoding", name);
        let answer = |request: &Delivered| Server::new().sign(request, coded());
        check_config(answer, BodyFault::Encoding.into());
    }
}

#[test]
fn a_next_secret_that_is_none() {
    for secret in [
        &b""[..],
        b"fifteen bytes..",
        &[b'x'; 65],
        b"with a line end 16\n",
    ] {
        let answer = |request: &Delivered| Server::new().sign(request, encrypted(SECRET, secret));
        let outcome = exchange(NextSecret::new(), answer, |_| "accepted".into());
        assert_eq!(outcome, Err(BodyFault::NotSecret.into()), "{secret:?}");
    }
}

#[test]
fn a_field_that_nobody_signed_does_not_count() {
    // Added on the way: all fields of the profile have to be covered.
    let not_covered = |component| Error::Head(signed::HeadError::NotCovered { component }.into());
    let retry = |reply: &mut Reply| reply.fields.push(("retry-after".into(), b"1".to_vec()));
    check_changed(retry, not_covered(&"retry-after"));
    let other = |request: &Delivered| {
        let offer = plain(302, b"").with("location", "/firmware?version=2");
        Server::new()
            .sign(request, offer)
            .with("Location", "/firmware?version=1")
    };
    let outcome = exchange(FirmwareCheck::new(), other, |_| "accepted".into());
    assert!(matches!(outcome, Err(Error::Head(_))), "{outcome:?}");
}

#[test]
fn an_offer_other_than_the_signed_one() {
    let answer = |request: &Delivered| {
        let offer = plain(302, b"").with("location", "/firmware?version=2");
        let mut reply = Server::new().sign(request, offer);
        reply.fields[0].1 = b"/firmware?version=1".to_vec();
        reply
    };
    let outcome = exchange(FirmwareCheck::new(), answer, |_| "accepted".into());
    assert_eq!(outcome, Err(WRONG));
}

#[test]
fn locations_that_lead_elsewhere() {
    for location in [
        "",
        "http://evil.example/firmware?version=2",
        "//evil.example/firmware?version=2",
        "/firmware",
        "/firmware?version=../../etc/passwd",
        "/config?version=2",
    ] {
        let answer = |request: &Delivered| {
            Server::new().sign(request, plain(302, b"").with("location", location))
        };
        let outcome = exchange(FirmwareCheck::new(), answer, |outcome| match outcome {
            FirmwareOutcome::Offered(version) => version.to_string(),
            _ => "none".into(),
        });
        assert_eq!(outcome, Err(BodyFault::Location.into()), "{location:?}");
    }
}

#[test]
fn a_status_that_was_not_asked_for() {
    for status in [100, 201, 204, 206, 304, 404, 503] {
        let declined = Error::Declined {
            status,
            retry_after_s: NonZeroU32::new(9),
        };
        let reply = || plain(status, b"").with("retry-after", "9");
        check_config(|request| Server::new().sign(request, reply()), declined);
    }
    let answer = |request: &Delivered| Server::new().sign(request, plain(200, b""));
    let declined = Err(Error::Declined {
        status: 200,
        retry_after_s: None,
    });
    assert_eq!(
        exchange(TimeCheck::new(), answer, |_| String::new()),
        declined
    );
    let mut memory = [0; WrittenReport::MAX_LEN];
    let report = Report::new(Subject::Device, Outcome::Healthy, None, "");
    let report = report.write(&mut memory).unwrap();
    assert_eq!(exchange(report, answer, |()| String::new()), declined);
}

#[test]
fn a_kind_of_answer_that_was_not_asked_for() {
    let answer = |request: &Delivered| Server::new().sign(request, encrypted(SECRET, b"x"));
    check_config(answer, BodyFault::NotJson.into());
    let csr = CertificateRequest::new("x");
    let outcome = exchange(csr, answer, |_| "accepted".into());
    assert_eq!(outcome, Err(BodyFault::NotPem.into()));
}

#[test]
fn signatures_without_end() {
    let change = |reply: &mut Reply| {
        for _ in 0..1000 {
            reply
                .fields
                .push(("signature".into(), b"x=:AA==:".to_vec()));
        }
    };
    let answer = |request: &Delivered| {
        let mut reply = Server::new().sign(request, config());
        change(&mut reply);
        reply
    };
    let outcome = exchange(Config::new(), answer, |_| "accepted".into());
    assert!(matches!(outcome, Err(Error::Head(_))), "{outcome:?}");
}

fn check_image(answer: impl FnOnce(&Delivered) -> Reply, expected: Error) {
    let mut device = device();
    let check = ImageCheck::new(b"\xE9", 4, 8);
    let operation = FirmwareDownload::new("2".parse().unwrap(), check);
    let mut memory = [0; Request::MAX_LEN];
    let exchange =
        Exchange::ask(operation, &mut device, moment(Some(at(0)), 7), &mut memory).unwrap();
    let reply = answer(&Delivered::of(&exchange));
    let fields = reply.fields();
    let head = BorrowedHead {
        status: reply.status,
        fields: &fields,
    };
    let outcome = exchange
        .receive_image(&mut device, &head, None)
        .and_then(|mut receiving| {
            for chunk in reply.body.chunks(3) {
                receiving.chunk(chunk)?;
            }
            receiving.finish()
        });
    assert_eq!(outcome.map(|_| ()), Err(expected));
}

#[test]
fn images_that_are_none() {
    let server = Server::new();
    let signed = |reply: Reply| move |request: &Delivered| Server::new().sign(request, reply);
    check_image(
        signed(plain(200, b"\xE8abcd")),
        BodyFault::ImageMagic.into(),
    );
    let short = BodyFault::ImageTooShort { limit: 4 };
    check_image(signed(plain(200, b"\xE9")), short.into());
    let long = BodyFault::TooLong { limit: 8 };
    check_image(signed(plain(200, b"\xE9abcdefgh")), long.into());
    let coded = encrypted(SECRET, b"\xE9abcd");
    check_image(signed(coded), BodyFault::Encoding.into());
    let declined = Error::Declined {
        status: 404,
        retry_after_s: None,
    };
    check_image(signed(plain(404, b"{}")), declined);
    let cut = |request: &Delivered| {
        let mut reply = server.sign(request, plain(200, b"\xE9abcd"));
        reply.body.pop();
        reply
    };
    check_image(cut, Error::NotVerified(Refusal::WrongDigest));
}

#[test]
fn an_image_of_another_version() {
    // Somebody on the way asks for an older one: what comes is an answer to another question.
    let older = |request: &Delivered| {
        let mut request = request.clone();
        request.target = "/firmware?version=1".into();
        Server::new().sign(&request, plain(200, b"\xE9abcd"))
    };
    check_image(older, WRONG);
    // And the server does not take the question for the device's.
    let mut device = device();
    let operation = FirmwareDownload::new("2".parse().unwrap(), ImageCheck::new(b"", 0, 9));
    let mut memory = [0; Request::MAX_LEN];
    let exchange =
        Exchange::ask(operation, &mut device, moment(Some(at(0)), 7), &mut memory).unwrap();
    let mut request = Delivered::of(&exchange);
    request.target = "/firmware?version=1".into();
    assert_eq!(Server::new().admit(&request), Err(Refusal::WrongSignature));
}

#[test]
fn a_challenge_replaced_by_garbage_costs_one_more_question() {
    let (mut server, mut device) = (Server::new(), device());
    let mut ask = |reply: &mut dyn FnMut(&Delivered) -> Reply, nonce| {
        let mut memory = [0; Request::MAX_LEN];
        let exchange = Exchange::ask(
            TimeCheck::new(),
            &mut device,
            moment(None, nonce),
            &mut memory,
        )
        .unwrap();
        let reply = reply(&Delivered::of(&exchange));
        deliver(exchange, &mut device, &reply, |_| String::new())
    };
    let mut honest = |request: &Delivered| match server.admit(request) {
        Ok(()) => server.sign(request, plain(204, b"")),
        Err(_) => server.refusal(),
    };
    let refused = |challenged| {
        Err(Error::Unsigned {
            status: 401,
            retry_after_s: None,
            challenged,
        })
    };
    let garbage = "A".repeat(64);
    let mut forged =
        |_: &Delivered| Reply::unsigned(401, b"").with("providore-challenge", &garbage);
    assert_eq!(ask(&mut forged, 1), refused(true));
    assert_eq!(ask(&mut honest, 2), refused(true));
    assert!(ask(&mut honest, 3).is_ok());
    // What cannot be a challenge is none.
    let mut broken = |_: &Delivered| Reply::unsigned(401, b"").with("providore-challenge", "a b");
    assert_eq!(ask(&mut broken, 4), refused(false));
    assert!(ask(&mut honest, 5).is_ok());
}

/// Asks with `device`; the server admits or refuses.
fn check_secret(
    server: &mut Server,
    device: &mut providore_client::Device<providore_sign::SoftwareKey>,
    nonce: u8,
    accepted: bool,
) {
    let mut memory = [0; Request::MAX_LEN];
    let exchange = Exchange::ask(
        TimeCheck::new(),
        device,
        moment(Some(at(0)), nonce),
        &mut memory,
    )
    .unwrap();
    let request = Delivered::of(&exchange);
    let reply = match server.admit(&request) {
        Ok(()) => server.sign(&request, plain(204, b"")),
        Err(_) => Reply::unsigned(401, b""),
    };
    let outcome = deliver(exchange, device, &reply, |_| String::new());
    assert_eq!(outcome.is_ok(), accepted, "{nonce}");
}

#[test]
fn a_next_secret_that_is_refused_is_not_the_last_word() {
    let (mut server, mut device) = (Server::new(), device());
    device.set_next_secret(NEXT).unwrap();
    check_secret(&mut server, &mut device, 1, false);
    check_secret(&mut server, &mut device, 2, true);
    check_secret(&mut server, &mut device, 3, true);
    assert!(device.has_next_secret());
    // The server has changed over in the meantime.
    server.secret = NEXT.to_vec();
    check_secret(&mut server, &mut device, 4, false);
    check_secret(&mut server, &mut device, 5, true);
    assert!(!device.has_next_secret());
    check_secret(&mut server, &mut device, 6, true);
}

#[test]
fn a_next_secret_replaces_the_present_one_when_an_answer_shows_it() {
    let (mut server, mut device) = (Server::new(), device());
    server.next = Some(NEXT.to_vec());
    device.set_next_secret(NEXT).unwrap();
    check_secret(&mut server, &mut device, 1, true);
    assert_eq!(
        (server.secret.as_slice(), device.has_next_secret()),
        (NEXT, false)
    );
    check_secret(&mut server, &mut device, 2, true);
}

#[test]
fn a_next_secret_is_not_taken_up_for_an_answer_with_the_present_one() {
    let (server, mut device) = (Server::new(), device());
    device.set_next_secret(NEXT).unwrap();
    let mut memory = [0; Request::MAX_LEN];
    let exchange =
        Exchange::ask(TimeCheck::new(), &mut device, moment(None, 1), &mut memory).unwrap();
    let reply = server.sign(&Delivered::of(&exchange), plain(204, b""));
    let outcome = deliver(exchange, &mut device, &reply, |_| String::new());
    assert_eq!(outcome, Err(WRONG));
    assert!(device.has_next_secret());
}

proptest! {
    #[test]
    fn any_flipped_bit_of_an_answer_is_refused(place in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let flip = |request: &Delivered| {
            let reply = config().with("etag", "\"1\"").with("content-type", "application/json");
            let mut reply = Server::new().sign(request, reply);
            let fields = reply.fields.iter_mut().map(|(_, value)| value);
            let mut bytes: Vec<&mut u8> = fields.chain([&mut reply.body]).flatten().collect();
            let index = place.index(bytes.len());
            *bytes[index] ^= 1_u8 << bit;
            reply
        };
        prop_assert!(exchange(Config::new(), flip, |_| "accepted".into()).is_err());
    }

    #[test]
    fn any_flipped_bit_of_a_request_is_refused(place in any::<prop::sample::Index>(), bit in 0..7_u8) {
        let mut device = device();
        let mut memory = [0; WrittenReport::MAX_LEN];
        let report = Report::new(Subject::Device, Outcome::Failed, None, "a reason");
        let report = report.write(&mut memory).unwrap();
        let mut memory = [0; Request::MAX_LEN];
        let exchange = Exchange::ask(report, &mut device, moment(Some(at(0)), 7), &mut memory).unwrap();
        let mut request = Delivered::of(&exchange);
        let fields = request.fields.iter().map(|(_, value)| value.as_bytes());
        let mut parts: Vec<Vec<u8>> = fields.chain([request.body.as_slice()]).map(Vec::from).collect();
        let mut bytes: Vec<&mut u8> = parts.iter_mut().flatten().collect();
        let index = place.index(bytes.len());
        *bytes[index] ^= 1_u8 << bit;
        request.body = parts.pop().unwrap();
        for ((_, value), changed) in request.fields.iter_mut().zip(parts) {
            *value = String::from_utf8(changed).unwrap();
        }
        prop_assert!(Server::new().admit(&request).is_err());
    }
}
