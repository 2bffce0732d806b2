//! `import`: every generation of an original installation.

use std::fs;

use serde_json::{Value, json};

use super::program::{Place, files_below};

/// An original installation with this devices file, and with the files that it may name.
fn installation(place: &Place, devices: &Value) {
    place.write("old/configStore/devices.json", devices.to_string());
    place.write("old/configStore/lamp/v1.json", r#"{"v": 1}"#);
    place.write("old/firmwareStore/esp32/1.0.0/firmware.bin", "image");
}

fn lamp_with(firmware: &Value) -> Value {
    json!({"lamp": {"secretKey": "secret-of-lamp", "firmware": firmware}})
}

fn full() -> Value {
    lamp_with(&json!([
        {"type": "esp32", "version": "1.0.0", "config": "v1.json", "file": "firmware.bin"}
    ]))
}

/// What is written down of it: whoever speaks another dialect says so itself.
fn taken_over(devices: &Value) -> Value {
    let mut devices = devices.clone();
    for entry in devices.as_object_mut().unwrap().values_mut() {
        if entry.is_string() {
            *entry = json!({"secretKey": entry.take()});
        }
        entry["dialect"] = "original".into();
    }
    devices
}

fn fate(report: &Value, id: &str) -> String {
    let devices = report["devices"].as_array().unwrap();
    let found = devices.iter().find(|device| device["id"] == id).unwrap();
    found["fate"].as_str().unwrap().into()
}

fn imports(devices: &Value, expected_releases: &Value) {
    let place = Place::new();
    installation(&place, devices);
    let source = files_below(&place.path("old"));
    let report = place.json(&["import", "old"]);
    assert_eq!(fate(&report, "lamp"), "imported", "{report}");
    assert_eq!(place.devices_json(), taken_over(devices), "as it was");
    let shown = place.json(&["device", "show", "lamp"]);
    let releases = shown["releases"].as_array().unwrap().iter();
    let releases: Vec<Value> = releases
        .filter(|release| !release["type"].is_null())
        .map(|release| json!([release["type"], release["version"], release["image_size"]]))
        .collect();
    assert_eq!(Value::Array(releases), *expected_releases);
    assert_eq!(
        files_below(&place.path("old")),
        source,
        "the source is only read"
    );
    let again = place.json(&["import", "old"]);
    assert_eq!(fate(&again, "lamp"), "same");
    assert_eq!(again["files"]["copied"], 0);
}

#[test]
fn every_generation_of_the_devices_file_is_taken_over() {
    let one = json!([["esp32", "1.0.0", 5]]);
    imports(&json!({"lamp": "secret-of-lamp"}), &json!([]));
    imports(
        &lamp_with(&json!({"type": "esp32", "version": "1.0.0"})),
        &one,
    );
    imports(
        &lamp_with(&json!([{"type": "esp32", "version": "1.0.0", "config": "v1.json"}])),
        &one,
    );
    imports(&full(), &one);
    for name in ["server_cert", "user_cert", "usr_cert"] {
        let mut devices = full();
        devices["lamp"]["certificate"] = json!({"extensions": name, "days": 30});
        imports(&devices, &one);
    }
    imports(
        &json!({"lamp": {"secretKey": "s", "certificate": {"days": 7}}}),
        &json!([]),
    );
}

#[test]
fn files_come_along() {
    let place = Place::new();
    installation(&place, &full());
    place.write("old/firmwareStore/.DS_Store", "junk");
    let report = place.json(&["import", "old"]);
    assert_eq!(report["files"]["copied"], 2, "{report}");
    assert_eq!(report["devices"][0]["problems"], json!([]));
    let image = fs::read(place.data("firmwareStore/esp32/1.0.0/firmware.bin")).unwrap();
    assert_eq!(image, b"image");
    let config = fs::read(place.data("configStore/lamp/v1.json")).unwrap();
    assert_eq!(config, br#"{"v": 1}"#);
    assert!(!place.data("firmwareStore/.DS_Store").exists());
}

#[test]
fn what_an_earlier_import_left_without_a_dialect_is_the_same() {
    let place = Place::new();
    installation(&place, &full());
    place.write("data/configStore/devices.json", full().to_string());
    assert_eq!(fate(&place.json(&["import", "old"]), "lamp"), "same");
}

#[test]
fn the_first_servers_list_is_found() {
    let place = Place::new();
    place.write("old/devices/list.json", r#"{"lamp": "secret-of-lamp"}"#);
    assert_eq!(fate(&place.json(&["import", "old"]), "lamp"), "imported");
}

#[test]
fn settings_are_followed_in_both_ways_of_reading_paths() {
    let check = |prefix: &str| {
        let place = Place::new();
        installation(&place, &full());
        let settings = json!({
            "configStore": format!("{prefix}configStore"),
            "firmwareStore": format!("{prefix}firmwareStore"),
            "openSSL": {"configFile": format!("{prefix}ca/openssl.cnf")},
        });
        place.write("old/ca/openssl.cnf", "");
        place.write("old/config.json", settings.to_string());
        for from in ["old", "old/config.json"] {
            let text = place.ok(&["import", from, "--dry-run"]);
            assert!(
                text.contains("2 copied") && text.contains("old/ca"),
                "{text}"
            );
        }
    };
    check("");
    check("./");
    check("../"); // config.json taken for a folder, as the later servers did
}

#[test]
fn settings_of_a_container_are_overridden_by_options() {
    let place = Place::new();
    installation(&place, &full());
    let settings = json!({"configStore": "/devices", "firmwareStore": "/nowhere/firmware"});
    place.write("old/config.json", settings.to_string());
    place.fails(&["import", "old"], 1, "--firmware-store");
    let report = place.json(&[
        "import",
        "old",
        "--config-store",
        "old/configStore",
        "--firmware-store",
        "old/firmwareStore",
    ]);
    assert_eq!(report["files"]["copied"], 2, "{report}");
}

#[test]
fn a_dry_run_leaves_no_trace() {
    let place = Place::new();
    installation(&place, &full());
    let report = place.json(&["import", "old", "--dry-run"]);
    assert_eq!(fate(&report, "lamp"), "imported");
    assert_eq!(report["files"]["copied"], 2);
    assert!(!place.path("data").exists());
}

#[test]
fn what_is_here_stays_unless_forced() {
    let place = Place::new();
    installation(&place, &full());
    place.ok(&["device", "add", "lamp"]);
    place.write("data/firmwareStore/esp32/1.0.0/firmware.bin", "ours");
    let before = files_below(&place.path("data"));
    let said = place.run(&["import", "old", "--json"]);
    assert_eq!(said.code, Some(1));
    let report: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(fate(&report, "lamp"), "conflict");
    assert_eq!(report["files"]["left_out"].as_array().unwrap().len(), 1);
    assert!(said.err.contains("2 of the things"), "{}", said.err);
    assert_eq!(files_below(&place.path("data")), before);

    let report = place.json(&["import", "old", "--force"]);
    assert_eq!(fate(&report, "lamp"), "replaced");
    assert_eq!(place.devices_json(), taken_over(&full()));
    let weaker = report["devices"][0]["problems"].to_string();
    assert!(weaker.contains("device dialect lamp signed"), "{weaker}");
    let image = fs::read(place.data("firmwareStore/esp32/1.0.0/firmware.bin")).unwrap();
    assert_eq!(image, b"image");
}

#[test]
fn bad_entries_are_named_and_the_others_come_along() {
    let place = Place::new();
    let devices = json!({
        "good": "secret-of-good",
        "../evil": "s",
        "days": {"secretKey": "s", "certificate": {"days": 99999}},
        "empty": {"secretKey": ""},
        "leak": {"secretKey": "s", "firmware": [
            {"type": "t", "version": "1", "config": "../devices.json", "file": "f"}]},
        "devices.json": "s",
    });
    installation(&place, &devices);
    let said = place.run(&["import", "old", "--json"]);
    assert_eq!(said.code, Some(1));
    let report: Value = serde_json::from_str(&said.out).unwrap();
    for id in ["../evil", "days", "empty", "leak", "devices.json"] {
        assert_eq!(fate(&report, id), "refused", "{report}");
    }
    assert_eq!(fate(&report, "good"), "imported");
    let good = json!({"good": {"secretKey": "secret-of-good", "dialect": "original"}});
    assert_eq!(place.devices_json(), good);
    assert!(!said.out.contains("secret-of-good"));
}

#[test]
fn what_the_original_lacks_is_named() {
    let place = Place::new();
    installation(&place, &full());
    fs::remove_file(place.path("old/firmwareStore/esp32/1.0.0/firmware.bin")).unwrap();
    fs::remove_file(place.path("old/configStore/lamp/v1.json")).unwrap();
    place.write("old/certificateStore/lamp.cert.pem", "not a certificate");
    let text = place.ok(&["import", "old"]);
    for what in [
        "esp32/1.0.0/firmware.bin is not there",
        "v1.json is not there",
        "gets a new one",
    ] {
        assert!(text.contains(what), "{what}: {text}");
    }
    assert!(!place.data("certificateStore/lamp.cert.pem").exists());
}

#[test]
fn links_out_of_the_source_are_not_followed() {
    let place = Place::new();
    installation(&place, &full());
    place.write("private/key", "x");
    let link = place.path("old/configStore/lamp/private");
    std::os::unix::fs::symlink(place.path("private"), link).unwrap();
    place.fails(&["import", "old"], 1, "1 of the things");
    assert!(!place.data("configStore/lamp/private").exists());
    assert!(place.data("configStore/lamp/v1.json").exists());
}

#[test]
fn what_is_no_installation_is_refused() {
    let place = Place::new();
    place.fails(&["import", "nowhere"], 1, "there is no nowhere");
    fs::create_dir(place.path("void")).unwrap();
    place.fails(&["import", "void"], 1, "--devices FILE");
    place.write("broken/configStore/devices.json", r#"{"a": "hunter2""#);
    let message = place.fails(&["import", "broken"], 1, "devices file");
    assert!(!message.contains("hunter2"));
    assert!(!place.path("data").exists());
}
