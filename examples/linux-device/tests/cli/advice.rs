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
