//! The members of `devices.json`: none twice, none nearly ours without a word, none lost.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;

use providore_server_core::json_files::{DeviceEdit, JsonStore, Layout, LoadError};
use serde_json::json;

fn write(folder: &tempfile::TempDir, text: &str) -> Layout {
    let layout = Layout::below(folder.path());
    fs::create_dir_all(&layout.config).unwrap();
    fs::write(&layout.devices, text).unwrap();
    layout
}

/// What is wrong with a file, for opening and for editing.
fn check_refused(text: &str, expected: &str) {
    let folder = tempfile::tempdir().unwrap();
    let layout = write(&folder, r#"{"dev1": {"secretKey": "secret"}}"#);
    let store = JsonStore::open(layout.clone()).unwrap();
    fs::write(&layout.devices, text).unwrap();
    let opened = JsonStore::open(layout.clone()).unwrap_err().to_string();
    assert!(opened.contains(expected), "{opened}");
    assert!(!opened.contains("hidden"), "{opened}");
    let edited = store.edit::<(), LoadError>(|_| Ok(())).unwrap_err();
    assert!(edited.to_string().contains(expected), "{edited}");
    assert_eq!(fs::read_to_string(&layout.devices).unwrap(), text);
    assert_eq!(store.devices().len(), 1, "the last good records stay");
}

#[test]
fn a_member_that_stands_twice_is_refused() {
    check_refused(
        r#"{"dev1": {"secretKey": "hidden", "disabled": true, "disabled": false}}"#,
        r#"device "dev1": its member "disabled" is there twice"#,
    );
    check_refused(
        r#"{"dev1": {"secretKey": "hidden", "note": {"a": [{"b": 1, "b": 1}]}}}"#,
        r#"its member "b" is there twice"#,
    );
}

#[test]
fn a_slip_that_would_let_a_device_in_is_refused() {
    for (slip, meant) in [
        (r#""disable": true"#, "disabled"),
        (r#""Disabled": true"#, "disabled"),
        (r#""enabled": false"#, "disabled"),
        (r#""dialekt": "signed""#, "dialect"),
    ] {
        let text = format!(r#"{{"dev1": {{"secretKey": "hidden", {slip}}}}}"#);
        check_refused(&text, &format!("is {meant:?} meant?"));
    }
}

#[test]
fn other_slips_are_told_once_and_have_no_effect() {
    let folder = tempfile::tempdir().unwrap();
    let text = r#"{"dev1": {"secretKey": "secret", "name": "x", "room": "kitchen",
        "certificate": {"day": 7}, "firmware": [{"type": "b", "version": "1", "verison": "2"}]}}"#;
    let store = JsonStore::open(write(&folder, text)).unwrap();
    let doubts = store.take_doubts();
    let [name, version, day] = &doubts[..] else {
        panic!("{doubts:?}")
    };
    assert!(name.contains(r#""name""#) && name.contains(r#""names""#));
    assert!(version.contains(r#""verison""#) && version.contains(r#""version""#));
    assert!(day.contains(r#""day""#) && day.contains(r#""days""#));
    assert!(store.take_doubts().is_empty());
}

#[test]
fn an_edit_keeps_what_it_does_not_change_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let text = r#"{
  "one": {
    "secretKey": "s\u0065cret", "price": 1.50, "big": 123456789012345678901234567890,
    "list": [ 1,2,
              3 ]
  },
  "two": "secret"
}"#;
    let layout = write(&folder, text);
    let store = JsonStore::open(layout.clone()).unwrap();
    let read = || fs::read_to_string(&layout.devices).unwrap();
    store.edit::<(), LoadError>(|_| Ok(())).unwrap();
    assert_eq!(read(), text);
    let edit = |devices: &mut DeviceEdit| {
        let one = devices.get_mut("one").unwrap().as_object_mut().unwrap();
        one.insert("disabled".into(), json!(true));
        devices.insert(
            "three".into(),
            json!({"secretKey": "other", "names": ["a", "b"]}),
        );
        Ok::<_, LoadError>(())
    };
    store.edit(edit).unwrap();
    let expected = r#"{
  "one": {
    "secretKey": "s\u0065cret",
    "price": 1.50,
    "big": 123456789012345678901234567890,
    "list": [ 1,2,
              3 ],
    "disabled": true
  },
  "two": "secret",
  "three": {
    "secretKey": "other",
    "names": [
      "a",
      "b"
    ]
  }
}"#;
    assert_eq!(read(), expected);
}

#[test]
fn an_empty_file_is_a_damaged_one() {
    check_refused("", "devices file is not JSON");
}
