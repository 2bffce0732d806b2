//! Which release a server offers to a device of the `Signed` dialect, and what it remembers of those
//! that failed.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use futures_lite::future::block_on;
use proptest::prelude::*;
use providore_pki::manifest::{
    AuthorKeys, ChunkSize, Manifest, ManifestBuilder, Release as Signed,
};
use providore_server_core::{FirmwareStore as _, MemoryStore, Order, Release};
use providore_sign::signed::RequestToSign;
use providore_testkit::{
    SharedStore,
    parties::{
        Answer, Fresh, Peer, SignedPeer, Site, at, device_key, image, stocked, stocked_with,
    },
};
use providore_wire::{FirmwareVersion, Method};
use sha2::{Digest as _, Sha256};

const BOARD: &str = "board";

type Store = SharedStore<MemoryStore>;

fn name(text: &str) -> FirmwareVersion {
    text.parse().expect("a name")
}

/// The manifest of a release, as its author makes it.
fn manifest(hardware: &str, version: &str, (sequence, minimum): (u64, u64)) -> Vec<u8> {
    let hardware = hardware.parse().expect("a type");
    let release = Signed::new(hardware, name(version), sequence)
        .with_minimum_sequence(minimum)
        .with_chunk_size(ChunkSize::MIN);
    let mut builder = ManifestBuilder::new(release).expect("an order");
    builder.update(version.as_bytes()).expect("a short image");
    builder.sign(&mut device_key(7)).expect("a software key")
}

/// A version, and its sequence numbers if its author signed it.
type Line<'a> = (&'a str, Option<(u64, u64)>);

fn release((version, order): Line<'_>, next: Option<&str>) -> Release {
    Release {
        hardware: name(BOARD),
        version: name(version),
        file: None,
        config: None,
        next: next.map(name),
        order: order.and_then(|(sequence, minimum)| Order::new(sequence, minimum)),
    }
}

/// A server whose only device is meant to have these releases, oldest first, each linked to the next.
fn scene(lines: &[Line<'_>]) -> (SignedPeer, Store, Site<Store>) {
    let (peer, store, site) = scene_without_images(lines);
    for (version, _) in lines {
        put_image(&store, version);
    }
    (peer, store, site)
}

fn put_image(store: &Store, version: &str) {
    block_on(store.put_image(name(BOARD), name(version), version.as_bytes().to_vec()));
}

fn scene_without_images(lines: &[Line<'_>]) -> (SignedPeer, Store, Site<Store>) {
    let peer = SignedPeer::new("dev1");
    let store = SharedStore::new(MemoryStore::default());
    let mut record = peer.record();
    let following = lines.iter().skip(1).map(|line| Some(line.0)).chain([None]);
    let releases = lines.iter().zip(following);
    record.releases = releases.map(|(line, next)| release(*line, next)).collect();
    block_on(store.put_device(record));
    for (version, order) in lines {
        if let Some(order) = order {
            let manifest = manifest(BOARD, version, *order);
            block_on(store.put_manifest(name(BOARD), name(version), manifest));
        }
    }
    let site = Site::new(store.clone());
    (peer, store, site)
}

fn ask(site: &Site<Store>, peer: &SignedPeer, running: &str) -> Answer {
    let mut peer = peer.clone();
    peer.version = name(running);
    let question = peer.get("/firmware/check", &Fresh::At(at(0)));
    let answer = site.ask(&question, at(0));
    peer.verify(&question, &answer).expect("a good answer");
    answer
}

/// The version that a device running `running` is led to.
fn offered(site: &Site<Store>, peer: &SignedPeer, running: &str) -> Option<String> {
    let answer = ask(site, peer, running);
    let location = answer.field("location");
    match answer.status {
        204 => assert_eq!(location, None),
        200 => {
            let manifest = Manifest::parse(&answer.body).expect("a manifest");
            let version = manifest.unverified_contents().version().to_string();
            assert_eq!(location, Some(&*format!("/firmware?version={version}")));
        }
        status => assert_eq!(status, 302),
    }
    let version = location?.strip_prefix("/firmware?version=");
    Some(version.expect("a place of ours").to_owned())
}

#[test]
fn a_release_whose_image_is_not_there_is_not_offered_and_the_operator_learns_it() {
    for orders in [[None, None], [Some((1, 0)), Some((2, 0))]] {
        let lines = [("1.0", orders[0]), ("2.0", orders[1])];
        let (peer, store, site) = scene_without_images(&lines);
        put_image(&store, "1.0");
        assert_eq!(offered(&site, &peer, "1.0"), None, "{orders:?}");
        assert!(site.heard_of("ImageMissing"), "{orders:?}");
        put_image(&store, "2.0");
        assert_eq!(offered(&site, &peer, "1.0").as_deref(), Some("2.0"));
    }
}

#[test]
fn a_device_of_the_original_dialect_is_not_led_to_an_image_that_is_not_there() {
    let peer = Peer::new("dev1");
    let store = SharedStore::new(MemoryStore::default());
    let mut record = peer.record();
    record.releases = vec![
        release(("1.0.0", None), Some("2.0.0")),
        release(("2.0.0", None), None),
    ];
    block_on(store.put_device(record));
    let site = Site::new(store.clone());
    let check = || site.ask(&peer.get("/firmware/check", at(0)), at(0)).status;
    assert_eq!(check(), 204);
    assert!(site.heard_of("ImageMissing"));
    put_image(&store, "2.0.0");
    assert_eq!(check(), 302);
}

fn report(site: &Site<Store>, peer: &SignedPeer, body: &str) -> u16 {
    let target = (Method::Post, "/report");
    let body = body.as_bytes();
    let question = peer.sign(
        target,
        &Fresh::At(at(0)),
        |request| request.content("application/json", body),
        body,
    );
    let answer = site.ask(&question, at(0));
    peer.verify(&question, &answer).expect("a good answer");
    answer.status
}

fn tell(site: &Site<Store>, peer: &SignedPeer, outcome: &str, version: &str) {
    let body = format!(
        r#"{{"what":"firmware","outcome":"{outcome}","version":"{version}","reason":"no \"link\""}}"#
    );
    assert_eq!(report(site, peer, &body), 204, "{body}");
}

/// What is written down of `dev1`.
fn failures(store: &Store) -> Vec<String> {
    let failures = block_on(store.failures(&name("dev1").as_str().parse().expect("an id")));
    let failures = failures.expect("no fault");
    failures
        .iter()
        .map(|failure| failure.version.to_string())
        .collect()
}

/// From 1.2 devices go over 1.4 to 2.0; 1.0 is from before there were manifests.
const PATH: [Line<'static>; 4] = [
    ("1.0", None),
    ("1.2", Some((1, 0))),
    ("1.4", Some((2, 0))),
    ("2.0", Some((3, 2))),
];

/// A device that runs `running` is led to `expected`, when `failed` have failed on it.
fn check(lines: &[Line<'_>], failed: &[&str], running: &str, expected: Option<&str>) {
    let (peer, _, site) = scene(lines);
    for version in failed {
        tell(&site, &peer, "failed", version);
    }
    let offered = offered(&site, &peer, running);
    assert_eq!(
        offered.as_deref(),
        expected,
        "{running}, failed: {failed:?}"
    );
}

#[test]
fn what_is_offered_is_what_its_author_signed() {
    let (peer, _, site) = scene(&PATH);
    let answer = ask(&site, &peer, "1.4");
    assert_eq!(answer.status, 200);
    let kind = "application/cose; cose-type=\"cose-sign1\"";
    assert_eq!(answer.field("content-type"), Some(kind));
    assert_eq!(answer.field("location"), Some("/firmware?version=2.0"));
    assert_eq!(answer.body, manifest(BOARD, "2.0", (3, 2)));
    let authors = [device_key(7).public_key()];
    let authors = AuthorKeys::new(&authors).expect("one");
    let _verified = authors
        .verify(Manifest::parse(&answer.body).expect("a manifest"))
        .expect("signed by its author");
    let head = peer.sign(
        (Method::Head, "/firmware/check"),
        &Fresh::At(at(0)),
        |r| r,
        b"",
    );
    let head = site.ask(&head, at(0));
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[test]
fn a_device_is_led_over_the_releases_that_it_needs() {
    check(&PATH, &[], "1.0", Some("1.4"));
    check(&PATH, &[], "1.2", Some("1.4"));
    check(&PATH, &[], "1.4", Some("2.0"));
    check(&PATH, &[], "2.0", None);
}

#[test]
fn what_failed_is_not_offered_and_another_way_is_taken() {
    check(&PATH, &["1.4"], "1.0", Some("1.2"));
    // Over 1.2 alone nobody gets to 2.0.
    check(&PATH, &["1.4"], "1.2", None);
    check(&PATH, &["2.0"], "1.4", None);
    check(&PATH, &["1.2", "1.4"], "1.0", None);
    let direct = [
        ("1.2", Some((1, 0))),
        ("1.4", Some((2, 0))),
        ("2.0", Some((3, 1))),
    ];
    check(&direct, &["1.4"], "1.2", Some("2.0"));
    check(&direct, &["2.0"], "1.2", Some("1.4"));
    let unsigned = [("1.0", None), ("1.1", None)];
    check(&unsigned, &["1.1"], "1.0", None);
}

#[test]
fn a_device_that_runs_what_nobody_knows_counts_as_having_nothing() {
    check(&PATH, &[], "0.9-dev", Some("1.4"));
    let needs = [("2.0", Some((3, 2)))];
    check(&needs, &[], "0.9-dev", None);
    check(&[("1.0", None), ("1.1", None)], &[], "0.9-dev", Some("1.1"));
    check(&[], &[], "0.9-dev", None);
}

#[test]
fn a_release_that_is_published_counts_though_the_record_does_not_list_it() {
    for lines in [
        &[("2.0", Some((3, 2)))][..],
        &[("1.4", None), ("2.0", Some((3, 2)))],
    ] {
        let (peer, store, site) = scene(lines);
        assert_eq!(offered(&site, &peer, "1.4"), None);
        let factory = manifest(BOARD, "1.4", (2, 0));
        block_on(store.put_manifest(name(BOARD), name("1.4"), factory));
        assert_eq!(offered(&site, &peer, "1.4").as_deref(), Some("2.0"));
    }
}

#[test]
fn the_chain_of_unsigned_releases_stays() {
    let unsigned = [("1.0", None), ("1.1", None), ("1.2", None)];
    check(&unsigned, &[], "1.0", Some("1.1"));
    check(&unsigned, &[], "1.1", Some("1.2"));
    check(&unsigned, &[], "1.2", None);
    // Signed firmware is found from anywhere on the chain, and no way leads back.
    let mixed = [
        ("1.0", None),
        ("1.1", None),
        ("2.0", Some((1, 0))),
        ("2.1", None),
    ];
    check(&mixed, &[], "1.0", Some("2.0"));
    check(&mixed, &["2.0"], "1.0", Some("1.1"));
    check(&mixed, &["2.0"], "1.1", None);
    check(&mixed, &[], "2.0", None);
}

#[test]
fn a_device_of_the_original_dialect_is_led_along_the_chain() {
    let peer = Peer::new("dev1");
    let store = stocked(&peer);
    let mut record = peer.record();
    record.releases = [
        release(("1.0.0", Some((1, 0))), Some("2.0.0")),
        release(("2.0.0", Some((2, 1))), None),
    ]
    .into();
    block_on(store.put_device(record));
    let site = Site::new(store);
    let answer = site.ask(&peer.get("/firmware/check", at(0)), at(0));
    assert_eq!(answer.status, 302);
    assert_eq!(answer.field("location"), Some("/firmware?version=2.0.0"));
}

#[test]
fn a_manifest_of_other_hardware_leads_nowhere() {
    let (peer, store, site) = scene(&[("1.0", Some((1, 0))), ("2.0", Some((2, 0)))]);
    let mut record = peer.record();
    let mut other = release(("9.0", Some((9, 0))), None);
    other.hardware = name("gate");
    record.releases = [release(("1.0", Some((1, 0))), None), other].into();
    block_on(store.put_device(record));
    assert_eq!(offered(&site, &peer, "1.0"), None);
}

#[test]
fn a_failure_is_remembered_until_the_release_is_applied_or_the_operator_says_so() {
    let (peer, store, site) = scene(&PATH);
    for outcome in ["failed", "rolled-back"] {
        tell(&site, &peer, outcome, "2.0");
        assert!(site.heard_of("FirmwareFailed"), "{outcome}");
        assert_eq!(offered(&site, &peer, "1.4"), None, "{outcome}");
        let again = Site::new(store.clone());
        assert_eq!(offered(&again, &peer, "1.4"), None, "after a restart");
        tell(&site, &peer, "applied", "2.0");
        assert_eq!(offered(&site, &peer, "1.4").as_deref(), Some("2.0"));
    }
    tell(&site, &peer, "failed", "2.0");
    block_on(store.forget_failure(&peer.id, &name("2.0"))).expect("no fault");
    assert_eq!(offered(&site, &peer, "1.4").as_deref(), Some("2.0"));
}

#[test]
fn a_failure_is_of_one_device() {
    let (peer, store, site) = scene(&PATH);
    let sister = SignedPeer::new("dev2");
    let mut record = sister.record();
    record.releases = PATH.iter().map(|line| release(*line, None)).collect();
    block_on(store.put_device(record));
    tell(&site, &peer, "failed", "2.0");
    assert_eq!(offered(&site, &peer, "1.4"), None);
    assert_eq!(offered(&site, &sister, "1.4").as_deref(), Some("2.0"));
}

#[test]
fn only_what_could_be_offered_is_written_down() {
    let (peer, store, site) = scene(&PATH);
    for number in 0..20 {
        tell(&site, &peer, "failed", &format!("9.{number}"));
    }
    for body in [
        r#"{"what":"config","outcome":"failed","version":"2.0"}"#,
        r#"{"what":"firmware","outcome":"healthy","version":"2.0"}"#,
        r#"{"what":"firmware","outcome":"failed"}"#,
        r#"{"what":"firmware","outcome":"failed","version":null}"#,
        r#"{"what":"firmware","outcome":"failed","version":"../2.0"}"#,
        r#"{"outcome":"failed","version":"2.0"}"#,
        "{}",
    ] {
        assert_eq!(report(&site, &peer, body), 204, "{body}");
    }
    assert_eq!(failures(&store), [""; 0]);
    assert!(!site.heard_of("FirmwareFailed"));
    for _ in 0..3 {
        tell(&site, &peer, "failed", "2.0");
    }
    assert_eq!(failures(&store), ["2.0"]);
}

#[test]
fn a_report_that_is_no_json_object_is_refused() {
    let (peer, store, site) = scene(&PATH);
    for body in [
        "",
        "[]",
        "{",
        "{}}",
        "{\"a\"}",
        r#"{"what":"firmware","what":"config"}"#,
        r#"{"what":7}"#,
        "{\"what\":\"\u{1}\"}",
    ] {
        assert_eq!(report(&site, &peer, body), 422, "{body}");
    }
    assert_eq!(failures(&store), [""; 0]);
    assert!(!site.heard_of("Reported"));
}

#[test]
fn a_reason_is_bounded_and_commands_no_terminal() {
    let (peer, store, site) = scene(&PATH);
    let reason = format!(r"\u001b[2J\u0007\n{}", "x".repeat(400));
    let body =
        format!(r#"{{"what":"firmware","outcome":"failed","version":"2.0","reason":"{reason}"}}"#);
    assert_eq!(report(&site, &peer, &body), 204);
    let noted = block_on(store.failures(&peer.id)).expect("no fault");
    let reason = noted.first().expect("one").reason();
    assert_eq!(reason.chars().count(), 256);
    assert!(reason.starts_with(" [2J  xxx"), "{reason:?}");
    assert_eq!(noted.first().map(|failure| failure.at), Some(at(0)));
}

#[test]
fn a_failure_that_cannot_be_written_down_is_not_acknowledged() {
    let (peer, store, site) = scene(&PATH);
    let body = r#"{"what":"firmware","outcome":"failed","version":"2.0"}"#;
    store.fail("note_failure");
    assert_eq!(report(&site, &peer, body), 503);
    store.heal();
    assert_eq!(report(&site, &peer, body), 204);
    store.fail("forget_failure");
    assert_eq!(
        report(&site, &peer, &body.replace("failed", "applied")),
        503
    );
    store.heal();
    assert_eq!(failures(&store), ["2.0"]);
    // Rather nothing than what may have failed.
    store.fail("failures");
    assert_eq!(ask(&site, &peer, "1.4").status, 503);
}

#[test]
fn a_manifest_that_contradicts_the_record_is_not_handed_out() {
    let others: [Option<Vec<u8>>; 6] = [
        Some(manifest(BOARD, "2.0", (4, 2))),
        Some(manifest(BOARD, "2.0", (3, 1))),
        Some(manifest(BOARD, "2.1", (3, 2))),
        Some(manifest("gate", "2.0", (3, 2))),
        Some(b"no manifest".to_vec()),
        None,
    ];
    for other in others {
        let (peer, store, site) = scene(&PATH);
        let mut record = peer.record();
        record.releases = PATH.iter().map(|line| release(*line, None)).collect();
        let missing = release(("2.2", Some((9, 2))), None);
        if let Some(other) = &other {
            block_on(store.put_manifest(name(BOARD), name("2.0"), other.clone()));
        } else {
            put_image(&store, "2.2");
            record.releases.push(missing);
        }
        block_on(store.put_device(record));
        assert_eq!(ask(&site, &peer, "1.4").status, 503, "{other:?}");
        assert!(site.heard_of("Fault"), "{other:?}");
    }
    let (peer, store, site) = scene(&PATH);
    store.fail("manifest");
    assert_eq!(ask(&site, &peer, "1.4").status, 503);
}

#[test]
fn a_download_goes_on_where_it_ended_and_in_the_same_image_only() {
    let peer = SignedPeer::new("dev1");
    let site = Site::new(stocked_with(peer.record()));
    let bytes = image("2.0.0");
    let digest: [u8; 32] = Sha256::digest(&bytes).into();
    let tag = format!("\"{}\"", base16ct::lower::encode_string(&digest));
    let ask = |range: &str, tag: &str| {
        let target = (Method::Get, "/firmware?version=2.0.0");
        let part = |request| RequestToSign::if_range(RequestToSign::range(request, range), tag);
        let question = peer.sign(target, &Fresh::At(at(0)), part, b"");
        let answer = site.ask(&question, at(0));
        peer.verify(&question, &answer).expect("a good answer");
        answer
    };
    let length = bytes.len();
    for from in [0, 1, 1024, 262_144, length - 1] {
        let answer = ask(&format!("bytes={from}-"), &tag);
        assert_eq!((answer.status, answer.field("etag")), (206, Some(&*tag)));
        let place = format!("bytes {from}-{}/{length}", length - 1);
        assert_eq!(answer.field("content-range"), Some(&*place));
        assert_eq!(answer.body, bytes[from..], "{from}");
    }
    let whole = ask("bytes=1024-", "\"another\"");
    assert_eq!((whole.status, whole.field("content-range")), (200, None));
    assert_eq!(whole.body, bytes, "from its first byte");
    assert_eq!(ask(&format!("bytes={length}-"), &tag).status, 416);
}

/// Releases 1, 2, 3 … with any minimum, some of which failed.
fn any_releases() -> impl Strategy<Value = Vec<(u64, bool)>> {
    let release = (0_u64..12, any::<bool>(), any::<bool>());
    proptest::collection::vec(release, 0..10).prop_map(|drawn| {
        let numbered = drawn.into_iter().zip(1_u64..);
        let bound = |((minimum, failed, also), sequence): ((u64, bool, bool), u64)| {
            (minimum.min(sequence.saturating_sub(1)), failed && also)
        };
        numbered.map(bound).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// From nothing, question after question: what is offered always rises, may always follow, and
    /// has not failed; and where nothing is offered, nothing was left that could have been.
    #[test]
    fn every_path_rises_to_where_nothing_more_may_follow(releases in any_releases()) {
        let versions: Vec<String> = (1..=releases.len()).map(|number| format!("v{number}")).collect();
        let lines: Vec<Line<'_>> = versions
            .iter()
            .zip(&releases)
            .zip(1_u64..)
            .map(|((version, (minimum, _)), sequence)| (version.as_str(), Some((sequence, *minimum))))
            .collect();
        let (peer, _, site) = scene(&lines);
        for (version, (_, failed)) in versions.iter().zip(&releases) {
            if *failed {
                tell(&site, &peer, "rolled-back", version);
            }
        }
        let mut running = String::from("none");
        let mut sequence = 0_u64;
        loop {
            let open = |(number, (minimum, failed)): &(u64, &(u64, bool))| {
                !failed && *minimum <= sequence && sequence < *number
            };
            let best = (1_u64..).zip(&releases).filter(open).map(|(number, _)| number).max();
            let next = offered(&site, &peer, &running);
            let expected = best.map(|number| format!("v{number}"));
            prop_assert_eq!(&next, &expected);
            let (Some(next), Some(best)) = (next, best) else { break };
            running = next;
            sequence = best;
        }
    }

    /// Whatever a device reports, it is answered, and nothing but releases of its record is
    /// written down.
    #[test]
    fn any_report_is_answered_and_notes_nothing_else(
        body in prop_oneof![
            ".{1,200}",
            r#"\{"what":"firmware","outcome":"(failed|applied)","version":"[^"]{0,80}"\}"#,
        ],
    ) {
        let (peer, store, site) = scene(&PATH);
        let status = report(&site, &peer, &body);
        prop_assert!(matches!(status, 204 | 422), "{}", status);
        prop_assert!(failures(&store).iter().all(|noted| PATH.iter().any(|line| line.0 == noted)));
    }
}
