//! The peer learns one bit, the operator learns the reason.

#![expect(clippy::panic, reason = "a test fails by panicking")]

use providore_server_core::{MemoryStore, Reason};
use providore_sign::Refusal;
use providore_testkit::parties::{Answer, Heard, Message, Peer, Site, at, stocked};
use providore_wire::{Method, ParseErrorKind, original::Field};

/// What the operator is told, as far as this file tells it apart.
#[derive(Debug, PartialEq)]
enum Told {
    Reason(Reason),
    Header(Field, ParseErrorKind),
}

/// Asks, and checks that the answer is the one refusal and that the operator is told this reason.
fn check(message: &Message, claimed: Option<&str>, told: &Told) {
    let peer = Peer::new("dev1");
    let store = stocked(&peer);
    futures_lite::future::block_on(disabled(&store));
    let site = Site::new(store);
    let answer = site.ask(message, at(0));
    assert_eq!(answer, the_refusal(&site), "{message:?}");
    match site.heard().as_slice() {
        [Heard::Unauthenticated(who, reason), _] => {
            assert_eq!(who.as_ref().map(AsRef::as_ref), claimed, "{message:?}");
            let reason = match *reason {
                Reason::Malformed(error) => Told::Header(error.field(), error.cause().kind()),
                other => Told::Reason(other),
            };
            assert_eq!(reason, *told, "{message:?}");
        }
        other => panic!("{other:?}"),
    }
}

fn refused(refusal: Refusal) -> Told {
    Told::Reason(Reason::Refused(refusal))
}

/// What somebody gets who knows nothing at all.
fn the_refusal(site: &Site<MemoryStore>) -> Answer {
    let message = Message {
        method: "GET".into(),
        target: "/config".into(),
        fields: Vec::new(),
        body: Vec::new(),
    };
    let answer = site.ask(&message, at(0));
    let body = r#"{"type":"urn:providore:problem:unauthorized","title":"The request is not authenticated.","status":401}"#;
    assert_eq!((answer.status, answer.text()), (401, body));
    let names: Vec<_> = answer.fields.iter().map(|(name, _)| *name).collect();
    let expected = [
        "content-type",
        "www-authenticate",
        "accept-signature",
        "providore-challenge",
        "content-length",
    ];
    assert_eq!(names, expected);
    answer
}

async fn disabled(store: &MemoryStore) {
    let mut device = Peer::new("off").record();
    device.enabled = false;
    store.put_device(device).await;
}

fn peer() -> Peer {
    Peer::new("dev1")
}

#[test]
fn an_unknown_device() {
    let message = Peer::new("dev2").get("/config", at(0));
    check(&message, Some("dev2"), &Told::Reason(Reason::UnknownDevice));
    for id in ["__proto__", "constructor", "toString"] {
        let message = Peer::new(id).get("/config", at(0));
        check(&message, Some(id), &Told::Reason(Reason::UnknownDevice));
    }
}

#[test]
fn a_wrong_key() {
    let mut peer = peer();
    peer.secret.push(' ');
    let message = peer.get("/config", at(0));
    check(&message, Some("dev1"), &refused(Refusal::WrongSignature));
}

#[test]
fn a_stranger_with_a_key_that_nobody_has_cannot_guess_the_servers_own() {
    let mut peer = Peer::new("dev2");
    peer.secret = String::from_utf8(vec![9; 32]).unwrap();
    let message = peer.get("/config", at(0));
    check(&message, Some("dev2"), &Told::Reason(Reason::UnknownDevice));
}

#[test]
fn a_disabled_device() {
    let message = Peer::new("off").get("/config", at(0));
    check(&message, Some("off"), &Told::Reason(Reason::Disabled));
    let mut peer = Peer::new("off");
    peer.secret = "guess".into();
    let message = peer.get("/config", at(0));
    check(&message, Some("off"), &refused(Refusal::WrongSignature));
}

#[test]
fn a_message_out_of_its_time() {
    for (created, lifetime_s, refusal) in [
        (-931, 900, Refusal::Expired { ago_s: 1 }),
        (-86_400, 900, Refusal::Expired { ago_s: 85_470 }),
        (31, 900, Refusal::FromTheFuture { ahead_s: 1 }),
        (0, 901, Refusal::Window { window_s: 901 }),
        (0, 2_304_000_000, Refusal::Window { window_s: i32::MAX }),
    ] {
        let mut peer = peer();
        peer.lifetime_s = lifetime_s;
        let message = peer.get("/config", at(created));
        check(&message, Some("dev1"), &refused(refusal));
    }
}

#[test]
fn a_header_that_is_missing_or_repeated() {
    let message = peer().get("/config", at(0));
    for field in [Field::Authorization, Field::CreatedAt, Field::Expiry] {
        let without = message.clone().without(field.name());
        check(
            &without,
            None,
            &Told::Header(field, ParseErrorKind::Missing),
        );
    }
    let without = message.clone().without("x-firmware-version");
    check(&without, Some("dev1"), &refused(Refusal::WrongSignature));
    for field in [
        Field::Authorization,
        Field::CreatedAt,
        Field::Expiry,
        Field::FirmwareVersion,
    ] {
        for name in [field.name().into(), field.name().to_uppercase()] {
            let value = message.value(field.name());
            let twice = message.clone().with(&name, &value);
            check(
                &twice,
                None,
                &Told::Header(field, ParseErrorKind::Duplicate),
            );
        }
    }
}

/// Sends a good request with this value in one of its headers.
fn check_header(field: Field, value: &str, kind: ParseErrorKind) {
    let bad = peer().get("/config", at(0)).replacing(field.name(), value);
    check(&bad, None, &Told::Header(field, kind));
}

#[test]
fn an_authorization_that_is_malformed() {
    use ParseErrorKind as Kind;
    let good = peer().get("/config", at(0)).value("authorization");
    let signature = good.split("signature=").nth(1).unwrap();
    let instead = |this: &str, that: &str| good.replace(this, that);
    for (value, kind) in [
        ("", Kind::WrongScheme),
        ("Basic ZGV2MTpkZXYx", Kind::WrongScheme),
        (&instead("Hmac", "hmac"), Kind::WrongScheme),
        ("Hmac ,", Kind::UnexpectedEnd),
        ("Hmac key-id=dev1", Kind::Missing),
        (&format!("Hmac signature={signature}"), Kind::Missing),
        (&instead("key-id", "KEY-ID"), Kind::Missing),
        (&instead("dev1", "../dev1"), Kind::PathLike),
        (&instead("dev1", "dev/1"), Kind::UnexpectedByte),
        (&instead("dev1", ""), Kind::Empty),
        (&instead("=\"", "\""), Kind::UnexpectedEnd),
        (&format!("{good}, key-id=dev1"), Kind::Duplicate),
        (&instead("=", "=="), Kind::UnexpectedByte),
        (
            &instead("signature=\"", "signature=\"A"),
            Kind::InvalidBase64,
        ),
        (&format!("Hmac {}", "x".repeat(300)), Kind::TooLong),
    ] {
        check_header(Field::Authorization, value, kind);
    }
}

#[test]
fn a_date_or_version_that_is_malformed() {
    use ParseErrorKind as Kind;
    let long = "x".repeat(300);
    for field in [Field::CreatedAt, Field::Expiry] {
        check_header(field, "", Kind::UnexpectedEnd);
        check_header(field, "yesterday", Kind::UnexpectedByte);
        check_header(field, "Fri, 02 Jan 2026 03:04:05 GMT", Kind::UnexpectedByte);
        check_header(field, "1767323045", Kind::OutOfRange);
        check_header(field, "2026-02-30T00:00:00Z", Kind::OutOfRange);
        check_header(field, "2026-01-02T03:04:61Z", Kind::OutOfRange);
        check_header(field, &long, Kind::TooLong);
    }
    check_header(Field::FirmwareVersion, "", Kind::Empty);
    check_header(Field::FirmwareVersion, &long, Kind::TooLong);
}

#[test]
fn a_method_that_nobody_signs() {
    for method in ["get", "TRACE", "CONNECT", "", "GET ", "G\u{cb}T"] {
        let mut message = peer().get("/config", at(0));
        message.method = method.into();
        check(&message, None, &Told::Reason(Reason::Method));
    }
}

#[test]
fn a_body_that_the_signature_does_not_cover() {
    for method in [Method::Get, Method::Delete, Method::Patch, Method::Options] {
        let mut message = peer().sign(method, "/config", b"", at(0));
        message.body = b"x".to_vec();
        check(&message, Some("dev1"), &refused(Refusal::BodyNotCovered));
    }
}

#[test]
fn a_message_moved_to_another_place() {
    let peer = peer();
    let wrong = refused(Refusal::WrongSignature);
    let message = peer.get("/config", at(0));
    check(&message.clone().to("/firmware"), Some("dev1"), &wrong);
    check(&message.clone().to("/nowhere"), Some("dev1"), &wrong);
    check(&message.clone().to("/CONFIG"), Some("dev1"), &wrong);
    let other = message.value("authorization").replace("dev1", "off");
    check(
        &message.replacing("authorization", &other),
        Some("off"),
        &wrong,
    );
    let mut message = peer.sign(Method::Head, "/config", b"", at(0));
    message.method = "GET".into();
    check(&message, Some("dev1"), &wrong);
}

#[test]
fn an_answer_is_not_a_request() {
    let peer = peer();
    let site = Site::new(stocked(&peer));
    let answer = site.ask(&peer.get("/config", at(0)), at(0));
    let signature = answer.field("signature").unwrap();
    let authorization = format!("Hmac key-id=dev1, signature={signature}");
    let message = peer.get("/config", at(0));
    let reflected = message.replacing("authorization", &authorization);
    check(&reflected, Some("dev1"), &refused(Refusal::WrongSignature));
}

#[test]
fn every_deployed_spelling_of_the_header_is_accepted() {
    let peer = peer();
    let site = Site::new(stocked(&peer));
    let good = peer.get("/config", at(0));
    let header = good.value("authorization");
    for spelling in [
        header.clone(),
        header.replace("key-id=\"dev1\"", "key-id=dev1"),
        header.replace('"', ""),
        format!(" {header}\t"),
        header.replace("Hmac ", "Hmac realm=x, "),
    ] {
        let message = good.clone().replacing("authorization", &spelling);
        assert_eq!(site.ask(&message, at(0)).status, 200, "{spelling}");
    }
    for (name, value) in [("Created-At", "created-at"), ("EXPIRY", "expiry")] {
        let value = good.value(value);
        let lower = name.to_lowercase();
        let message = good.clone().without(&lower).with(name, &value);
        assert_eq!(site.ask(&message, at(0)).status, 200, "{name}");
    }
}
