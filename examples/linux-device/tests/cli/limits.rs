//! What is too much for this machine is known before it is fetched, and told to the server.

use alloc::sync::Arc;
use std::sync::Mutex;

use providore_testkit::PoorFiles;
use providore_wire::MAX_CONFIG_LEN;

use crate::{
    home::{Home, is_there},
    signed::{Server, home, install, manifest},
};

type Asked = Arc<Mutex<Vec<String>>>;

fn watched(change: impl FnOnce(&mut Server)) -> (Home, Asked) {
    let asked = Asked::default();
    let seen = asked.clone();
    let home = home(move |server| {
        server.asked = seen;
        change(server);
    });
    (home, asked)
}

/// Tries to install firmware on a poor file system; returns what the machine said and what the server
/// was asked and told.
fn try_there(args: &[&str], is_signed: bool) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let poor = PoorFiles::mount(folder.path(), args);
    let (home, asked) = watched(|server| server.manifest = is_signed.then(|| manifest(1, 7)));
    let place = poor.path().join("firmware");
    let place = ["--firmware-dir", place.to_str().unwrap()];
    let (_, log) = if is_signed {
        install(&home, &place, 5)
    } else {
        home.check(&[&["firmware"][..], &place].concat(), 5)
    };
    assert!(!is_there(&poor.path().join("firmware/download")));
    let asked = asked.lock().unwrap().join("\n");
    (log, asked)
}

#[test]
fn firmware_that_finds_no_room_is_refused_before_its_first_byte_and_told() {
    for is_signed in [true, false] {
        let (log, asked) = try_there(&["--links", "--room", "2000000"], is_signed);
        let told = "needs 2097166 bytes, 2097152 of them for records, has ";
        assert!(log.contains(told), "{log}");
        let report = asked.lines().find(|line| line.starts_with("/report"));
        assert!(report.is_some_and(|line| line.contains(told)), "{asked}");
        assert_eq!(asked.contains("/firmware?version"), !is_signed, "{asked}");
    }
}

#[test]
fn a_file_system_that_cannot_switch_firmware_is_named_before_the_download() {
    for is_signed in [true, false] {
        let (log, asked) = try_there(&[], is_signed);
        let told = "no symbolic link can be made and replaced";
        assert!(log.contains(told), "{log}");
        let report = asked.lines().find(|line| line.starts_with("/report"));
        assert!(report.is_some_and(|line| line.contains(told)), "{asked}");
        assert_eq!(asked.contains("/firmware?version"), !is_signed, "{asked}");
    }
}

#[test]
fn firmware_is_installed_where_there_is_just_enough() {
    let folder = tempfile::tempdir().unwrap();
    let poor = PoorFiles::mount(folder.path(), &["--links", "--room", "2400000"]);
    let home = home(|server| server.manifest = Some(manifest(1, 7)));
    let place = poor.path().join("firmware");
    install(&home, &["--firmware-dir", place.to_str().unwrap()], 0);
    assert!(is_there(&place.join("current")));
}

fn config_of(length: usize) -> Vec<u8> {
    let text = "x".repeat(length.saturating_sub(8));
    format!("{{\"a\":\"{text}\"}}").into_bytes()
}

#[test]
fn the_longest_configuration_of_the_protocol_is_taken_once() {
    let config = config_of(MAX_CONFIG_LEN);
    assert_eq!(config.len(), MAX_CONFIG_LEN);
    let (home, _) = watched(|server| server.config = config.clone());
    let hook = home.hook(0);
    home.check(&["config", "--hook", &hook], 0);
    assert_eq!(home.read("state/config.json").into_bytes(), config);
    let (out, _) = home.check(&["config", "--hook", &hook], 0);
    assert_eq!(out, "Configuration is current\n");
}

#[test]
fn a_configuration_that_this_machine_cannot_hold_is_told_with_its_limit() {
    let (home, asked) = watched(|server| server.config = config_of(MAX_CONFIG_LEN + 64 * 1024));
    home.check(&["config"], 4);
    let asked = asked.lock().unwrap().join("\n");
    let told = "longer than this device can hold: 1064960 bytes";
    assert!(asked.contains(told), "{asked}");
    assert!(!is_there(&home.path("state/config.json")));
}
