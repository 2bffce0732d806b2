//! What commands change in records after a device was added, and what they say of releases that nobody
//! can have.

use std::{
    fs,
    io::Write as _,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use super::program::{Place, Said};

fn with_input(mut command: Command, input: &[u8]) -> Said {
    let mut process = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    process.stdin.take().unwrap().write_all(input).unwrap();
    Said::from(process.wait_with_output().unwrap())
}

#[test]
fn a_configuration_comes_from_standard_input_and_is_shown_again() {
    let place = Place::new();
    place.ok(&["device", "add", "lamp"]);
    place.fails(&["device", "config", "lamp"], 1, "has no configuration");
    let config = "{\"interval\": 60}\n";
    let said = with_input(
        place.command(&["device", "config", "lamp", "-"]),
        config.as_bytes(),
    );
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(place.ok(&["device", "config", "lamp"]), config);
    let said = with_input(
        place.command(&["device", "config", "lamp", "-"]),
        b"{\"interval\": ",
    );
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("standard input"), "{}", said.err);
    assert_eq!(
        place.ok(&["device", "config", "lamp"]),
        config,
        "the one before"
    );
}

#[test]
fn a_record_is_changed_and_keeps_the_rest() {
    let place = Place::new();
    place.ok(&["device", "add", "gate", "--name", "old.lan", "--days", "7"]);
    place.fails(&["device", "set", "gate"], 2, "required");
    place.fails(
        &["device", "set", "none", "--days", "3"],
        1,
        "there is no device",
    );
    place.ok(&[
        "device",
        "set",
        "gate",
        "--name",
        "gate.lan",
        "--name",
        "192.168.7.2",
        "--profile",
        "server",
    ]);
    let before = place.devices_json()["gate"].clone();
    assert_eq!(before["names"], json!(["gate.lan", "192.168.7.2"]));
    assert_eq!(
        before["certificate"],
        json!({"days": 7, "extensions": "server_cert"})
    );
    place.ok(&[
        "device",
        "set",
        "gate",
        "--type",
        "box",
        "--version",
        "2.0",
        "--days",
        "30",
    ]);
    let after = place.devices_json()["gate"].clone();
    assert_eq!(after["secretKey"], before["secretKey"]);
    assert_eq!(after["names"], before["names"]);
    assert_eq!(
        after["certificate"],
        json!({"days": 30, "extensions": "server_cert"})
    );
    assert_eq!(
        after["firmware"],
        json!([{"type": "box", "version": "2.0"}])
    );
    place.ok(&["device", "set", "gate", "--no-names"]);
    assert_eq!(place.devices_json()["gate"].get("names"), None);
}

#[test]
fn a_release_that_is_not_published_is_named_by_the_commands() {
    let place = Place::new();
    let said = place.run(&[
        "device",
        "add",
        "ghost",
        "--type",
        "t9",
        "--version",
        "1.0.0",
    ]);
    assert_eq!(said.code, Some(0));
    assert!(
        said.err.contains("t9 1.0.0 is not published"),
        "{}",
        said.err
    );
    let listed = place.run(&["firmware", "list"]);
    assert!(
        listed
            .err
            .contains("t9 1.0.0 is in the record of 1 devices"),
        "{}",
        listed.err
    );
    // Published, it is no news.
    let image = place.write("image.bin", "image");
    let image = image.to_str().unwrap();
    place.ok(&[
        "firmware",
        "add",
        image,
        "--type",
        "t9",
        "--version",
        "1.0.0",
    ]);
    assert_eq!(place.run(&["firmware", "list"]).err, "");
    let said = place.run(&["device", "add", "two", "--type", "t9", "--version", "1.0.0"]);
    assert!(!said.err.contains("not published"), "{}", said.err);
    // Moved away.
    fs::remove_file(place.data("firmwareStore/t9/1.0.0/image.bin")).unwrap();
    let listed = place.run(&["firmware", "list", "--json"]);
    assert_eq!(listed.out, "[]\n");
    assert!(
        listed.err.contains("in the record of 2 devices"),
        "{}",
        listed.err
    );
}

#[test]
fn a_withdrawn_release_leaves_the_chain_whole() {
    let place = Place::new();
    place.ok(&["device", "add", "lamp", "--type", "t", "--version", "1"]);
    place.ok(&["device", "add", "hall", "--type", "t", "--version", "1"]);
    let image = place.write("image.bin", "image");
    for version in ["2", "3"] {
        let image = image.to_str().unwrap();
        place.ok(&[
            "firmware",
            "add",
            image,
            "--type",
            "t",
            "--version",
            version,
            "--all",
        ]);
    }
    let chain = |id: &str| -> Vec<(Value, Value)> {
        let devices = place.devices_json();
        let releases = devices[id]["firmware"].as_array().unwrap().iter();
        releases
            .map(|release| (release["version"].clone(), release["next"].clone()))
            .collect()
    };
    let pair = |version: &str, next: Option<&str>| (json!(version), json!(next));
    let whole = [pair("1", Some("2")), pair("2", Some("3")), pair("3", None)];
    assert_eq!(chain("lamp"), whole);
    place.ok(&["firmware", "withdraw", "t", "2", "--device", "lamp"]);
    assert_eq!(chain("lamp"), [pair("1", Some("3")), pair("3", None)]);
    assert_eq!(chain("hall"), whole, "for others it stays");
    let answer = place.json(&["firmware", "withdraw", "t", "3"]);
    assert_eq!(answer, json!({"withdrawn": ["lamp", "hall"]}));
    assert_eq!(chain("lamp"), [pair("1", None)]);
    assert_eq!(chain("hall"), [pair("1", Some("2")), pair("2", None)]);
    place.fails(
        &["firmware", "withdraw", "t", "3"],
        1,
        "is offered to no such device",
    );
    assert!(place.data("firmwareStore/t/3/image.bin").exists());
    // The same release can be offered again.
    let image = image.to_str().unwrap();
    place.ok(&[
        "firmware",
        "add",
        image,
        "--type",
        "t",
        "--version",
        "3",
        "--all",
    ]);
    assert_eq!(chain("lamp"), [pair("1", Some("3")), pair("3", None)]);
}

#[test]
fn an_id_that_cannot_be_is_refused_with_what_is_allowed() {
    let place = Place::new();
    for id in ["", "bad id!", ".x", "a/b", &"x".repeat(65)] {
        place.fails(&["device", "add", id], 2, "allowed are 1 to 64");
        place.fails(&["device", "show", id], 2, "allowed are 1 to 64");
        place.fails(&["firmware", "withdraw", id, "1"], 2, "allowed are 1 to 64");
    }
}

#[test]
fn an_error_is_json_for_programs() {
    let place = Place::new();
    place.ok(&["device", "add", "lamp"]);
    let said = place.run(&["device", "add", "lamp", "--json"]);
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""));
    let error: Value = serde_json::from_str(&said.err).unwrap();
    assert_eq!(error["error"], "there is a device lamp already");
    assert!(error["hint"].as_str().unwrap().contains("rotate-secret"));
}

#[test]
fn a_slip_in_the_devices_file_is_named_by_every_command() {
    let place = Place::new();
    place.write(
        "data/configStore/devices.json",
        r#"{"lamp": {"secretKey": "s", "name": "x"}}"#,
    );
    let said = place.run(&["device", "list"]);
    assert_eq!(said.code, Some(0));
    assert!(
        said.err
            .contains(r#""name" means nothing; is "names" meant?"#),
        "{}",
        said.err
    );
    place.write(
        "data/configStore/devices.json",
        r#"{"lamp": {"secretKey": "s", "disable": true}}"#,
    );
    place.fails(&["device", "list"], 1, r#"is "disabled" meant?"#);
}
