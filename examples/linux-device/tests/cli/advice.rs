//! Errors say what may be wrong, and where.

use crate::{
    home::{Home, finish, is_there},
    server::{Reply, honest, start},
    signed::home,
};

#[test]
fn a_redirection_is_told_with_its_location() {
    for status in [301, 308] {
        let address = start(move |_| {
            Reply::unsigned(status, b"").with("location", "https://provision.example/x")
        });
        let (_, log) = Home::new(address).check(&["config"], 1);
        let told = format!("(status {status}) to \"https://provision.example/x\"");
        assert!(log.contains(&told), "{log}");
    }
}

#[test]
fn a_configuration_that_the_server_does_not_have_is_called_that() {
    let home = home(|server| server.config.clear());
    let (_, log) = home.check(&["config"], 1);
    let told = "the server has no configuration for this device";
    assert!(log.contains(told), "{log}");
}

#[test]
fn the_variable_of_a_proxy_is_named_without_its_password() {
    let home = Home::new(String::from("http://192.0.2.1"));
    let mut command = home.command(&["config"]);
    command.env("http_proxy", "http://user:pass-word@127.0.0.1:1");
    let (_, log) = finish(&mut command, 1);
    assert!(
        log.contains("http_proxy is set: the request may have gone to that proxy"),
        "{log}"
    );
    assert!(!log.contains("pass-word"), "{log}");
}

#[test]
fn the_state_folder_of_systemd_is_the_default() {
    let home = Home::new(String::new());
    let state = home.path("from-systemd");
    let mut command = home.bare();
    command
        .env("PROVIDORE_SECRET", crate::server::SECRET)
        .env("STATE_DIRECTORY", format!("{}:/other", state.display()))
        .args(["config", "--dialect", "original", "--server", &honest()])
        .args(["--device-id", crate::server::DEVICE]);
    finish(&mut command, 0);
    assert!(is_there(&state.join("config.json")));
}

#[test]
fn an_error_of_storage_names_the_path() {
    let home = Home::new(honest());
    let blocked = home.write("a-file", "") + "/below";
    let (_, log) = home.check(&["config", "--config-path", &blocked], 5);
    assert!(log.contains(&blocked), "{log}");
}

#[test]
fn no_color_is_respected_on_a_terminal() {
    for (value, is_coloured) in [("", true), ("1", false)] {
        let home = Home::new(honest());
        let secret = home.write("secret", crate::server::SECRET);
        let program = env!("CARGO_BIN_EXE_providore-device");
        let line = format!(
            "{program} config --dialect original --server http://127.0.0.1:1 --device-id d \
             --secret-file {secret}"
        );
        // A terminal of its own for the program.
        let mut terminal = std::process::Command::new("script");
        terminal.args(["-qec", &line, "/dev/null"]);
        terminal.env("NO_COLOR", value).env("HOME", home.path(""));
        let output = terminal.output().unwrap();
        let shown = String::from_utf8_lossy(&output.stdout);
        assert!(shown.contains("not done"), "{shown}");
        assert_eq!(shown.contains("\u{1b}["), is_coloured, "{shown:?}");
    }
}

#[test]
fn an_address_with_a_zone_is_asked_and_the_zone_is_told_to_nobody() {
    use std::io::{BufRead as _, BufReader, Write as _};
    let listener = std::net::TcpListener::bind("[::1]:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let head = BufReader::new(&stream).lines().map(Result::unwrap);
        let head: Vec<_> = head.take_while(|line| !line.is_empty()).collect();
        let answer = b"HTTP/1.1 503 no\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        stream.write_all(answer).unwrap();
        head
    });
    // The first interface of a network is its loopback.
    let home = Home::new(format!("http://[::1%251]:{port}"));
    let (_, log) = home.check(&["config"], 1);
    assert!(log.contains("503"), "{log}");
    let host = format!("host: [::1]:{port}");
    let head = asked.join().unwrap();
    assert!(
        head.iter().any(|line| line.eq_ignore_ascii_case(&host)),
        "{head:?}"
    );
}

#[test]
fn what_can_never_be_an_address_is_2_with_a_reason() {
    for (address, why) in [
        ("http://[::1", "invalid IPv6 address"),
        ("http://a:99999", "invalid port number"),
        (
            "https://[fe80::1%25eth0]",
            "no certificate names an address with a zone",
        ),
        ("http://10.0.0.1%25eth0", "no ] behind the zone"),
        ("http://[fe80::1%25]", "a zone belongs to an IPv6 address"),
    ] {
        let (_, log) = Home::new(String::from(address)).check(&["config"], 2);
        assert!(log.contains(why), "{log}");
    }
}
