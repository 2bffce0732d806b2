//! `device notify`: one datagram, signed for one device.

use std::{net::UdpSocket, time::Duration};

use providore_sign::{SoftwareKey, notice::NoticeKey};
use providore_wire::notice::{Notice, Waiting};

use super::program::Place;

/// What arrives when `lamp` is notified with these switches.
fn check(place: &Place, switches: &[&str], expected: Waiting) -> u64 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let to = socket.local_addr().unwrap().to_string();
    let said = place.ok(&[&["device", "notify", "lamp", "--to", &to], switches].concat());
    assert_eq!(said, format!("Sent to {to} for lamp: {expected}.\n"));

    let mut datagram = [0; Notice::LEN + 1];
    let length = socket.recv(&mut datagram).unwrap();
    let entry = place.devices_json()["lamp"].clone();
    let secret = entry["secretKey"].as_str().unwrap();
    let mut secret = SoftwareKey::new(secret.as_bytes()).unwrap();
    let key = NoticeKey::derive(&mut secret, &"lamp".parse().unwrap()).unwrap();
    let notice = key.verify(&datagram[..length]).unwrap();
    assert_eq!(notice.waiting(), expected);
    notice.counter()
}

#[test]
fn a_device_is_told_what_waits_and_each_time_later() {
    let place = Place::new();
    place.ok(&["device", "add", "lamp"]);
    let first = check(&place, &["--config"], Waiting::CONFIG);
    let all = Waiting::CONFIG | Waiting::FIRMWARE | Waiting::CERTIFICATE | Waiting::SECRET;
    let switches = ["--secret", "--certificate", "--firmware", "--config"];
    let second = check(&place, &switches, all);
    assert!(second > first && first > 1_700_000_000_000);
}

#[test]
fn what_cannot_be_notified_is_refused() {
    let place = Place::new();
    place.ok(&["device", "add", "lamp"]);
    place.ok(&["device", "add", "old", "--dialect", "original"]);
    let to = ["--to", "127.0.0.1:9"];
    let notify =
        |id, switches: &[&'static str]| [&["device", "notify", id], &to[..], switches].concat();
    place.fails(&notify("lamp", &[]), 2, "--config");
    place.fails(&notify("nobody", &["--config"]), 1, "no device nobody");
    place.fails(&notify("old", &["--config"]), 1, "original");
    let nowhere = ["device", "notify", "lamp", "--to", "10.0.0.1", "--config"];
    place.fails(&nowhere, 1, "10.0.0.1");
}
