//! Every store passes the suites of its traits.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use core::cell::RefCell;
use std::{fs, path::Path};

use futures_lite::future::block_on;
use providore_server_core::{
    Device, Dialect, MemoryStore,
    json_files::{JsonStore, Layout, MANIFEST_FILE, write_private},
};
use providore_testkit::{
    SharedStore,
    conformance::{self, NEXT_SECRET, SECRET},
    parties::{CONFIG, CONFIG_1, Peer, image, stocked},
};

fn memory() -> MemoryStore {
    let store = stocked(&Peer::new("dev1"));
    let mut off = Peer::new("off").record();
    off.enabled = false;
    block_on(store.put_device(off));
    store
}

/// What `stocked` is, in files.
fn json(folder: &Path) -> JsonStore {
    let write = |name: &str, bytes: &[u8]| write_private(&folder.join(name), bytes).unwrap();
    let devices = r#"{
        "off": { "secretKey": "s", "disabled": true },
        "dev1": { "secretKey": "s", "firmware": [
            { "type": "board", "version": "1.0.0", "config": "v1.json", "next": "2.0.0" },
            { "type": "board", "version": "2.0.0" }
        ] }
    }"#;
    write("configStore/devices.json", devices.as_bytes());
    write("configStore/dev1/v1.json", CONFIG_1.as_bytes());
    write("configStore/dev1/config.json", CONFIG.as_bytes());
    for version in ["1.0.0", "2.0.0"] {
        write(
            &format!("firmwareStore/board/{version}/app.bin"),
            &image(version),
        );
    }
    JsonStore::open(Layout::below(folder)).unwrap()
}

/// A device on the way to another secret, and one that is not.
fn rotating() -> MemoryStore {
    let device = |id: &str| {
        let id = id.parse().unwrap();
        Device::new(id, SECRET.as_bytes(), Dialect::Original).unwrap()
    };
    let rotating = device("rotating").with_next_secret(NEXT_SECRET.as_bytes());
    let store = MemoryStore::default();
    block_on(store.put_device(device("plain")));
    block_on(store.put_device(rotating.unwrap()));
    store
}

/// What `rotating` is, in files, one of the entries in its oldest form.
fn json_rotating(folder: &Path) -> JsonStore {
    let layout = Layout::below(folder);
    let devices = format!(
        r#"{{"plain":"{SECRET}","rotating":{{"secretKey":"{SECRET}","nextSecretKey":"{NEXT_SECRET}"}}}}"#
    );
    write_private(&layout.devices, devices.as_bytes()).unwrap();
    JsonStore::open(layout).unwrap()
}

#[test]
fn memory_store() {
    let store = memory();
    conformance::device_store(&store);
    conformance::device_changes(rotating, |store| store);
    conformance::config_store(&store);
    conformance::firmware_failures(MemoryStore::default, |store| store);
    conformance::firmware_manifests(&store, |bytes| {
        let name = |text: &str| text.parse().unwrap();
        block_on(store.put_manifest(name("board"), name("2.0.0"), bytes.to_vec()));
    });
    conformance::firmware_store(&store, |bytes| {
        let name = |text: &str| text.parse().unwrap();
        block_on(store.put_image(name("board"), name("2.0.0"), bytes.to_vec()));
    });
    conformance::certificate_log(MemoryStore::default);
}

#[test]
fn json_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = json(folder.path());
    conformance::device_store(&store);
    let current = RefCell::new(tempfile::tempdir().unwrap());
    let make = || {
        current.replace(tempfile::tempdir().unwrap());
        json_rotating(current.borrow().path())
    };
    conformance::device_changes(make, |store| {
        drop(store);
        JsonStore::open(Layout::below(current.borrow().path())).unwrap()
    });
    conformance::config_store(&store);
    let empty = || {
        current.replace(tempfile::tempdir().unwrap());
        JsonStore::open(Layout::below(current.borrow().path())).unwrap()
    };
    conformance::firmware_failures(empty, |store| {
        drop(store);
        JsonStore::open(Layout::below(current.borrow().path())).unwrap()
    });
    conformance::firmware_manifests(&store, |bytes| {
        let path = folder.path().join("firmwareStore/board/2.0.0");
        write_private(&path.join(MANIFEST_FILE), bytes).unwrap();
    });
    conformance::firmware_store(&store, |bytes| {
        let path = folder.path().join("firmwareStore/board/2.0.0/app.bin");
        write_private(&path, bytes).unwrap();
    });
    let mut folders = Vec::new();
    conformance::certificate_log(|| {
        folders.push(tempfile::tempdir().unwrap());
        let folder = folders.last().unwrap().path();
        fs::create_dir_all(folder.join("configStore")).unwrap();
        JsonStore::open(Layout::below(folder)).unwrap()
    });
}

#[test]
fn a_store_that_is_shared() {
    let store = SharedStore::new(memory());
    conformance::device_store(&store);
    conformance::device_changes(|| SharedStore::new(rotating()), |store| store);
    conformance::config_store(&store);
    conformance::firmware_failures(|| SharedStore::new(MemoryStore::default()), |store| store);
    conformance::certificate_log(|| SharedStore::new(MemoryStore::default()));
}
