//! What a server must stand: too much, too slow, too often, malformed.

use std::{io::Write as _, thread, time::Duration};

use super::running::{SECRET, Site, read_answer, signed};

const UNSIGNED: &str = "GET /config HTTP/1.1\r\nhost: x\r\n\r\n";

fn check(what: &str, bytes: impl AsRef<[u8]>, expected: &[u16]) {
    let site = Site::new();
    let server = site.serve(&[]);
    let answer = server.raw(bytes);
    assert!(expected.contains(&answer.status), "{what}: {answer:?}");
    // Whatever came, the next request is answered.
    assert_eq!(
        server.ask("GET", "/config", "1.0.0", b"").status,
        200,
        "after {what}"
    );
}

#[test]
fn malformed_messages_have_a_clear_status_and_harm_nobody() {
    check("no HTTP", "\x16\x03\x01\x02\x00", &[0, 400]);
    check(
        "unknown method",
        "BREW /config HTTP/1.1\r\nhost: x\r\n\r\n",
        &[401],
    );
    check("no signature", UNSIGNED, &[401]);
    check(
        "unknown path, no signature",
        "GET /x HTTP/1.1\r\nhost: x\r\n\r\n",
        &[401],
    );
    let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(2000));
    check("long target", long, &[400, 414]);
    let wide = format!(
        "GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n",
        "a".repeat(40_000)
    );
    check("large header", wide, &[431]);
    let many = format!(
        "GET / HTTP/1.1\r\nhost: x\r\n{}\r\n",
        "x: y\r\n".repeat(200)
    );
    check("many headers", many, &[431]);
    let large = signed(
        "dev1",
        SECRET,
        "POST",
        "/certificates/request",
        "1",
        &vec![b'x'; 20_000],
    );
    check("large body", large, &[413]);
    let garbage = signed(
        "dev1",
        SECRET,
        "POST",
        "/certificates/request",
        "1",
        b"garbage",
    );
    check("no CSR", garbage, &[422]);
    let twice = String::from_utf8(signed("dev1", SECRET, "GET", "/config", "1", b"")).unwrap();
    check(
        "a header twice",
        twice.replace("expiry", "created-at: 2026\r\nexpiry"),
        &[401],
    );
}

#[test]
fn a_body_that_is_too_large_is_answered_with_a_problem_document() {
    let site = Site::new();
    let server = site.serve(&[]);
    let body = vec![b'x'; 20_000];
    let answer = server.raw(signed("dev1", SECRET, "POST", "/report", "1", &body));
    let begin = br#"{"type":"urn:providore:problem:too-large","#;
    assert!(answer.body.starts_with(begin), "{answer:?}");
    let is_problem = answer
        .head
        .contains("content-type: application/problem+json");
    assert!(
        is_problem && answer.head.contains("connection: close"),
        "{answer:?}"
    );
}

#[test]
fn all_failures_of_authentication_look_alike_to_the_byte() {
    let site = Site::new();
    let mut records: serde_json::Value =
        serde_json::from_str(&super::running::devices(&[("dev1", SECRET), ("off", "s")])).unwrap();
    records["off"]["disabled"] = true.into();
    site.write("configStore/devices.json", records.to_string());
    let server = site.serve(&[]);
    let good = String::from_utf8(signed("dev1", SECRET, "GET", "/config", "1.0.0", b"")).unwrap();
    let attempts = [
        UNSIGNED.into(),
        String::from_utf8(signed("nobody", SECRET, "GET", "/config", "1.0.0", b"")).unwrap(),
        String::from_utf8(signed("off", "s", "GET", "/config", "1.0.0", b"")).unwrap(),
        String::from_utf8(signed("dev1", "wrong", "GET", "/config", "1.0.0", b"")).unwrap(),
        good.replace("expiry: 2", "expiry: 1"),
        good.replace("1.0.0", "1.0.1"),
        good.replace("Hmac", "hmac"),
        good.replace("created-at: ", "created-at: yesterday"),
    ];
    let shown = |answer: super::running::Answer| {
        // Both change with the second.
        let changes = ["date:", "providore-challenge:"];
        let stays = |line: &&str| !changes.iter().any(|name| line.starts_with(name));
        (
            answer.head.lines().filter(stays).collect::<String>(),
            answer.body,
        )
    };
    let first = shown(server.raw(&attempts[0]));
    assert!(first.0.contains("401"), "{first:?}");
    for attempt in &attempts {
        assert_eq!(shown(server.raw(attempt)), first, "{attempt}");
    }
    drop(server);
    let server = site.serve(&[]);
    for (attempt, reason) in [
        (&attempts[1], "unknown device"),
        (&attempts[2], "device is disabled"),
        (&attempts[3], "signature does not match"),
        (&attempts[7], "header created-at"),
    ] {
        server.raw(attempt);
        server.wait_for(reason);
    }
}

#[test]
fn slow_senders_are_cut_off_and_hold_nobody_up() {
    let site = Site::new();
    site.write(
        "slow.toml",
        "http = \"127.0.0.1:0\"\n[limits]\nrequest_timeout_s = 1\n",
    );
    let config = site.path("slow.toml");
    let server = site.serve(&["--config", config.to_str().unwrap()]);
    let mut head = server.connect();
    head.write_all(b"GET /config HTTP/1.1\r\nhost:").unwrap();
    let mut body = server.connect();
    let request = signed(
        "dev1",
        SECRET,
        "POST",
        "/certificates/request",
        "1",
        b"0123456789",
    );
    body.write_all(&request[..request.len() - 5]).unwrap();
    assert_eq!(server.ask("GET", "/config", "1.0.0", b"").status, 200);
    thread::sleep(Duration::from_secs(2));
    assert_eq!(read_answer(&mut body).status, 408);
    assert!([0, 408].contains(&read_answer(&mut head).status));
}

#[test]
fn a_device_that_asks_too_often_is_told_when_to_come_again() {
    let site = Site::new();
    let both = super::running::devices(&[("dev1", SECRET), ("dev2", "another")]);
    site.write("configStore/devices.json", both);
    site.write("configStore/dev2/one.json", "{}");
    let server = site.serve(&["--device-per-minute", "2"]);
    for _ in 0..2 {
        assert_eq!(server.ask("GET", "/config", "1.0.0", b"").status, 200);
    }
    let refused = server.ask("GET", "/config", "1.0.0", b"");
    assert!(
        refused.status == 429 && refused.bears(SECRET),
        "{refused:?}"
    );
    let wait: u32 = refused.field("retry-after").unwrap().parse().unwrap();
    assert!((1..=31).contains(&wait));
    let other = server.raw(signed("dev2", "another", "GET", "/config", "1.0.0", b""));
    assert_eq!(other.status, 200);
}

#[test]
fn an_address_that_asks_too_often_is_refused_before_any_work() {
    let site = Site::new();
    let server = site.serve(&["--address-per-second", "1"]);
    let statuses: Vec<u16> = (0..15).map(|_| server.raw(UNSIGNED).status).collect();
    assert!(
        statuses.contains(&401) && statuses.contains(&429),
        "{statuses:?}"
    );
}

#[test]
fn a_body_that_is_said_to_be_too_long_is_not_waited_for() {
    let site = Site::new();
    let server = site.serve(&[]);
    let began = std::time::Instant::now();
    let head = "POST /report HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999\r\n\r\n";
    let answer = server.raw(head);
    assert_eq!(answer.status, 413);
    assert!(answer.text().contains("urn:providore:problem:too-large"));
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_request_of_http_1_1_names_one_host() {
    let site = Site::new();
    let server = site.serve(&[]);
    let check = |fields: &str, version: &str, expected: u16| {
        for target in ["/certificates/ca.pem", "/healthz", "/metrics"] {
            let request = format!("GET {target} HTTP/{version}\r\n{fields}\r\n");
            assert_eq!(server.raw(&request).status, expected, "{request}");
        }
    };
    check("host: x\r\n", "1.1", 200);
    check("host: [fe80::1]:80\r\n", "1.1", 200);
    check("host:\r\n", "1.1", 200);
    check("", "1.0", 200);
    check("", "1.1", 400);
    check("host: x\r\nhost: x\r\n", "1.1", 400);
    check("host: x\r\nhost: y\r\n", "1.0", 400);
    check("host: a b\r\n", "1.1", 400);
}

#[test]
fn what_was_passed_on_is_local_only_if_a_trusted_proxy_says_so() {
    let site = Site::new();
    let check = |args: &[&str], fields: &str, expected: u16| {
        let server = site.serve(args);
        let request = format!("GET /metrics HTTP/1.1\r\nhost: x\r\n{fields}\r\n");
        assert_eq!(server.raw(request).status, expected, "{args:?} {fields}");
    };
    let trusted = ["--trusted-proxy", "127.0.0.0/8"];
    check(&[], "", 200);
    check(&[], "forwarded: for=127.0.0.1\r\n", 404);
    check(&[], "x-forwarded-for: 127.0.0.1\r\n", 404);
    check(&[], "x-forwarded-host: x\r\n", 404);
    check(&trusted, "", 404);
    check(&trusted, "x-forwarded-for: 203.0.113.9\r\n", 404);
    check(&trusted, "forwarded: for=203.0.113.9\r\n", 404);
    check(&trusted, "x-forwarded-for: 192.168.0.9\r\n", 200);
    check(&trusted, "forwarded: for=192.168.0.9\r\n", 200);
    check(
        &trusted,
        "forwarded: for=192.168.0.9\r\nx-forwarded-for: 203.0.113.9\r\n",
        400,
    );
    check(
        &["--trusted-proxy", "127.0.0.1", "--metrics", "everyone"],
        "",
        200,
    );
}
