//! `cert`: what the log holds, and revocations that a running server picks up from it.

use std::fs;

use providore_pki::SerialNumber;
use providore_server_core::{
    CertificateLog as _, Issued,
    json_files::{JsonStore, Layout},
};
use providore_wire::Timestamp;
use serde_json::{Value, json};

use super::program::Place;

const DAY: i64 = 86_400;

/// A server that runs: a store that stays open while commands work on the same folder.
fn server(place: &Place) -> JsonStore {
    JsonStore::open(Layout::below(&place.path("data"))).unwrap()
}

fn now() -> Timestamp {
    let out = std::process::Command::new("date")
        .arg("+%s")
        .output()
        .unwrap();
    let seconds = String::from_utf8(out.stdout).unwrap();
    Timestamp::from_unix(seconds.trim().parse().unwrap()).unwrap()
}

/// Issues a certificate that began and ends so many days from now.
fn issue(store: &JsonStore, device: &str, serial: u8, from: i64, to: i64) {
    let entry = Issued {
        device: device.parse().unwrap(),
        serial: SerialNumber::from_be_bytes(&[0x7f, serial]).unwrap(),
        csr_sha256: [serial; 32],
        at: now().saturating_add(from * DAY),
        not_after: now().saturating_add(to * DAY),
        chain_pem: "chain".into(),
    };
    futures_lite::future::block_on(store.append(entry)).unwrap();
}

fn states(list: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let list = list.as_array().unwrap().iter();
    list.map(|line| (text(&line["serial"]), text(&line["state"])))
        .collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let own = |(serial, state): &(&str, &str)| ((*serial).into(), (*state).into());
    expected.iter().map(own).collect()
}

fn place_with_certificates() -> (Place, JsonStore) {
    let place = Place::new();
    place.ok(&["device", "add", "lamp"]);
    place.ok(&["device", "add", "gate"]);
    let store = server(&place);
    issue(&store, "lamp", 1, -100, -10);
    issue(&store, "lamp", 2, -50, 40);
    issue(&store, "lamp", 3, -5, 85);
    issue(&store, "gate", 4, -80, 10);
    (place, store)
}

#[test]
fn certificates_are_listed_with_what_became_of_them() {
    let (place, _server) = place_with_certificates();
    let listed = place.json(&["cert", "list"]);
    assert_eq!(
        states(&listed),
        pairs(&[
            ("7f01", "expired"),
            ("7f02", "superseded"),
            ("7f03", "valid"),
            // Issued last, whatever its date says.
            ("7f04", "valid"),
        ])
    );
    let listed = place.json(&["cert", "list", "--device", "gate"]);
    assert_eq!(states(&listed), pairs(&[("7f04", "valid")]));
    let listed = place.json(&["cert", "list", "--expiring", "30"]);
    assert_eq!(
        states(&listed),
        pairs(&[("7f01", "expired"), ("7f04", "valid")])
    );
    assert!(place.ok(&["device", "show", "gate"]).contains("7f04"));
}

#[test]
fn a_revocation_reaches_the_running_server() {
    let (place, server) = place_with_certificates();
    let answer = place.json(&["cert", "revoke", "7F:04", "--reason", "key-compromise"]);
    assert_eq!(answer, json!({"revoked": ["7f04"], "key_forbidden": true}));
    server.refresh().unwrap();
    let gate = "gate".parse().unwrap();
    assert!(
        futures_lite::future::block_on(server.issued(&gate))
            .unwrap()
            .is_empty()
    );
    let listed = place.json(&["cert", "list", "--device", "gate"]);
    assert_eq!(listed[0]["state"], "revoked");
    assert_eq!(listed[0]["reason"], "keyCompromise");
}

#[test]
fn all_certificates_of_a_device_are_revoked_at_once() {
    let (place, _server) = place_with_certificates();
    let answer = place.json(&["cert", "revoke", "--device", "lamp"]);
    assert_eq!(
        answer,
        json!({"revoked": ["7f02", "7f03"], "key_forbidden": false})
    );
    let log = fs::read(place.data("certificateStore/issued.jsonl")).unwrap();
    place.json(&["cert", "revoke", "--device", "lamp"]);
    let again = fs::read(place.data("certificateStore/issued.jsonl")).unwrap();
    assert_eq!(log, again, "revoked once");
}

#[test]
fn a_revocation_of_nothing_is_a_failure() {
    let (place, _server) = place_with_certificates();
    place.fails(&["cert", "revoke", "7f09"], 1, "no such certificate");
    place.fails(
        &["cert", "revoke", "--device", "nobody"],
        1,
        "no such certificate",
    );
    place.fails(&["cert", "revoke", "xyz"], 2, "not a number in hex");
    place.fails(&["cert", "revoke"], 2, "--device");
    place.fails(
        &["cert", "revoke", "7f01", "--device", "lamp"],
        2,
        "cannot be used with",
    );
}
