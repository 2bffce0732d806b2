//! What somebody on the way can do to an answer, and what comes of it.

use core::num::NonZeroU32;

use crate::support::{Reply, SECRET, at, device, moment, receive};
use providore_client::{
    BodyFault, BorrowedHead, CertificateRequest, Config, Device, EntityTag, Error, Exchange,
    FirmwareCheck, FirmwareDownload, FirmwareOutcome, ImageCheck, Request,
};
use providore_sign::{HeaderInstructions, Refusal, SoftwareKey, original};
use providore_wire::{Dialect, Method};

const PROBLEM: &[u8] = br#"{"type":"urn:providore:problem:not-found","status":404}"#;

fn check_config(reply: &Reply, expected: Error) {
    let outcome = receive(Config::new(), reply, (1, 64), |_| "accepted".into());
    assert_eq!(outcome, Err(expected));
}

#[test]
fn a_request_reflected_as_a_configuration() {
    // The bytes of `GET /config` are those of an answer whose body is METHOD LF PATH LF VERSION.
    let request = original::RequestToSign {
        device: &"d8fa0180".parse().unwrap(),
        method: Method::Get,
        path: "/config",
        version: &"1.0.0".parse().unwrap(),
        body: b"",
    };
    let mut key = SoftwareKey::new(SECRET).unwrap();
    let mut memory = [0; HeaderInstructions::MAX_LEN];
    let headers = original::sign_request(&mut key, &request, at(0), 900, &mut memory).unwrap();
    let authorization = headers.value("authorization").unwrap();
    let signature = authorization.split('"').nth(3).unwrap();
    let reply = Reply::unsigned(200, b"GET\n/config\n1.0.0")
        .with("created-at", headers.value("created-at").unwrap())
        .with("expiry", headers.value("expiry").unwrap())
        .with("signature", signature);
    check_config(&reply, Error::NotVerified(Refusal::Reflected));
}

#[test]
fn an_answer_of_a_minute_ago() {
    let reply = Reply::signed_at(at(-60), 200, b"{}");
    let old = Refusal::OlderThanQuestion { before_s: 30 };
    check_config(&reply, Error::NotVerified(old));
}

#[test]
fn an_answer_that_was_held_back() {
    let outcome = receive(Config::new(), &Reply::signed(200, b"{}"), (931, 64), |_| {
        "accepted".into()
    });
    let expired = Refusal::Expired { ago_s: 1 };
    assert_eq!(outcome, Err(Error::NotVerified(expired)));
}

#[test]
fn an_answer_for_another_device() {
    let mut reply = Reply::signed(200, b"{}");
    let key = SoftwareKey::new(b"another device's secret").unwrap();
    let signer = original::ResponseSigner::begin(key).unwrap();
    let mut memory = [0; HeaderInstructions::MAX_LEN];
    let headers = signer.finish(at(0), 900, &mut memory).unwrap();
    let signature = headers.value("signature").unwrap().as_bytes().to_vec();
    reply.fields.iter_mut().for_each(|(name, value)| {
        if name == "signature" {
            value.clone_from(&signature);
        }
    });
    check_config(&reply, Error::NotVerified(Refusal::WrongSignature));
}

#[test]
fn a_signed_error_moved_under_status_200() {
    check_config(&Reply::signed(200, PROBLEM), BodyFault::Problem.into());
    let csr = CertificateRequest::new("x");
    let outcome = receive(csr, &Reply::signed(200, PROBLEM), (1, 64), |_| {
        "accepted".into()
    });
    assert_eq!(outcome, Err(BodyFault::Problem.into()));
}

#[test]
fn one_kind_of_answer_moved_to_another_question() {
    let certificate = Reply::signed(200, b"-----BEGIN CERTIFICATE-----\n");
    check_config(&certificate, BodyFault::NotJson.into());
    check_config(&Reply::signed(200, b""), BodyFault::NotJson.into());
    check_config(&Reply::signed(200, b"{"), BodyFault::NotJson.into());
    let csr = CertificateRequest::new("x");
    let outcome = receive(csr, &Reply::signed(200, b"{}"), (1, 64), |_| {
        "accepted".into()
    });
    assert_eq!(outcome, Err(BodyFault::NotPem.into()));
}

#[test]
fn a_changed_cut_or_lengthened_body() {
    let wrong = Error::NotVerified(Refusal::WrongSignature);
    for body in [&b"{\"a\":2}"[..], b"{\"a\":1", b"{\"a\":1} ", b""] {
        let mut reply = Reply::signed(200, b"{\"a\":1}");
        reply.body = body.to_vec();
        check_config(&reply, wrong);
    }
}

#[test]
fn a_body_over_the_buffer() {
    let reply = Reply::signed(200, &[b'{'; 65]);
    check_config(&reply, BodyFault::TooLong { limit: 64 }.into());
}

#[test]
fn statuses_from_a_stranger_are_hints() {
    for status in [200, 204, 302, 304, 401, 404, 429, 500] {
        let unsigned = Error::Unsigned {
            status,
            retry_after_s: NonZeroU32::new(7),
            challenged: false,
        };
        let reply = Reply::unsigned(status, b"{}").with("Retry-After", "7");
        check_config(&reply, unsigned);
        assert_eq!(unsigned.is_unauthorized(), status == 401);
        assert_eq!(unsigned.is_unverified(), status < 400);
    }
}

#[test]
fn a_status_that_was_not_asked_for() {
    for status in [100, 201, 204, 206, 304, 404] {
        let declined = Error::Declined {
            status,
            retry_after_s: None,
        };
        check_config(&Reply::signed(status, b""), declined);
    }
}

#[test]
fn an_unchanged_with_a_body() {
    let tag = EntityTag::parse(b"\"1\"").unwrap();
    let conditional = Config::new().unless(&tag);
    let reply = Reply::signed(304, b"{}");
    let outcome = receive(conditional, &reply, (1, 64), |_| "accepted".into());
    assert_eq!(outcome, Err(BodyFault::NotEmpty.into()));
}

#[test]
fn doubled_and_broken_signature_headers() {
    let reply = Reply::signed(200, b"{}").with("signature", "x");
    let outcome = receive(Config::new(), &reply, (1, 64), |_| "accepted".into());
    assert!(matches!(outcome, Err(Error::Head(_))), "{outcome:?}");
    let reply = Reply::unsigned(200, b"{}").with("signature", "AAAA");
    let outcome = receive(Config::new(), &reply, (1, 64), |_| "accepted".into());
    assert!(matches!(outcome, Err(Error::Head(_))), "{outcome:?}");
}

#[test]
fn a_first_providores_dates_only_where_allowed() {
    let key = SoftwareKey::new(SECRET).unwrap();
    let mut signer = original::ResponseSigner::begin(key).unwrap();
    signer.update(b"{}").unwrap();
    let mut memory = [0; HeaderInstructions::MAX_LEN];
    let headers = signer.finish(at(0), 0, &mut memory).unwrap();
    let mut reply = Reply::unsigned(200, b"{}");
    for (name, value) in headers.fields() {
        reply = reply.with(name, value);
    }
    let fields = reply.fields();
    let head = BorrowedHead {
        status: 200,
        fields: &fields,
    };
    let ask = |mut device: Device<SoftwareKey>| {
        let mut memory = [0; Request::MAX_LEN];
        let exchange = Exchange::ask(Config::new(), &mut device, moment(0), &mut memory).unwrap();
        let mut buffer = [0; 8];
        exchange
            .receive(&mut device, &head, &mut buffer, Some(at(60)))
            .map(|_| ())
    };
    let expired = Refusal::Expired { ago_s: 30 };
    assert_eq!(ask(device()), Err(Error::NotVerified(expired)));
    let key = SoftwareKey::new(SECRET).unwrap();
    let id = "d8fa0180".parse().unwrap();
    let lenient = Device::new(Dialect::Original, id, "1.0.0".parse().unwrap(), key)
        .unwrap()
        .with_response_policy(original::ResponsePolicy {
            dates: original::ResponseDates::FirstProvidore,
            ..original::ResponsePolicy::default()
        });
    assert_eq!(ask(lenient), Ok(()));
}

fn check_location(location: &str) {
    let reply = Reply::signed(302, location.as_bytes()).with("location", location);
    let outcome = receive(
        FirmwareCheck::new(),
        &reply,
        (1, location.len()),
        |outcome| match outcome {
            FirmwareOutcome::Offered(version) => version.to_string(),
            _ => "none".into(),
        },
    );
    assert_eq!(outcome, Err(BodyFault::Location.into()), "{location:?}");
}

#[test]
fn an_offer_other_than_the_signed_one() {
    for body in ["Redirecting to /firmware?version=1.4.0", "{}", ""] {
        let reply = Reply::signed(302, body.as_bytes()).with("location", "/firmware?version=0.9");
        let outcome = receive(FirmwareCheck::new(), &reply, (1, 64), |_| "accepted".into());
        assert_eq!(outcome, Err(BodyFault::Location.into()), "{body:?}");
    }
}

#[test]
fn locations_that_lead_elsewhere() {
    check_location("");
    check_location("http://evil.example/firmware?version=2");
    check_location("//evil.example/firmware?version=2");
    check_location("/firmware");
    check_location("/firmware?version=");
    check_location("/firmware?version=../../etc/passwd");
    check_location("/firmware?version=%2e%2e");
    check_location("/firmware?version=1&version=2");
    check_location("/firmware/../config?version=2");
    check_location("/config?version=2");
    check_location("/firmware?version=2#x");
    check_location("/firmware?version=2 ; x");
    check_location(&format!("/firmware?version={}", "9".repeat(65)));
    check_location(&format!("/firmware?x={}&version=2", "9".repeat(100_000)));
}

fn check_image(reply: &Reply, check: ImageCheck, expected: Error) {
    let mut device = device();
    let operation = FirmwareDownload::new("2".parse().unwrap(), check);
    let mut memory = [0; Request::MAX_LEN];
    let exchange = Exchange::ask(operation, &mut device, moment(0), &mut memory).unwrap();
    let fields = reply.fields();
    let head = BorrowedHead {
        status: reply.status,
        fields: &fields,
    };
    let outcome = exchange
        .receive_image(&mut device, &head, Some(at(1)))
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
    let esp = ImageCheck::new(b"\xE9\x05", 4, 8);
    let image = |body: &[u8]| Reply::signed(200, body);
    check_image(&image(b"\xE9\x06abcd"), esp, BodyFault::ImageMagic.into());
    check_image(
        &image(b"\xE9"),
        esp,
        BodyFault::ImageTooShort { limit: 4 }.into(),
    );
    check_image(
        &image(b""),
        esp,
        BodyFault::ImageTooShort { limit: 4 }.into(),
    );
    let long = BodyFault::TooLong { limit: 8 };
    check_image(&image(b"\xE9\x05abcdefg"), esp, long.into());
    let any = ImageCheck::new(b"", 0, 1000);
    check_image(&image(PROBLEM), any, BodyFault::Problem.into());
    let reflected = Error::NotVerified(Refusal::WrongSignature);
    let mut cut = image(b"\xE9\x05abcd");
    cut.body.pop();
    check_image(&cut, esp, reflected);
    let older = any.with_opening(|opening, version| opening.ends_with(version.as_str().as_bytes()));
    check_image(
        &image(b"image of version 1"),
        older,
        BodyFault::CheckedOut.into(),
    );
    let declined = Error::Declined {
        status: 404,
        retry_after_s: None,
    };
    check_image(&Reply::signed(404, PROBLEM), any, declined);
}
