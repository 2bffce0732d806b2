//! `vectors/signed/notices.json`: made by another program, and read and written here.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;

use providore_sign::{
    SoftwareKey,
    notice::{NoticeKey, NoticeRefusal},
    subkeys::{self, Purpose},
};
use providore_testkit::vectors::{Hex, signed_folder};
use providore_wire::{DeviceId, notice::Waiting};
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    device: String,
    secret: Hex,
    sub_key: Hex,
    device_digest: Hex,
    notices: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    datagram: Hex,
    waiting: Option<Vec<String>>,
    counter: Option<u64>,
    refused: Option<String>,
}

fn vectors() -> (Vectors, NoticeKey) {
    let text = fs::read_to_string(signed_folder().join("notices.json")).unwrap();
    let vectors: Vectors = serde_json::from_str(&text).unwrap();
    let device: DeviceId = vectors.device.parse().unwrap();
    let mut secret = SoftwareKey::new(&vectors.secret.0).unwrap();
    let key = NoticeKey::derive(&mut secret, &device).unwrap();
    (vectors, key)
}

fn waiting(names: &[String]) -> Waiting {
    let all = Waiting::NAMED.into_iter();
    let those = all.filter(|(_, name)| names.iter().any(|it| it == name));
    those.map(|(it, _)| it).reduce(|a, b| a | b).unwrap()
}

fn check(key: &NoticeKey, vector: &Vector) {
    let Vector { name, datagram, .. } = vector;
    let verified = key.verify(&datagram.0);
    match verified {
        Ok(notice) => {
            let expected = waiting(vector.waiting.as_ref().unwrap());
            assert_eq!(notice.waiting(), expected, "{name}");
            assert_eq!(Some(notice.counter()), vector.counter, "{name}");
            let signed = key.sign(notice.waiting(), notice.counter()).unwrap();
            assert_eq!(&signed[..], &datagram.0, "{name}");
        }
        Err(refusal) => {
            let check = match refusal {
                NoticeRefusal::Malformed(_) => "layout",
                NoticeRefusal::OtherDevice => "device",
                _ => "tag",
            };
            assert_eq!(vector.refused.as_deref(), Some(check), "{name}");
        }
    }
}

#[test]
fn notices_are_accepted_or_refused_as_expected() {
    let (vectors, key) = vectors();
    assert_eq!(vectors.notices.len(), 12);
    vectors.notices.iter().for_each(|it| check(&key, it));
}

#[test]
fn the_sub_key_and_the_digest_are_those_of_the_page() {
    let (vectors, key) = vectors();
    let mut secret = SoftwareKey::new(&vectors.secret.0).unwrap();
    let sub_key = subkeys::derive(&mut secret, Purpose::Notice).unwrap();
    assert_eq!(sub_key.expose()[..], vectors.sub_key.0);
    let datagram = key.sign(Waiting::CONFIG, 1).unwrap();
    let digest = datagram.get(6..14).unwrap();
    assert_eq!(digest, vectors.device_digest.0);
}
