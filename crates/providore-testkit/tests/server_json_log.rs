//! The certificate log in a file: nothing acknowledged is lost, and damage is never guessed over.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "a program that is killed is told by its environment that it is the one"
)]

extern crate alloc;

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use std::{
    collections::HashSet,
    fs::{self, OpenOptions},
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use futures_lite::future::{block_on, poll_once};
use providore_pki::{
    SerialNumber,
    crl::{Revocation, RevocationReason},
};
use providore_server_core::{
    CertificateLog as _, Issued, ListRules,
    json_files::{JsonStore, Layout, LoadError},
};
use providore_testkit::parties::{Peer, Site, at};
use providore_wire::DeviceId;

const RULES: ListRules = ListRules {
    superseded_after_s: Some(3600),
    keep_expired_s: 0,
};

fn open(folder: &Path) -> JsonStore {
    JsonStore::open(Layout::below(folder)).unwrap()
}

fn log(folder: &Path) -> PathBuf {
    Layout::below(folder).log()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn number(number: u64) -> SerialNumber {
    let mut bytes = [0x5a; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    SerialNumber::from_entropy(&bytes).unwrap()
}

fn device(name: &str) -> DeviceId {
    name.parse().unwrap()
}

fn entry(name: &str, serial: u64, seconds: i64) -> Issued {
    Issued {
        device: device(name),
        serial: number(serial),
        csr_sha256: [7; 32],
        at: at(seconds),
        not_after: at(seconds.saturating_add(90 * 86_400)),
        chain_pem: format!("certificate {serial} of {name}\n"),
    }
}

fn serials(store: &JsonStore, name: &str) -> Vec<SerialNumber> {
    let issued = block_on(store.issued(&device(name))).unwrap();
    issued.iter().map(|entry| entry.serial).collect()
}

fn append(store: &JsonStore, entry: Issued) {
    block_on(store.append(entry)).unwrap();
}

/// Writes two entries, lets `damage` work on the file's bytes, and opens it again.
fn check_damage(damage: impl FnOnce(&mut Vec<u8>), expected: Result<usize, &str>) {
    let folder = folder();
    let store = open(folder.path());
    append(&store, entry("dev1", 1, 0));
    append(&store, entry("dev1", 2, 1));
    drop(store);
    let mut bytes = fs::read(log(folder.path())).unwrap();
    damage(&mut bytes);
    fs::write(log(folder.path()), &bytes).unwrap();
    match (JsonStore::open(Layout::below(folder.path())), expected) {
        (Ok(store), Ok(count)) => {
            assert_eq!(serials(&store, "dev1").len(), count);
            append(&store, entry("dev1", 3, 2));
            drop(store);
            let again = serials(&open(folder.path()), "dev1");
            assert_eq!(again.len(), count.saturating_add(1));
            assert_eq!(again.last(), Some(&number(3)));
        }
        (Err(LoadError::Log(error)), Err(message)) => {
            let shown = error.to_string();
            assert!(shown.contains(message), "{shown}");
        }
        (outcome, _) => panic!("{outcome:?}, not {expected:?}"),
    }
}

/// Where the second line begins.
fn second_line(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap()
        .saturating_add(1)
}

#[test]
fn what_was_issued_and_revoked_is_there_after_a_restart() {
    let folder = folder();
    let store = open(folder.path());
    let entries = [
        entry("dev1", 1, 0),
        entry("dev2", 2, 1),
        entry("dev1", 3, 2),
    ];
    for entry in &entries {
        append(&store, entry.clone());
    }
    let end = u64::try_from(at(90 * 86_400).unix()).unwrap();
    let revoked = Revocation::new(number(2), end - 1, end, RevocationReason::KeyCompromise);
    block_on(store.revoke(revoked)).unwrap();
    block_on(store.revoke(Revocation::new(
        number(2),
        5,
        6,
        RevocationReason::Superseded,
    )))
    .unwrap();
    for store in [store, open(folder.path())] {
        let issued = block_on(store.issued(&device("dev1"))).unwrap();
        let issued: Vec<_> = issued.iter().map(|entry| Issued::clone(entry)).collect();
        assert_eq!(issued, [entries[0].clone(), entries[2].clone()]);
        assert_eq!(serials(&store, "dev2"), []);
        assert_eq!(
            block_on(store.revocations(at(2), &RULES)).unwrap(),
            [revoked]
        );
        let all = store.certificates();
        let fates: Vec<_> = all
            .iter()
            .map(|(entry, fate)| (entry.serial, *fate))
            .collect();
        assert_eq!(
            fates,
            [
                (number(1), None),
                (number(2), Some(revoked)),
                (number(3), None)
            ]
        );
    }
}

#[test]
fn the_log_is_for_its_owner_alone() {
    let folder = folder();
    drop(open(folder.path()));
    let mode = fs::metadata(log(folder.path()))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_torn_last_line_is_no_entry() {
    check_damage(|_| {}, Ok(2));
    check_damage(|bytes| bytes.truncate(bytes.len() - 40), Ok(1));
    check_damage(
        |bytes| bytes.extend_from_slice(b"{\"issued\":{\"dev"),
        Ok(2),
    );
    check_damage(|bytes| bytes.extend_from_slice(&[0; 5000]), Ok(2));
    check_damage(Vec::clear, Ok(0));
}

#[test]
fn a_last_line_that_lacks_nothing_but_its_end_is_kept() {
    check_damage(|bytes| bytes.truncate(bytes.len() - 1), Ok(2));
    check_damage(|bytes| bytes.truncate(second_line(bytes) - 1), Ok(1));
}

#[test]
fn a_damaged_line_in_the_middle_is_refused_with_its_place() {
    let flip = |bytes: &mut Vec<u8>| bytes[3] ^= 1;
    check_damage(flip, Err("certificate log, byte 0:"));
    let mut place = String::new();
    let zeros = |bytes: &mut Vec<u8>| {
        let start = second_line(bytes);
        place = format!("byte {start}:");
        bytes[start..start.saturating_add(9)].fill(0);
    };
    check_damage(zeros, Err("certificate log, byte 2"));
    assert!(!place.is_empty());
    let serial = |bytes: &mut Vec<u8>| {
        let text = String::from_utf8(bytes.clone()).unwrap();
        *bytes = text.replacen("5a5a", "zzzz", 1).into_bytes();
    };
    check_damage(serial, Err("byte 0: serial"));
    let other = |bytes: &mut Vec<u8>| bytes.splice(0..0, *b"{\"other\":{}}\n").count();
    check_damage(
        |bytes| {
            other(bytes);
        },
        Err("byte 0:"),
    );
}

#[test]
fn a_line_torn_by_another_process_is_not_joined_to_the_next() {
    let folder = folder();
    let store = open(folder.path());
    append(&store, entry("dev1", 1, 0));
    let mut other = OpenOptions::new()
        .append(true)
        .open(log(folder.path()))
        .unwrap();
    other
        .write_all(b"{\"issued\":{\"device\":\"dev1\",\"seri")
        .unwrap();
    append(&store, entry("dev1", 2, 1));
    store.refresh().unwrap();
    assert_eq!(serials(&store, "dev1"), [number(1), number(2)]);
    assert_eq!(
        serials(&open(folder.path()), "dev1"),
        [number(1), number(2)]
    );
}

#[test]
fn a_caller_that_goes_away_loses_nothing_and_changes_no_order() {
    let folder = folder();
    let store = open(folder.path());
    for serial in 0..200 {
        let seconds = i64::try_from(serial).unwrap();
        let future = store.append(entry("dev1", serial, seconds));
        if serial % 2 == 0 {
            // Handed to the writer, and dropped.
            let _ = block_on(poll_once(future));
        } else {
            block_on(future).unwrap();
        }
    }
    let expected: Vec<_> = (0..200).map(number).collect();
    assert_eq!(serials(&store, "dev1"), expected);
    store.refresh().unwrap();
    assert_eq!(serials(&store, "dev1"), expected);
    assert_eq!(serials(&open(folder.path()), "dev1"), expected);
}

#[test]
fn a_serial_number_is_never_given_twice() {
    let folder = folder();
    let (store, other) = (open(folder.path()), open(folder.path()));
    append(&store, entry("dev1", 1, 0));
    assert!(block_on(store.append(entry("dev2", 1, 0))).is_err());
    assert!(block_on(other.append(entry("dev2", 1, 0))).is_err());
    append(&other, entry("dev2", 2, 0));
    assert!(block_on(store.append(entry("dev1", 2, 0))).is_err());
    assert_eq!(open(folder.path()).certificates().len(), 2);
}

#[test]
fn two_that_share_a_log_see_each_others_entries_in_one_order() {
    let folder = folder();
    let stores = [open(folder.path()), open(folder.path())];
    std::thread::scope(|scope| {
        for (half, store) in stores.iter().enumerate() {
            scope.spawn(move || {
                for count in 0..50_u64 {
                    let serial = count * 2 + u64::try_from(half).unwrap();
                    append(store, entry("dev1", serial, 0));
                }
            });
        }
    });
    for store in &stores {
        store.refresh().unwrap();
    }
    let in_file = serials(&open(folder.path()), "dev1");
    assert_eq!(in_file.len(), 100);
    assert_eq!(serials(&stores[0], "dev1"), in_file);
    assert_eq!(serials(&stores[1], "dev1"), in_file);
}

#[test]
fn many_tasks_at_once_share_syncs_and_each_is_answered() {
    let folder = folder();
    let store = Arc::new(open(folder.path()));
    std::thread::scope(|scope| {
        for task in 0..64_u64 {
            let store = &store;
            scope.spawn(move || {
                let name = format!("dev{task}");
                for count in 0..4_u64 {
                    let serial = task * 4 + count;
                    append(store, entry(&name, serial, 0));
                    assert_eq!(serials(store, &name).last(), Some(&number(serial)));
                }
            });
        }
    });
    let again = open(folder.path());
    for task in 0..64_u64 {
        let expected: Vec<_> = (task * 4..task * 4 + 4).map(number).collect();
        assert_eq!(serials(&again, &format!("dev{task}")), expected);
    }
}

#[test]
fn a_log_that_was_removed_replaced_or_cut_is_no_longer_written() {
    for how in ["remove", "replace", "cut"] {
        let folder = folder();
        let store = open(folder.path());
        append(&store, entry("dev1", 1, 0));
        let path = log(folder.path());
        match how {
            "remove" => fs::remove_file(&path).unwrap(),
            "replace" => {
                let copy = path.with_extension("new");
                fs::copy(&path, &copy).unwrap();
                fs::rename(&copy, &path).unwrap();
            }
            _ => fs::write(&path, b"").unwrap(),
        }
        let outcome = store.refresh();
        assert!(
            matches!(outcome, Err(LoadError::Log(_))),
            "{how}: {outcome:?}"
        );
        assert!(store.refresh().is_ok(), "{how}: reported once");
        if how != "cut" {
            assert!(
                block_on(store.append(entry("dev1", 2, 0))).is_err(),
                "{how}"
            );
        }
        assert_eq!(serials(&store, "dev1"), [number(1)], "{how}");
    }
}

#[test]
fn damage_while_running_is_reported_once_and_stops_issuing() {
    let folder = folder();
    let store = open(folder.path());
    append(&store, entry("dev1", 1, 0));
    let mut other = OpenOptions::new()
        .append(true)
        .open(log(folder.path()))
        .unwrap();
    other.write_all(b"not a line\n").unwrap();
    assert!(matches!(store.refresh(), Err(LoadError::Log(_))));
    assert!(store.refresh().is_ok());
    assert!(block_on(store.append(entry("dev1", 2, 0))).is_err());
    assert_eq!(serials(&store, "dev1"), [number(1)]);
}

const CRASH: &str = "PROVIDORE_CRASH_TEST";

/// Nothing, unless it runs as the program that `kill_and_reopen` kills.
#[test]
fn issues_until_it_is_killed() {
    let Some(folder) = std::env::var_os(CRASH) else {
        return;
    };
    let store = open(Path::new(&folder));
    let start = u64::from(std::process::id()) << 32;
    let next = AtomicU64::new(start);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let serial = next.fetch_add(1, Ordering::Relaxed);
                    append(&store, entry("dev1", serial, 0));
                    // Not `println`, which the test harness may capture.
                    let line = format!("acknowledged {}\n", number(serial));
                    std::io::stderr().write_all(line.as_bytes()).unwrap();
                }
            });
        }
    });
}

fn spawn(folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "issues_until_it_is_killed", "--nocapture"])
        .env(CRASH, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Lets `count` programs issue at once, kills each after `lines` acknowledgements, and opens the log.
fn kill_and_reopen(folder: &Path, count: usize, lines: usize) {
    let mut children: Vec<_> = (0..count).map(|_| spawn(folder)).collect();
    let readers: Vec<_> = children
        .iter_mut()
        .map(|child| BufReader::new(child.stderr.take().unwrap()))
        .collect();
    let mut acknowledged = HashSet::new();
    for (child, mut reader) in children.iter_mut().zip(readers) {
        let mut line = String::new();
        let mut seen = 0;
        while seen < lines && reader.read_line(&mut line).unwrap() > 0 {
            seen += usize::from(line.starts_with("acknowledged"));
            acknowledged.extend(line.trim().strip_prefix("acknowledged ").map(String::from));
            line.clear();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it still said before it died counts as well, but for a line that is torn.
        while reader.read_line(&mut line).unwrap() > 0 {
            if line.ends_with('\n') {
                acknowledged.extend(line.trim().strip_prefix("acknowledged ").map(String::from));
            }
            line.clear();
        }
    }
    assert!(acknowledged.len() >= count * lines);
    let store = open(folder);
    let logged: HashSet<_> = serials(&store, "dev1")
        .iter()
        .map(ToString::to_string)
        .collect();
    let lost: Vec<_> = acknowledged.difference(&logged).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
}

#[test]
fn kill_9_at_any_time_loses_nothing_that_was_acknowledged() {
    let folder = folder();
    for round in 0..12 {
        kill_and_reopen(folder.path(), 1, 1 + round * 7);
    }
}

#[test]
fn two_programs_append_to_one_log_and_are_killed() {
    let folder = folder();
    for round in 0..4 {
        kill_and_reopen(folder.path(), 2, 5 + round * 11);
    }
}

/// The certificate of an original server: handed out, superseded, revoked.
fn legacy(folder: &Path) -> (Site<JsonStore>, Peer, String) {
    let peer = Peer::new("dev1");
    let layout = Layout::below(folder);
    fs::create_dir_all(&layout.config).unwrap();
    fs::create_dir_all(&layout.certificates).unwrap();
    let entry = format!(r#"{{"dev1":{{"secretKey":"{}"}}}}"#, peer.secret);
    fs::write(&layout.devices, entry).unwrap();
    // Any certificate will do; the first of a chain is one.
    let made = Site::new(providore_testkit::parties::stocked(&peer));
    let chain = made.ask(&peer.post_csr(&peer.csr(9), at(0)), at(0));
    let end = "-----END CERTIFICATE-----\n";
    let old = format!("{}{end}", chain.text().split(end).next().unwrap());
    fs::write(layout.certificates.join("dev1.cert.pem"), &old).unwrap();
    (Site::new(open(folder)), peer, old)
}

#[test]
fn the_certificate_of_an_original_server_is_served_until_it_is_superseded() {
    let folder = folder();
    let (site, peer, old) = legacy(folder.path());
    let fetch = |seconds| site.ask(&peer.get("/certificate", at(seconds)), at(seconds));
    assert_eq!(fetch(1).text(), old);
    let serial = serials(site.server.store(), "dev1");
    assert_eq!(serial.len(), 1);

    let new = site.ask(&peer.post_csr(&peer.csr(1), at(10)), at(10));
    assert_eq!(new.status, 200);
    assert!(site.heard_of("renewal: true"));
    assert_eq!(fetch(11).body, new.body);
    let store = site.server.store();
    assert_eq!(block_on(store.revocations(at(3609), &RULES)).unwrap(), []);
    let revoked = block_on(store.revocations(at(3611), &RULES)).unwrap();
    let revoked: Vec<_> = revoked.iter().map(|entry| *entry.serial()).collect();
    assert_eq!(revoked, serial);
}

#[test]
fn the_certificate_of_an_original_server_can_be_revoked() {
    let folder = folder();
    let (site, peer, _) = legacy(folder.path());
    let store = site.server.store();
    let serial = serials(store, "dev1")[0];
    let revocation = Revocation::new(serial, 1, u64::MAX, RevocationReason::KeyCompromise);
    block_on(store.revoke(revocation)).unwrap();
    let fetch = || site.ask(&peer.get("/certificate", at(1)), at(1));
    assert_eq!(fetch().status, 404);
    let new = site.ask(&peer.post_csr(&peer.csr(1), at(10)), at(10));
    assert_eq!(fetch().body, new.body);
    assert_eq!(serials(store, "dev1").len(), 1);
}
