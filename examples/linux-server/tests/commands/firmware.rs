//! `firmware`: images that never change, and records that lead from one version to the next.

use std::fs;

use serde_json::{Value, json};

use super::program::{Place, files_below, mode};

/// SHA-256 of `abc`, from FIPS 180-2.
const SHA256_ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn place_with_devices() -> Place {
    let place = Place::new();
    for id in ["one", "two"] {
        place.ok(&["device", "add", id, "--type", "lamp", "--version", "1.0.0"]);
    }
    place.ok(&[
        "device",
        "add",
        "other",
        "--type",
        "gate",
        "--version",
        "1.0.0",
    ]);
    place.ok(&["device", "add", "bare"]);
    place
}

fn add<'a>(version: &'a str, file: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let args = [
        "firmware",
        "add",
        "--type",
        "lamp",
        "--version",
        version,
        file,
    ];
    args.iter().chain(more).copied().collect()
}

fn versions(place: &Place, id: &str) -> Vec<(Value, Value, Value)> {
    let devices = place.devices_json();
    let releases = devices[id]["firmware"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let fields = |release: &Value| {
        (
            release["version"].clone(),
            release["next"].clone(),
            release["file"].clone(),
        )
    };
    releases.iter().map(fields).collect()
}

#[test]
fn an_image_is_stored_and_offered_to_its_type() {
    let place = place_with_devices();
    place.write("lamp.bin", "abc");
    let answer = place.json(&add("1.1.0", "lamp.bin", &["--all"]));
    assert_eq!(
        answer,
        json!({
            "type": "lamp", "version": "1.1.0", "file": "lamp.bin", "size": 3,
            "sha256": SHA256_ABC, "devices": ["one", "two"],
        })
    );
    let path = place.data("firmwareStore/lamp/1.1.0/lamp.bin");
    assert_eq!(fs::read_to_string(&path).unwrap(), "abc");
    assert_eq!(mode(&path), 0o600);
    assert_eq!(
        versions(&place, "one"),
        [
            (json!("1.0.0"), json!("1.1.0"), Value::Null),
            (json!("1.1.0"), Value::Null, json!("lamp.bin")),
        ]
    );
    assert_eq!(versions(&place, "other").len(), 1);
    assert_eq!(versions(&place, "bare").len(), 0);
    let listed = place.json(&["firmware", "list"]);
    assert_eq!(listed[0]["devices"], 2);
    assert_eq!(listed[0]["sha256"], SHA256_ABC);
}

#[test]
fn versions_form_a_chain() {
    let place = place_with_devices();
    for version in ["1.1.0", "1.2.0"] {
        place.write("lamp.bin", version);
        place.ok(&add(
            version,
            "lamp.bin",
            &["--device", "one", "--device", "bare"],
        ));
    }
    let next: Vec<Value> = versions(&place, "one")
        .into_iter()
        .map(|found| found.1)
        .collect();
    assert_eq!(next, [json!("1.1.0"), json!("1.2.0"), Value::Null]);
    let next: Vec<Value> = versions(&place, "bare")
        .into_iter()
        .map(|found| found.1)
        .collect();
    assert_eq!(next, [json!("1.2.0"), Value::Null]);
}

#[test]
fn adding_the_same_image_again_changes_nothing() {
    let place = place_with_devices();
    place.write("lamp.bin", "abc");
    place.write("copy.bin", "abc");
    place.ok(&add("1.1.0", "lamp.bin", &["--all"]));
    let before = files_below(&place.path("data"));
    place.ok(&add("1.1.0", "lamp.bin", &["--all"]));
    place.ok(&add("1.1.0", "copy.bin", &["--device", "one"]));
    assert_eq!(files_below(&place.path("data")), before);
}

#[test]
fn the_bytes_of_a_version_never_change() {
    let place = place_with_devices();
    place.write("lamp.bin", "abc");
    place.ok(&add("1.1.0", "lamp.bin", &["--all"]));
    let before = files_below(&place.path("data"));
    place.write("lamp.bin", "other");
    place.write("second.bin", "other");
    place.fails(&add("1.1.0", "lamp.bin", &["--all"]), 1, "new version");
    place.fails(&add("1.1.0", "second.bin", &["--all"]), 1, "new version");
    assert_eq!(files_below(&place.path("data")), before);
}

#[test]
fn an_image_for_other_hardware_is_kept_from_a_device() {
    let place = place_with_devices();
    place.write("lamp.bin", "abc");
    let before = place.devices_json();
    place.fails(
        &add(
            "1.1.0",
            "lamp.bin",
            &["--device", "one", "--device", "other"],
        ),
        1,
        "other is not of the type lamp",
    );
    assert_eq!(place.devices_json(), before, "all or none");
}

#[test]
fn the_configuration_goes_with_the_device_to_the_next_version() {
    let place = Place::new();
    let record = json!({"old": {"secretKey": "s", "firmware": [
        {"type": "lamp", "version": "1.0.0", "config": "v1.json", "file": "a.bin"}]}});
    place.write("data/configStore/devices.json", record.to_string());
    place.write("lamp.bin", "abc");
    place.ok(&add("1.1.0", "lamp.bin", &["--all"]));
    assert_eq!(
        place.devices_json()["old"]["firmware"][1],
        json!(
        {"type": "lamp", "version": "1.1.0", "config": "v1.json", "file": "lamp.bin"})
    );
}

#[test]
fn path_tricks_write_nothing() {
    let place = Place::new();
    place.write("lamp.bin", "abc");
    place.write(".hidden", "abc");
    place.write("bell\u{7}.bin", "abc");
    place.write("empty.bin", "");
    for bad in ["../x", "a/b", "..", "/x"] {
        place.fails(&add(bad, "lamp.bin", &[]), 2, "invalid value");
        place.fails(
            &[
                "firmware",
                "add",
                "--type",
                bad,
                "--version",
                "1",
                "lamp.bin",
            ],
            2,
            "invalid value",
        );
    }
    place.fails(&add("1", ".hidden", &[]), 1, "rename the file");
    place.fails(&add("1", "bell\u{7}.bin", &[]), 1, "rename the file");
    place.fails(&add("1", "empty.bin", &[]), 1, "empty");
    place.fails(&add("1", "..", &[]), 1, "rename the file");
    place.fails(&add("1", ".", &[]), 1, "rename the file");
    place.fails(&add("1", "missing.bin", &[]), 1, "missing.bin");
    place.fails(
        &add("1", "lamp.bin", &["--device", "nobody"]),
        1,
        "no device nobody",
    );
    let mut made = files_below(&place.path("data/firmwareStore"));
    made.retain(|(_, bytes)| !bytes.is_empty());
    assert_eq!(made, []);
}
