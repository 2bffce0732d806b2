//! Configuration, and the daemon.

use core::time::Duration;
use std::process::Stdio;

use crate::{
    home::{Home, is_there},
    server::{Reply, honest, sign_as_first_providore, start},
};

#[test]
fn a_configuration_is_stored_once() {
    let home = Home::new(honest());
    let hook = home.hook(0);
    let path = home.path("app/config.json");
    let arguments = [
        "config",
        "--config-path",
        path.to_str().unwrap(),
        "--hook",
        &hook,
    ];
    let (out, _) = home.check(&arguments, 0);
    assert_eq!(out, format!("New configuration in {}\n", path.display()));
    assert_eq!(home.read("app/config.json"), "{\"interval\":60}");
    assert_eq!(home.mode("app/config.json"), 0o600);
    let (out, _) = home.check(&arguments, 0);
    assert_eq!(out, "Configuration is current\n");
    assert_eq!(home.read("hook.log").lines().count(), 1);
}

#[test]
fn a_first_providores_dates_are_read() {
    let server = start(|_| {
        let mut reply = Reply::signed(200, b"{}");
        reply.fields = sign_as_first_providore(b"{}");
        reply
    });
    let home = Home::new(server);
    home.check(&["config", "--first-providore"], 0);
    assert_eq!(home.read("state/config.json"), "{}");
}

#[test]
fn programs_get_one_json_object_a_line() {
    let home = Home::new(honest());
    let (out, _) = home.check(&["config", "--json"], 0);
    let object: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(object["event"], "config");
    assert_eq!(object["changed"], true);
    let wrong = ["config", "--json", "--device-id", "other"];
    let (out, _) = home.check(&wrong, 3);
    let object: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(object["exit"], 3);
}

#[test]
fn the_daemon_keeps_all_current_and_stops_when_told() {
    let home = Home::new(honest());
    let firmware = home.path("firmware");
    let hook = home.hook(0);
    let mut daemon = home
        .command(&["run", "--firmware-dir", firmware.to_str().unwrap()])
        .args(["--hook", &hook])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut patience = 0;
    let done = || is_there(&home.path("hook.log")) && home.read("hook.log").lines().count() == 3;
    while !done() && patience < 300 {
        #[expect(clippy::disallowed_methods, reason = "the daemon is another process")]
        std::thread::sleep(Duration::from_millis(100));
        patience += 1;
    }
    let pid = daemon.id().to_string();
    std::process::Command::new("kill")
        .args(["-TERM", &pid])
        .status()
        .unwrap();
    assert_eq!(daemon.wait().unwrap().code(), Some(0));
    let log = home.read("hook.log");
    for event in ["config", "certificate", "firmware"] {
        assert!(log.contains(&format!("word {event} ")), "{log}");
    }
    assert!(is_there(&home.path("firmware/current")));
}
