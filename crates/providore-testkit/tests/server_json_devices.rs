//! `devices.json`: every generation is read, and an edit keeps what it does not know.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

extern crate alloc;

use core::time::Duration;
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    time::{Instant, SystemTime},
};

use futures_lite::future::block_on;
use providore_pki::Profile;
use providore_server_core::{
    Device, DeviceStore as _, Dialect, FileName, FirmwareStore as _,
    json_files::{JsonStore, Layout, LoadError, file_mode_is_private, write_private},
};
use providore_testkit::parties::{Peer, Site, at};
use serde_json::{Value, json};

/// A folder with a devices file in it.
struct Data(tempfile::TempDir);

impl Data {
    fn new(devices: &Value) -> Self {
        let data = Self(tempfile::tempdir().unwrap());
        data.write("configStore/devices.json", devices.to_string());
        data
    }

    fn layout(&self) -> Layout {
        Layout::below(self.0.path())
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn open(&self) -> JsonStore {
        JsonStore::open(self.layout()).unwrap()
    }

    fn entries(&self) -> Value {
        serde_json::from_slice(&fs::read(self.layout().devices).unwrap()).unwrap()
    }
}

fn find(store: &JsonStore, id: &str) -> Option<alloc::sync::Arc<Device>> {
    block_on(store.device(&id.parse().unwrap())).unwrap()
}

/// Reads an entry, and checks that the device can sign with `secret` and what its releases are.
fn check_entry(entry: &Value, secret: &str, releases: &[[Option<&str>; 5]]) -> Device {
    let data = Data::new(&json!({ "dev1": entry }));
    let store = data.open();
    let device = Device::clone(&find(&store, "dev1").unwrap());
    let read: Vec<_> = device
        .releases
        .iter()
        .map(|release| {
            [
                Some(release.hardware.as_str()),
                Some(release.version.as_str()),
                release.file.as_ref().map(FileName::as_str),
                release.config.as_ref().map(FileName::as_str),
                release.next.as_ref().map(AsRef::as_ref),
            ]
        })
        .collect();
    assert_eq!(read, releases);
    let mut peer = Peer::new("dev1");
    peer.secret = secret.into();
    let answer = Site::new(store).ask(&peer.get("/certificate", at(0)), at(0));
    assert_eq!(answer.status, 404, "the device is who it says");
    device
}

/// Expects that an entry is refused with a message that names the device and this.
fn check_refused(entry: &Value, what: &str) {
    let data = Data::new(&json!({ "good": "secret", "dev1": entry }));
    match JsonStore::open(data.layout()) {
        Err(error @ LoadError::Device { .. }) => {
            let shown = error.to_string();
            assert!(shown.contains("dev1") && shown.contains(what), "{shown}");
            assert!(!shown.contains("canary"), "{shown}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_generation_of_an_entry_is_read() {
    let (board, v1, v2) = (Some("board"), Some("1.0.0"), Some("2.0.0"));
    check_entry(&json!("a secret"), "a secret", &[]);
    let secret = "c2VjcmV0";
    check_entry(&json!({ "secretKey": secret }), secret, &[]);
    let one = json!({ "secretKey": secret, "firmware": { "type": "board", "version": "1.0.0" } });
    check_entry(&one, secret, &[[board, v1, None, None, None]]);
    let many = json!({ "secretKey": secret, "firmware": [
        { "type": "board", "version": "1.0.0", "config": "v1.json", "next": "2.0.0" },
        { "type": "board", "version": "2.0.0", "config": "v2.json", "file": "app.bin" },
    ] });
    let releases = [
        [board, v1, None, Some("v1.json"), v2],
        [board, v2, Some("app.bin"), Some("v2.json"), None],
    ];
    check_entry(&many, secret, &releases);
    let newest = json!({ "secretKey": secret, "certificate": {}, "firmware": [] });
    let device = check_entry(&newest, secret, &[]);
    assert_eq!(
        (device.certificate.profile, device.certificate.days),
        (Profile::Client, 90)
    );
}

#[test]
fn the_place_of_a_signed_release_is_read_and_has_to_make_sense() {
    let entry = |members: Value| {
        let mut release = json!({ "type": "board", "version": "1.0.0" });
        release
            .as_object_mut()
            .unwrap()
            .extend(members.as_object().unwrap().clone());
        json!({ "secretKey": "canary-secret", "firmware": [release] })
    };
    let one: [Option<&str>; 5] = [Some("board"), Some("1.0.0"), None, None, None];
    for (members, expected) in [
        (json!({}), None),
        (json!({ "sequence": 1 }), Some((1, 0))),
        (
            json!({ "sequence": u64::MAX, "minimumSequence": 7 }),
            Some((u64::MAX, 7)),
        ),
    ] {
        let device = check_entry(&entry(members), "canary-secret", &[one]);
        let order = device.releases[0].order;
        assert_eq!(
            order.map(|order| (order.sequence(), order.minimum())),
            expected
        );
    }
    check_refused(&entry(json!({ "sequence": 0 })), "sequence 0");
    check_refused(
        &entry(json!({ "sequence": 7, "minimumSequence": 7 })),
        "minimumSequence 7",
    );
    check_refused(
        &entry(json!({ "minimumSequence": 7 })),
        "without a sequence",
    );
    check_refused(&entry(json!({ "sequence": -1 })), "");
    check_refused(&entry(json!({ "sequence": 1.5 })), "");
}

#[test]
fn what_is_written_down_of_a_failure_counts_even_if_it_is_damaged() {
    let data = Data::new(&json!({ "dev1": "secret" }));
    let store = data.open();
    let id = "dev1".parse().unwrap();
    let failed = || {
        let mut failures = block_on(store.failures(&id)).unwrap();
        failures.sort_by(|a, b| a.version.cmp(&b.version));
        failures
            .into_iter()
            .map(|failure| failure.version.to_string())
            .collect::<Vec<_>>()
    };
    data.write(
        "failureStore/dev1/1.0",
        r#"{"at":1,"rolled_back":true,"reason":"x"}"#,
    );
    data.write("failureStore/dev1/2.0", "torn");
    data.write("failureStore/dev1/3.0", vec![b'x'; 100_000]);
    data.write(
        "failureStore/dev1/.tmpx",
        "the rest of a write that a power cut ended",
    );
    assert_eq!(failed(), ["1.0", "2.0", "3.0"]);
    block_on(store.forget_failure(&id, &"2.0".parse().unwrap())).unwrap();
    assert_eq!(failed(), ["1.0", "3.0"]);
}

#[test]
fn every_name_of_a_profile_is_read() {
    for (name, profile) in [
        ("server_cert", Profile::Server),
        ("user_cert", Profile::Client),
        ("usr_cert", Profile::Client),
    ] {
        let certificate = json!({ "extensions": name, "days": 3650 });
        let entry = json!({ "secretKey": "s", "certificate": certificate });
        let device = check_entry(&entry, "s", &[]);
        assert_eq!(
            (device.certificate.profile, device.certificate.days),
            (profile, 3650)
        );
    }
}

#[test]
fn our_own_members_are_read() {
    let entry =
        json!({ "secretKey": "s", "dialect": "original", "names": ["a.example", "10.0.0.1"] });
    let device = check_entry(&entry, "s", &[]);
    assert_eq!(device.certificate.alt_names.len(), 2);
    let data = Data::new(&json!({ "dev1": { "secretKey": "s", "disabled": true } }));
    assert!(!find(&data.open(), "dev1").unwrap().enabled);
    let (secret, next) = ("x".repeat(16), "y".repeat(64));
    let record = |entry: Value| Device::clone(&find(&Data::new(&entry).open(), "dev1").unwrap());
    let device = record(
        json!({ "dev1": { "secretKey": secret, "nextSecretKey": next, "dialect": "signed" } }),
    );
    assert_eq!(device.dialect, Dialect::Signed);
    assert!(device.has_next_secret());
    let device = record(json!({ "dev1": { "secretKey": secret, "nextSecretKey": secret } }));
    assert_eq!(
        device.dialect,
        Dialect::Original,
        "as the first Providore wrote it"
    );
    assert!(!device.has_next_secret(), "it is the present one");
}

#[test]
fn two_entries_of_one_name_are_refused_by_name_and_never_edited_away() {
    let data = Data::new(&json!({}));
    let store = data.open();
    let twice = r#"{"dev1":"canary-1","dev2":"secret","dev1":{"secretKey":"canary-2"}}"#;
    data.write("configStore/devices.json", twice);
    let edited = store.edit(|_| Ok::<_, LoadError>(()));
    for outcome in [JsonStore::open(data.layout()).map(drop), edited] {
        let shown = format!("{}", outcome.unwrap_err());
        assert!(shown.contains("dev1") && shown.contains("twice"), "{shown}");
        assert!(!shown.contains("canary"), "{shown}");
    }
    assert_eq!(fs::read_to_string(data.layout().devices).unwrap(), twice);
}

#[test]
fn a_record_that_cannot_be_used_is_refused_by_name() {
    let release = |release: Value| json!({ "secretKey": "canary", "firmware": [release] });
    check_refused(&json!(""), "secret");
    check_refused(&json!({}), "secretKey");
    check_refused(&json!({ "secretKey": "x".repeat(257) }), "secret");
    check_refused(
        &json!({ "secretKey": "canary", "dialect": "newest" }),
        "dialect",
    );
    check_refused(
        &json!({ "secretKey": "canary-15-bytes", "dialect": "signed" }),
        "15 bytes",
    );
    check_refused(
        &json!({ "secretKey": "canary".repeat(11), "dialect": "signed" }),
        "66 bytes",
    );
    for next in [json!("canary-15-bytes"), json!("x".repeat(65)), json!(7)] {
        check_refused(
            &json!({ "secretKey": "a secret", "nextSecretKey": next }),
            "nextSecretKey",
        );
    }
    check_refused(
        &json!({ "secretKey": "canary", "names": ["*.example"] }),
        "name",
    );
    check_refused(
        &json!({ "secretKey": "canary", "certificate": { "days": 0 } }),
        "days",
    );
    check_refused(
        &json!({ "secretKey": "canary", "certificate": { "days": 3651 } }),
        "days",
    );
    let extensions = json!({ "secretKey": "canary", "certificate": { "extensions": "v3_ca" } });
    check_refused(&extensions, "v3_ca");
    check_refused(&release(json!({ "type": "b" })), "");
    check_refused(&release(json!({ "type": "../b", "version": "1" })), "type");
    check_refused(&release(json!({ "type": "b", "version": ".." })), "version");
    check_refused(
        &release(json!({ "type": "b", "version": "1", "next": "a/b" })),
        "next",
    );
    for path in [
        "../devices.json",
        "/etc/passwd",
        "a/../../devices.json",
        "..",
        "a\\b",
        "",
    ] {
        check_refused(
            &release(json!({ "type": "b", "version": "1", "config": path })),
            "config",
        );
        check_refused(
            &release(json!({ "type": "b", "version": "1", "file": path })),
            "file",
        );
    }
    let many = vec![json!({ "type": "b", "version": "1" }); 257];
    check_refused(&json!({ "secretKey": "canary", "firmware": many }), "256");
}

#[test]
fn a_secret_in_the_wrong_place_or_type_is_not_repeated() {
    for entry in [
        json!(20_260_102),
        json!({ "secretKey": 20_260_102 }),
        json!([20_260_102]),
    ] {
        let data = Data::new(&json!({ "dev1": entry }));
        let error = JsonStore::open(data.layout()).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("20260102"), "{shown}");
    }
    let data = Data::new(&json!("canary-secret"));
    let error = JsonStore::open(data.layout()).unwrap_err();
    assert!(
        !format!("{error} {error:?}").contains("canary"),
        "{error:?}"
    );
}

#[test]
fn an_id_that_is_a_path_is_refused() {
    for id in ["../dev1", "a/b", "..", "", ".", "a\\b", &"x".repeat(65)] {
        let data = Data::new(&json!({ id: "secret" }));
        assert!(JsonStore::open(data.layout()).is_err(), "{id}");
    }
}

#[test]
fn a_missing_file_is_an_empty_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = JsonStore::open(Layout::below(folder.path())).unwrap();
    assert!(store.devices().is_empty());
    assert!(!store.refresh().unwrap());
    write_private(&store.layout().devices, br#"{"dev1":"secret"}"#).unwrap();
    assert!(store.refresh().unwrap());
    assert!(find(&store, "dev1").is_some());
}

#[test]
fn a_file_that_is_broken_or_gone_keeps_the_last_good_records_and_is_reported_once() {
    let data = Data::new(&json!({ "dev1": "secret" }));
    let store = data.open();
    let path = data.layout().devices;
    let mut broken = vec![None];
    let files = [
        "{\"dev1\":",
        "",
        "[]",
        "{\"dev2\":7}",
        "null",
        "{\"a/b\":\"s\"}",
    ];
    broken.extend(files.map(Some));
    for file in broken {
        match file {
            Some(text) => fs::write(&path, text).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        assert!(store.refresh().is_err(), "{file:?}");
        for _ in 0..3 {
            assert!(!store.refresh().unwrap(), "{file:?} is reported twice");
        }
        assert!(find(&store, "dev1").is_some(), "{file:?}");
    }
    fs::write(&path, "{\"dev2\":\"secret\"}").unwrap();
    assert!(store.refresh().unwrap());
    assert!(find(&store, "dev1").is_none() && find(&store, "dev2").is_some());
}

#[test]
fn a_change_is_seen_however_it_is_made() {
    let data = Data::new(&json!({ "dev1": "secret" }));
    let store = data.open();
    let path = data.layout().devices;
    let same_size = r#"{"dev2":"secret"}"#;
    assert_eq!(same_size.len(), fs::read(&path).unwrap().len());
    // In place, with the same size and the same date, as a copy that preserves dates does it.
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, same_size).unwrap();
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(modified)
        .unwrap();
    assert!(store.refresh().unwrap());
    assert!(find(&store, "dev2").is_some());
    // By another file, older than the first.
    let other = path.with_extension("new");
    fs::write(&other, r#"{"dev3":"secret"}"#).unwrap();
    fs::File::options()
        .write(true)
        .open(&other)
        .unwrap()
        .set_modified(SystemTime::UNIX_EPOCH)
        .unwrap();
    fs::rename(&other, &path).unwrap();
    assert!(store.refresh().unwrap());
    assert!(find(&store, "dev3").is_some());
}

#[test]
fn an_edit_keeps_what_it_does_not_know_and_the_order() {
    let data = Data::new(&json!({
        "zeta": { "note": "kept", "secretKey": "s", "firmware": [{ "type": "b", "version": "1", "sha": 7 }] },
        "alpha": "secret",
        "mike": { "secretKey": "s", "x": { "y": [1, null] } },
    }));
    let before = data.entries();
    let store = data.open();
    let edit = |devices: &mut providore_server_core::json_files::DeviceEdit| {
        devices.insert("beta".into(), json!("another"));
        Ok::<_, LoadError>(devices.len())
    };
    assert_eq!(store.edit(edit).unwrap(), 4);
    assert!(find(&store, "beta").is_some(), "in use at once");
    assert!(!store.refresh().unwrap(), "and not news");

    let after = data.entries();
    let keys: Vec<_> = after
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(keys, ["zeta", "alpha", "mike", "beta"]);
    for key in ["zeta", "alpha", "mike"] {
        assert_eq!(after[key], before[key]);
    }
}

#[test]
fn an_edit_that_fails_changes_nothing() {
    let data = Data::new(&json!({ "dev1": "secret" }));
    let store = data.open();
    let before = fs::read(data.layout().devices).unwrap();
    let refused: Result<(), LoadError> = store.edit(|devices| {
        devices.insert("a/b".into(), json!("secret"));
        Ok(())
    });
    assert!(matches!(refused, Err(LoadError::Device { .. })));
    let given_up: Result<(), LoadError> = store.edit(|devices| {
        devices.clear();
        Err(LoadError::Read(std::io::ErrorKind::Other.into()))
    });
    assert!(matches!(given_up, Err(LoadError::Read(_))));
    assert_eq!(fs::read(data.layout().devices).unwrap(), before);
    assert_eq!(store.devices().len(), 1);
    // And nothing is left over.
    let mut names: Vec<_> = fs::read_dir(data.layout().config)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["devices.json", "devices.json.lock"]);
}

#[test]
fn edits_at_once_lose_nothing() {
    let data = Data::new(&json!({}));
    std::thread::scope(|scope| {
        for half in 0..4 {
            let data = &data;
            scope.spawn(move || {
                let store = data.open();
                for count in 0..10 {
                    let insert = |devices: &mut providore_server_core::json_files::DeviceEdit| {
                        devices.insert(format!("dev{half}-{count}"), json!("secret"));
                        Ok::<_, LoadError>(())
                    };
                    store.edit(insert).unwrap();
                }
            });
        }
    });
    assert_eq!(data.open().devices().len(), 40);
}

#[test]
fn a_written_file_is_whole_and_for_its_owner_alone() {
    let data = Data::new(&json!({ "dev1": "secret" }));
    let path = data.layout().devices;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(!file_mode_is_private(&path).unwrap());
    let store = data.open();
    store.edit(|_| Ok::<_, LoadError>(())).unwrap();
    assert!(file_mode_is_private(&path).unwrap());
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // A reader never sees half of it.
    let text = |size: usize| format!("{{\"dev1\":\"{}\"}}", "x".repeat(size));
    let sizes = [1, 200];
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for round in 0..200 {
                write_private(&path, text(sizes[round % 2]).as_bytes()).unwrap();
            }
        });
        while !writer.is_finished() {
            let seen = fs::read_to_string(&path).unwrap();
            let whole = sizes.map(text).contains(&seen) || seen.contains("secret");
            assert!(whole, "{seen}");
        }
    });
}

#[test]
fn ten_thousand_devices_are_read_at_once_and_found_by_name() {
    let entry = json!({ "secretKey": "0123456789abcdef", "firmware": [
        { "type": "board", "version": "1.0.0", "config": "c.json", "next": "2.0.0" },
        { "type": "board", "version": "2.0.0", "config": "c.json" },
    ], "certificate": { "extensions": "usr_cert", "days": 30 } });
    let devices = (0..10_000).map(|number| (format!("device-{number}"), entry.clone()));
    let data = Data::new(&Value::Object(devices.collect()));
    let begun = clock();
    let store = data.open();
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert_eq!(store.devices().len(), 10_000);
    assert!(find(&store, "device-9999").is_some());
}

#[expect(
    clippy::disallowed_methods,
    reason = "a bound that a quadratic loader would break"
)]
fn clock() -> Instant {
    Instant::now()
}
