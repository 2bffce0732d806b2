//! A day in the life of an operator: start, change, watch, stop.

use std::{
    fs,
    io::{Read as _, Write as _},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use super::running::{SECRET, Site, devices, read_answer, signed};

#[test]
fn a_device_added_by_the_command_line_is_known_at_once() {
    let site = Site::new();
    let server = site.serve(&[]);
    let added = site
        .command()
        .args(["device", "add", "late", "--dialect", "original", "--json"])
        .output()
        .unwrap();
    let added: serde_json::Value = serde_json::from_slice(&added.stdout).unwrap();
    let secret = added["secret"].as_str().unwrap();
    site.write("configStore/late/config.json", "{\"late\":true}");
    let answer = server.raw(signed("late", secret, "GET", "/config", "1.0.0", b""));
    assert_eq!((answer.status, answer.text()), (200, "{\"late\":true}"));
    let mut disable = site.command();
    let disabled = disable
        .args(["device", "disable", "late"])
        .output()
        .unwrap();
    assert!(disabled.status.success());
    let again = signed("late", secret, "GET", "/config", "1.0.1", b"");
    assert_eq!(server.raw(again).status, 401);
    server.wait_for("devices file changed");
}

#[test]
fn the_list_of_devices_says_what_runs_and_when_it_was_heard() {
    let site = Site::new();
    let list = || -> serde_json::Value {
        let listed = site
            .command()
            .args(["device", "list", "--json"])
            .output()
            .unwrap();
        serde_json::from_slice(&listed.stdout).unwrap()
    };
    let server = site.serve(&[]);
    assert_eq!(
        (&list()[0]["runs"], &list()[0]["heard"]),
        (&serde_json::Value::Null, &serde_json::Value::Null)
    );
    assert_eq!(server.ask("GET", "/config", "1.0.0", b"").status, 200);
    // One who cannot prove that it is the device is not heard.
    let forged = signed("dev1", "another secret", "GET", "/config", "6.6.6", b"");
    assert_eq!(server.raw(forged).status, 401);
    assert_eq!(server.stop(), Some(0));
    assert_eq!(list()[0]["runs"], "1.0.0");
    assert!(list()[0]["heard"].as_str().unwrap().starts_with("20"));
    let shown = site
        .command()
        .args(["device", "show", "dev1"])
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&shown.stdout).contains("running 1.0.0"));
}

#[test]
fn a_broken_devices_file_keeps_the_last_good_records_and_says_so() {
    let site = Site::new();
    let server = site.serve(&[]);
    site.write("configStore/devices.json", "{\"dev1\": ");
    server.wait_for("KEEPING THE LAST GOOD RECORDS");
    assert_eq!(server.ask("GET", "/config", "1.0.0", b"").status, 200);
    site.write(
        "configStore/devices.json",
        devices(&[("dev1", "a new secret")]),
    );
    server.wait_for("devices file changed; its records");
    assert_eq!(server.ask("GET", "/config", "1.0.0", b"").status, 401);
}

#[test]
fn a_changed_configuration_is_served_without_a_restart() {
    let site = Site::new();
    let server = site.serve(&[]);
    assert_eq!(
        server.ask("GET", "/config", "1.0.0", b"").text(),
        r#"{"version":"one"}"#
    );
    site.write("configStore/dev1/one.json", r#"{"version":"new"}"#);
    thread::sleep(Duration::from_millis(1500));
    assert_eq!(
        server.ask("GET", "/config", "1.0.0", b"").text(),
        r#"{"version":"new"}"#
    );
}

#[test]
fn start_up_mistakes_are_errors_that_say_what_to_do() {
    let site = Site::new();
    let check = |args: &[&str], code: i32, what: &str| {
        let said = site.command().arg("serve").args(args).output().unwrap();
        let text = String::from_utf8(said.stderr).unwrap();
        assert_eq!(said.status.code(), Some(code), "{args:?}: {text}");
        assert!(text.contains(what), "{args:?}: {text}");
    };
    check(&["--http", "nowhere"], 2, "invalid");
    check(&["--config", "absent.toml"], 1, "absent.toml");
    check(
        &["--http", "127.0.0.1:0", "--log-level", "a=b=c"],
        1,
        "log level",
    );
    check(
        &[
            "--https",
            "127.0.0.1:0",
            "--tls-cert",
            "x",
            "--tls-key",
            "y",
        ],
        1,
        "x",
    );
    site.write("configStore/devices.json", "[]");
    check(&["--http", "127.0.0.1:0"], 1, "devices");
    fs::remove_file(site.path("configStore/devices.json")).unwrap();
    site.write("certificateStore/issued.jsonl", "nonsense\n");
    check(&["--http", "127.0.0.1:0"], 1, "byte 0");
}

#[test]
fn health_and_metrics_are_there_for_who_watches() {
    let site = Site::new();
    let server = site.serve(&[]);
    server.ask("GET", "/config", "1.0.0", b"");
    let health = server.raw("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n");
    assert_eq!((health.status, health.text()), (200, "ok\n"));
    let metrics = server.raw("GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n");
    let answered = r#"providore_answers_total{route="/config",status="200"} 1"#;
    assert!(metrics.text().contains(answered), "{}", metrics.text());
    drop(server);
    let closed = site.serve(&["--metrics", "off"]);
    assert_eq!(
        closed
            .raw("GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n")
            .status,
        404
    );
}

#[test]
fn https_shows_a_certificate_that_leads_to_our_own_ca() {
    let site = Site::new();
    let server = site.serve(&["--https", "127.0.0.1:0"]);
    let root = server.raw("GET /certificates/ca.pem HTTP/1.1\r\nhost: x\r\n\r\n");
    fs::write(site.path("root.pem"), root.body).unwrap();
    let mut client = Command::new("openssl")
        .args([
            "s_client",
            "-quiet",
            "-verify_return_error",
            "-verify_hostname",
            "localhost",
        ])
        .args([
            "-CAfile",
            "root.pem",
            "-connect",
            &server.https.unwrap().to_string(),
        ])
        .current_dir(site.folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let request = signed("dev1", SECRET, "GET", "/config", "1.0.0", b"");
    let mut input = client.stdin.take().unwrap();
    input.write_all(&request).unwrap();
    let mut seen = Vec::new();
    let mut output = client.stdout.take().unwrap();
    let mut chunk = [0; 4096];
    while !String::from_utf8_lossy(&seen).contains(r#"{"version":"one"}"#) {
        let length = output.read(&mut chunk).unwrap();
        assert!(length > 0, "{}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&chunk[..length]);
    }
    drop(input);
    client.kill().unwrap();
    client.wait().unwrap();
}

#[test]
fn a_stop_lets_the_download_in_hand_end() {
    let site = Site::new();
    let server = site.serve(&[]);
    let mut stream = server.connect();
    stream
        .write_all(&signed("dev1", SECRET, "GET", "/firmware", "1.0.0", b""))
        .unwrap();
    let mut first = [0; 1];
    stream.read_exact(&mut first).unwrap();
    server.signal("TERM");
    thread::sleep(Duration::from_millis(300));
    let rest = read_answer(&mut stream);
    assert_eq!(rest.body.len(), 3_000_000);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn no_secret_is_ever_logged() {
    let site = Site::new();
    let log = site.path("server.log");
    let log_file = log.to_str().unwrap();
    let mut process = site
        .command()
        .args([
            "serve",
            "--http",
            "127.0.0.1:0",
            "--log-level",
            "trace",
            "--log-file",
            log_file,
        ])
        .spawn()
        .unwrap();
    let address = (0..100).find_map(|_| {
        thread::sleep(Duration::from_millis(100));
        let text = fs::read_to_string(&log).unwrap_or_default();
        let begin = text.find("http=")? + 5;
        text[begin..]
            .split_whitespace()
            .next()?
            .parse::<std::net::SocketAddr>()
            .ok()
    });
    let mut stream = std::net::TcpStream::connect(address.unwrap()).unwrap();
    stream
        .write_all(&signed("dev1", SECRET, "GET", "/config", "1.0.0", b""))
        .unwrap();
    assert_eq!(read_answer(&mut stream).status, 200);
    process.kill().unwrap();
    process.wait().unwrap();
    let text = fs::read_to_string(&log).unwrap();
    assert!(text.contains("/config") && !text.contains(SECRET), "{text}");
}

#[test]
fn a_named_pipe_in_place_of_a_file_keeps_nobody_waiting() {
    let site = Site::new();
    let server = site.serve(&[]);
    let pipe = |name: &str| {
        let path = site.path(name);
        let _ = fs::remove_file(&path);
        let made = Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        path
    };
    let image = pipe("firmwareStore/board/2.0.0/firmware.bin");
    pipe("configStore/dev1/one.json");
    let began = std::time::Instant::now();
    let firmware = server.ask("GET", "/firmware", "1.0.0", b"");
    assert_ne!(firmware.status, 200);
    let config = server.ask("GET", "/config", "1.0.0", b"");
    assert_eq!(config.status, 503);
    server.wait_for("not a plain file");
    let mut add = site.command();
    add.args(["firmware", "add", "--type", "t", "--version", "1"])
        .arg(&image);
    let said = add.output().unwrap();
    let text = String::from_utf8_lossy(&said.stderr);
    assert!(
        said.status.code() == Some(1) && text.contains("not a plain file"),
        "{text}"
    );
    assert!(began.elapsed() < Duration::from_secs(10));
    assert_eq!(server.stop(), Some(0));
}
