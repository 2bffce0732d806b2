//! Every route, and every answer to a device carries the device's signature.

#![expect(
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use providore_pki::{Profile, VerifiedChain, crl::RevocationList};
use providore_server_core::{Admission, MemoryStore, Request, Settings};
use providore_sign::ReplayLimits;
use providore_testkit::parties::{
    Answer, CONFIG, CONFIG_1, Message, Peer, Site, at, device_key, image, stocked,
};
use providore_wire::{DeviceId, Method, Timestamp};

const PROBLEM: &str = r#"{"type":"urn:providore:problem:"#;

/// What is expected of an answer.
enum Expect<'a> {
    /// This body of this type.
    Body(&'a str, &'a [u8]),
    /// No body at all.
    Nothing,
    /// A problem document of this name.
    Problem(&'a str),
}

/// Asks a stocked server and checks status, body and signature of the answer.
fn check(message: impl Fn(&Peer) -> Message, status: u16, expected: &Expect<'_>) -> Answer {
    let peer = Peer::new("dev1");
    let site = Site::new(stocked(&peer));
    let answer = site.ask(&message(&peer), at(0));
    check_answer(&peer, &answer, status, expected);
    answer
}

fn check_answer(peer: &Peer, answer: &Answer, status: u16, expected: &Expect<'_>) {
    assert_eq!(answer.status, status, "{:?}", answer.fields);
    let verdict = peer.verify(answer, at(0)).map(|proof| proof.created());
    assert_eq!(verdict, Ok(at(0)));
    assert_eq!(answer.field("created-at").unwrap().len(), 20);
    assert_eq!(answer.field("cache-control"), Some("no-store"));
    let length = (!matches!(status, 204 | 304)).then(|| answer.body.len().to_string());
    assert_eq!(answer.field("content-length"), length.as_deref());
    match expected {
        Expect::Body(content_type, body) => {
            assert_eq!(answer.field("content-type"), Some(*content_type));
            assert_eq!(answer.body, *body);
        }
        Expect::Nothing => assert_eq!(answer.body, b""),
        Expect::Problem(name) => {
            let content_type = answer.field("content-type");
            assert_eq!(content_type, Some("application/problem+json"));
            let start = format!("{PROBLEM}{name}\"");
            assert!(answer.text().starts_with(&start), "{}", answer.text());
            let shown: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
            assert_eq!(shown["status"], status);
        }
    }
}

#[test]
fn the_configuration_is_that_of_the_running_version_or_of_the_newest() {
    let json = "application/json";
    let own = Expect::Body(json, CONFIG_1.as_bytes());
    let default = Expect::Body(json, CONFIG.as_bytes());
    check(|peer| peer.get("/config", at(0)), 200, &own);
    for version in ["2.0.0", "0.0.1-unknown"] {
        let message = |peer: &Peer| peer.running(version).get("/config", at(0));
        check(message, 200, &default);
    }
}

#[test]
fn an_image_is_the_one_asked_for_or_the_newest() {
    let binary = "application/octet-stream";
    for (target, version) in [
        ("/firmware", "2.0.0"),
        ("/firmware?version=1.0.0", "1.0.0"),
        ("/firmware?version=2.0.0", "2.0.0"),
        ("/firmware?a=b&version=1.0.0&c", "1.0.0"),
        ("/firmware?Version=1.0.0", "2.0.0"),
    ] {
        let image = image(version);
        let expected = Expect::Body(binary, &image);
        let answer = check(|peer| peer.get(target, at(0)), 200, &expected);
        assert_eq!(
            answer.field("x-firmware-version"),
            Some(version),
            "{target}"
        );
        assert_eq!(answer.field("accept-ranges"), Some("bytes"));
    }
}

#[test]
fn a_version_that_is_not_the_devices_is_not_found() {
    for target in [
        "/firmware?version=3.0.0",
        "/firmware?version=",
        "/firmware?version=1.0.0&version=2.0.0",
        "/firmware?version=../board/1.0.0",
        "/firmware?version=%2e%2e",
        "/firmware?version=1.0.0%00",
        "/firmware?version=1.0.0/../2.0.0",
    ] {
        let problem = Expect::Problem("not-found");
        check(|peer| peer.get(target, at(0)), 404, &problem);
    }
}

#[test]
fn the_check_leads_to_the_next_version_and_no_further() {
    let location = "/firmware?version=2.0.0";
    for version in ["1.0.0", "0.0.1-unknown"] {
        let body = format!("Found. Redirecting to {location}");
        let expected = Expect::Body("text/plain; charset=utf-8", body.as_bytes());
        let message = |peer: &Peer| peer.running(version).get("/firmware/check", at(0));
        let answer = check(message, 302, &expected);
        assert_eq!(answer.field("location"), Some(location));
    }
    let message = |peer: &Peer| peer.running("2.0.0").get("/firmware/check", at(0));
    check(message, 204, &Expect::Nothing);
}

#[test]
fn a_redirect_is_followed_with_a_new_signature_and_never_with_the_old_one() {
    let peer = Peer::new("dev1");
    let site = Site::new(stocked(&peer));
    let check = peer.get("/firmware/check", at(0));
    let location = site
        .ask(&check, at(0))
        .field("location")
        .unwrap()
        .to_owned();
    assert_eq!(site.ask(&check.to(&location), at(0)).status, 401);
    let image_2 = site.ask(&peer.get(&location, at(0)), at(0));
    assert_eq!(image_2.body, image("2.0.0"));
}

#[test]
fn a_certificate_is_issued_and_handed_out_again() {
    let peer = Peer::new("dev1");
    let site = Site::new(stocked(&peer));
    let none = site.ask(&peer.get("/certificate", at(0)), at(0));
    check_answer(&peer, &none, 404, &Expect::Problem("not-found"));

    let issued = site.ask(&peer.post_csr(&peer.csr(1), at(0)), at(0));
    let expected = Expect::Body("application/x-pem-file", &issued.body);
    check_answer(&peer, &issued, 200, &expected);
    let unix = u64::try_from(at(0).unix()).unwrap();
    let _ = VerifiedChain::verify(issued.text(), &site.root_pem, Profile::Client, unix)
        .unwrap()
        .belonging_to(&peer.id, &device_key(1).public_key())
        .unwrap();

    let again = site.ask(&peer.get("/certificate", at(0)), at(0));
    check_answer(&peer, &again, 200, &expected);
}

#[test]
fn a_csr_is_taken_under_its_deployed_and_standard_types() {
    for content_type in [
        "text/plain",
        "Text/Plain; charset=utf-8",
        "application/pkcs10",
        "Application/PKCS10",
        "APPLICATION/PKCS10 ; x=y",
        "application/x-pem-file",
    ] {
        let message = |peer: &Peer| {
            let message = peer.post_csr(&peer.csr(1), at(0));
            message.replacing("content-type", content_type)
        };
        assert_eq!(asked(message).status, 200, "{content_type}");
    }
    let bare = |peer: &Peer| peer.post_csr(&peer.csr(1), at(0)).without("content-type");
    assert_eq!(asked(bare).status, 200);
}

#[test]
fn anything_but_a_csr_is_refused_with_a_signed_reason() {
    for content_type in [
        "application/json",
        "multipart/form-data",
        "text/plainer",
        "",
        ";",
    ] {
        let message = |peer: &Peer| {
            let message = peer.post_csr(&peer.csr(1), at(0));
            message.replacing("content-type", content_type)
        };
        check(message, 415, &Expect::Problem("media-type"));
    }
    for body in [&b""[..], b"[object Object]", b"-----BEGIN", &[0x30, 0x80]] {
        let message = |peer: &Peer| peer.post_csr(body, at(0));
        check(message, 422, &Expect::Problem("unusable-csr"));
    }
}

#[test]
fn an_unknown_path_is_not_found_and_signed() {
    for target in [
        "/",
        "/configs",
        "//config",
        "/conf%69g",
        "/config/../config",
        "/admin",
    ] {
        let problem = Expect::Problem("not-found");
        check(|peer| peer.get(target, at(0)), 404, &problem);
    }
}

#[test]
fn routing_ignores_case_and_a_trailing_slash_and_the_signature_does_not() {
    let own = Expect::Body("application/json", CONFIG_1.as_bytes());
    for target in ["/config", "/config/", "/CONFIG", "/Config/?x=1"] {
        check(|peer| peer.get(target, at(0)), 200, &own);
        for other in ["/config", "/config/", "/CONFIG", "/Config/"] {
            let same = target.split('?').next() == Some(other);
            let status = if same { 200 } else { 401 };
            let answer = asked(|peer| peer.get(target, at(0)).to(other));
            assert_eq!(answer.status, status, "{target} sent as {other}");
        }
    }
    let absolute = "http://config.example/config?x=1";
    let answer = asked(|peer| peer.get("/config", at(0)).to(absolute));
    assert_eq!(answer.status, 200);
}

#[test]
fn options_names_the_methods() {
    for target in ["/config", "/firmware", "/firmware/check", "/certificate"] {
        let message = |peer: &Peer| peer.sign(Method::Options, target, b"", at(0));
        let answer = check(message, 204, &Expect::Nothing);
        assert_eq!(answer.field("allow"), Some("GET, HEAD"));
    }
}

#[test]
fn a_method_that_a_resource_does_not_have_is_refused_with_those_that_it_has() {
    for (method, target, allowed) in [
        (Method::Post, "/config", "GET, HEAD"),
        (Method::Put, "/config", "GET, HEAD"),
        (Method::Delete, "/firmware", "GET, HEAD"),
        (Method::Patch, "/firmware/check", "GET, HEAD"),
        (Method::Post, "/certificate", "GET, HEAD"),
        (Method::Get, "/certificates/request", "POST"),
        (Method::Put, "/certificates/request", "POST"),
        (Method::Options, "/certificates/request", "POST"),
    ] {
        let message = |peer: &Peer| peer.sign(method, target, b"", at(0));
        let answer = check(message, 405, &Expect::Problem("method"));
        assert_eq!(answer.field("allow"), Some(allowed), "{method} {target}");
    }
}

#[test]
fn head_is_get_without_the_body() {
    for target in [
        "/config",
        "/firmware",
        "/firmware/check",
        "/certificate",
        "/unknown",
        "/certificates/crl.pem",
        "/certificates/crl.der",
        "/certificates/ca.pem",
    ] {
        let get = asked(|peer| peer.get(target, at(0)));
        let head = asked(|peer| peer.sign(Method::Head, target, b"", at(0)));
        assert_eq!(head.body, b"");
        assert_eq!(head.status, get.status, "{target}");
        assert_eq!(head.fields, get.fields, "{target}");
    }
    let refused = asked(|peer| {
        peer.sign(Method::Head, "/config", b"", at(0))
            .to("/firmware")
    });
    assert_eq!((refused.status, refused.body), (401, Vec::new()));
}

#[test]
fn what_has_not_changed_is_not_sent_again() {
    for target in ["/config", "/firmware", "/firmware?version=1.0.0"] {
        let tag = asked(|peer| peer.get(target, at(0)));
        let tag = tag.field("etag").unwrap();
        let several = format!("\"x\", W/{tag} ,\"y\"");
        for same in [tag, "*", &several] {
            let message = |peer: &Peer| peer.get(target, at(0)).with("If-None-Match", same);
            let answer = check(message, 304, &Expect::Nothing);
            assert_eq!(answer.field("etag"), Some(tag));
        }
        for other in ["\"x\"", "", &tag[1..]] {
            let message = |peer: &Peer| peer.get(target, at(0)).with("if-none-match", other);
            assert_eq!(asked(message).status, 200, "{other}");
        }
    }
}

#[test]
fn a_part_of_an_image_is_signed_over_the_whole() {
    let whole = image("2.0.0");
    let size = whole.len();
    for (range, part, shown) in [
        ("bytes=0-99", &whole[..100], "bytes 0-99/262151"),
        (
            "bytes=262150-",
            &whole[262_150..],
            "bytes 262150-262150/262151",
        ),
        ("bytes=-1", &whole[size - 1..], "bytes 262150-262150/262151"),
        ("bytes=7-999999999", &whole[7..], "bytes 7-262150/262151"),
    ] {
        let message = |peer: &Peer| peer.get("/firmware", at(0)).with("range", range);
        let expected = Expect::Body("application/octet-stream", part);
        let answer = check(message, 206, &expected);
        assert_eq!(answer.field("content-range"), Some(shown));
        assert_eq!(answer.signed, whole);
    }
}

#[test]
fn parts_of_two_images_are_never_mixed() {
    let tag = asked(|peer| peer.get("/firmware?version=1.0.0", at(0)));
    let tag = tag.field("etag").unwrap().to_owned();
    for (target, if_range, status) in [
        ("/firmware?version=1.0.0", tag.as_str(), 206),
        ("/firmware", &tag, 200),
        ("/firmware?version=1.0.0", &format!("W/{tag}"), 200),
        (
            "/firmware?version=1.0.0",
            "Fri, 02 Jan 2026 03:04:05 GMT",
            200,
        ),
    ] {
        let message = |peer: &Peer| {
            let message = peer.get(target, at(0)).with("range", "bytes=5-9");
            message.with("if-range", if_range)
        };
        assert_eq!(asked(message).status, status, "{target} {if_range}");
    }
}

#[test]
fn a_part_outside_the_image_is_refused() {
    for range in ["bytes=262151-", "bytes=-0", "bytes=400000-500000"] {
        let message = |peer: &Peer| peer.get("/firmware", at(0)).with("range", range);
        let answer = check(message, 416, &Expect::Problem("range"));
        assert_eq!(answer.field("content-range"), Some("bytes */262151"));
    }
}

#[test]
fn no_answer_depends_on_earlier_ones() {
    let peer = Peer::new("dev1");
    let site = Site::new(stocked(&peer));
    let ask = |target: &str| site.ask(&peer.get(target, at(0)), at(0));
    let first: Vec<_> = TARGETS.iter().map(|target| ask(target)).collect();
    for _ in 0..20 {
        for (target, first) in TARGETS.iter().zip(&first) {
            assert_eq!(ask(target), *first, "{target}");
        }
    }
}

const TARGETS: [&str; 5] = [
    "/firmware",
    "/firmware?version=1.0.0",
    "/config",
    "/firmware/check",
    "/firmware?version=9",
];

#[test]
fn what_anybody_may_fetch_needs_no_signature() {
    let fetch = |method: &str, target: &str| {
        let site = Site::new(MemoryStore::default());
        let message = Message {
            method: method.into(),
            target: target.into(),
            fields: Vec::new(),
            body: Vec::new(),
        };
        let answer = site.ask(&message, at(0));
        (answer, site.root_pem)
    };
    let (crl, _) = fetch("GET", "/certificates/crl.pem");
    assert_eq!(crl.field("content-type"), Some("application/x-pem-file"));
    // That of the issuing CA, then that of the root.
    let lists = RevocationList::all_from_pem(crl.text(), 4).unwrap();
    let [list, root_list] = &lists[..] else {
        panic!("{lists:?}")
    };
    assert!(list.serials().is_empty() && root_list.serials().is_empty());
    let (crl, _) = fetch("GET", "/certificates/root-crl.der");
    assert_eq!(crl.body, root_list.der());
    let (crl, _) = fetch("GET", "/certificates/crl.der");
    assert_eq!(crl.field("content-type"), Some("application/pkix-crl"));
    assert_eq!(crl.body, list.der());
    let (root, root_pem) = fetch("GET", "/certificates/ca.pem");
    assert_eq!(root.text(), root_pem);
    for target in [
        "/certificates/crl.pem",
        "/certificates/crl.der",
        "/certificates/ca.pem",
    ] {
        for method in ["POST", "OPTIONS", "PUT", "get", "TRACE"] {
            let (answer, _) = fetch(method, target);
            assert_eq!(answer.status, 405, "{method} {target}");
            assert_eq!(answer.field("allow"), Some("GET, HEAD"));
            assert!(answer.text().starts_with(PROBLEM));
        }
    }
}

#[test]
fn a_target_that_cannot_be_read_is_a_problem_before_anything_else() {
    let long = format!("/config?{}", "x".repeat(1024));
    for target in [
        "",
        "*",
        "config",
        "/con fig",
        "/config#x",
        "/\u{e4}",
        "ftp://a/b",
        &long,
    ] {
        let answer = asked(|peer| peer.get("/config", at(0)).to(target));
        assert_eq!(answer.status, 400, "{target}");
        assert!(answer.text().starts_with(PROBLEM));
    }
}

#[test]
fn a_body_over_the_limit_is_a_problem_before_authentication() {
    for (length, status) in [(Request::MAX_BODY, 422), (Request::MAX_BODY + 1, 413)] {
        let answer = asked(|peer| peer.post_csr(&vec![b'x'; length], at(0)));
        assert_eq!(answer.status, status);
        assert!(answer.text().starts_with(PROBLEM));
    }
}

#[derive(Debug)]
struct Never(u32);

impl Admission for Never {
    fn admit(&self, _: &DeviceId, _: Timestamp) -> Result<(), u32> {
        Err(self.0)
    }
}

#[test]
fn a_device_over_its_share_is_told_when_to_come_again() {
    let peer = Peer::new("dev1");
    let mut site = Site::new(stocked(&peer));
    site.server = site.server.with_admission(Never(17));
    for message in [
        peer.get("/config", at(0)),
        peer.get("/nothing", at(0)),
        peer.post_csr(&peer.csr(1), at(0)),
    ] {
        let answer = site.ask(&message, at(0));
        check_answer(&peer, &answer, 429, &Expect::Problem("too-many-requests"));
        assert_eq!(answer.field("retry-after"), Some("17"));
    }
    assert!(site.heard_of("Limited"));
    let stranger = site.ask(&Peer::new("dev2").get("/config", at(0)), at(0));
    assert_eq!(stranger.status, 401, "a stranger learns nothing of shares");
}

#[test]
fn a_full_replay_guard_delays_the_new_and_answers_the_known() {
    let peer = Peer::new("dev1");
    let replay = ReplayLimits {
        per_device: 2,
        total: 8,
    };
    let settings = Settings {
        replay,
        ..Settings::DEFAULT
    };
    let site = Site::with_settings(stocked(&peer), settings);
    for seed in [1, 2] {
        let answer = site.ask(&peer.post_csr(&peer.csr(seed), at(0)), at(0));
        assert_eq!(answer.status, 200);
    }
    let full = site.ask(&peer.post_csr(&peer.csr(3), at(0)), at(0));
    check_answer(&peer, &full, 429, &Expect::Problem("too-many-requests"));
    let wait: i64 = full.field("retry-after").unwrap().parse().unwrap();
    assert!((1..=931).contains(&wait), "{wait}");

    let known = site.ask(&peer.post_csr(&peer.csr(2), at(1)), at(1));
    assert_eq!(known.status, 200, "nothing is issued for it");
    let later = at(wait);
    let answer = site.ask(&peer.post_csr(&peer.csr(3), later), later);
    assert_eq!(answer.status, 200);
}

fn asked(message: impl Fn(&Peer) -> Message) -> Answer {
    let peer = Peer::new("dev1");
    Site::new(stocked(&peer)).ask(&message(&peer), at(0))
}

#[test]
fn a_server_is_shared_between_threads_and_its_answers_are_sent() {
    fn shared<T: Send + Sync>(value: T) -> T {
        value
    }
    fn sent<T: Send>(value: T) -> T {
        value
    }
    let peer = Peer::new("dev1");
    let site = shared(Site::new(stocked(&peer)));
    let message = peer.get("/config", at(0));
    let answer = sent(site.ask_async(&message, at(0)));
    assert_eq!(futures_lite::future::block_on(answer).status, 200);
}
