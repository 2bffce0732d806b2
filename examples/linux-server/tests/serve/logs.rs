//! Logs: a reader that is gone, full or asleep harms nobody, and what is logged is worth reading.

use std::{
    fs::File,
    net::{SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use providore_sign::{
    HeaderInstructions, SoftwareKey,
    signed::{self, Keys, Validity},
};
use providore_wire::{Method, Target, Timestamp, signed::Nonce};

use super::running::{Answer, SECRET, Site, metric, now, raw, signed};

const REFUSED: &str = "GET /config HTTP/1.1\r\nhost: x\r\n\r\n";
const KEY: &str = "32 bytes that only dev2 can know";

/// A server whose log cannot be read along.
struct Unheard {
    process: Child,
    address: SocketAddr,
}

impl Drop for Unheard {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts a server with this as its standard error, and waits until it answers.
fn serve(site: &Site, stderr: Stdio, shell: Option<&str>) -> Unheard {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut command = site.command();
    if let Some(redirection) = shell {
        let mut shell = Command::new("sh");
        let run = format!("exec \"$0\" \"$@\" {redirection}");
        shell.args(["-c", &run]).arg(command.get_program());
        shell.env("PROVIDORE_DATA", site.folder.path());
        command = shell;
    }
    command.args(["serve", "--address-per-second", "100000", "--http"]);
    command.arg(address.to_string()).stderr(stderr);
    let process = command.spawn().unwrap();
    let began = Instant::now();
    while std::net::TcpStream::connect(address).is_err() {
        assert!(began.elapsed() < Duration::from_secs(10), "it never began");
        thread::sleep(Duration::from_millis(20));
    }
    Unheard { process, address }
}

/// Nothing that the log does may harm a request, a change of the records, or the end.
fn check(what: &str, stderr: Stdio, shell: Option<&str>, is_lossy: bool) {
    let site = Site::new();
    let mut server = serve(&site, stderr, shell);
    for round in 0..12 {
        for _ in 0..300 {
            assert_eq!(raw(server.address, REFUSED).status, 401, "{what} {round}");
        }
        thread::sleep(Duration::from_millis(100));
    }
    let ask = || signed("dev1", SECRET, "GET", "/config", "1.0.0", b"");
    assert_eq!(raw(server.address, ask()).status, 200, "{what}");
    let mut disable = site.command();
    assert!(
        disable
            .args(["device", "disable", "dev1"])
            .status()
            .unwrap()
            .success()
    );
    let began = Instant::now();
    while raw(server.address, ask()).status != 401 {
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{what}: still let in"
        );
        thread::sleep(Duration::from_millis(50));
    }
    let dropped = metric(server.address, "providore_log_lines_dropped_total ");
    assert_eq!(dropped > 0, is_lossy, "{what}: {dropped} dropped");
    let id = server.process.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .unwrap()
            .success()
    );
    let began = Instant::now();
    let code = loop {
        if let Some(status) = server.process.try_wait().unwrap() {
            break status.code();
        }
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "{what}: never ends"
        );
        thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(code, Some(0), "{what}");
}

#[test]
fn a_log_that_nobody_hears_harms_no_request_and_no_change() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    check("the reader is gone", writer.into(), None, true);
    let full = File::options().write(true).open("/dev/full").unwrap();
    check("the disk is full", full.into(), None, true);
    check(
        "standard error is closed",
        Stdio::inherit(),
        Some("2>&-"),
        false,
    );
}

#[test]
fn a_log_that_nobody_reads_stops_neither_requests_nor_the_end() {
    let (_reader, writer) = std::io::pipe().unwrap();
    let mut filler = writer.try_clone().unwrap();
    // The pipe is full before the server writes its first line.
    thread::spawn(move || {
        let _ = std::io::Write::write_all(&mut filler, &vec![b'x'; 1024 * 1024]);
    });
    thread::sleep(Duration::from_millis(200));
    check("nobody reads", writer.into(), None, false);
}

#[test]
fn a_failure_to_start_ends_also_when_nobody_hears_of_it() {
    let check = |stderr: Stdio| {
        let site = Site::new();
        let mut command = site.command();
        let args = ["serve", "--config", "absent.toml"];
        let status = command.args(args).stderr(stderr).status().unwrap();
        assert_eq!(status.code(), Some(1));
    };
    check(
        File::options()
            .write(true)
            .open("/dev/full")
            .unwrap()
            .into(),
    );
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    check(writer.into());
}

#[test]
fn a_stranger_does_not_choose_how_much_is_written() {
    let site = Site::new();
    let server = site.serve(&["--address-per-second", "100000"]);
    let began = Instant::now();
    for _ in 0..500 {
        server.raw(REFUSED);
    }
    let more = server.wait_for("more requests refused");
    assert!(more.contains("WARN"), "{more}");
    let seconds = usize::try_from(began.elapsed().as_secs()).unwrap() + 2;
    let lines = server.logged().len();
    assert!(lines <= 11 * seconds, "{lines} in {seconds} s");
    let counted = metric(server.http.unwrap(), "providore_unauthenticated_total ");
    assert_eq!(counted, 500);
}

#[test]
fn a_refusal_names_its_peer_its_device_and_what_is_wrong() {
    let site = Site::new();
    let server = site.serve(&[]);
    let check = |request: &[u8], parts: &[&str]| {
        assert_eq!(server.raw(request).status, 401);
        let line = server.wait_for("\"request refused\"");
        for part in parts.iter().chain(&["\"peer\":\"127.0.0.1\"", "WARN"]) {
            assert!(line.contains(part), "{part}: {line}");
        }
    };
    let good = String::from_utf8(signed("dev1", SECRET, "GET", "/config", "1.0.0", b"")).unwrap();
    let wrong = signed("dev1", "wrong", "GET", "/config", "1.0.0", b"");
    check(
        &wrong,
        &["\"claimed\":\"dev1\"", "signature does not match"],
    );
    let stranger = signed("nobody", SECRET, "GET", "/config", "1.0.0", b"");
    check(&stranger, &["\"claimed\":\"nobody\"", "unknown device"]);
    let malformed = good.replace("created-at: ", "created-at: yesterday");
    check(malformed.as_bytes(), &["created-at"]);
    // A proxy that drops a field which the device has signed.
    let request = ask(
        Timestamp::from_unix(now().unix()).unwrap(),
        7,
        Some("bytes=5-"),
    );
    let stripped = request.replace("range: bytes=5-\r\n", "");
    assert_ne!(stripped, request);
    check(
        stripped.as_bytes(),
        &["range is covered", "dropped", "\"claimed\":\"dev2\""],
    );
}

/// A request of `dev2` in the dialect `Signed`, by a clock that shows this.
fn ask(clock: Timestamp, nonce: u8, range: Option<&str>) -> String {
    let keys = Keys::derive(&mut SoftwareKey::new(KEY.as_bytes()).unwrap()).unwrap();
    let device = "dev2".parse().unwrap();
    let target = Target::parse("/config").unwrap();
    let mut request = signed::RequestToSign::new(&device, Method::Get, target);
    if let Some(range) = range {
        request = request.range(range);
    }
    let mut memory = [0; HeaderInstructions::MAX_LEN];
    let validity = Validity::window(clock, 60);
    let nonce = Nonce::new([nonce; 16]);
    let headers = signed::sign_request(&keys, &request, validity, &nonce, &mut memory).unwrap();
    let mut text = String::from("GET /config HTTP/1.1\r\nhost: x\r\n");
    for (name, value) in headers.fields() {
        text.extend([name, ": ", value, "\r\n"]);
    }
    text.push_str("\r\n");
    text
}

#[test]
fn a_healthy_device_without_a_clock_is_no_warning() {
    let site = Site::new();
    let record = serde_json::json!({ "dev2": { "secretKey": KEY, "dialect": "signed" } });
    site.write("configStore/devices.json", record.to_string());
    let server = site.serve(&["--log-level", "debug"]);
    let check = |answer: Answer| {
        assert_eq!(answer.status, 401);
        assert!(answer.field("providore-challenge").is_some());
        let line = server.wait_for("was told a challenge");
        for part in ["DEBUG", "\"device\":\"dev2\"", "\"peer\":\"127.0.0.1\""] {
            assert!(line.contains(part), "{line}");
        }
    };
    check(server.raw(ask(Timestamp::from_unix(20).unwrap(), 1, None)));
    // From before the start of the server: every device after each restart.
    check(server.raw(ask(now(), 2, None)));
    let address = server.http.unwrap();
    assert_eq!(metric(address, "providore_challenged_total "), 2);
    assert_eq!(metric(address, "providore_unauthenticated_total "), 0);
}
