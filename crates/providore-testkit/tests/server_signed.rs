//! The server in the `Signed` dialect: what it answers, and what of it a device can rely on.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use futures_lite::future::block_on;
use providore_server_core::{DeviceStore as _, Dialect, MemoryStore, Settings};
use providore_sign::{Refusal, ReplayLimits, SoftwareKey, subkeys};
use providore_testkit::parties::{
    Answer, CONFIG_1, Doubt, Fresh, HeardAnswer, Message, Peer, SignedPeer, Site, at, image,
    stocked_with,
};
use providore_wire::{Method, signed::HeadError};
use sha2::{Digest as _, Sha256};

fn scene() -> (SignedPeer, Site<MemoryStore>) {
    let peer = SignedPeer::new("dev1");
    let site = Site::new(stocked_with(peer.record()));
    (peer, site)
}

fn now() -> Fresh {
    Fresh::At(at(0))
}

/// Asks at 0 and verifies: status, and what was heard.
fn ask(site: &Site<MemoryStore>, peer: &SignedPeer, message: &Message) -> (Answer, HeardAnswer) {
    let answer = site.ask(message, at(0));
    let heard = peer.verify(message, &answer).expect("a good answer");
    (answer, heard)
}

/// Asks for `target`: this status, this content once it is decrypted, encrypted or not.
fn check(target: &str, status: u16, plain: &[u8], encrypted: bool) {
    let (peer, site) = scene();
    let (answer, heard) = ask(&site, &peer, &peer.get(target, &now()));
    assert_eq!(answer.status, status, "{target}");
    assert_eq!(heard.plain, plain, "{target}");
    assert_eq!(heard.encrypted, encrypted, "{target}");
    assert_eq!(heard.created, at(0), "{target}");
}

#[test]
fn every_answer_is_signed_and_what_is_secret_is_encrypted() {
    check("/config", 200, CONFIG_1.as_bytes(), true);
    check("/time", 204, b"", false);
    check("/secret", 204, b"", false);
    check("/firmware?version=2.0.0", 200, &image("2.0.0"), false);
    let problem = br#"{"type":"urn:providore:problem:not-found","title":"There is nothing here for this device.","status":404}"#;
    check("/nothing", 404, problem, false);
    check("/firmware?version=9", 404, problem, false);
    let redirect = b"Found. Redirecting to /firmware?version=2.0.0";
    check("/firmware/check", 302, redirect, false);
}

#[test]
fn no_byte_of_a_configuration_travels_in_clear() {
    let (peer, site) = scene();
    let (answer, _) = ask(&site, &peer, &peer.get("/config", &now()));
    let sent = format!("{answer:?}");
    assert!(!sent.contains("interval"), "{sent}");
    assert_eq!(answer.field("content-encoding"), Some("aes128gcm"));
    // The digest of the plain text would let a listener try out passwords.
    let digest = Site::new(stocked_with(Peer::new("other").record()));
    let unkeyed = digest.ask(&Peer::new("other").get("/config", at(0)), at(0));
    let unkeyed = unkeyed.field("etag").expect("a tag").trim_matches('"');
    assert!(!sent.contains(unkeyed), "{sent}");
}

#[test]
fn the_entity_tag_of_a_configuration_is_under_a_key_of_its_own() {
    let (peer, site) = scene();
    let (answer, _) = ask(&site, &peer, &peer.get("/config", &now()));
    let mut secret = SoftwareKey::new(peer.secret.as_bytes()).expect("a secret");
    let sha256 = Sha256::digest(CONFIG_1).into();
    let made = subkeys::entity_tag(&mut secret, &sha256).expect("a tag");
    let expected = format!("W/\"{}\"", base16ct::lower::encode_string(&made));
    assert_eq!(answer.field("etag"), Some(&*expected));
}

#[test]
fn the_same_configuration_is_never_encrypted_the_same_way() {
    let (peer, site) = scene();
    let (first, _) = ask(&site, &peer, &peer.get("/config", &now()));
    let (second, _) = ask(&site, &peer, &peer.get("/config", &now()));
    assert_eq!(first.field("etag"), second.field("etag"));
    assert_ne!(first.body[..16], second.body[..16]);
}

#[test]
fn a_configuration_that_is_there_is_not_sent_again() {
    let (peer, site) = scene();
    let (answer, _) = ask(&site, &peer, &peer.get("/config", &now()));
    let tag = answer.field("etag").expect("a tag").to_owned();
    let target = (Method::Get, "/config");
    let unless = |tag| peer.sign(target, &now(), |request| request.if_none_match(tag), b"");
    assert_eq!(ask(&site, &peer, &unless("W/\"1\"")).0.status, 200);
    let (answer, heard) = ask(&site, &peer, &unless(&tag));
    assert_eq!((answer.status, heard.plain), (304, Vec::new()));
    let strong = tag.strip_prefix("W/").expect("a weak tag");
    assert_eq!(ask(&site, &peer, &unless(strong)).0.status, 304);
}

#[test]
fn a_part_of_an_image_has_a_digest_of_its_own() {
    let (peer, site) = scene();
    let target = (Method::Get, "/firmware?version=2.0.0");
    let part = |range| peer.sign(target, &now(), |request| request.range(range), b"");
    let (answer, heard) = ask(&site, &peer, &part("bytes=100-1099"));
    assert_eq!(answer.status, 206);
    assert_eq!(heard.plain, image("2.0.0")[100..1100]);
    let (whole, _) = ask(&site, &peer, &peer.get(target.1, &now()));
    assert_eq!(answer.field("repr-digest"), whole.field("repr-digest"));
    assert_eq!(whole.field("repr-digest"), whole.field("content-digest"));
    assert_eq!(ask(&site, &peer, &part("bytes=999999-")).0.status, 416);
}

#[test]
fn a_report_reaches_the_operator_whole() {
    let (peer, site) = scene();
    let report = |kind, body| {
        let target = (Method::Post, "/report");
        let signed = peer.sign(target, &now(), |request| request.content(kind, body), body);
        ask(&site, &peer, &signed).0.status
    };
    let told = br#"{"what":"config","outcome":"applied"}"#;
    assert_eq!(report("application/json", &told[..]), 204);
    let heard = format!("{:?}", site.heard()).replace('\\', "");
    assert!(
        heard.contains(core::str::from_utf8(told).expect("text")),
        "{heard}"
    );
    assert_eq!(report("text/plain", &told[..]), 415);
    assert_eq!(report("application/json", &b"[]"[..]), 422);
    assert_eq!(report("application/json", b"{\n}"), 422);
    assert_eq!(report("application/json", &[b' '; 1025]), 413);
    assert!(!site.heard_of("Reported"));
}

#[test]
fn an_old_challenge_gets_what_was_issued_and_nothing_new() {
    let (peer, site) = scene();
    let post = |fresh: &Fresh, seed, seconds| {
        let csr = Peer::new("dev1").csr(seed);
        let message = peer.post("/certificates/request", fresh, csr.as_ref());
        let answer = site.ask(&message, at(seconds));
        peer.verify(&message, &answer).expect("a good answer");
        answer
    };
    let old = site.ask(&peer.get("/time", &now()), at(0)).challenge();
    let old = Fresh::Over(old);
    let first = post(&Fresh::At(at(1)), 1, 1);
    let second = post(&Fresh::At(at(10)), 2, 10);
    assert_eq!((first.status, second.status), (200, 200));

    let superseded = post(&old, 1, 20);
    assert_eq!((superseded.status, &superseded.body), (200, &first.body));
    let nothing = post(&old, 3, 20);
    assert_eq!(
        (nothing.status, nothing.field("retry-after")),
        (503, Some("10"))
    );

    let third = post(&Fresh::At(at(21)), 1, 21);
    assert_eq!(third.status, 200);
    assert!(third.body != first.body && third.body != second.body);
    let newest = site.ask(&peer.get("/certificate", &Fresh::At(at(22))), at(22));
    assert_eq!(newest.body, third.body);
}

#[test]
fn a_report_is_checked_as_the_protocol_says() {
    let check = |body: &str, status| {
        let (peer, site) = scene();
        let body = body.as_bytes();
        let content = "application/json; charset=utf-8";
        let target = (Method::Post, "/report");
        let signed = peer.sign(
            target,
            &now(),
            |request| request.content(content, body),
            body,
        );
        let (answer, _) = ask(&site, &peer, &signed);
        assert_eq!(answer.status, status, "{}", body.escape_ascii());
    };
    for taken in [
        "{}",
        " {}\r\n",
        r#"{"reason":"two\nlines"}"#,
        r#"{"what":null,"x":1,"x":2}"#,
        r#"{"what":"firmware","outcome":"failed","version":"../1"}"#,
    ] {
        check(taken, 204);
    }
    check(&format!(r#"{{"reason":"{}"}}"#, "x".repeat(1000)), 204);
    for refused in [
        "",
        "[]",
        "{}{}",
        "\u{feff}{}",
        "{\t}",
        "{\"x\":\"\u{85}\"}",
        r#"{"what":"config","what":"config"}"#,
        r#"{"version":1}"#,
    ] {
        check(refused, 422);
    }
    check(&format!("{{}}{}", " ".repeat(1023)), 413);
}

#[test]
fn only_three_escapes_of_a_version_are_decoded() {
    let (peer, site) = scene();
    let status = |target: &str| ask(&site, &peer, &peer.get(target, &now())).0.status;
    assert_eq!(status("/firmware?version=2.0.0"), 200);
    assert_eq!(status("/firmware?a=b&version=2.0.0"), 200);
    for none in ["2%2E0.0", "2.0.0&version=2.0.0", "%32.0.0", "", "2.0.0%20"] {
        assert_eq!(status(&format!("/firmware?version={none}")), 404, "{none}");
    }
}

#[test]
fn a_device_without_a_clock_is_served_over_a_challenge() {
    let (peer, site) = scene();
    let in_1970 = Fresh::At(providore_wire::Timestamp::from_unix(5).expect("a time"));
    let refusal = site.ask(&peer.get("/config", &in_1970), at(0));
    assert_eq!(refusal.status, 401);
    let message = peer.get("/config", &Fresh::Over(refusal.challenge()));
    let (_, heard) = ask(&site, &peer, &message);
    assert_eq!(
        (heard.plain.as_slice(), heard.created),
        (CONFIG_1.as_bytes(), at(0))
    );
    // No further round trip.
    let message = peer.get("/time", &Fresh::Over(heard.challenge));
    assert_eq!(ask(&site, &peer, &message).0.status, 204);
}

#[test]
fn a_challenge_for_whoever_asks_without_a_signature_counts() {
    let (peer, site) = scene();
    let bare = peer.get("/config", &now()).without("signature-input");
    for second in [0, 1000] {
        let challenge = site.ask(&bare, at(second)).challenge();
        let message = peer.get("/config", &Fresh::Over(challenge));
        assert_eq!(site.ask(&message, at(second)).status, 200, "{second}");
    }
}

#[test]
fn a_captured_request_is_refused_the_second_time() {
    for by_clock in [true, false] {
        let (peer, site) = scene();
        let stale = peer.get("/x", &Fresh::At(at(-900)));
        let challenge = site.ask(&stale, at(0)).challenge();
        let fresh = if by_clock {
            now()
        } else {
            Fresh::Over(challenge)
        };
        let message = peer.get("/config", &fresh);
        assert_eq!(site.ask(&message, at(0)).status, 200);
        for later in [0, 1, 60, 120, 400] {
            assert_eq!(site.ask(&message, at(later)).status, 401, "{later}");
        }
    }
}

#[test]
fn a_captured_request_is_refused_after_a_restart() {
    let (peer, site) = scene();
    // A clock that is ahead by all of the skew.
    let by_clock = peer.get("/config", &Fresh::At(at(30)));
    assert_eq!(site.ask(&by_clock, at(0)).status, 200);
    let challenge = site
        .ask(&peer.get("/x", &Fresh::At(at(-900))), at(0))
        .challenge();
    let by_challenge = peer.get("/config", &Fresh::Over(challenge));
    assert_eq!(site.ask(&by_challenge, at(0)).status, 200);

    let restarted = Site::began(stocked_with(peer.record()), Settings::DEFAULT, at(1));
    assert_eq!(restarted.ask(&by_clock, at(1)).status, 401);
    assert!(restarted.heard_of("BeforeStart"));
    let refusal = restarted.ask(&by_challenge, at(1));
    assert!(restarted.heard_of("ForeignChallenge"));
    // Whose it is, is served at once all the same.
    let message = peer.get("/config", &Fresh::Over(refusal.challenge()));
    assert_eq!(restarted.ask(&message, at(1)).status, 200);
    let later = peer.get("/config", &Fresh::At(at(32)));
    assert_eq!(restarted.ask(&later, at(32)).status, 200);
}

/// Who could set the clock could lock out a fleet, and who could set it back could have it answer
/// what it has answered.
#[test]
fn a_clock_that_is_set_back_is_handled_as_a_restart_is() {
    const HOUR: i64 = 3600;
    let (peer, sister) = (SignedPeer::new("dev1"), SignedPeer::new("dev2"));
    let store = stocked_with(peer.record());
    block_on(store.put_device(sister.record()));
    let site = Site::new(store);
    let early = sister.get("/time", &now());
    assert_eq!(site.ask(&early, at(0)).status, 204);
    let mut ahead = Vec::new();
    for second in 0..300 {
        let then = at(HOUR + second);
        let message = peer.get("/time", &Fresh::At(then));
        assert_eq!(site.ask(&message, then).status, 204, "{second}");
        ahead.push(message);
    }
    let then = at(HOUR + 300);
    let stale = peer.get("/x", &Fresh::At(at(-900)));
    let void = site.ask(&stale, then).challenge();

    // The clock is set right: as after a restart, requests by the clock are told a challenge …
    let refusal = site.ask(&sister.get("/time", &Fresh::At(at(10))), at(10));
    assert_eq!(refusal.status, 401);
    assert!(site.heard_of("ClockSetBack"));
    // … and over a challenge all are served, also the device that asked so often.
    for device in [&peer, &sister] {
        let message = device.get("/time", &Fresh::Over(refusal.challenge()));
        assert_eq!(site.ask(&message, at(11)).status, 204);
        assert_eq!(site.ask(&message, at(11)).status, 401);
    }
    // Nothing from before counts: not now, and not when its time comes for the second time.
    let over_void = sister.get("/time", &Fresh::Over(void));
    for (message, second) in [(&early, 12), (&over_void, 13), (&over_void, HOUR + 310)] {
        assert_eq!(site.ask(message, at(second)).status, 401, "{second}");
    }
    for message in &ahead {
        assert_eq!(site.ask(message, at(HOUR + 310)).status, 401);
    }
    // After that, clocks count again.
    let later = at(HOUR + 331);
    let message = sister.get("/time", &Fresh::At(later));
    assert_eq!(site.ask(&message, later).status, 204);
}

/// Requests that overtake each other are no clock that is set back.
#[test]
fn a_clock_that_is_behind_by_seconds_is_no_restart() {
    let (peer, site) = scene();
    for second in [10, 5, 11, 6, 10] {
        let message = peer.get("/time", &Fresh::At(at(second)));
        assert_eq!(site.ask(&message, at(second)).status, 204, "{second}");
        assert_eq!(site.ask(&message, at(second)).status, 401, "{second}");
    }
    assert!(!site.heard_of("ClockSetBack"));
}

#[test]
fn an_answer_counts_for_one_question_of_one_device() {
    let (peer, site) = scene();
    let (question, later) = (peer.get("/config", &now()), peer.get("/config", &now()));
    let answer = site.ask(&question, at(0));
    assert!(peer.verify(&question, &answer).is_ok());
    let wrong = Err(Doubt::Refused(Refusal::WrongSignature));
    assert_eq!(peer.verify(&later, &answer), wrong);
    let sister = SignedPeer::new("dev2");
    assert_eq!(
        sister.verify(&sister.get("/config", &now()), &answer),
        wrong
    );
    // A request is no answer, and an answer no request.
    let mut reflected = answer;
    reflected.fields = ["signature-input", "signature"]
        .map(|name| (name, question.value(name)))
        .into();
    let none = Err(Doubt::Head(HeadError::Unsigned));
    assert_eq!(peer.verify(&question, &reflected), none);
}

#[test]
fn a_device_that_floods_locks_out_only_itself() {
    let (peer, sister) = (SignedPeer::new("dev1"), SignedPeer::new("dev2"));
    let store = stocked_with(peer.record());
    block_on(store.put_device(sister.record()));
    let replay = ReplayLimits {
        per_device: 8,
        ..ReplayLimits::DEFAULT
    };
    let site = Site::with_settings(
        store,
        Settings {
            replay,
            ..Settings::DEFAULT
        },
    );
    for _ in 0..8 {
        assert_eq!(site.ask(&peer.get("/time", &now()), at(0)).status, 204);
    }
    let (answer, _) = ask(&site, &peer, &peer.get("/time", &now()));
    assert_eq!(
        (answer.status, answer.field("retry-after")),
        (429, Some("121"))
    );
    assert_eq!(site.ask(&sister.get("/time", &now()), at(0)).status, 204);
    // Strangers who use its name leave no trace in the guard.
    let stranger = sister.with_secret("the secret of nobody at all");
    for _ in 0..100 {
        assert_eq!(site.ask(&stranger.get("/time", &now()), at(0)).status, 401);
    }
    assert_eq!(site.ask(&sister.get("/time", &now()), at(0)).status, 204);
}

#[test]
fn who_spoke_signed_once_is_not_heard_in_original_again() {
    let weak = Peer::new("dev1");
    let mut record = weak.record();
    record.dialect = Dialect::Original;
    let mut strong = SignedPeer::new("dev1");
    strong.secret.clone_from(&weak.secret);
    let site = Site::new(stocked_with(record));
    assert_eq!(site.ask(&weak.get("/config", at(0)), at(0)).status, 200);
    // A stranger raises nothing.
    let stranger = strong.with_secret("the secret of nobody at all");
    site.ask(&stranger.get("/config", &now()), at(0));
    assert_eq!(site.ask(&weak.get("/config", at(0)), at(0)).status, 200);

    assert_eq!(site.ask(&strong.get("/config", &now()), at(0)).status, 200);
    assert_eq!(site.ask(&weak.get("/config", at(0)), at(0)).status, 401);
    assert!(site.heard_of("WeakerDialect"));
}

#[test]
fn routes_of_signed_are_not_there_in_original() {
    let peer = Peer::new("dev1");
    let site = Site::new(stocked_with(peer.record()));
    for target in ["/time", "/secret", "/report"] {
        assert_eq!(
            site.ask(&peer.get(target, at(0)), at(0)).status,
            404,
            "{target}"
        );
    }
}

/// A device whose next secret waits.
fn rotating() -> (SignedPeer, SignedPeer, MemoryStore) {
    let old = SignedPeer::new("dev1");
    let new = old.with_secret("the next secret of the device dev1");
    let record = old.record().with_next_secret(new.secret.as_bytes());
    (old, new, stocked_with(record.expect("a secret")))
}

#[test]
fn the_next_secret_takes_over_when_it_is_used_and_not_before() {
    let (old, new, store) = rotating();
    let site = Site::new(store);
    for _ in 0..2 {
        // A lost answer is asked for again.
        let (answer, heard) = ask(&site, &old, &old.get("/secret", &now()));
        assert_eq!((answer.status, heard.encrypted), (200, true));
        assert_eq!(heard.plain, new.secret.as_bytes());
    }
    assert_eq!(ask(&site, &old, &old.get("/config", &now())).0.status, 200);

    let captured = old.get("/config", &now());
    assert_eq!(ask(&site, &new, &new.get("/time", &now())).0.status, 204);
    assert!(site.heard_of("SecretReplaced"));
    // The old one is dead, also for what was signed before.
    assert_eq!(site.ask(&captured, at(0)).status, 401);
    assert_eq!(site.ask(&old.get("/config", &now()), at(0)).status, 401);
    // A lost answer changes nothing: the device goes on with the new one.
    assert_eq!(ask(&site, &new, &new.get("/secret", &now())).0.status, 204);
    assert_eq!(
        ask(&site, &new, &new.get("/config", &now())).1.plain,
        CONFIG_1.as_bytes()
    );
}

#[test]
fn a_device_that_is_told_to_wait_under_its_next_secret_is_not_locked_out() {
    let (old, new, store) = rotating();
    let replay = ReplayLimits {
        per_device: 1,
        ..ReplayLimits::DEFAULT
    };
    let settings = Settings {
        replay,
        ..Settings::DEFAULT
    };
    let site = Site::with_settings(store, settings);
    assert_eq!(site.ask(&old.get("/secret", &now()), at(0)).status, 200);
    // Signed with the next secret, which tells the device that the server has it.
    assert_eq!(ask(&site, &new, &new.get("/time", &now())).0.status, 429);
    let record = block_on(site.server.store().device(&old.id)).expect("a store");
    assert!(!record.expect("a device").has_next_secret());
    let later = new.get("/config", &Fresh::At(at(200)));
    assert_eq!(site.ask(&later, at(200)).status, 200);
}

#[test]
fn all_refusals_look_alike_to_the_byte() {
    let (peer, site) = scene();
    let mut off = SignedPeer::new("off").record();
    off.enabled = false;
    block_on(site.server.store().put_device(off));
    let stranger = peer.with_secret("the secret of nobody at all");
    let good = peer.get("/config", &now());
    assert_eq!(site.ask(&good, at(0)).status, 200);
    let refused = [
        SignedPeer::new("nobody").get("/config", &now()),
        SignedPeer::new("off").get("/config", &now()),
        stranger.get("/config", &now()),
        peer.get("/config", &Fresh::At(at(-500))),
        peer.get("/config", &now()).to("/time"),
        peer.get("/config", &now()).without("signature"),
        good,
    ];
    let first = site.ask(&refused[0], at(0));
    assert_eq!(first.status, 401);
    for message in &refused {
        assert_eq!(site.ask(message, at(0)), first, "{message:?}");
    }
}

#[test]
fn a_replayed_request_does_not_bring_a_secret_forward() {
    let (old, new, store) = rotating();
    let before = Site::new(store);
    let request = new.get("/time", &Fresh::At(at(-400)));
    assert_eq!(before.ask(&request, at(0)).status, 401);
    assert!(!before.heard_of("SecretReplaced"));
    assert_eq!(ask(&before, &old, &old.get("/time", &now())).0.status, 204);
    let id = &old.id;
    let record = block_on(before.server.store().device(id)).expect("a store");
    assert!(record.expect("a device").has_next_secret());
}

#[test]
fn head_is_answered_like_get_without_its_content() {
    let (peer, site) = scene();
    let target = (Method::Head, "/firmware?version=2.0.0");
    let message = peer.sign(target, &now(), |request| request, b"");
    let answer = site.ask(&message, at(0));
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    let length = image("2.0.0").len().to_string();
    assert_eq!(answer.field("content-length"), Some(length.as_str()));
}
