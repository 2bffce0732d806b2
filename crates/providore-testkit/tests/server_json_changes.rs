//! What the server itself changes in `devices.json`: nothing else, whoever writes beside it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

extern crate alloc;

use alloc::sync::Arc;
use core::time::Duration;
use std::{fs, path::PathBuf, time::Instant};

use futures_lite::future::{block_on, poll_once};
use providore_server_core::{
    Device, DeviceStore as _, Dialect, StoreError,
    json_files::{DeviceEdit, JsonStore, Layout, LoadError},
};
use providore_testkit::parties::{Fresh, SignedPeer, Site, at};
use providore_wire::DeviceId;
use serde_json::{Value, json};

/// A devices file in a folder of its own.
struct Data(tempfile::TempDir);

impl Data {
    fn new(devices: &str) -> Self {
        let data = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(data.0.path().join("configStore")).unwrap();
        data.write(devices);
        data
    }

    fn path(&self) -> PathBuf {
        Layout::below(self.0.path()).devices
    }

    fn write(&self, devices: &str) {
        fs::write(self.path(), devices).unwrap();
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path()).unwrap()
    }

    fn open(&self) -> JsonStore {
        JsonStore::open(Layout::below(self.0.path())).unwrap()
    }
}

fn id(id: &str) -> DeviceId {
    id.parse().unwrap()
}

fn find(store: &JsonStore, name: &str) -> Option<Arc<Device>> {
    block_on(store.device(&id(name))).unwrap()
}

fn key_check(secret: &str) -> [u8; 8] {
    let device = Device::new(id("any"), secret.as_bytes(), Dialect::Signed);
    device.unwrap().key_check()
}

fn pin(store: &JsonStore, name: &str) -> Result<(), StoreError> {
    block_on(store.pin_dialect(&id(name), Dialect::Signed))
}

fn promote(store: &JsonStore, name: &str, secret: &str) -> Result<(), StoreError> {
    block_on(store.promote_secret(&id(name), key_check(secret)))
}

/// What is to be seen of a record.
fn seen(store: &JsonStore, name: &str) -> String {
    let device = find(store, name);
    let keys = device.as_ref().map(|d| (d.key_check(), d.next_key_check()));
    format!("{device:?} {keys:?}")
}

/// Opens `before`, lets `between` happen to the file, makes the change, and expects these members
/// in this order; `None`: not a byte is another. What is in use is what a restart would find.
fn check_beside(
    before: &str,
    between: impl FnOnce(&Data),
    change: impl FnOnce(&JsonStore) -> Result<(), StoreError>,
    after: Option<&str>,
) -> Result<(), String> {
    let data = Data::new(before);
    let store = data.open();
    between(&data);
    let untouched = data.text();
    let outcome = change(&store).map_err(|error| {
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("canary"), "{shown}");
        shown
    });
    match after {
        None => assert_eq!(data.text(), untouched),
        Some(after) => {
            let members = |text: &str| serde_json::from_str::<Value>(text).unwrap().to_string();
            assert_eq!(members(&data.text()), members(after));
        }
    }
    let restarted = data.open();
    for name in ["dev1", "dev2"] {
        assert_eq!(seen(&store, name), seen(&restarted, name));
    }
    outcome
}

fn check(
    before: &str,
    change: impl FnOnce(&JsonStore) -> Result<(), StoreError>,
    after: Option<&str>,
) -> Result<(), String> {
    check_beside(before, |_| {}, change, after)
}

/// Two secrets of the right length.
const OLD: &str = "canary-old-secret";
const NEW: &str = "canary-new-secret";

#[test]
fn a_pin_changes_one_member_and_keeps_all_others_in_their_order() {
    let pinned = |before, after| check(before, |store| pin(store, "dev1"), Some(after)).unwrap();
    pinned(
        r#"{"dev2":"a secret","dev1":"canary-old-secret"}"#,
        r#"{"dev2":"a secret","dev1":{"secretKey":"canary-old-secret","dialect":"signed"}}"#,
    );
    pinned(
        r#"{"dev1":{"note":[1,null],"dialect":"original","x":{},"secretKey":"canary-old-secret"},"dev2":"s"}"#,
        r#"{"dev1":{"note":[1,null],"dialect":"signed","x":{},"secretKey":"canary-old-secret"},"dev2":"s"}"#,
    );
}

#[test]
fn a_promotion_moves_the_secret_and_keeps_all_other_members_in_their_order() {
    let after = r#"{"dev1":{"secretKey":"canary-new-secret","x":1,"dialect":"signed"}}"#;
    let before = r#"{"dev1":{"nextSecretKey":"canary-new-secret","secretKey":"canary-old-secret","x":1,"dialect":"signed"}}"#;
    let twice = |store: &JsonStore| {
        promote(store, "dev1", NEW)?;
        promote(store, "dev1", NEW)
    };
    check(before, twice, Some(after)).unwrap();
}

#[test]
fn what_is_so_already_or_cannot_be_leaves_the_file_alone() {
    let signed = format!("{{ \"dev1\" : {{ \"secretKey\":\"{OLD}\", \"dialect\":\"signed\" }} }}");
    check(&signed, |store| pin(store, "dev1"), None).unwrap();
    check(&signed, |store| promote(store, "dev1", OLD), None).unwrap();
    check(&signed, |store| pin(store, "stranger"), None).unwrap();
    for (name, secret) in [("dev1", NEW), ("stranger", OLD)] {
        let promoted = |store: &JsonStore| promote(store, name, secret);
        check(&signed, promoted, None).unwrap_err();
    }
}

#[test]
fn a_secret_too_short_for_the_dialect_is_not_pinned_and_nobody_else_suffers() {
    let devices = format!(r#"{{"dev1":"canary","dev2":"{OLD}"}}"#);
    let why = check(&devices, |store| pin(store, "dev1"), None).unwrap_err();
    assert!(why.contains("6 bytes"), "{why}");
    let both = |store: &JsonStore| {
        let (one, two) = (id("dev1"), id("dev2"));
        block_on(async {
            let pins = (
                store.pin_dialect(&one, Dialect::Signed),
                store.pin_dialect(&two, Dialect::Signed),
            );
            let (short, good) = futures_lite::future::zip(pins.0, pins.1).await;
            assert!(short.is_err());
            good
        })
    };
    let after = format!(r#"{{"dev1":"canary","dev2":{{"secretKey":"{OLD}","dialect":"signed"}}}}"#);
    check(&devices, both, Some(&after)).unwrap();
}

#[test]
fn what_an_operator_wrote_meanwhile_counts() {
    let waiting = |next: &str| {
        format!(r#"{{"dev1":{{"secretKey":"{OLD}","nextSecretKey":"{next}","dialect":"signed"}}}}"#)
    };
    let before = waiting(NEW);
    let promoted = |store: &JsonStore| promote(store, "dev1", NEW);
    // Another next secret, none at all, no such device.
    let replaced = waiting("canary-newer-secret");
    let cancelled = format!(r#"{{"dev1":{{"secretKey":"{OLD}","dialect":"signed"}}}}"#);
    for now in [replaced.as_str(), &cancelled, "{}"] {
        check_beside(&before, |data| data.write(now), promoted, None).unwrap_err();
    }
    // A new device, a changed member: they stay and are in use at once.
    let now = format!(
        r#"{{"dev2":"a secret","dev1":{{"secretKey":"{OLD}","nextSecretKey":"{NEW}","disabled":true}}}}"#
    );
    let after = format!(r#"{{"dev2":"a secret","dev1":{{"secretKey":"{NEW}","disabled":true}}}}"#);
    check_beside(&before, |data| data.write(&now), promoted, Some(&after)).unwrap();
    // Already done, by another process.
    let done = format!(r#"{{"dev1":{{"secretKey":"{NEW}"}}}}"#);
    check_beside(&before, |data| data.write(&done), promoted, None).unwrap();
}

#[test]
fn a_file_that_is_gone_or_broken_is_not_written_and_the_last_good_records_stay() {
    let devices = format!(r#"{{"dev1":{{"secretKey":"{OLD}","nextSecretKey":"{NEW}"}}}}"#);
    let data = Data::new(&devices);
    let store = data.open();
    let before = seen(&store, "dev1");
    let fails = |what: &str| {
        assert!(pin(&store, "dev1").is_err(), "{what}");
        assert!(promote(&store, "dev1", NEW).is_err(), "{what}");
        assert_eq!(seen(&store, "dev1"), before, "{what}");
    };
    for broken in ["{", "[]", "", r#"{"dev1":7}"#, r#"{"dev1":"a","dev1":"b"}"#] {
        data.write(broken);
        fails(broken);
        assert_eq!(data.text(), broken);
    }
    fs::remove_file(data.path()).unwrap();
    fails("gone");
    assert!(!data.path().exists(), "gone is not empty");
    // And one that cannot be locked.
    data.write(&devices);
    let lock = data.path().with_file_name("devices.json.lock");
    fs::remove_file(&lock).unwrap();
    fs::create_dir(&lock).unwrap();
    fails("no lock");
    fs::remove_dir(&lock).unwrap();
    pin(&store, "dev1").unwrap();
    promote(&store, "dev1", NEW).unwrap();
}

#[test]
fn who_stops_waiting_does_not_undo_the_change() {
    let data = Data::new(&format!(r#"{{"dev1":"{OLD}","dev2":"{OLD}"}}"#));
    let store = data.open();
    drop(block_on(poll_once(
        store.pin_dialect(&id("dev1"), Dialect::Signed),
    )));
    // The writer takes them in their order.
    pin(&store, "dev2").unwrap();
    for store in [&store, &data.open()] {
        assert_eq!(find(store, "dev1").unwrap().dialect, Dialect::Signed);
    }
}

#[test]
fn changes_beside_the_commands_of_other_processes_lose_nothing() {
    let device = json!({ "secretKey": OLD, "nextSecretKey": NEW });
    let devices = (0..8).map(|number| (format!("dev{number}"), device.clone()));
    let data = Data::new(&Value::Object(devices.collect()).to_string());
    let store = data.open();
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let (data, store) = (&data, &store);
            scope.spawn(move || {
                let other = data.open();
                for count in 0..8 {
                    let add = |devices: &mut DeviceEdit| {
                        devices.insert(format!("new{worker}-{count}"), json!("secret"));
                        Ok::<_, LoadError>(())
                    };
                    other.edit(add).unwrap();
                }
            });
            scope.spawn(move || {
                for number in 0..8 {
                    pin(store, &format!("dev{number}")).unwrap();
                    promote(store, &format!("dev{number}"), NEW).unwrap();
                }
            });
        }
    });
    let restarted = data.open();
    assert_eq!(restarted.devices().len(), 8 + 32);
    for number in 0..8 {
        let device = find(&restarted, &format!("dev{number}")).unwrap();
        assert_eq!(device.dialect, Dialect::Signed);
        assert_eq!(
            (device.key_check(), device.next_key_check()),
            (key_check(NEW), None)
        );
    }
}

/// How often a look-up looks at the file between two refreshes.
const LOOKS: usize = 200;

#[test]
fn what_another_process_changes_is_known_at_the_next_request() {
    let data = Data::new("{}");
    let store = data.open();
    let added = json!({ "lamp": { "secretKey": OLD, "dialect": "signed" } });
    assert!(find(&store, "lamp").is_none());
    data.write(&added.to_string());
    assert!(find(&store, "lamp").is_some());
    data.write(
        &added
            .to_string()
            .replace("\"dialect\"", "\"disabled\":true,\"dialect\""),
    );
    assert!(!find(&store, "lamp").unwrap().enabled);
    // The next refresh tells what was found.
    assert!(store.refresh().unwrap());
    assert!(!store.refresh().unwrap());
    data.write("nonsense");
    assert!(find(&store, "lamp").is_some(), "the last good records");
    assert!(store.refresh().is_err());
    assert!(!store.refresh().unwrap());
}

#[test]
fn strangers_cannot_have_the_file_read_as_often_as_they_ask() {
    let data = Data::new("{}");
    let store = data.open();
    for _ in 0..LOOKS {
        assert!(find(&store, "nobody").is_none());
    }
    let added = json!({ "lamp": { "secretKey": OLD, "dialect": "signed" } });
    data.write(&added.to_string());
    assert!(
        find(&store, "lamp").is_none(),
        "not before the next refresh"
    );
    assert!(store.refresh().unwrap());
    assert!(find(&store, "lamp").is_some());
}

#[test]
fn a_next_secret_that_was_replaced_meanwhile_is_wrong_and_no_fault() {
    let first = SignedPeer::new("lamp").with_secret("the first of two next secrets");
    let record = |next: &str| {
        json!({ "lamp": { "secretKey": OLD, "nextSecretKey": next, "dialect": "signed" } })
            .to_string()
    };
    let data = Data::new(&record(&first.secret));
    let site = Site::new(data.open());
    for _ in 0..LOOKS {
        assert!(find(site.server.store(), "nobody").is_none());
    }
    // The server has not seen this yet.
    data.write(&record("the second of two next secrets"));
    let message = first.get("/time", &Fresh::At(at(0)));
    assert_eq!(site.ask(&message, at(0)).status, 401);
    assert!(site.heard_of("WrongSignature"));
}

#[test]
fn a_fleet_that_moves_at_once_does_not_write_its_file_for_each_device() {
    let device = json!({ "secretKey": OLD, "note": "x".repeat(250) });
    let devices = (0..10_000).map(|number| (format!("dev{number}"), device.clone()));
    let data = Data::new(&Value::Object(devices.collect()).to_string());
    let store = data.open();
    let begun = clock();
    let names: Vec<_> = (0..10_000)
        .map(|number| id(&format!("dev{number}")))
        .collect();
    let mut pins: Vec<_> = names
        .iter()
        .map(|name| Some(Box::pin(store.pin_dialect(name, Dialect::Signed))))
        .collect();
    while pins.iter().any(Option::is_some) {
        for slot in &mut pins {
            if let Some(pin) = slot
                && let Some(outcome) = block_on(poll_once(pin))
            {
                outcome.unwrap();
                *slot = None;
            }
        }
    }
    // One write takes a second here; ten thousand would take hours.
    assert!(begun.elapsed() < Duration::from_secs(120));
    let restarted = data.open();
    let all = restarted.devices();
    assert!(all.iter().all(|device| device.dialect == Dialect::Signed));
    assert_eq!(all.len(), 10_000);
}

#[expect(
    clippy::disallowed_methods,
    reason = "a bound that a write for each device would break"
)]
fn clock() -> Instant {
    Instant::now()
}
