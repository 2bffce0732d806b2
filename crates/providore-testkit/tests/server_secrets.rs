//! Whatever is printed for the operator, no secret is in it.

use std::fs;

use futures_lite::future::block_on;
use providore_server_core::{
    Body, Device, Dialect, Document, MemoryStore, Moment, Request, Server,
    json_files::{JsonStore, Layout},
};
use providore_testkit::{
    SharedStore,
    parties::{Peer, Site, at},
};

const CANARY: &str = "canary-4711";

/// The canary as text, in hex, and as the list of numbers that `{:?}` makes of bytes.
fn check(what: &str, shown: &str) {
    let hex = CANARY
        .bytes()
        .fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    let numbers = format!("{:?}", CANARY.as_bytes());
    let numbers = numbers.trim_matches(['[', ']']);
    for form in [CANARY, &hex, numbers] {
        assert!(!shown.contains(form), "{what}: {shown}");
    }
    let lines = numbers.replace(' ', "\n");
    let tight: String = shown.split_whitespace().collect();
    let tight_numbers: String = lines.split_whitespace().collect();
    assert!(!tight.contains(&tight_numbers), "{what}: {shown}");
}

fn check_debug(what: &str, value: &impl core::fmt::Debug) {
    check(what, &format!("{value:?}"));
    check(what, &format!("{value:#?}"));
}

fn peer() -> Peer {
    let mut peer = Peer::new("dev1");
    peer.secret = CANARY.into();
    peer
}

fn config() -> String {
    format!(r#"{{"wifi":"{CANARY}"}}"#)
}

#[test]
fn devices_stores_and_servers_show_no_secret() {
    let device = peer().record();
    check_debug("device", &device);
    let named = Device::new(device.id.clone(), CANARY.as_bytes(), Dialect::Original);
    check_debug("new device", &named);
    check_debug("document", &Document::new(config().into_bytes().into()));

    let store = MemoryStore::default();
    block_on(store.put_device(device.clone()));
    block_on(store.put_config(device.id, None, config().into_bytes()));
    check_debug("memory", &store);
    let site = Site::new(SharedStore::new(store));
    assert_eq!(site.ask(&peer().get("/config", at(0)), at(0)).status, 200);
    check_debug("server", &site.server);

    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::below(folder.path());
    fs::create_dir_all(layout.config.join("dev1")).unwrap();
    fs::write(&layout.devices, format!(r#"{{"dev1":"{CANARY}"}}"#)).unwrap();
    fs::write(layout.config.join("dev1/config.json"), config()).unwrap();
    let site = Site::new(JsonStore::open(layout).unwrap());
    assert_eq!(
        site.ask(&peer().get("/config", at(0)), at(0)).text(),
        config()
    );
    check_debug("json server", &site.server);
    check_debug("json store", site.server.store());
    check_debug("json devices", &site.server.store().devices());
}

#[test]
fn an_answer_shows_how_long_it_is_and_not_what_it_says() {
    let store = MemoryStore::default();
    block_on(store.put_device(peer().record()));
    block_on(store.put_config(peer().id, None, config().into_bytes()));
    let site = Site::new(store);
    let message = peer().get("/config", at(0));
    let fields: Vec<_> = message
        .fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_slice()))
        .collect();
    let request = Request {
        method: &message.method,
        target: &message.target,
        fields: &fields,
        body: &message.body,
        peer: None,
    };
    let moment = Moment {
        now: at(0),
        entropy: [1; Moment::ENTROPY_LEN],
    };
    let server: &Server<MemoryStore> = &site.server;
    let response = block_on(server.handle(&request, &moment));
    assert!(matches!(&response.body, Body::Bytes(bytes) if bytes == config().as_bytes()));
    check_debug("response", &response);
}

#[test]
fn what_the_operator_hears_names_no_secret() {
    let store = MemoryStore::default();
    block_on(store.put_device(peer().record()));
    let site = Site::new(store);
    let mut forger = peer();
    forger.secret.push('x');
    let csr = peer().csr(1);
    for message in [
        peer().get("/config", at(0)),
        forger.get("/config", at(0)),
        peer().get("/config", at(5000)),
        peer().post_csr(&csr, at(0)),
        peer().post_csr(b"canary", at(0)),
    ] {
        let answer = site.ask(&message, at(0));
        check_debug("answer", &answer.fields);
        check("heard", &format!("{:?}", site.heard()));
    }
}
