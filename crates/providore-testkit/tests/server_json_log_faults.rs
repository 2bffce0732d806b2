//! The certificate log when something is wrong with it: half a line, a lock that is held, another
//! process that writes.

#![expect(
    clippy::disallowed_methods,
    reason = "how long a lock is waited for takes real time"
)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use core::time::Duration;
use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    time::Instant,
};

use futures_lite::future::block_on;
use providore_pki::{
    SerialNumber,
    crl::{Revocation, RevocationReason},
};
use providore_server_core::{
    CertificateLog as _, Issued, ListRules,
    json_files::{JsonStore, Layout, LogRepair},
};
use providore_testkit::parties::{Peer, Site, at};

fn open(folder: &Path) -> JsonStore {
    JsonStore::open(Layout::below(folder)).unwrap()
}

fn log(folder: &Path) -> PathBuf {
    Layout::below(folder).log()
}

fn number(number: u8) -> SerialNumber {
    SerialNumber::from_entropy(&[number; 16]).unwrap()
}

fn entry(serial: u8) -> Issued {
    Issued {
        device: "dev1".parse().unwrap(),
        serial: number(serial),
        csr_sha256: [7; 32],
        at: at(0),
        not_after: at(90 * 86_400),
        chain_pem: format!("certificate {serial}\n"),
    }
}

fn append(store: &JsonStore, serial: u8) {
    block_on(store.append(entry(serial))).unwrap();
}

fn serials(store: &JsonStore) -> Vec<SerialNumber> {
    let issued = block_on(store.issued(&"dev1".parse().unwrap())).unwrap();
    issued.iter().map(|entry| entry.serial).collect()
}

fn append_bytes(folder: &Path, bytes: &[u8]) {
    let mut file = OpenOptions::new().append(true).open(log(folder)).unwrap();
    file.write_all(bytes).unwrap();
}

#[test]
fn half_a_line_is_moved_aside_and_told() {
    let folder = tempfile::tempdir().unwrap();
    append(&open(folder.path()), 1);
    let whole = fs::metadata(log(folder.path())).unwrap().len();
    let torn = br#"{"issued":{"device":"dev1","seri"#;
    append_bytes(folder.path(), torn);
    let store = open(folder.path());
    let repairs = store.take_repairs();
    let [LogRepair::Moved { at, length, to, .. }] = &repairs[..] else {
        panic!("{repairs:?}")
    };
    assert_eq!((*at, *length), (whole, torn.len() as u64));
    assert_eq!(fs::read(to).unwrap(), torn);
    assert_eq!(fs::metadata(log(folder.path())).unwrap().len(), whole);
    assert_eq!(store.take_repairs(), [], "told once");
    // Torn at the same place again, the first tail is still there.
    append_bytes(folder.path(), b"other");
    let again = open(folder.path()).take_repairs();
    let [LogRepair::Moved { to: second, .. }] = &again[..] else {
        panic!("{again:?}")
    };
    assert_ne!(second, to);
    assert_eq!(fs::read(to).unwrap(), torn);
}

#[test]
fn a_whole_entry_without_its_line_end_is_kept_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    append(&store, 1);
    append(&store, 2);
    drop(store);
    let file = File::options()
        .write(true)
        .open(log(folder.path()))
        .unwrap();
    file.set_len(file.metadata().unwrap().len() - 1).unwrap();
    let store = open(folder.path());
    assert!(matches!(
        store.take_repairs()[..],
        [LogRepair::Ended { .. }]
    ));
    append(&store, 3);
    for store in [store, open(folder.path())] {
        assert_eq!(serials(&store), [number(1), number(2), number(3)]);
        assert_eq!(store.take_repairs(), []);
    }
}

#[test]
fn what_a_process_tore_while_the_server_runs_is_told_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    append(&store, 1);
    append_bytes(folder.path(), b"{\"issued\":");
    append(&store, 2);
    assert!(matches!(
        store.take_repairs()[..],
        [LogRepair::Moved { .. }]
    ));
}

#[test]
fn a_revocation_by_another_process_is_seen_by_the_next_request() {
    let folder = tempfile::tempdir().unwrap();
    let peer = Peer::new("dev1");
    let layout = Layout::below(folder.path());
    fs::create_dir_all(&layout.config).unwrap();
    let device = format!(r#"{{"dev1":{{"secretKey":"{}"}}}}"#, peer.secret);
    fs::write(&layout.devices, device).unwrap();
    // Nobody refreshes this store.
    let site = Site::new(open(folder.path()));
    let csr = peer.csr(1);
    let first = site.ask(&peer.post_csr(&csr, at(0)), at(0));
    assert_eq!(first.status, 200);
    let serial = serials(site.server.store())[0];
    let revoke = |reason| {
        let command_line = open(folder.path());
        let revocation = Revocation::new(serial, 1, u64::MAX, reason);
        block_on(command_line.revoke(revocation)).unwrap();
    };
    revoke(RevocationReason::Superseded);
    let rules = ListRules {
        superseded_after_s: None,
        keep_expired_s: 0,
    };
    let fetched = site.ask(&peer.get("/certificate", at(1)), at(1));
    assert_eq!(fetched.status, 404);
    let listed = block_on(site.server.store().revocations(at(1), &rules)).unwrap();
    assert_eq!(listed.len(), 1);
    let second = site.ask(&peer.post_csr(&csr, at(2)), at(2));
    assert_eq!(second.status, 200);
    assert_ne!(second.body, first.body, "not the revoked one");
    revoke(RevocationReason::KeyCompromise);
    let third = site.ask(&peer.post_csr(&csr, at(3)), at(3));
    assert_eq!(third.status, 409, "{}", third.text());
}

#[test]
fn a_log_that_somebody_holds_locked_can_be_read_at_once() {
    let folder = tempfile::tempdir().unwrap();
    append(&open(folder.path()), 1);
    let holder = File::open(log(folder.path())).unwrap();
    holder.lock().unwrap();
    let began = Instant::now();
    let store = open(folder.path());
    store.refresh().unwrap();
    assert_eq!(serials(&store), [number(1)]);
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_log_that_stays_locked_fails_the_write_and_names_the_holder() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let holder = File::open(log(folder.path())).unwrap();
    holder.lock_shared().unwrap();
    let error = block_on(store.append(entry(1))).unwrap_err();
    let cause = core::error::Error::source(&error).unwrap().to_string();
    let me = format!("process {}", std::process::id());
    assert!(
        cause.contains(&me) && cause.contains("issued.jsonl"),
        "{cause}"
    );
    holder.unlock().unwrap();
    append(&store, 1);
    assert_eq!(serials(&store), [number(1)]);
}

#[test]
fn a_write_waits_for_a_lock_that_is_soon_released() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let holder = File::open(log(folder.path())).unwrap();
    holder.lock().unwrap();
    std::thread::scope(|scope| {
        let write = scope.spawn(|| block_on(store.append(entry(1))));
        std::thread::sleep(Duration::from_millis(300));
        assert!(!write.is_finished());
        holder.unlock().unwrap();
        write.join().unwrap().unwrap();
    });
}

#[test]
fn the_order_of_the_log_says_what_is_newest_and_not_the_dates() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    // By a clock that was a year ahead, and then right.
    let mut ahead = entry(1);
    ahead.at = at(365 * 86_400);
    block_on(store.append(ahead)).unwrap();
    append(&store, 2);
    for store in [store, open(folder.path())] {
        let all = store.certificates();
        let order: Vec<_> = all.iter().map(|(entry, _)| entry.serial).collect();
        assert_eq!(order, [number(1), number(2)]);
        assert_eq!(serials(&store), order);
    }
}
