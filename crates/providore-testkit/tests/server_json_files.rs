//! The folders beside `devices.json`: what is served from them, and that nothing else is.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs, os::unix::fs::symlink, path::Path};

use futures_lite::future::block_on;
use providore_server_core::{
    CertificateLog as _,
    json_files::{JsonStore, Layout},
};
use providore_testkit::parties::{Answer, Peer, Site, at};
use serde_json::{Value, json};

/// A folder with a devices file in it.
struct Data(tempfile::TempDir);

impl Data {
    fn new(devices: &Value) -> Self {
        let data = Self(tempfile::tempdir().unwrap());
        data.write("configStore/devices.json", devices.to_string());
        data
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn open(&self) -> JsonStore {
        JsonStore::open(Layout::below(self.0.path())).unwrap()
    }
}

/// A site over a folder with one device, and two releases of which the first names its files.
fn site() -> (Data, Site<JsonStore>, Peer) {
    let peer = Peer::new("dev1");
    let data = Data::new(&json!({ "dev1": { "secretKey": peer.secret, "firmware": [
        { "type": "board", "version": "1.0.0", "config": "v1/wifi.json", "file": "app.bin" },
        { "type": "board", "version": "2.0.0" },
    ] } }));
    data.write("configStore/dev1/v1/wifi.json", "{\"v\":1}");
    data.write("configStore/dev1/config.json", "{\"v\":2}");
    data.write("firmwareStore/board/1.0.0/app.bin", "image 1");
    data.write("firmwareStore/board/1.0.0/other.bin", "not this");
    data.write("firmwareStore/board/2.0.0/any name.bin", "image 2");
    let site = Site::new(data.open());
    (data, site, peer)
}

/// Asks after the store has looked at its files again, as a server lets it every half second.
fn ask(site: &Site<JsonStore>, peer: &Peer, target: &str) -> Answer {
    let _ = site.server.store().refresh();
    let answer = site.ask(&peer.get(target, at(0)), at(0));
    peer.verify(&answer, at(0)).map(|_| ()).unwrap();
    answer
}

#[test]
fn configurations_and_images_lie_where_the_original_put_them() {
    let (_data, site, peer) = site();
    assert_eq!(ask(&site, &peer, "/config").text(), "{\"v\":1}");
    assert_eq!(
        ask(&site, &peer.running("2.0.0"), "/config").text(),
        "{\"v\":2}"
    );
    assert_eq!(
        ask(&site, &peer.running("0.9"), "/config").text(),
        "{\"v\":2}"
    );
    assert_eq!(
        ask(&site, &peer, "/firmware?version=1.0.0").text(),
        "image 1"
    );
    assert_eq!(ask(&site, &peer, "/firmware").text(), "image 2");
}

#[test]
fn a_new_file_is_served_after_the_next_look() {
    let (data, site, peer) = site();
    let tag = |target| ask(&site, &peer, target).field("etag").unwrap().to_owned();
    for (file, target) in [
        ("configStore/dev1/v1/wifi.json", "/config"),
        (
            "firmwareStore/board/1.0.0/app.bin",
            "/firmware?version=1.0.0",
        ),
    ] {
        let before = tag(target);
        let path = data.0.path().join(file);
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        // As long as the old one, and with its date.
        let new = vec![b'n'; fs::read(&path).unwrap().len()];
        fs::write(&path, &new).unwrap();
        fs::File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(modified)
            .unwrap();
        let answer = ask(&site, &peer, target);
        assert_eq!(answer.body, new, "{file}");
        assert_ne!(answer.field("etag"), Some(before.as_str()));
        fs::remove_file(&path).unwrap();
        assert_eq!(ask(&site, &peer, target).status, 404);
        data.write(file, b"{}");
        assert_eq!(ask(&site, &peer, target).text(), "{}");
    }
}

#[test]
fn links_lead_nowhere_outside() {
    let (data, site, peer) = site();
    data.write("outside/secret", "{\"outside\":1}");
    let root = data.0.path();
    let link = |target: &Path, name: &str| {
        let _ = fs::remove_file(root.join(name));
        symlink(target, root.join(name)).unwrap();
    };
    let (config, image) = (
        "configStore/dev1/v1/wifi.json",
        "firmwareStore/board/1.0.0/app.bin",
    );
    for target in [
        root.join("outside/secret"),
        "../../../outside/secret".into(),
        "/etc/passwd".into(),
    ] {
        link(&target, config);
        link(&target, image);
        assert_eq!(ask(&site, &peer, "/config").status, 404, "{target:?}");
        assert_eq!(
            ask(&site, &peer, "/firmware?version=1.0.0").status,
            404,
            "{target:?}"
        );
    }
    // Devices may share a file of the same folder, but for the one with all secrets.
    data.write("configStore/common.json", "{\"common\":1}");
    link(Path::new("../../common.json"), config);
    assert_eq!(ask(&site, &peer, "/config").text(), "{\"common\":1}");
    link(Path::new("../../devices.json"), config);
    assert_eq!(ask(&site, &peer, "/config").status, 404);
    // A folder that leads out.
    fs::remove_dir_all(root.join("configStore/dev1")).unwrap();
    data.write("outside/v1/wifi.json", "{\"outside\":1}");
    symlink(root.join("outside"), root.join("configStore/dev1")).unwrap();
    assert_eq!(ask(&site, &peer, "/config").status, 404);
}

#[test]
fn what_is_no_file_is_not_found() {
    let (data, site, peer) = site();
    let root = data.0.path();
    fs::remove_dir_all(root.join("configStore/dev1")).unwrap();
    assert_eq!(ask(&site, &peer, "/config").status, 404);
    data.write("configStore/dev1", "a file where a folder should be");
    assert_eq!(ask(&site, &peer, "/config").status, 404);
    fs::remove_file(root.join("configStore/dev1")).unwrap();
    fs::create_dir_all(root.join("configStore/dev1/v1/wifi.json")).unwrap();
    assert!(matches!(ask(&site, &peer, "/config").status, 404 | 503));

    data.write("firmwareStore/board/2.0.0/second.bin", "which one?");
    assert_eq!(
        ask(&site, &peer, "/firmware").status,
        404,
        "two files and no name"
    );
    fs::remove_dir_all(root.join("firmwareStore/board/2.0.0")).unwrap();
    assert_eq!(ask(&site, &peer, "/firmware").status, 404);
    fs::create_dir_all(root.join("firmwareStore/board/2.0.0/folder")).unwrap();
    assert_eq!(ask(&site, &peer, "/firmware").status, 404);
    fs::remove_dir_all(root.join("firmwareStore/board/2.0.0")).unwrap();
    data.write(
        "firmwareStore/board/2.0.0",
        "a file where a folder should be",
    );
    assert_eq!(ask(&site, &peer, "/firmware").status, 404);
}

#[test]
fn a_configuration_too_long_to_hold_is_a_fault_and_one_at_the_limit_is_served() {
    let (data, site, peer) = site();
    for (length, status) in [(1024 * 1024, 200), (1024 * 1024 + 1, 503)] {
        data.write("configStore/dev1/v1/wifi.json", vec![b' '; length]);
        let answer = ask(&site, &peer, "/config");
        assert_eq!(answer.status, status);
        assert!(!answer.text().contains("configStore"));
    }
}

#[test]
fn a_device_taken_away_is_a_stranger_after_the_next_look() {
    let (data, site, peer) = site();
    assert_eq!(ask(&site, &peer, "/config").status, 200);
    data.write("configStore/devices.json", "{}");
    assert!(site.server.store().refresh().unwrap());
    assert_eq!(site.ask(&peer.get("/config", at(0)), at(0)).status, 401);
    let nobody = block_on(site.server.store().issued(&peer.id)).unwrap();
    assert!(nobody.is_empty());
}
