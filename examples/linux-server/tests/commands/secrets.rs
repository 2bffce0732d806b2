//! `device dialect` and `device rotate-secret`: who may speak what, and how a secret is replaced.

use std::fs;

use serde_json::{Value, json};

use super::program::{Place, Said, files_below};

/// A place with a device of each dialect.
fn place() -> Place {
    let place = Place::new();
    place.ok(&["device", "add", "new"]);
    place.ok(&["device", "add", "old", "--dialect", "original"]);
    place
}

/// Runs a command that must succeed, and returns what it said and the entry of the device. Nothing
/// of the entry's secrets is said, unless the command hands one over.
fn check(place: &Place, args: &[&str], hands_over: bool) -> (String, Value) {
    let said = place.run(args);
    let text = format!("{}{}", said.out, said.err);
    assert_eq!(said.code, Some(0), "{args:?}: {text}");
    let entry = place.devices_json()[args[2]].clone();
    for key in ["secretKey", "nextSecretKey"] {
        if let Some(secret) = entry[key].as_str() {
            let is_said = text.contains(secret);
            assert_eq!(is_said, hands_over && key == "secretKey", "{args:?}");
        }
    }
    (text, entry)
}

#[test]
fn add_makes_signed_records_unless_told_otherwise() {
    let devices = place().devices_json();
    assert_eq!(devices["new"]["dialect"], "signed");
    assert_eq!(devices["old"]["dialect"], "original");
    let help = Place::new().ok(&["device", "add", "--help"]);
    assert!(help.contains("plain HTTP"), "{help}");
    let place = Place::new();
    place.fails(
        &["device", "add", "x", "--dialect", "best"],
        2,
        "original, signed",
    );
}

#[test]
fn a_dialect_is_shown_and_set() {
    let place = place();
    assert_eq!(place.ok(&["device", "dialect", "old"]), "original\n");
    let (said, entry) = check(&place, &["device", "dialect", "old", "signed"], false);
    assert!(said.contains("nothing weaker"), "{said}");
    assert_eq!(entry["dialect"], "signed");
    let (said, entry) = check(&place, &["device", "dialect", "old", "original"], false);
    assert!(said.contains("warning") && said.contains("HTTP"), "{said}");
    assert_eq!(entry["dialect"], "original");
    let (said, _) = check(&place, &["device", "dialect", "old", "original"], false);
    assert!(!said.contains("warning"), "{said}");
    let shown = place.json(&["device", "dialect", "new"]);
    assert_eq!(shown, json!({"id": "new", "dialect": "signed"}));
    for id in ["old", "new"] {
        let dialect = place.devices_json()[id]["dialect"].clone();
        assert_eq!(place.json(&["device", "show", id])["dialect"], dialect);
    }
    place.fails(&["device", "dialect", "nobody"], 1, "no device nobody");
}

#[test]
fn a_secret_too_short_for_the_dialect_is_named_with_what_to_do() {
    let place = Place::new();
    place.write("data/configStore/devices.json", r#"{"lamp": "hunter2"}"#);
    let before = place.devices_json();
    let said = place.fails(
        &["device", "dialect", "lamp", "signed"],
        1,
        "rotate-secret lamp --now",
    );
    assert!(
        said.contains("7 bytes") && !said.contains("hunter2"),
        "{said}"
    );
    assert_eq!(place.devices_json(), before);
    place.ok(&["device", "rotate-secret", "lamp", "--now"]);
    place.ok(&["device", "dialect", "lamp", "signed"]);
}

#[test]
fn a_command_that_changes_an_entry_of_a_first_providore_says_its_dialect() {
    let place = Place::new();
    place.write("data/configStore/devices.json", r#"{"lamp": "hunter2"}"#);
    place.ok(&["device", "disable", "lamp"]);
    assert_eq!(place.devices_json()["lamp"]["dialect"], "original");
}

#[test]
fn a_signed_device_fetches_its_next_secret_and_nobody_sees_it() {
    let place = place();
    let before = place.devices_json();
    let (said, entry) = check(&place, &["device", "rotate-secret", "new"], false);
    assert!(said.contains("device show new"), "{said}");
    assert_eq!(entry["secretKey"], before["new"]["secretKey"]);
    let next = entry["nextSecretKey"].as_str().unwrap();
    assert_eq!(next.len(), 43, "256 bits as base64url");
    assert_eq!(place.devices_json()["old"], before["old"]);

    let (said, _) = check(&place, &["device", "show", "new"], false);
    assert!(said.contains("next secret  waits"), "{said}");
    let list = place.ok(&["device", "list"]);
    assert!(list.contains("waits") && !list.contains(next), "{list}");
    for (id, waits) in [("new", true), ("old", false)] {
        assert_eq!(
            place.json(&["device", "show", id])["next_secret_waits"],
            waits
        );
        let list = place.json(&["device", "list"]);
        let list = list.as_array().unwrap();
        let listed = list.iter().find(|device| device["id"] == id).unwrap();
        assert_eq!(listed["next_secret_waits"], waits);
    }
    // Once more: another one, and the first is void.
    let (said, again) = check(&place, &["device", "rotate-secret", "new"], false);
    assert!(said.contains("void"), "{said}");
    assert_ne!(again["nextSecretKey"], entry["nextSecretKey"]);
    let answer = place.json(&["device", "rotate-secret", "new"]);
    assert_eq!(answer, json!({"id": "new", "next_secret_waits": true}));
}

#[test]
fn a_next_secret_is_taken_back() {
    let place = place();
    let before = place.devices_json();
    place.ok(&["device", "rotate-secret", "new"]);
    let cancel = ["device", "rotate-secret", "new", "--cancel"];
    let (said, _) = check(&place, &cancel, false);
    assert!(said.contains("keeps its secret"), "{said}");
    assert_eq!(place.devices_json(), before);
    let (said, _) = check(&place, &cancel, false);
    assert!(said.contains("No new secret waits"), "{said}");
    place.fails(
        &["device", "rotate-secret", "new", "--cancel", "--now"],
        2,
        "--now",
    );
}

#[test]
fn a_stolen_secret_is_void_at_once_and_so_is_one_that_waits() {
    let place = place();
    let before = place.devices_json();
    place.ok(&["device", "rotate-secret", "new"]);
    let now = ["device", "rotate-secret", "new", "--now"];
    let (said, entry) = check(&place, &now, true);
    assert!(said.contains("psk,data,string,"), "{said}");
    assert_ne!(entry["secretKey"], before["new"]["secretKey"]);
    assert_eq!(entry.get("nextSecretKey"), None);
    let answer = place.json(&now);
    assert_eq!(answer["secret"], place.devices_json()["new"]["secretKey"]);
    let help = place.ok(&["device", "rotate-secret", "--help"]);
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        help.contains("Whoever has the old secret can read the new one off the wire"),
        "{help}"
    );

    let given = "a secret of our own";
    let args = ["device", "rotate-secret", "new", "--now", "--secret", given];
    assert_eq!(check(&place, &args, true).1["secretKey"], given);
    place.fails(
        &[
            "device",
            "rotate-secret",
            "new",
            "--now",
            "--secret",
            "short",
        ],
        1,
        "16 to 64",
    );
    assert_eq!(place.devices_json()["new"]["secretKey"], given);
}

#[test]
fn a_handover_without_now_changes_nothing() {
    let place = place();
    let before = files_below(&place.path("data"));
    for option in [
        &["--secret", "0123456789abcdef"][..],
        &["--nvs", "n.csv"],
        &["--qr"],
    ] {
        let args = [&["device", "rotate-secret", "new"][..], option].concat();
        place.fails(&args, 1, "--now");
    }
    assert_eq!(files_below(&place.path("data")), before);
    assert!(!place.path("n.csv").exists());
}

#[test]
fn a_device_of_the_original_dialect_is_given_its_secret_by_hand() {
    let place = place();
    let before = place.devices_json()["old"]["secretKey"].clone();
    for args in [
        &["device", "rotate-secret", "old"][..],
        &["device", "rotate-secret", "old", "--now"],
        &["device", "rotate-secret", "old", "--nvs", "old.csv"],
    ] {
        let (said, entry) = check(&place, args, true);
        assert!(said.contains("by hand"), "{said}");
        assert_ne!(entry["secretKey"], before);
        assert_eq!(entry.get("nextSecretKey"), None);
    }
    let table = fs::read_to_string(place.path("old.csv")).unwrap();
    let secret = place.devices_json()["old"]["secretKey"].clone();
    assert!(table.contains(secret.as_str().unwrap()));
}

fn with_input(place: &Place, args: &[&str], input: &str) -> Said {
    let file = place.write("input", input);
    let mut command = place.command(args);
    Said::from(
        command
            .stdin(fs::File::open(file).unwrap())
            .output()
            .unwrap(),
    )
}

#[test]
fn a_secret_from_standard_input_is_what_was_meant_or_is_refused() {
    let add = ["device", "add", "lamp", "--secret", "-", "--no-qr"];
    for written in [
        "\u{feff}0123456789abcdef\r\n",
        " 0123456789abcdef\n\n",
        "0123456789abcdef",
    ] {
        let place = Place::new();
        let said = with_input(&place, &add, written);
        assert_eq!(said.code, Some(0), "{}", said.err);
        let secret = &place.devices_json()["lamp"]["secretKey"];
        assert_eq!(secret, "0123456789abcdef", "{written:?}");
    }
    for (written, told) in [
        ("'0123456789abcdef'\n", "quotes around it (byte 0)"),
        ("0123456789abcdef\nmore\n", "a line end inside it (byte 16)"),
        ("0123456789\tabcdef\n", "U+0009 in it (byte 10)"),
        ("\n", "it is empty"),
    ] {
        let place = Place::new();
        let said = with_input(&place, &add, written);
        assert_ne!(said.code, Some(0), "{written:?}");
        assert!(said.err.contains(told), "{}", said.err);
    }
}

#[test]
fn files_of_json_and_toml_may_begin_with_a_byte_order_mark() {
    let place = Place::new();
    place.ok(&["device", "add", "lamp"]);
    let file = place.path("config.json");
    fs::write(&file, "\u{feff}{\"a\":1}").unwrap();
    place.ok(&["device", "config", "lamp", file.to_str().unwrap()]);
    assert_eq!(place.ok(&["device", "config", "lamp"]), "{\"a\":1}");
    // `devices.json`, edited on Windows: read, listed, changed.
    let path = place.data("configStore/devices.json");
    let devices = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("\u{feff}{devices}")).unwrap();
    assert!(place.ok(&["device", "list"]).contains("lamp"));
    place.ok(&["device", "add", "second"]);
    assert!(place.ok(&["device", "list"]).contains("second"));
    // A first Providore whose files were edited there: twice, as a comparison reads ours too.
    let theirs = "\u{feff}{\"configStore\": \"store\"}";
    place.write("old/config.json", theirs);
    place.write(
        "old/store/devices.json",
        "\u{feff}{\"third\": \"secret-of-third\"}",
    );
    for _ in 0..2 {
        let devices = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("\u{feff}{devices}")).unwrap();
        place.ok(&["import", "old"]);
        assert!(place.ok(&["device", "list"]).contains("third"));
    }
}
