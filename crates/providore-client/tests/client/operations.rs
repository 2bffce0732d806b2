//! What an honest server and an honest device say to each other.

use crate::support::{Reply, at, device, moment, receive, verify};
use providore_client::{
    BorrowedHead, CertificateRequest, Config, ConfigOutcome, CurrentCertificate, EntityTag,
    Exchange, FirmwareCheck, FirmwareDownload, FirmwareOutcome, ImageCheck, Operation, Request,
};
use providore_wire::Method;

const PEM: &str = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n";

fn check_request<O: Operation>(operation: O, method: Method, target: &str, extra: &[(&str, &str)]) {
    let mut device = device();
    let mut memory = [0; Request::MAX_LEN];
    let exchange = Exchange::ask(operation, &mut device, moment(0), &mut memory).unwrap();
    let request = exchange.request();
    assert_eq!((request.method(), request.target()), (method, target));
    let fields: Vec<_> = request
        .fields()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    verify(method, target, &fields, request.body());
    let beside: Vec<_> = request.fields().skip(4).collect();
    assert_eq!(beside, extra);
}

#[test]
fn requests_are_what_a_server_accepts() {
    check_request(Config::new(), Method::Get, "/config", &[]);
    let tag = EntityTag::parse(b"\"5e3f\"").unwrap();
    let condition = [("if-none-match", "\"5e3f\"")];
    check_request(
        Config::new().unless(&tag),
        Method::Get,
        "/config",
        &condition,
    );
    check_request(FirmwareCheck::new(), Method::Get, "/firmware/check", &[]);
    check_request(CurrentCertificate::new(), Method::Get, "/certificate", &[]);
    let kind = [("content-type", "text/plain")];
    let csr = CertificateRequest::new("-----BEGIN CERTIFICATE REQUEST-----\n");
    check_request(csr, Method::Post, "/certificates/request", &kind);
}

#[test]
fn any_version_can_be_asked_for() {
    let check = |version: &str, target: &str| {
        let any = ImageCheck::new(b"", 0, 1);
        let operation = FirmwareDownload::new(version.parse().unwrap(), any);
        check_request(operation, Method::Get, target, &[]);
    };
    check("1.4.0", "/firmware?version=1.4.0");
    check("1.4+b:7", "/firmware?version=1.4%2Bb%3A7");
    let longest = ":".repeat(64);
    check(&longest, &format!("/firmware?version={}", "%3A".repeat(64)));
}

fn check_config(operation: Config<'_>, reply: &Reply, expected: &str) {
    let outcome = receive(operation, reply, (1, 64), |outcome| match outcome {
        ConfigOutcome::Current(config) => {
            let text = String::from_utf8_lossy(config.bytes()).into_owned();
            text + config.tag().map_or("", EntityTag::as_str)
        }
        _ => "unchanged".into(),
    });
    assert_eq!(outcome.as_deref(), Ok(expected));
}

#[test]
fn a_configuration_comes_with_its_tag_or_not_at_all() {
    let reply = Reply::signed(200, b" {\"a\":1}\n");
    check_config(Config::new(), &reply, " {\"a\":1}\n");
    let reply = Reply::signed(200, b"[]").with("ETag", "\"1\"");
    check_config(Config::new(), &reply, "[]\"1\"");
    let tag = EntityTag::parse(b"\"1\"").unwrap();
    check_config(
        Config::new().unless(&tag),
        &Reply::signed(304, b""),
        "unchanged",
    );
}

#[test]
fn an_application_may_say_what_a_configuration_looks_like() {
    let toml = Config::new().with_check(|bytes| bytes.starts_with(b"a = "));
    check_config(toml, &Reply::signed(200, b"a = 1"), "a = 1");
}

fn check_firmware(reply: &Reply, expected: &str) {
    let outcome = receive(
        FirmwareCheck::new(),
        reply,
        (1, 64),
        |outcome| match outcome {
            FirmwareOutcome::Offered(version) => version.to_string(),
            _ => "none".into(),
        },
    );
    assert_eq!(outcome.as_deref(), Ok(expected));
}

#[test]
fn an_offer_names_a_version() {
    check_firmware(&Reply::signed(204, b""), "none");
    let location = "/firmware?version=1.4.0%2B7";
    let found = Reply::signed(302, b"Found. Redirecting to /firmware?version=1.4.0%2B7")
        .with("Location", location);
    check_firmware(&found, "1.4.0+7");
    let ok = Reply::signed(200, location.as_bytes()).with("location", location);
    check_firmware(&ok, "1.4.0+7");
}

#[test]
fn a_certificate_is_handed_out_as_signed() {
    let reply = Reply::signed(200, PEM.as_bytes());
    let read = |pem: providore_client::VerifiedPem<'_>| pem.text().to_owned();
    let csr = CertificateRequest::new("x");
    assert_eq!(receive(csr, &reply, (1, 128), read).as_deref(), Ok(PEM));
    let current = CurrentCertificate::new();
    assert_eq!(receive(current, &reply, (1, 128), read).as_deref(), Ok(PEM));
}

#[test]
fn an_image_is_proven_chunk_by_chunk() {
    let body: Vec<u8> = (0..1000_u32).map(|i| i.to_le_bytes()[0]).collect();
    let reply = Reply::signed(200, &body);
    for size in [1, 7, 1000] {
        let mut device = device();
        let check = ImageCheck::new(b"\x00\x01", 1000, 1000)
            .with_opening(|opening, version| opening.len() == 288 && version.as_str() == "2");
        let operation = FirmwareDownload::new("2".parse().unwrap(), check);
        let mut memory = [0; Request::MAX_LEN];
        let exchange = Exchange::ask(operation, &mut device, moment(0), &mut memory).unwrap();
        let fields = reply.fields();
        let head = BorrowedHead {
            status: 200,
            fields: &fields,
        };
        let mut receiving = exchange
            .receive_image(&mut device, &head, Some(at(1)))
            .unwrap();
        let mut written = Vec::new();
        for chunk in body.chunks(size) {
            written.extend_from_slice(receiving.chunk(chunk).unwrap());
        }
        let image = receiving.finish().unwrap();
        assert_eq!((written, image.length()), (body.clone(), 1000));
        assert_eq!(image.version().as_str(), "2");
    }
}
