//! `firmware add --manifest`: what its author signed is published as a whole or not at all, and
//! only what a device can get to.

use std::fs;

use providore_pki::{
    SoftwareKey,
    manifest::{ChunkSize, KeyId, ManifestBuilder, Release},
};
use providore_server_core::{
    Failure, FirmwareStore as _,
    json_files::{JsonStore, Layout},
};
use providore_wire::Timestamp;
use serde_json::{Value, json};

use super::program::{Place, files_below};

/// What an author has: a key, and its name.
struct Author(SoftwareKey);

impl Author {
    fn new(seed: u8) -> Self {
        Self(SoftwareKey::from_scalar(&[seed; 32]).unwrap())
    }

    fn id(&self) -> String {
        KeyId::of(&self.0.public_key()).to_string()
    }

    /// The manifest of `image`, for the type `lamp`.
    fn sign(&self, version: &str, (sequence, minimum): (u64, u64), image: &[u8]) -> Vec<u8> {
        let release = Release::new("lamp".parse().unwrap(), version.parse().unwrap(), sequence)
            .with_minimum_sequence(minimum)
            .with_chunk_size(ChunkSize::MIN);
        let mut builder = ManifestBuilder::new(release).unwrap();
        builder.update(image).unwrap();
        builder.sign(&mut self.0.clone()).unwrap()
    }

    fn public_pem(&self) -> String {
        self.0.public_key().to_spki_pem().unwrap()
    }
}

/// An image of two and a half chunks that no other version has.
fn image(version: &str) -> Vec<u8> {
    let bytes = version.bytes().cycle().zip(0_u8..=255).cycle();
    bytes.map(|(a, b)| a ^ b).take(2560).collect()
}

const ADD: [&str; 5] = ["firmware", "add", "lamp.bin", "--manifest", "lamp.manifest"];

fn add(more: &[&'static str]) -> Vec<&'static str> {
    ADD.iter().chain(more).copied().collect()
}

fn place_with_a_lamp() -> Place {
    let place = Place::new();
    place.ok(&["device", "add", "one", "--type", "lamp", "--version", "1.0"]);
    place
}

/// Puts a release beside the data folder, ready to be published.
fn prepare(place: &Place, version: &str, order: (u64, u64)) {
    place.write("lamp.bin", image(version));
    let manifest = Author::new(1).sign(version, order, &image(version));
    place.write("lamp.manifest", manifest);
}

fn publish(place: &Place, version: &str, order: (u64, u64), more: &[&'static str]) -> Value {
    prepare(place, version, order);
    place.json(&add(more))
}

/// A release that is not published, and leaves nothing behind.
fn refused(place: &Place, more: &[&'static str], why: &str) {
    let before = files_below(&place.path("data"));
    let mut after = {
        place.fails(&add(more), 1, why);
        files_below(&place.path("data"))
    };
    // The lock of a folder that was empty.
    after.retain(|(path, bytes)| !bytes.is_empty() || before.iter().any(|(p, _)| p == path));
    assert_eq!(after, before, "{why}");
}

fn lines(place: &Place, id: &str) -> Vec<(Value, Value, Value)> {
    let devices = place.devices_json();
    let releases = devices[id]["firmware"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let fields = |release: &Value| {
        let member = |name: &str| release[name].clone();
        (member("version"), member("sequence"), member("next"))
    };
    releases.iter().map(fields).collect()
}

#[test]
fn a_release_is_published_with_what_its_author_signed() {
    let place = place_with_a_lamp();
    let answer = publish(&place, "1.1", (1, 0), &["--all"]);
    let author = Author::new(1).id();
    let of = |key: &str| answer[key].clone();
    assert_eq!((of("type"), of("version")), (json!("lamp"), json!("1.1")));
    assert_eq!((of("sequence"), of("min_sequence")), (json!(1), json!(0)));
    assert_eq!(
        (of("key_id"), of("verified")),
        (json!(author), json!(false))
    );
    assert_eq!(of("devices"), json!(["one"]));
    let folder = place.data("firmwareStore/lamp/1.1");
    assert_eq!(fs::read(folder.join("lamp.bin")).unwrap(), image("1.1"));
    let manifest = fs::read(place.path("lamp.manifest")).unwrap();
    assert_eq!(fs::read(folder.join("release.manifest")).unwrap(), manifest);
    let listed = place.json(&["firmware", "list"]);
    assert_eq!(
        listed.as_array().unwrap().len(),
        1,
        "the manifest is no image"
    );
    assert_eq!(listed[0]["sequence"], 1);
    assert_eq!(listed[0]["key_id"], author);
    assert!(place.ok(&["firmware", "list"]).contains(&author));
    let shown = place.json(&["device", "show", "one"]);
    assert_eq!(shown["releases"][1]["sequence"], 1);
    assert_eq!(shown["releases"][1]["image_size"], 2560);
}

#[test]
fn an_image_that_was_not_signed_is_refused_and_says_where() {
    let place = place_with_a_lamp();
    prepare(&place, "1.1", (1, 0));
    let good = image("1.1");
    for (index, chunk) in [
        (0, "chunk 0"),
        (1024, "chunk 1, from byte 1024"),
        (2559, "chunk 2"),
    ] {
        let mut changed = good.clone();
        changed[index] ^= 1;
        place.write("lamp.bin", changed);
        refused(&place, &["--all"], chunk);
    }
    for wrong in [&good[..2559], &good[..1024], &[&good[..], b"x"].concat()] {
        place.write("lamp.bin", wrong);
        refused(&place, &["--all"], "the manifest is for 2560");
    }
    place.write("lamp.bin", "");
    refused(&place, &["--all"], "0 bytes");
}

#[test]
fn what_is_no_manifest_is_refused() {
    let place = place_with_a_lamp();
    prepare(&place, "1.1", (1, 0));
    let good = fs::read(place.path("lamp.manifest")).unwrap();
    for wrong in [
        &b""[..],
        b"{}",
        &good[..good.len() - 1],
        &[&good[..], b"\0"].concat(),
        &vec![0xd2; 64 * 1024 + 1],
    ] {
        place.write("lamp.manifest", wrong);
        refused(&place, &["--all"], "the manifest");
    }
}

#[test]
fn flags_may_repeat_the_manifest_and_not_contradict_it() {
    let place = place_with_a_lamp();
    prepare(&place, "1.1", (1, 0));
    refused(&place, &["--version", "1.2"], "--version says 1.2");
    refused(&place, &["--type", "gate"], "--type says gate");
    place.ok(&add(&["--type", "lamp", "--version", "1.1", "--all"]));
}

#[test]
fn an_image_for_other_hardware_is_kept_from_a_device() {
    let place = place_with_a_lamp();
    place.ok(&["device", "add", "two", "--type", "gate", "--version", "1.0"]);
    prepare(&place, "1.1", (1, 0));
    let before = place.devices_json();
    place.fails(
        &add(&["--device", "one", "--device", "two"]),
        1,
        "two is not of the type lamp",
    );
    assert_eq!(place.devices_json(), before, "all or none");
}

#[test]
fn the_same_release_again_changes_nothing() {
    let place = place_with_a_lamp();
    publish(&place, "1.1", (1, 0), &["--all"]);
    let first = fs::read(place.path("lamp.manifest")).unwrap();
    publish(&place, "1.2", (2, 0), &["--all"]);
    let before = files_below(&place.path("data"));
    place.ok(&add(&["--all"]));
    place.write("lamp.bin", image("1.1"));
    place.write("lamp.manifest", first);
    place.ok(&add(&["--all"]));
    // For more devices the manifest need not be at hand.
    place.ok(&[
        "firmware",
        "add",
        "--type",
        "lamp",
        "--version",
        "1.1",
        "lamp.bin",
        "--all",
    ]);
    assert_eq!(files_below(&place.path("data")), before);
}

#[test]
fn a_sequence_number_that_is_not_higher_is_refused() {
    let place = place_with_a_lamp();
    publish(&place, "1.5", (5, 0), &["--all"]);
    for sequence in [4, 5] {
        prepare(&place, "1.6", (sequence, 0));
        refused(&place, &["--all"], "above 5");
    }
    // Another release under the same name, and the same signed by another.
    prepare(&place, "1.5", (6, 0));
    refused(
        &place,
        &["--all"],
        "published already, with another manifest",
    );
    let other = Author::new(2).sign("1.5", (5, 0), &image("1.5"));
    place.write("lamp.manifest", other);
    refused(
        &place,
        &["--all"],
        "published already, with another manifest",
    );
    publish(&place, "1.6", (6, 0), &["--all"]);
}

#[test]
fn a_release_that_nobody_can_reach_is_refused() {
    let place = place_with_a_lamp();
    prepare(&place, "2.0", (7, 4));
    refused(&place, &["--all"], "none is published");
    publish(&place, "1.2", (3, 0), &["--all"]);
    prepare(&place, "2.0", (7, 4));
    refused(&place, &["--all"], "published are 3 (1.2)");
    refused(&place, &["--all"], "a release from 4 to 6");
    publish(&place, "1.4", (4, 0), &["--all"]);
    publish(&place, "2.0", (7, 4), &["--all"]);
}

#[test]
fn a_device_is_offered_what_it_needs_on_the_way() {
    let place = place_with_a_lamp();
    publish(&place, "1.2", (1, 0), &[]);
    publish(&place, "1.4", (2, 1), &[]);
    publish(&place, "1.5", (3, 0), &[]);
    let answer = publish(&place, "2.0", (4, 2), &["--all"]);
    assert_eq!(
        answer["steps"],
        json!(["1.5"]),
        "the newest from which it goes on"
    );
    assert_eq!(
        lines(&place, "one"),
        [
            (json!("1.0"), Value::Null, json!("1.5")),
            (json!("1.5"), json!(3), json!("2.0")),
            (json!("2.0"), json!(4), Value::Null),
        ]
    );
    let answer = publish(&place, "3.0", (5, 4), &["--all"]);
    assert_eq!(answer["steps"], json!([]));
    // An older one takes its place, not the end.
    prepare(&place, "1.4", (2, 1));
    place.json(&add(&["--all"]));
    let versions: Vec<_> = lines(&place, "one")
        .into_iter()
        .map(|line| line.0)
        .collect();
    assert_eq!(versions, ["1.0", "1.2", "1.4", "1.5", "2.0", "3.0"]);
}

#[test]
fn only_authors_who_are_trusted_publish_once_one_is() {
    let place = place_with_a_lamp();
    let (first, second) = (Author::new(1), Author::new(2));
    place.write("second.pem", second.public_pem());
    place.write("first.pem", first.public_pem());
    assert_eq!(place.json(&["firmware", "authors"]), json!([]));
    place.ok(&["firmware", "trust", "second.pem"]);
    prepare(&place, "1.1", (1, 0));
    refused(&place, &["--all"], "no author that this server trusts");
    place.ok(&["firmware", "trust", "first.pem"]);
    place.ok(&["firmware", "trust", "first.pem"]);
    assert_eq!(
        place
            .json(&["firmware", "authors"])
            .as_array()
            .unwrap()
            .len(),
        2
    );
    // Under the name of one who is trusted.
    let good = fs::read(place.path("lamp.manifest")).unwrap();
    let mut forged = good.clone();
    *forged.last_mut().unwrap() ^= 1;
    place.write("lamp.manifest", forged);
    refused(&place, &["--all"], "verify");
    place.write("lamp.manifest", good);
    assert_eq!(place.json(&add(&["--all"]))["verified"], true);
    place.ok(&["firmware", "distrust", &first.id()]);
    refused(&place, &["--all"], "no author that this server trusts");
    place.fails(&["firmware", "distrust", &first.id()], 1, "no author");
    place.fails(&["firmware", "distrust", "../ca/root"], 1, "no author");
    place.write("data/authors/x.pem", "no key");
    refused(&place, &["--all"], "public key");
    place.fails(&["firmware", "trust", "lamp.bin"], 1, "public key");
}

#[test]
fn what_comes_without_a_signature_is_refused_after_what_has_one() {
    let place = place_with_a_lamp();
    place.write("lamp.bin", "unsigned");
    let unsigned = |version| {
        [
            "firmware",
            "add",
            "--type",
            "lamp",
            "--version",
            version,
            "lamp.bin",
        ]
    };
    place.ok(&unsigned("1.0"));
    publish(&place, "1.1", (1, 0), &["--all"]);
    place.write("lamp.bin", "also unsigned");
    place.fails(&unsigned("1.2"), 1, "comes without a manifest");
    place.fails(&unsigned("1.1"), 1, "with other bytes");
    assert!(!place.data("firmwareStore/lamp/1.2").exists());
}

#[test]
fn what_a_crash_left_half_published_is_offered_to_nobody_and_completed() {
    let place = place_with_a_lamp();
    let before = lines(&place, "one");
    // After the image, before its manifest.
    place.write("data/firmwareStore/lamp/1.1/lamp.bin", image("1.1"));
    assert_eq!(lines(&place, "one"), before);
    publish(&place, "1.1", (1, 0), &[]);
    // After the manifest, before the records.
    assert_eq!(lines(&place, "one"), before);
    let answer = publish(&place, "1.1", (1, 0), &["--all"]);
    assert_eq!(answer["devices"], json!(["one"]));
    assert_eq!(lines(&place, "one").len(), 2);
}

#[test]
fn a_damaged_manifest_stops_publishing_and_is_named() {
    let place = place_with_a_lamp();
    publish(&place, "1.1", (1, 0), &["--all"]);
    fs::write(place.data("firmwareStore/lamp/1.1/release.manifest"), "x").unwrap();
    prepare(&place, "1.2", (2, 0));
    refused(&place, &["--all"], "lamp/1.1/release.manifest");
}

#[test]
fn a_device_that_is_added_later_knows_where_its_release_stands() {
    let place = Place::new();
    publish(&place, "1.1", (1, 0), &[]);
    place.ok(&[
        "device",
        "add",
        "late",
        "--type",
        "lamp",
        "--version",
        "1.1",
    ]);
    assert_eq!(
        lines(&place, "late"),
        [(json!("1.1"), json!(1), Value::Null)]
    );
}

#[test]
fn what_failed_is_shown_and_tried_again_when_the_operator_says_so() {
    let place = place_with_a_lamp();
    publish(&place, "1.1", (1, 0), &["--all"]);
    publish(&place, "1.2", (2, 0), &["--all"]);
    let fail = || {
        let store = JsonStore::open(Layout::below(&place.path("data"))).unwrap();
        let at = Timestamp::from_unix(1_767_323_045).unwrap();
        for version in ["1.1", "1.2"] {
            let reason = "no \u{202e}contact\u{1b}[2J";
            let failure = Failure::new(version.parse().unwrap(), at, true, reason);
            let id = "one".parse().unwrap();
            futures_lite::future::block_on(store.note_failure(&id, &failure)).unwrap();
        }
    };
    let failed = || -> Vec<Value> {
        let shown = place.json(&["device", "show", "one"]);
        let releases = shown["releases"].as_array().unwrap().clone();
        let failed = releases
            .iter()
            .filter(|release| !release["failure"].is_null());
        failed.map(|release| release["version"].clone()).collect()
    };
    fail();
    assert_eq!(failed(), ["1.1", "1.2"]);
    let shown = place.ok(&["device", "show", "one"]);
    assert!(
        shown.contains("1.2 rolled back at 2026-01-02T03:04:05Z"),
        "{shown}"
    );
    assert!(!shown.contains(['\u{1b}', '\u{202e}']), "{shown}");
    let answer = place.json(&["device", "retry", "one", "1.1"]);
    assert_eq!(answer["versions"], json!(["1.1"]));
    assert_eq!(failed(), ["1.2"]);
    fail();
    place.ok(&["device", "retry", "one"]);
    assert_eq!(failed(), [""; 0]);
    place.fails(&["device", "retry", "nobody"], 1, "no device nobody");
    fail();
    place.ok(&["device", "remove", "one", "--yes", "--keep-files"]);
    place.ok(&["device", "add", "one", "--type", "lamp", "--version", "1.1"]);
    assert_eq!(failed(), [""; 0], "another device of that name");
}

#[test]
fn of_those_who_publish_at_once_one_gets_the_number() {
    let place = place_with_a_lamp();
    let author = Author::new(1);
    let wins = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..6)
            .map(|number| {
                let (place, author) = (&place, &author);
                scope.spawn(move || {
                    let version = format!("1.{number}");
                    let (bin, manifest) = (format!("{number}.bin"), format!("{number}.manifest"));
                    place.write(&bin, image(&version));
                    place.write(&manifest, author.sign(&version, (7, 0), &image(&version)));
                    place
                        .run(&["firmware", "add", &bin, "--manifest", &manifest])
                        .code
                        == Some(0)
                })
            })
            .collect();
        tries
            .into_iter()
            .map(|run| run.join().unwrap())
            .collect::<Vec<_>>()
    });
    assert_eq!(wins.iter().filter(|won| **won).count(), 1, "{wins:?}");
    assert_eq!(
        place.json(&["firmware", "list"]).as_array().unwrap().len(),
        1
    );
}
