//! What an honest server and an honest device say to each other in the `Signed` dialect.

use crate::{
    signed_support::{Delivered, NEXT, SECRET, Server, device, encrypted, exchange, moment, plain},
    support::{Reply, at},
};
use providore_client::{
    BorrowedHead, CertificateRequest, Config, ConfigOutcome, Device, EntityTag, Error, Exchange,
    FirmwareCheck, FirmwareDownload, FirmwareOutcome, FirmwarePart, ImageCheck, NextSecret,
    Operation, Outcome, Report, Request, Subject, TimeCheck, WrittenReport,
};
use providore_sign::{KeyError, SoftwareKey};
use providore_wire::{Dialect, FirmwareVersion, Timestamp};

/// A request has these fields and no other, is accepted, and its answer learned from.
fn check_request<O: Operation>(operation: O, target: &str, fields: &[&str]) {
    let mut device = device();
    let mut memory = [0; Request::MAX_LEN];
    let exchange =
        Exchange::ask(operation, &mut device, moment(Some(at(0)), 1), &mut memory).unwrap();
    let request = Delivered::of(&exchange);
    assert_eq!(request.target, target);
    let names: Vec<_> = request
        .fields
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(names, fields);
    assert_eq!(Server::new().admit(&request), Ok(()));
}

#[test]
fn requests_are_what_a_server_accepts() {
    let signature = ["signature-input", "signature"];
    let with = |before: &[&'static str]| [before, &signature].concat();
    let plain = with(&["x-firmware-version"]);
    check_request(Config::new(), "/config", &plain);
    check_request(FirmwareCheck::new(), "/firmware/check", &plain);
    check_request(TimeCheck::new(), "/time", &plain);
    check_request(NextSecret::new(), "/secret", &plain);
    let any = ImageCheck::new(b"", 0, 1);
    let download = FirmwareDownload::new("1+b:7".parse().unwrap(), any);
    check_request(download, "/firmware?version=1%2Bb%3A7", &plain);
    let tag = EntityTag::parse(b"\"5e3f\"").unwrap();
    let conditional = with(&["x-firmware-version", "if-none-match"]);
    check_request(Config::new().unless(&tag), "/config", &conditional);
    let body = with(&["content-type", "content-digest", "x-firmware-version"]);
    let csr = CertificateRequest::new("-----BEGIN CERTIFICATE REQUEST-----\n");
    check_request(csr, "/certificates/request", &body);
    let mut memory = [0; WrittenReport::MAX_LEN];
    let report = Report::new(Subject::Device, Outcome::Healthy, None, "");
    let report = report.write(&mut memory).unwrap();
    check_request(report, "/report", &body);
}

#[test]
fn only_signed_has_time_report_and_secret() {
    let mut original = crate::support::device();
    let check = |outcome: Result<(), Error>| assert_eq!(outcome, Err(Error::NotInDialect));
    let moment = moment(Some(at(0)), 1);
    check(
        Exchange::ask(
            TimeCheck::new(),
            &mut original,
            moment,
            &mut [0; Request::MAX_LEN],
        )
        .map(|_| ()),
    );
    check(
        Exchange::ask(
            NextSecret::new(),
            &mut original,
            moment,
            &mut [0; Request::MAX_LEN],
        )
        .map(|_| ()),
    );
    let mut memory = [0; WrittenReport::MAX_LEN];
    let report = Report::new(Subject::Device, Outcome::Healthy, None, "");
    let report = report.write(&mut memory).unwrap();
    check(Exchange::ask(report, &mut original, moment, &mut [0; Request::MAX_LEN]).map(|_| ()));
}

fn check_config(operation: Config<'_>, reply: Reply, expected: &str) {
    let answer = |request: &Delivered| Server::new().sign(request, reply);
    let outcome = exchange(operation, answer, |outcome| match outcome {
        ConfigOutcome::Current(config) => {
            let text = String::from_utf8_lossy(config.bytes()).into_owned();
            text + config.tag().map_or("", EntityTag::as_str)
        }
        _ => "unchanged".into(),
    });
    assert_eq!(outcome.as_deref(), Ok(expected));
}

#[test]
fn a_configuration_comes_encrypted_with_its_tag() {
    let reply = encrypted(SECRET, b" {\"a\":1}\n");
    check_config(Config::new(), reply, " {\"a\":1}\n");
    let reply = encrypted(SECRET, b"[]").with("etag", "\"1\"");
    check_config(Config::new(), reply, "[]\"1\"");
    let tag = EntityTag::parse(b"\"1\"").unwrap();
    check_config(Config::new().unless(&tag), plain(304, b""), "unchanged");
}

#[test]
fn an_offer_is_the_location_whatever_the_body_says() {
    let check = |reply: Reply, expected: &str| {
        let answer = |request: &Delivered| Server::new().sign(request, reply);
        let outcome = exchange(FirmwareCheck::new(), answer, |outcome| match outcome {
            FirmwareOutcome::Offered(version) => version.to_string(),
            _ => "none".into(),
        });
        assert_eq!(outcome.as_deref(), Ok(expected));
    };
    check(plain(204, b""), "none");
    let location = "/firmware?version=1.4.0%2B7";
    check(plain(302, b"").with("location", location), "1.4.0+7");
    check(plain(302, b"Found").with("location", location), "1.4.0+7");
}

#[test]
fn a_next_secret_is_handed_out_once_and_not_printed() {
    let answer = |request: &Delivered| Server::new().sign(request, encrypted(SECRET, NEXT));
    let outcome = exchange(NextSecret::new(), answer, |secret| {
        let secret = secret.unwrap();
        assert_eq!(format!("{secret:?}"), "VerifiedSecret(..)");
        String::from_utf8(secret.expose().to_vec()).unwrap()
    });
    assert_eq!(outcome.unwrap().as_bytes(), NEXT);
    let answer = |request: &Delivered| Server::new().sign(request, plain(204, b""));
    let outcome = exchange(NextSecret::new(), answer, |secret| format!("{secret:?}"));
    assert_eq!(outcome.as_deref(), Ok("None"));
}

#[test]
fn what_was_decrypted_does_not_stay_in_the_buffer() {
    let mut device = device();
    let mut memory = [0; Request::MAX_LEN];
    let exchange = Exchange::ask(
        NextSecret::new(),
        &mut device,
        moment(Some(at(0)), 7),
        &mut memory,
    )
    .unwrap();
    let reply = Server::new().sign(&Delivered::of(&exchange), encrypted(SECRET, NEXT));
    let fields = reply.fields();
    let head = BorrowedHead {
        status: 200,
        fields: &fields,
    };
    let mut buffer = [0; 256];
    let mut receiving = exchange
        .receive(&mut device, &head, &mut buffer, None)
        .unwrap();
    receiving.chunk(&reply.body).unwrap();
    let secret = receiving.finish().unwrap();
    assert_eq!(secret.unwrap().expose(), NEXT);
    assert_eq!(buffer, [0; 256]);
}

#[test]
fn a_report_is_taken_and_the_time_is_told() {
    let answer = |request: &Delivered| Server::new().sign(request, plain(204, b""));
    let mut memory = [0; WrittenReport::MAX_LEN];
    let report = Report::new(Subject::Firmware, Outcome::Applied, None, "");
    let report = report.write(&mut memory).unwrap();
    assert!(exchange(report, answer, |()| String::new()).is_ok());
    let outcome = exchange(TimeCheck::new(), answer, |time| time.to_string());
    assert_eq!(outcome, Ok(at(0).to_string()));
}

#[test]
fn an_image_is_proven_chunk_by_chunk() {
    let body: Vec<u8> = (0..1000_u32).map(|i| i.to_le_bytes()[0]).collect();
    for size in [1, 7, 1000] {
        let mut device = device();
        let check = ImageCheck::new(b"\x00\x01", 1000, 1000);
        let operation = FirmwareDownload::new("2".parse().unwrap(), check);
        let mut memory = [0; Request::MAX_LEN];
        let exchange = Exchange::ask(operation, &mut device, moment(None, 7), &mut memory).unwrap();
        let reply = Server::new().sign(&Delivered::of(&exchange), plain(200, &body));
        let fields = reply.fields();
        let head = BorrowedHead {
            status: 200,
            fields: &fields,
        };
        let mut receiving = exchange.receive_image(&mut device, &head, None).unwrap();
        let mut written = Vec::new();
        for chunk in body.chunks(size) {
            written.extend_from_slice(receiving.chunk(chunk).unwrap());
        }
        let image = receiving.finish().unwrap();
        assert_eq!((written, image.length()), (body.clone(), 1000));
    }
}

/// Asks with this clock until the server is satisfied; expects so many refusals before.
fn check_clock(clock: Option<Timestamp>, refusals: u8) {
    let (mut server, mut device) = (Server::new(), device());
    for nonce in 0..=refusals {
        let mut memory = [0; Request::MAX_LEN];
        let exchange = Exchange::ask(
            TimeCheck::new(),
            &mut device,
            moment(clock, nonce),
            &mut memory,
        )
        .unwrap();
        let request = Delivered::of(&exchange);
        let admitted = server.admit(&request).is_ok();
        assert_eq!(admitted, nonce == refusals, "{clock:?} {nonce}");
        let reply = if admitted {
            server.sign(&request, plain(204, b""))
        } else {
            server.refusal()
        };
        let fields = reply.fields();
        let head = BorrowedHead {
            status: reply.status,
            fields: &fields,
        };
        let received = exchange.receive(&mut device, &head, &mut [], clock);
        assert_eq!(received.is_ok(), admitted);
    }
    assert_eq!(
        device.server_time().now(clock).unwrap().unix() / 60,
        at(0).unix() / 60
    );

    // From now on no question is refused.
    let later = clock.map(|clock| clock.saturating_add(50));
    server.now = at(50);
    let mut memory = [0; Request::MAX_LEN];
    let exchange = Exchange::ask(
        TimeCheck::new(),
        &mut device,
        moment(later, 99),
        &mut memory,
    )
    .unwrap();
    let request = Delivered::of(&exchange);
    assert_eq!(server.admit(&request), Ok(()), "{clock:?}");
    let by_challenge = request.field("providore-challenge").is_some();
    assert_eq!(by_challenge, clock.is_none());
}

#[test]
fn any_clock_will_do() {
    check_clock(Some(at(0)), 0);
    check_clock(Some(at(-20)), 0);
    check_clock(None, 1);
    check_clock(Timestamp::from_unix(0), 1);
    check_clock(Timestamp::from_unix(12), 1);
    check_clock(Timestamp::from_unix(-12), 1);
    check_clock(Timestamp::from_unix(4_102_444_800), 1); // 2100
    check_clock(Some(at(600)), 1);
    check_clock(Some(at(-600)), 1);
}

#[test]
fn a_server_that_restarted_gets_the_question_once_more() {
    let (mut server, mut device) = (Server::new(), device());
    server.policy = Server::restarted();
    let mut memory = [0; Request::MAX_LEN];
    let exchange = Exchange::ask(
        TimeCheck::new(),
        &mut device,
        moment(Some(at(0)), 1),
        &mut memory,
    )
    .unwrap();
    assert!(server.admit(&Delivered::of(&exchange)).is_err());
    let reply = server.refusal();
    let refused = crate::signed_support::deliver(exchange, &mut device, &reply, |_| String::new());
    let unsigned = Error::Unsigned {
        status: 401,
        retry_after_s: None,
        challenged: true,
    };
    assert_eq!(refused, Err(unsigned));
    let mut memory = [0; Request::MAX_LEN];
    let exchange = Exchange::ask(
        TimeCheck::new(),
        &mut device,
        moment(Some(at(0)), 2),
        &mut memory,
    )
    .unwrap();
    assert_eq!(server.admit(&Delivered::of(&exchange)), Ok(()));
}

#[test]
fn requests_take_no_more_memory_than_is_said() {
    let takes = |length: usize, memory: usize| {
        // Every character of the version is escaped in the target.
        let (id, version) = ("d".repeat(length), "+".repeat(length));
        let key = SoftwareKey::new(SECRET).unwrap();
        let version: FirmwareVersion = version.parse().unwrap();
        let id = id.parse().unwrap();
        let mut device = Device::new(Dialect::Signed, id, version.clone(), key).unwrap();
        // What the server said first: its challenge, as long as one may be.
        let challenge = [("providore-challenge", &[b'A'; 64][..])];
        let head = BorrowedHead {
            status: 401,
            fields: &challenge,
        };
        let moment = moment(None, 1);
        let mut memory = vec![0; memory];
        let first = Exchange::ask(TimeCheck::new(), &mut device, moment, &mut memory)?;
        let refused = first.receive(&mut device, &head, &mut [], None);
        assert!(matches!(refused, Err(Error::Unsigned { .. })));
        let part = FirmwarePart::new(&version, &[0xaa; 32], u64::MAX, u64::MAX - 1);
        Exchange::ask(part, &mut device, moment, &mut memory).map(|_| ())
    };
    let too_short = Err(Error::Key(KeyError::Memory));
    assert_eq!(takes(64, Request::MAX_LEN), Ok(()));
    assert_eq!(takes(32, 704), Ok(()));
    assert_eq!(takes(32, 512), too_short);
    for memory in 0..512 {
        assert_eq!(takes(32, memory), too_short);
    }
}
