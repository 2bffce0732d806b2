//! The bytes of clients that are deployed today.

use std::{fs, process::Command};

use providore_sign::{
    HeaderInstructions, SoftwareKey,
    original::{RequestToSign, sign_request},
};
use providore_wire::Method;

use super::running::{SECRET, Site, now};

/// Runs OpenSSL in a folder; it must succeed.
fn openssl(site: &Site, args: &str) -> String {
    let output = Command::new("openssl")
        .args(args.split(' '))
        .current_dir(site.folder.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{args}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// A request as the Go client writes it: its header order and case, its way of quoting, an RSA key.
#[test]
fn the_go_client_gets_a_certificate_that_openssl_accepts() {
    let site = Site::new();
    let server = site.serve(&[]);
    openssl(
        &site,
        "req -new -newkey rsa:2048 -nodes -keyout key.pem -out csr.pem -subj /CN=dev1",
    );
    let csr = fs::read_to_string(site.path("csr.pem")).unwrap();
    let request = RequestToSign {
        device: &"dev1".parse().unwrap(),
        method: Method::Post,
        path: "/certificates/request",
        version: &"1.0".parse().unwrap(),
        body: csr.as_bytes(),
    };
    let mut key = SoftwareKey::new(SECRET.as_bytes()).unwrap();
    let mut memory = [0; HeaderInstructions::MAX_LEN];
    let headers = sign_request(&mut key, &request, now(), 900, &mut memory).unwrap();
    let value = |name| headers.value(name).unwrap();
    let authorization = value("authorization").replace("key-id=\"dev1\"", "key-id=dev1");
    let sent = format!(
        "POST /certificates/request HTTP/1.1\r\nHost: 127.0.0.1:3300\r\n\
         User-Agent: Go-http-client/1.1\r\nContent-Length: {}\r\nAuthorization: {authorization}\r\n\
         Content-Type: text/plain\r\nCreated-At: {}\r\nExpiry: {}\r\nX-Firmware-Version: 1.0\r\n\
         Accept-Encoding: gzip\r\n\r\n{csr}",
        csr.len(),
        value("created-at"),
        value("expiry"),
    );
    let answer = server.raw(&sent);
    assert_eq!(answer.status, 200, "{answer:?}");
    fs::write(site.path("chain.pem"), &answer.body).unwrap();
    let root = server.raw("GET /certificates/ca.pem HTTP/1.1\r\nhost: x\r\n\r\n");
    fs::write(site.path("root.pem"), &root.body).unwrap();
    let crl = server.raw("GET /certificates/crl.pem HTTP/1.1\r\nhost: x\r\n\r\n");
    fs::write(site.path("crl.pem"), &crl.body).unwrap();
    openssl(
        &site,
        "verify -x509_strict -purpose sslclient -CAfile root.pem -untrusted chain.pem chain.pem",
    );
    openssl(&site, "crl -in crl.pem -noout");
    assert_eq!(
        openssl(&site, "x509 -in chain.pem -noout -pubkey"),
        openssl(&site, "req -in csr.pem -noout -pubkey"),
    );
    // The very same bytes once more: the stored answer, nothing issued.
    let again = server.raw(&sent);
    assert_eq!((again.status, again.body), (200, answer.body));
    server.wait_for("came again");
}

/// The C firmware compares names byte for byte and has 21 bytes for a date.
#[test]
fn the_c_firmware_can_read_the_answer() {
    let site = Site::new();
    let server = site.serve(&[]);
    let sent = String::from_utf8(super::running::signed(
        "dev1", SECRET, "GET", "/config", "1.0.0", b"",
    ))
    .unwrap();
    let answer = server.raw(sent.replace('"', ""));
    assert_eq!(
        (answer.status, answer.text()),
        (200, r#"{"version":"one"}"#)
    );
    for name in ["created-at", "expiry"] {
        assert_eq!(
            answer.field(name).map(str::len),
            Some(20),
            "{}",
            answer.head
        );
    }
    assert!(answer.field("signature").is_some() && answer.bears(SECRET));
}

#[test]
fn the_way_of_an_update_is_that_of_the_first_providore() {
    let site = Site::new();
    let server = site.serve(&[]);
    let check = server.ask("GET", "/firmware/check", "1.0.0", b"");
    assert_eq!(check.status, 302);
    assert_eq!(check.field("location"), Some("/firmware?version=2.0.0"));
    assert!(check.bears(SECRET));
    let image = server.ask("GET", "/firmware?version=2.0.0", "1.0.0", b"");
    assert_eq!((image.status, image.body.len()), (200, 3_000_000));
    assert!(image.bears(SECRET));
    let check = server.ask("GET", "/firmware/check", "2.0.0", b"");
    assert!(check.status == 204 && check.bears(SECRET));
    let unknown = server.ask("GET", "/firmware?version=9", "1.0.0", b"");
    assert!(unknown.status == 404 && unknown.bears(SECRET));
}

#[test]
fn an_original_installation_is_served_as_it_stands() {
    let site = Site::new();
    site.write(
        "etc/config.json",
        r#"{"webserver":{"protocol":"http","bind":"127.0.0.1","port":0},
            "configStore":"../configStore","firmwareStore":"../firmwareStore",
            "certificateStore":"../certs","openSSL":{"bin":"openssl"},"logging":{}}"#,
    );
    let config = site.path("etc/config.json");
    let server = site.serve(&["--config", config.to_str().unwrap()]);
    assert_eq!(
        server.ask("GET", "/config", "2.0.0", b"").text(),
        r#"{"version":"two"}"#
    );
    assert!(site.path("certs/issued.jsonl").exists());
}
