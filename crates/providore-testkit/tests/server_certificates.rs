//! Certificates: for the device that asks and nobody else, once, and the old one until the new one
//! has had its time.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::collections::HashSet;

use futures_lite::future::block_on;
use providore_pki::{
    Certificate, Profile, SerialNumber, VerifiedChain,
    crl::{Revocation, RevocationList, RevocationReason},
};
use providore_server_core::{CertificateLog as _, MemoryStore, Settings};
use providore_testkit::{
    SharedStore,
    parties::{Answer, Message, Peer, Site, at, device_key, stocked},
};

const HOUR: i64 = 3600;

/// One device over a store that outlives its servers.
struct Scene {
    peer: Peer,
    store: SharedStore<MemoryStore>,
    site: Site<SharedStore<MemoryStore>>,
}

impl Scene {
    fn new(id: &str) -> Self {
        Self::with_settings(id, Settings::DEFAULT)
    }

    /// A server that lists superseded certificates.
    fn listing_superseded(id: &str) -> Self {
        let list_superseded = true;
        let settings = Settings {
            list_superseded,
            ..Settings::DEFAULT
        };
        Self::with_settings(id, settings)
    }

    fn with_settings(id: &str, settings: Settings) -> Self {
        let peer = Peer::new(id);
        let store = SharedStore::new(stocked(&peer));
        let site = Site::with_settings(store.clone(), settings);
        Self { peer, store, site }
    }

    fn restart(&mut self) {
        self.site = Site::new(self.store.clone());
    }

    /// Asks for a certificate, `seconds` after the start, for the key of `seed`.
    fn enrol(&self, seed: u8, seconds: i64) -> SerialNumber {
        let answer = self.post(
            &self.peer.post_csr(&self.peer.csr(seed), at(seconds)),
            seconds,
        );
        assert_eq!(answer.status, 200, "{}", answer.text());
        let unix = u64::try_from(at(seconds).unix()).unwrap();
        let roots = &self.site.root_pem;
        let chain = VerifiedChain::verify(answer.text(), roots, Profile::Client, unix).unwrap();
        let key = device_key(seed).public_key();
        let certificate = chain.belonging_to(&self.peer.id, &key).unwrap();
        *certificate.certificate().serial()
    }

    fn post(&self, message: &Message, seconds: i64) -> Answer {
        self.site.ask(message, at(seconds))
    }

    /// What `GET /certificate` gives.
    fn handed_out(&self, seconds: i64) -> Option<SerialNumber> {
        let answer = self.post(&self.peer.get("/certificate", at(seconds)), seconds);
        self.peer.verify(&answer, at(seconds)).map(|_| ()).unwrap();
        (answer.status == 200).then(|| serial(answer.text()))
    }

    fn list(&self, seconds: i64) -> RevocationList {
        let message = self.peer.get("/certificates/crl.der", at(seconds));
        let answer = self.post(&message, seconds);
        assert_eq!(answer.status, 200);
        let list = RevocationList::from_der(&answer.body).unwrap();
        let unix = u64::try_from(at(seconds).unix()).unwrap();
        assert!(list.this_update_unix() <= unix && unix < list.next_update_unix());
        list
    }

    fn log(&self) -> Vec<SerialNumber> {
        let issued = block_on(self.store.issued(&self.peer.id)).unwrap();
        issued.iter().map(|entry| entry.serial).collect()
    }

    fn revoke(&self, serial: SerialNumber, seconds: i64) {
        block_on(
            self.store
                .revoke(revocation(serial, seconds, RevocationReason::Unspecified)),
        )
        .unwrap();
    }

    fn revoke_for(&self, reason: RevocationReason, serial: SerialNumber, seconds: i64) {
        block_on(self.store.revoke(revocation(serial, seconds, reason))).unwrap();
    }

    /// Asks for a certificate on the key of `seed` and expects to be told that the key is revoked.
    fn check_key_forbidden(&self, seed: u8, seconds: i64) {
        let message = self.peer.post_csr(&self.peer.csr(seed), at(seconds));
        let answer = self.post(&message, seconds);
        assert_eq!(answer.status, 409);
        self.peer.verify(&answer, at(seconds)).map(|_| ()).unwrap();
        assert!(answer.text().contains("key-revoked"));
        assert!(self.site.heard_of("KeyForbidden"));
    }
}

fn revocation(serial: SerialNumber, seconds: i64, reason: RevocationReason) -> Revocation {
    let unix = u64::try_from(at(seconds).unix()).unwrap();
    Revocation::new(serial, unix, unix.saturating_add(365 * 86_400), reason)
}

/// The serial number of the first certificate of a chain.
fn serial(chain_pem: &str) -> SerialNumber {
    let end = chain_pem.find("-----END").unwrap();
    let end = end + chain_pem[end..].find('\n').unwrap() + 1;
    *Certificate::from_pem(&chain_pem[..end]).unwrap().serial()
}

/// Sends a stored CSR as device abc123 and expects that nothing comes of it, and that the device and
/// the operator learn why.
fn check_refused(csr: &[u8], reason: &str) {
    let scene = Scene::new("abc123");
    let answer = scene.post(&scene.peer.post_csr(csr, at(0)), 0);
    assert_eq!(answer.status, 422);
    scene.peer.verify(&answer, at(0)).map(|_| ()).unwrap();
    assert!(answer.text().contains(r#""detail":""#), "{}", answer.text());
    let heard = format!("{:?}", scene.site.heard());
    assert!(
        heard.contains("CsrRefused") && heard.contains(reason),
        "{heard}"
    );
    assert_eq!((scene.log(), scene.handed_out(0)), (Vec::new(), None));
}

macro_rules! stored {
    ($name:literal) => {
        include_bytes!(concat!("../../providore-pki/tests/data/", $name, ".pem"))
    };
}

#[test]
fn a_subject_that_only_looks_like_the_device_is_refused() {
    check_refused(stored!("slash-in-organization"), "OtherDevice");
    check_refused(stored!("other-device"), "OtherDevice");
    check_refused(stored!("two-common-names"), "SeveralCommonNames");
    check_refused(stored!("two-common-names-swapped"), "SeveralCommonNames");
    check_refused(stored!("multi-valued-names"), "MultiValuedSubject");
    check_refused(stored!("no-common-name"), "NoCommonName");
    check_refused(stored!("bmp-string"), "CommonNameEncoding");
    check_refused(&Peer::new("ABC123").csr(1), "OtherDevice");
}

#[test]
fn a_device_learns_why_its_request_is_refused() {
    let detail = |csr: &[u8]| {
        let scene = Scene::new("abc123");
        let answer = scene.post(&scene.peer.post_csr(csr, at(0)), 0);
        let text = String::from(answer.text());
        text.split_once(r#""detail":""#).unwrap().1.to_owned()
    };
    // Which cause follows depends on whether RSA is built in.
    let weak = detail(stored!("rsa-512"));
    assert!(weak.starts_with("the key is not accepted: the "), "{weak}");
    assert_eq!(
        detail(stored!("other-device")),
        "the common name is not the device\"}"
    );
    assert_eq!(
        detail(b"hello"),
        "the request is neither DER nor one PEM block\"}"
    );
}

#[test]
fn a_weak_key_is_refused() {
    check_refused(stored!("rsa-512"), "Key(");
    check_refused(stored!("rsa-1024"), "Key(");
    check_refused(stored!("secp256k1"), "Key(");
}

#[test]
fn a_csr_without_the_key_is_refused_and_the_old_certificate_stands() {
    let scene = Scene::new("dev1");
    let first = scene.enrol(1, 0);
    let csr = scene.peer.csr(2);
    let pem = core::str::from_utf8(&csr).unwrap();
    // The signature ends the DER: another one of the same length, by another key.
    let other = scene.peer.csr(3);
    let other = core::str::from_utf8(&other).unwrap();
    let lines: Vec<_> = pem.lines().zip(other.lines()).collect();
    let half = lines.len() / 2;
    let mixed: Vec<_> = lines
        .iter()
        .enumerate()
        .map(|(index, (ours, theirs))| if index < half { *ours } else { *theirs })
        .collect();
    let message = scene.peer.post_csr(mixed.join("\n").as_bytes(), at(1));
    assert_eq!(scene.post(&message, 1).status, 422);
    assert_eq!(scene.handed_out(2), Some(first));
    assert!(
        scene.list(2 * HOUR).serials().is_empty(),
        "nothing was revoked"
    );
}

#[test]
fn another_csr_under_the_same_headers_is_refused() {
    let scene = Scene::new("dev1");
    let mut message = scene.peer.post_csr(&scene.peer.csr(1), at(0));
    message.body = scene.peer.csr(2);
    assert_eq!(scene.post(&message, 0).status, 401);
    message.body = Vec::new();
    assert_eq!(scene.post(&message, 0).status, 401);
    assert_eq!(scene.log(), Vec::new());
}

#[test]
fn the_same_csr_gets_the_same_certificate_for_two_hours() {
    let scene = Scene::new("dev1");
    let first = scene.enrol(1, 0);
    for seconds in [1, 900, 2 * HOUR] {
        assert_eq!(scene.enrol(1, seconds), first, "after {seconds} s");
    }
    let second = scene.enrol(1, 2 * HOUR + 1);
    assert_ne!(second, first);
    assert_eq!(scene.log(), [first, second]);
}

#[test]
fn a_request_of_a_slow_clock_issues_nothing() {
    let scene = Scene::new("dev1");
    let message = scene.peer.post_csr(&scene.peer.csr(1), at(0));
    assert_eq!(scene.post(&message, 31).status, 503);
    assert_eq!(scene.log(), Vec::new());
    let message = scene.peer.post_csr(&scene.peer.csr(1), at(1));
    assert_eq!(scene.post(&message, 31).status, 200);
}

#[test]
fn another_csr_gets_another_certificate_at_once() {
    let scene = Scene::new("dev1");
    let (first, second) = (scene.enrol(1, 0), scene.enrol(2, 1));
    assert_ne!(first, second);
    assert_eq!(scene.handed_out(2), Some(second));
    assert!(scene.site.heard_of("renewal: true"));
}

#[test]
fn a_key_that_comes_back_never_gets_a_certificate_that_is_about_to_be_revoked() {
    let scene = Scene::listing_superseded("dev1");
    let first = scene.enrol(1, 0);
    let second = scene.enrol(2, 10);
    let third = scene.enrol(1, 100);
    assert_ne!(third, first);
    let revoked = scene.list(HOUR.saturating_mul(2));
    assert!(revoked.serials().contains(&first) && revoked.serials().contains(&second));
    assert!(!revoked.serials().contains(&third));
    assert_eq!(scene.handed_out(HOUR), Some(third));
}

#[test]
fn a_replayed_request_is_answered_from_the_log_and_never_issues_again() {
    let mut scene = Scene::new("dev1");
    let message = scene.peer.post_csr(&scene.peer.csr(1), at(0));
    let first = scene.post(&message, 0);
    for seconds in [0, 1, 900, 930] {
        let again = scene.post(&message, seconds);
        assert_eq!((again.status, &again.body), (200, &first.body));
        assert!(scene.site.heard_of("Replayed"));
    }
    assert_eq!(scene.post(&message, 931).status, 401, "its time is over");

    scene.restart();
    let again = scene.post(&message, 930);
    assert_eq!((again.status, &again.body), (200, &first.body));
    assert_eq!(scene.log().len(), 1);
}

#[test]
fn a_replayed_request_does_not_supersede_a_newer_certificate() {
    let mut scene = Scene::new("dev1");
    let old = scene.peer.post_csr(&scene.peer.csr(1), at(0));
    let first = scene.post(&old, 0);
    let second = scene.enrol(2, 10);
    let answer = scene.post(&old, 20);
    assert_eq!((answer.status, answer.body), (200, first.body));
    assert_eq!(scene.handed_out(20), Some(second));

    scene.restart();
    assert_eq!(scene.post(&old, 30).status, 200);
    assert_eq!(
        scene.handed_out(40),
        Some(second),
        "nobody remembers the request"
    );
}

#[test]
fn a_delayed_request_does_not_supersede_a_newer_certificate() {
    let scene = Scene::new("dev1");
    let held_back = scene.peer.post_csr(&scene.peer.csr(1), at(0));
    let serial = scene.enrol(2, 10);
    let answer = scene.post(&held_back, 20);
    assert_eq!(
        (answer.status, answer.field("retry-after")),
        (503, Some("10"))
    );
    assert!(scene.site.heard_of("Replayed"));
    assert_eq!(scene.log(), [serial]);
    assert!(scene.list(2 * HOUR).serials().is_empty());
}

#[test]
fn a_device_with_a_slow_clock_gets_its_certificates() {
    let scene = Scene::new("dev1");
    // 30 s behind.
    let ask = |seed: u8, sent: i64| {
        let message = scene.peer.post_csr(&scene.peer.csr(seed), at(sent - 30));
        scene.post(&message, sent)
    };
    let first = ask(1, 0);
    assert_eq!(first.status, 200);
    assert_eq!(ask(1, 1).body, first.body, "a retry");
    assert!(!scene.site.heard_of("Replayed"));
    let answer = ask(2, 2);
    assert_eq!(
        (answer.status, answer.field("retry-after")),
        (503, Some("28"))
    );
    assert_eq!(ask(2, 30).status, 200);
}

#[test]
fn a_certificate_from_a_clock_that_was_wrong_is_in_nobodys_way() {
    let scene = Scene::new("dev1");
    let year = 365 * 86_400;
    let ahead = scene.enrol(1, year);
    assert_ne!(scene.enrol(1, 0), ahead, "it is not valid yet");
    assert_ne!(scene.enrol(2, 1), ahead);
}

#[test]
fn two_at_once_never_share_a_serial_and_one_csr_gets_one_certificate() {
    let peers: Vec<_> = (0..4)
        .map(|number| Peer::new(&format!("dev{number}")))
        .collect();
    let store = SharedStore::new(MemoryStore::default());
    for peer in &peers {
        block_on(store.put_device(peer.record()));
    }
    let site = Site::new(store.clone());
    let enrol = |peer: &Peer, seed: u8| {
        let message = peer.post_csr(&peer.csr(seed), at(0));
        let answer = site.ask(&message, at(0));
        assert_eq!(answer.status, 200);
        serial(answer.text())
    };
    let issued = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16_u8)
            .map(|number| {
                let (peer, enrol) = (&peers[usize::from(number % 4)], &enrol);
                // Four devices; each with two CSRs, each of them sent twice.
                let seed = (number / 4) % 2 + 1;
                scope.spawn(move || (peer.id.clone(), seed, enrol(peer, seed)))
            })
            .collect();
        let done = threads.into_iter().map(|thread| thread.join().unwrap());
        done.collect::<Vec<_>>()
    });
    let logged: Vec<_> = peers
        .iter()
        .flat_map(|peer| block_on(store.issued(&peer.id)).unwrap())
        .map(|entry| entry.serial)
        .collect();
    let distinct: HashSet<_> = logged.iter().copied().collect();
    assert_eq!(logged.len(), distinct.len(), "a serial number twice");
    for (device, seed, serial) in issued {
        assert!(
            distinct.contains(&serial),
            "{device} {seed}: not in the log"
        );
    }
}

#[test]
fn many_retries_of_one_csr_at_once_issue_once() {
    let scene = Scene::new("dev1");
    let csr = scene.peer.csr(1);
    let serials = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|seconds| {
                let (scene, csr) = (&scene, &csr);
                scope.spawn(move || {
                    let message = scene.peer.post_csr(csr, at(seconds));
                    let answer = scene.post(&message, seconds);
                    serial(answer.text())
                })
            })
            .collect();
        let done = threads.into_iter().map(|thread| thread.join().unwrap());
        done.collect::<HashSet<_>>()
    });
    assert_eq!(serials.len(), 1);
    assert_eq!(scene.log().len(), 1);
}

#[test]
fn a_superseded_certificate_is_not_listed_unless_the_operator_wants_it() {
    let scene = Scene::new("dev1");
    let old = scene.enrol(1, 0);
    let new = scene.enrol(2, 10);
    assert!(scene.list(2 * HOUR).serials().is_empty());
    scene.revoke(old, 3 * HOUR);
    assert_eq!(scene.list(4 * HOUR).serials(), [old], "by hand");
    assert_eq!(scene.handed_out(4 * HOUR), Some(new));
}

#[test]
fn a_key_revoked_as_compromised_gets_no_certificate_again() {
    let mut scene = Scene::new("dev1");
    let first = scene.enrol(1, 0);
    scene.revoke_for(RevocationReason::KeyCompromise, first, 10);
    // Neither the same request nor a new one for the key, and not later either.
    for seconds in [11, 20, 3 * HOUR, 400 * 86_400] {
        scene.check_key_forbidden(1, seconds);
    }
    scene.restart();
    scene.check_key_forbidden(1, 401 * 86_400);
    assert_eq!(scene.handed_out(401 * 86_400), None);
    let second = scene.enrol(2, 401 * 86_400);
    assert_eq!(scene.handed_out(401 * 86_400), Some(second));
}

#[test]
fn a_retired_key_gets_no_certificate_again() {
    let scene = Scene::new("dev1");
    let first = scene.enrol(1, 0);
    let reason = RevocationReason::CessationOfOperation;
    let retired = revocation(first, 10, reason).with_forbidden_key();
    block_on(scene.store.revoke(retired)).unwrap();
    scene.check_key_forbidden(1, 20);
}

#[test]
fn a_compromised_key_is_refused_from_other_devices_too() {
    let scene = Scene::new("dev1");
    let first = scene.enrol(1, 0);
    scene.revoke_for(RevocationReason::KeyCompromise, first, 10);
    let other = Peer::new("dev2");
    block_on(scene.store.put_device(other.record()));
    let answer = scene.post(&other.post_csr(&other.csr(1), at(20)), 20);
    assert_eq!(answer.status, 409);
}

#[test]
fn a_store_that_cannot_tell_whether_a_key_is_forbidden_issues_nothing() {
    let scene = Scene::new("dev1");
    scene.store.fail("is_key_forbidden");
    let answer = scene.post(&scene.peer.post_csr(&scene.peer.csr(1), at(0)), 0);
    assert_eq!(answer.status, 503);
    assert_eq!(scene.log(), []);
}

#[test]
fn the_old_certificate_is_revoked_after_the_overlap_and_the_new_one_never() {
    let scene = Scene::listing_superseded("dev1");
    let old = scene.enrol(1, 0);
    assert!(scene.list(30 * 86_400).serials().is_empty());
    let renewed_at = 60 * 86_400;
    let new = scene.enrol(2, renewed_at);
    for (later, revoked) in [
        (0, vec![]),
        (HOUR - 1, vec![]),
        (HOUR + 2, vec![old]),
        (20 * 86_400, vec![old]),
        // One that has expired stands on the next list as well (RFC 5280, 3.3).
        (31 * 86_400, vec![old]),
        (38 * 86_400, vec![]),
        (80 * 86_400, vec![]),
    ] {
        let list = scene.list(renewed_at.saturating_add(later));
        assert_eq!(list.serials(), revoked, "{later} s after the renewal");
    }
    assert_eq!(scene.handed_out(renewed_at), Some(new));
}

#[test]
fn a_certificate_revoked_by_hand_is_listed_at_once_and_never_handed_out_again() {
    let mut scene = Scene::new("dev1");
    let first = scene.enrol(1, 0);
    assert!(scene.list(0).serials().is_empty());
    scene.revoke(first, 10);
    for seconds in [12, 20, HOUR] {
        assert_eq!(scene.list(seconds).serials(), [first], "after {seconds} s");
        assert_eq!(scene.handed_out(seconds), None);
    }
    let second = scene.enrol(1, 60);
    assert_ne!(second, first, "the same CSR within the hour");
    assert_eq!(scene.handed_out(70), Some(second));
    scene.restart();
    assert_eq!(scene.list(2 * HOUR).serials(), [first]);
}

#[test]
fn what_a_revoked_certificate_had_superseded_does_not_come_back() {
    let scene = Scene::listing_superseded("dev1");
    let first = scene.enrol(1, 0);
    let second = scene.enrol(2, 10);
    scene.revoke(second, 20);
    assert_eq!(scene.handed_out(30), None);
    let mut listed = scene.list(2 * HOUR).serials().to_vec();
    listed.sort_unstable();
    let mut both = [first, second];
    both.sort_unstable();
    assert_eq!(listed, both);
    let third = scene.enrol(1, 40);
    assert_ne!(third, first);
    assert_eq!(scene.handed_out(2 * HOUR), Some(third));
}

#[test]
fn revoking_an_old_certificate_leaves_the_new_one() {
    let scene = Scene::new("dev1");
    let first = scene.enrol(1, 0);
    let second = scene.enrol(2, 10);
    scene.revoke(first, 20);
    assert_eq!(scene.handed_out(30), Some(second));
    assert_eq!(scene.enrol(2, 40), second);
}

#[test]
fn a_list_is_made_anew_long_before_it_expires_and_its_number_rises() {
    let scene = Scene::new("dev1");
    let mut number = 0;
    let mut renewed = 0;
    // `list` checks that each is valid when it is fetched.
    for day in 0..30 {
        let list = scene.list(day * 86_400);
        assert!(list.number() >= number);
        renewed += u32::from(list.number() > number);
        number = list.number();
        let left = list.next_update_unix() - u64::try_from(at(day * 86_400).unix()).unwrap();
        assert!(left > 3 * 86_400, "{left} s left on day {day}");
    }
    assert!((5..=15).contains(&renewed), "{renewed} lists in 30 days");
}

#[test]
fn a_list_is_good_after_the_clock_was_set_back() {
    let scene = Scene::new("dev1");
    let year = 365 * 86_400;
    let ahead = scene.list(year);
    // `list` checks that it is valid now.
    let back = scene.list(0);
    assert!(back.number() > ahead.number());
}

#[test]
fn the_log_is_not_asked_for_every_stranger() {
    let scene = Scene::new("dev1");
    let first = scene.list(0);
    scene.store.fail("revocations");
    assert_eq!(scene.list(1).der(), first.der());
    let message = scene.peer.get("/certificates/crl.pem", at(9));
    let answer = scene.post(&message, 9);
    assert_eq!(answer.status, 503);
    assert!(answer.field("retry-after").is_some());
    scene.store.heal();
    scene.list(9);
}

#[test]
fn a_certificate_that_cannot_be_logged_is_not_handed_out_and_a_retry_succeeds() {
    let scene = Scene::new("dev1");
    let message = scene.peer.post_csr(&scene.peer.csr(1), at(0));
    scene.store.fail("append");
    let answer = scene.post(&message, 0);
    assert_eq!(answer.status, 503);
    assert!(!answer.text().contains("CERTIFICATE"));
    assert!(answer.field("retry-after").is_some());
    scene.peer.verify(&answer, at(0)).map(|_| ()).unwrap();
    assert!(scene.site.heard_of("told to fail: append"));
    assert_eq!(scene.handed_out(0), None);

    scene.store.heal();
    let replayed = scene.post(&message, 1);
    assert_eq!(replayed.status, 503, "a captured request is not executed");
    assert_eq!(scene.log(), Vec::new());
    let serial = scene.enrol(1, 31);
    assert_eq!(scene.log(), [serial]);
}

#[test]
fn a_store_that_fails_is_a_signed_503_and_nothing_else() {
    for (what, target) in [
        ("config", "/config"),
        ("image", "/firmware"),
        ("read", "/firmware"),
        ("issued", "/certificate"),
    ] {
        let scene = Scene::new("dev1");
        scene.store.fail(what);
        let answer = scene.post(&scene.peer.get(target, at(0)), 0);
        assert_eq!(answer.status, 503, "{what}");
        scene.peer.verify(&answer, at(0)).map(|_| ()).unwrap();
        assert!(
            answer
                .text()
                .starts_with(r#"{"type":"urn:providore:problem:unavailable""#)
        );
        assert!(!answer.text().contains("told to fail"));
        assert!(scene.site.heard_of("told to fail"));
        scene.store.heal();
        assert!(scene.post(&scene.peer.get(target, at(0)), 0).status < 500);
    }
    let scene = Scene::new("dev1");
    scene.store.fail("device");
    let answer = scene.post(&scene.peer.get("/config", at(0)), 0);
    assert_eq!(answer.status, 503);
    let stranger = Peer::new("dev2").get("/config", at(0));
    assert_eq!(scene.post(&stranger, 0), answer, "nobody is known");
}

#[test]
fn an_image_that_changes_while_it_is_read_spoils_no_later_answer() {
    let scene = Scene::new("dev1");
    let ask = || {
        let answer = scene.post(&scene.peer.get("/firmware", at(0)), 0);
        scene.peer.verify(&answer, at(0)).map(|_| answer.status)
    };
    scene.store.fail("tear");
    assert_eq!(ask(), Ok(503), "what is signed is what its digest says");
    scene.store.heal();
    assert_eq!(ask(), Ok(200));
}

#[test]
fn a_certificate_for_both_uses_serves_as_either() {
    let scene = Scene::new("dev1");
    let mut device = scene.peer.record();
    device.certificate.profile = Profile::Both;
    block_on(scene.store.put_device(device));
    let answer = scene.post(&scene.peer.post_csr(&scene.peer.csr(1), at(0)), 0);
    let unix = u64::try_from(at(0).unix()).unwrap();
    for profile in [Profile::Client, Profile::Server, Profile::Both] {
        let roots = &scene.site.root_pem;
        assert!(VerifiedChain::verify(answer.text(), roots, profile, unix).is_ok());
    }
    // One for a single use is not one for both.
    let other = Scene::new("dev2");
    let answer = other.post(&other.peer.post_csr(&other.peer.csr(1), at(0)), 0);
    let roots = &other.site.root_pem;
    assert!(VerifiedChain::verify(answer.text(), roots, Profile::Both, unix).is_err());
}

#[test]
fn the_servers_record_says_what_a_certificate_is_for() {
    let scene = Scene::new("dev1");
    let mut device = scene.peer.record();
    device.certificate.profile = Profile::Server;
    device.certificate.days = 7;
    device.certificate.alt_names = vec!["plant-7.example".parse().unwrap()];
    block_on(scene.store.put_device(device));
    let answer = scene.post(&scene.peer.post_csr(&scene.peer.csr(1), at(0)), 0);
    let unix = |seconds| u64::try_from(at(seconds).unix()).unwrap();
    let roots = &scene.site.root_pem;
    let verify = |profile, now| VerifiedChain::verify(answer.text(), roots, profile, now);
    assert!(verify(Profile::Server, unix(0)).is_ok());
    assert!(verify(Profile::Client, unix(0)).is_err());
    assert!(verify(Profile::Server, unix(7 * 86_400 + HOUR)).is_err());
}
