//! The server behind the real nginx and the real `HAProxy`, with the configurations of `proxies/`.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::std_instead_of_core,
    reason = "tests of a program for Linux, with helpers that clippy.toml does not exempt"
)]

#[path = "serve/running.rs"]
#[expect(
    dead_code,
    reason = "shared with the other tests of a server that runs"
)]
mod running;

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use providore_sign::{
    HeaderInstructions, SoftwareKey,
    signed::{Keys, RequestToSign, Validity, sign_request},
};
use providore_wire::{
    Method, Target,
    signed::{Challenge, Nonce},
};
use sha2::{Digest as _, Sha256};

use running::{Answer, Running, SECRET, Site, raw, read_answer, signed};

/// A proxy that runs.
struct Proxy {
    process: Child,
    address: SocketAddr,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Our configuration with other addresses.
fn configured(name: &str, listen: (&str, &str), server: SocketAddr) -> (String, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let path = format!("{}/proxies/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(listen.0) && text.contains("127.0.0.1:3000"));
    let text = text.replace(listen.0, &listen.1.replace("ADDR", &address.to_string()));
    (text.replace("127.0.0.1:3000", &server.to_string()), address)
}

fn start(mut command: Command, address: SocketAddr) -> Proxy {
    let process = command.stdin(Stdio::null()).spawn();
    let process = process.unwrap_or_else(|error| panic!("{error}: bash .ci/run proxies"));
    let proxy = Proxy { process, address };
    let began = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert!(began.elapsed() < Duration::from_secs(10), "no proxy");
        thread::sleep(Duration::from_millis(20));
    }
    proxy
}

fn nginx(site: &Site, server: SocketAddr) -> Proxy {
    let (text, address) = configured("nginx.conf", ("listen 80;", "listen ADDR;"), server);
    let folder = site.folder.path().display();
    let own = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {folder}/{kind};"))
        .concat();
    let text = text.replace("http {", &format!("http {{ access_log off; {own}"));
    site.write("nginx.conf", text);
    let mut command = Command::new("nginx");
    let globals = format!("daemon off; pid {folder}/nginx.pid; error_log stderr warn;");
    command.args(["-e", "stderr", "-g", &globals, "-c"]);
    command.arg(site.path("nginx.conf"));
    // One process, which is the one that is killed.
    site.write(
        "nginx.conf",
        format!(
            "master_process off;\n{}",
            fs::read_to_string(site.path("nginx.conf")).unwrap()
        ),
    );
    start(command, address)
}

fn haproxy(site: &Site, server: SocketAddr) -> Proxy {
    let (text, address) = configured("haproxy.cfg", ("bind :80\n", "bind ADDR\n"), server);
    site.write("haproxy.cfg", text);
    let mut command = Command::new("haproxy");
    command.args(["-db", "-f"]).arg(site.path("haproxy.cfg"));
    start(command, address)
}

/// One request from this address, through the proxy.
fn ask_from(proxy: &Proxy, from: &str, request: &[u8]) -> Answer {
    use std::io::Write as _;
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let from: SocketAddr = format!("{from}:0").parse().unwrap();
    socket.bind(&from.into()).unwrap();
    socket.connect(&proxy.address.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream.write_all(request).unwrap();
    read_answer(&mut stream)
}

fn plain(target: &str, more: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nhost: x\r\n{more}\r\n").into_bytes()
}

fn scene(proxy: fn(&Site, SocketAddr) -> Proxy, args: &[&str]) -> (Site, Running, Proxy) {
    let site = Site::new();
    let server = site.serve(args);
    let proxy = proxy(&site, server.http.unwrap());
    (site, server, proxy)
}

/// What devices sign arrives as it was sent, and what the server signs does too.
fn check_devices(proxy: fn(&Site, SocketAddr) -> Proxy) {
    let (_site, server, proxy) = scene(proxy, &["--trusted-proxy", "127.0.0.1"]);
    let ask = |target: &str, version: &str| {
        let request = signed("dev1", SECRET, "GET", target, version, b"");
        let through = raw(proxy.address, &request);
        assert_eq!(through.status, server.raw(&request).status, "{target}");
        through
    };
    let config = ask("/config", "1.0.0");
    assert!(config.status == 200 && config.bears(SECRET), "{config:?}");
    let image = ask("/firmware", "1.0.0");
    assert!(image.body.len() == 3_000_000 && image.bears(SECRET));
    assert_eq!(ask("/firmware?version=1.0.0", "1.0.0").status, 200);
    for odd in [
        "//config",
        "/config/",
        "/./config",
        "/con%66ig",
        "/config?a=%2f&b",
        "/%2e/config",
    ] {
        ask(odd, "1.0.0");
    }
    let csr = signed(
        "dev1",
        SECRET,
        "POST",
        "/certificates/request",
        "1",
        b"garbage",
    );
    assert_eq!(raw(proxy.address, csr).status, 422);
    let part = raw(proxy.address, part_of_image(&server));
    assert_eq!(
        (part.status, part.body.len()),
        (206, 2_999_995),
        "{}",
        part.head
    );
}

/// A part of an image in the dialect `Signed`, where `range` and `if-range` are signed.
fn part_of_image(server: &Running) -> Vec<u8> {
    let refused = server.raw(plain("/config", ""));
    let challenge = refused.field("providore-challenge").unwrap();
    let challenge = Challenge::parse(challenge.as_bytes()).unwrap();
    let keys = Keys::derive(&mut SoftwareKey::new(SECRET.as_bytes()).unwrap()).unwrap();
    let device = "dev1".parse().unwrap();
    let target = Target::parse("/firmware?version=2.0.0").unwrap();
    let etag = format!(
        "\"{}\"",
        base16ct::lower::encode_string(&Sha256::digest(vec![0xEA; 3_000_000]))
    );
    let request = RequestToSign::new(&device, Method::Get, target);
    let request = request.range("bytes=5-").if_range(&etag);
    let mut memory = [0; HeaderInstructions::MAX_LEN];
    let validity = Validity::Challenge(&challenge);
    let nonce = Nonce::new([7; 16]);
    let headers = sign_request(&keys, &request, validity, &nonce, &mut memory).unwrap();
    let lines = headers
        .fields()
        .map(|(name, value)| format!("{name}: {value}\r\n"));
    plain("/firmware?version=2.0.0", &lines.collect::<String>())
}

/// Each client has its own limit, and none can take the name of another.
fn check_clients(proxy: fn(&Site, SocketAddr) -> Proxy) {
    let args = ["--trusted-proxy", "127.0.0.1", "--address-per-second", "2"];
    let (_site, server, proxy) = scene(proxy, &args);
    let statuses: Vec<u16> = (0..40)
        .map(|number| {
            let spoofed =
                format!("x-forwarded-for: 10.0.0.{number}\r\nforwarded: for=10.1.0.{number}\r\n");
            ask_from(&proxy, "127.0.0.2", &plain("/config", &spoofed)).status
        })
        .collect();
    assert!(statuses.contains(&429), "{statuses:?}");
    let good = signed("dev1", SECRET, "GET", "/config", "1.0.0", b"");
    assert_eq!(ask_from(&proxy, "127.0.0.3", &good).status, 200);
    let line = server.wait_for("request refused");
    assert!(line.contains("\"peer\":\"127.0.0.2\""), "{line}");
    assert_eq!(
        ask_from(&proxy, "127.0.0.3", &plain("/metrics", "")).status,
        404
    );
}

/// Without the setting a proxy is one client, and nothing that it passes on is local.
fn check_untrusted(proxy: fn(&Site, SocketAddr) -> Proxy) {
    let (_site, server, proxy) = scene(proxy, &[]);
    let good = signed("dev1", SECRET, "GET", "/config", "1.0.0", b"");
    assert_eq!(raw(proxy.address, good).status, 200);
    // Not through the proxy's own rule: as it would pass it on.
    let passed_on = plain("/metrics", "x-forwarded-for: 127.0.0.1\r\n");
    assert_eq!(server.raw(passed_on).status, 404);
    assert_eq!(server.raw(plain("/metrics", "")).status, 200);
    let refused = ask_from(&proxy, "127.0.0.2", &plain("/config", ""));
    assert_eq!(refused.status, 401);
    let line = server.wait_for("request refused");
    assert!(line.contains("\"peer\":\"127.0.0.1\""), "{line}");
}

#[test]
#[ignore = "starts nginx: bash .ci/run proxies"]
fn devices_are_served_through_nginx() {
    check_devices(nginx);
}

#[test]
#[ignore = "starts HAProxy: bash .ci/run proxies"]
fn devices_are_served_through_haproxy() {
    check_devices(haproxy);
}

#[test]
#[ignore = "starts nginx: bash .ci/run proxies"]
fn clients_behind_nginx_are_told_apart() {
    check_clients(nginx);
}

#[test]
#[ignore = "starts HAProxy: bash .ci/run proxies"]
fn clients_behind_haproxy_are_told_apart() {
    check_clients(haproxy);
}

#[test]
#[ignore = "starts nginx: bash .ci/run proxies"]
fn an_nginx_that_is_not_trusted_is_one_client() {
    check_untrusted(nginx);
}

#[test]
#[ignore = "starts HAProxy: bash .ci/run proxies"]
fn a_haproxy_that_is_not_trusted_is_one_client() {
    check_untrusted(haproxy);
}
