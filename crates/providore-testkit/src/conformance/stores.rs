//! The contracts of `DeviceStore`, `ConfigStore`, `FirmwareStore` and `CertificateLog`.

use alloc::sync::Arc;

use futures_lite::future::block_on;
use providore_pki::{
    LocalCa, SerialNumber,
    ca::CaSettings,
    crl::{Revocation, RevocationReason},
};
use providore_server_core::{
    CertificateLog, ConfigStore, Device, DeviceStore, Dialect, Document, Failure, FirmwareStore,
    Image, Issued, ListRules, Release, StoreError,
};
use providore_wire::{DeviceId, FirmwareVersion};
use sha2::{Digest as _, Sha256};

use crate::parties::{CONFIG, CONFIG_1, Peer, at, device_key, image};

/// Runs the contract of [`DeviceStore`] over a store that is [`stocked`](crate::parties::stocked)
/// with `dev1` and holds a disabled device `off` beside it.
///
/// # Panics
/// Where the implementation differs from the contract.
pub fn device_store(store: &impl DeviceStore) {
    let known = find(store, "dev1").expect("a device that was stored");
    assert_eq!(known.id.as_str(), "dev1");
    assert!(known.enabled);
    let versions: Vec<_> = known.releases.iter().map(|r| r.version.as_str()).collect();
    assert_eq!(versions, ["1.0.0", "2.0.0"], "oldest first");
    assert_eq!(
        known.releases[0].next,
        Some(known.releases[1].version.clone())
    );
    let off = find(store, "off").expect("a disabled device is found as well");
    assert!(!off.enabled);
    for stranger in ["dev2", "DEV1", "dev", "dev11", "__proto__", "devices.json"] {
        assert!(find(store, stranger).is_none(), "{stranger}");
    }
}

/// The secret of both devices in [`device_changes`].
pub const SECRET: &str = "the present secret";

/// The next secret of `rotating` in [`device_changes`].
pub const NEXT_SECRET: &str = "the next secret, which is longer";

/// Runs the contract of what a [`DeviceStore`] is told over stores that hold `plain` and
/// `rotating`, both with the dialect `original` and the secret [`SECRET`]; for `rotating`,
/// [`NEXT_SECRET`] waits. `restart` gives back the store as it is after a power cut.
///
/// # Panics
/// Where the implementation differs from the contract.
pub fn device_changes<S: DeviceStore>(
    mut make: impl FnMut() -> S,
    mut restart: impl FnMut(S) -> S,
) {
    a_dialect_is_raised_and_never_lowered(make(), &mut restart);
    the_next_secret_becomes_the_only_one(make(), &mut restart);
    only_the_secret_that_waits_is_promoted(&make());
    a_stranger_stays_a_stranger(&make());
    changes_at_once_are_all_made(make(), &mut restart);
}

fn a_dialect_is_raised_and_never_lowered<S: DeviceStore>(store: S, restart: impl FnOnce(S) -> S) {
    pin(&store, "plain", Dialect::Original);
    assert_eq!(known(&store, "plain").dialect, Dialect::Original);
    for dialect in [Dialect::Signed, Dialect::Original, Dialect::Signed] {
        pin(&store, "plain", dialect);
        assert_eq!(known(&store, "plain").dialect, Dialect::Signed);
    }
    assert_eq!(known(&store, "rotating").dialect, Dialect::Original);
    let store = restart(store);
    let (plain, rotating) = (known(&store, "plain"), known(&store, "rotating"));
    assert_eq!(plain.dialect, Dialect::Signed, "durable");
    assert_eq!(plain.key_check(), check_of(SECRET), "and nothing else");
    assert_eq!(rotating.dialect, Dialect::Original);
    assert_eq!(rotating.next_key_check(), Some(check_of(NEXT_SECRET)));
}

fn the_next_secret_becomes_the_only_one<S: DeviceStore>(store: S, restart: impl FnOnce(S) -> S) {
    let before = known(&store, "rotating");
    assert_eq!(before.key_check(), check_of(SECRET));
    assert_eq!(before.next_key_check(), Some(check_of(NEXT_SECRET)));
    let is_promoted = |store: &S| {
        let device = known(store, "rotating");
        assert_eq!(device.key_check(), check_of(NEXT_SECRET));
        assert!(!device.has_next_secret());
        assert_eq!(device.dialect, Dialect::Original, "and nothing else");
        assert_eq!(known(store, "plain").key_check(), check_of(SECRET));
    };
    for _ in 0..2 {
        promote(&store, "rotating", NEXT_SECRET).expect("done, or done before");
        is_promoted(&store);
    }
    assert!(
        promote(&store, "rotating", SECRET).is_err(),
        "there is no way back"
    );
    let store = restart(store);
    is_promoted(&store);
    promote(&store, "rotating", NEXT_SECRET).expect("done before");
}

fn only_the_secret_that_waits_is_promoted(store: &impl DeviceStore) {
    assert!(promote(store, "rotating", "another secret, replaced").is_err());
    assert!(promote(store, "plain", NEXT_SECRET).is_err(), "another's");
    promote(store, "plain", SECRET).expect("it is the only one already");
    promote(store, "rotating", SECRET).expect("it is the present one already");
    for (id, next) in [("plain", None), ("rotating", Some(check_of(NEXT_SECRET)))] {
        let device = known(store, id);
        assert_eq!(device.key_check(), check_of(SECRET));
        assert_eq!(device.next_key_check(), next, "{id}");
    }
}

fn a_stranger_stays_a_stranger(store: &impl DeviceStore) {
    pin(store, "stranger", Dialect::Signed);
    assert!(promote(store, "stranger", NEXT_SECRET).is_err());
    assert!(find(store, "stranger").is_none());
}

fn changes_at_once_are_all_made<S: DeviceStore>(store: S, restart: impl FnOnce(S) -> S) {
    std::thread::scope(|scope| {
        for _ in 0..8 {
            for id in ["plain", "rotating"] {
                let store = &store;
                scope.spawn(move || pin(store, id, Dialect::Signed));
            }
            scope.spawn(|| promote(&store, "rotating", NEXT_SECRET).expect("done, or done before"));
        }
    });
    let store = restart(store);
    for (id, secret) in [("plain", SECRET), ("rotating", NEXT_SECRET)] {
        let device = known(&store, id);
        assert_eq!(device.dialect, Dialect::Signed, "{id}");
        assert_eq!(
            (device.key_check(), device.next_key_check()),
            (check_of(secret), None)
        );
    }
}

fn known(store: &impl DeviceStore, id: &str) -> Arc<Device> {
    find(store, id).expect("a device that was stored")
}

fn pin(store: &impl DeviceStore, id: &str, dialect: Dialect) {
    block_on(store.pin_dialect(&Peer::new(id).id, dialect)).expect("no fault");
}

fn promote(store: &impl DeviceStore, id: &str, secret: &str) -> Result<(), StoreError> {
    block_on(store.promote_secret(&Peer::new(id).id, check_of(secret)))
}

/// The [`Device::key_check`] of a secret.
fn check_of(secret: &str) -> [u8; 8] {
    let device = Device::new(Peer::new("any").id, secret.as_bytes(), Dialect::Signed);
    device.expect("a secret").key_check()
}

/// Runs the contract of [`ConfigStore`] over a store like that of [`device_store`].
///
/// # Panics
/// Where the implementation differs from the contract.
pub fn config_store(store: &(impl DeviceStore + ConfigStore)) {
    let device = find(store, "dev1").expect("a device that was stored");
    let config = |device: &Device, release: Option<usize>| -> Option<Document> {
        let release = release.map(|index| &device.releases[index]);
        block_on(store.config(device, release)).expect("no fault")
    };
    for (release, expected) in [(Some(0), CONFIG_1), (Some(1), CONFIG), (None, CONFIG)] {
        let found = config(&device, release).expect("a configuration that was stored");
        assert_eq!(found.bytes(), expected, "{release:?}");
        let digest: [u8; 32] = Sha256::digest(expected).into();
        assert_eq!(found.sha256(), &digest);
        assert_eq!(config(&device, release), Some(found), "asked again");
    }
    let off = find(store, "off").expect("a device that was stored");
    assert_eq!(config(&off, None), None, "another device's is not its own");
}

/// Runs the contract of [`FirmwareStore`] and [`Image`] over a store like that of [`device_store`].
/// `replace` puts other bytes in the place of the image of 2.0.0, as a deployment does it.
///
/// # Panics
/// Where the implementation differs from the contract.
pub fn firmware_store<S: DeviceStore + FirmwareStore>(store: &S, replace: impl FnOnce(&[u8])) {
    let device = find(store, "dev1").expect("a device that was stored");
    let open = |index: usize| -> Option<S::Image> {
        block_on(store.image(&device.releases[index])).expect("no fault")
    };
    for (index, version) in [(0, "1.0.0"), (1, "2.0.0")] {
        let opened = open(index).expect("an image that was stored");
        check_image(&opened, &image(version));
    }
    let has = |release: &Release| {
        let opened = block_on(store.image(release)).expect("no fault");
        let has = block_on(store.has_image(release)).expect("no fault");
        assert_eq!(opened.is_some(), has, "told without reading it");
        has
    };
    assert!(has(&device.releases[0]) && has(&device.releases[1]));
    let mut unknown = device.releases[0].clone();
    unknown.version = "3.0.0".parse().expect("a version");
    assert!(!has(&unknown));
    unknown = device.releases[0].clone();
    unknown.hardware = "other".parse().expect("a name");
    assert!(!has(&unknown));

    let before = open(1).expect("an image that was stored");
    replace(b"other bytes");
    check_image(&before, &image("2.0.0"));
    check_image(&open(1).expect("the new image"), b"other bytes");
}

/// Runs the contract of [`FirmwareStore::manifest`] over a store like that of [`device_store`]. `put`
/// publishes the manifest of 2.0.0.
///
/// # Panics
/// Where the implementation differs from the contract.
pub fn firmware_manifests<S: DeviceStore + FirmwareStore>(store: &S, put: impl Fn(&[u8])) {
    let device = find(store, "dev1").expect("a device that was stored");
    let read = |index: usize| block_on(store.manifest(&device.releases[index])).expect("no fault");
    assert_eq!((read(0), read(1)), (None, None), "published without");
    for manifest in [
        &b"what its author signed"[..],
        b"another of the same length",
    ] {
        put(manifest);
        assert_eq!(read(1).as_deref(), Some(manifest));
        assert_eq!(read(0), None, "another release");
    }
    let opened = block_on(store.image(&device.releases[1])).expect("no fault");
    check_image(&opened.expect("the image beside it"), &image("2.0.0"));
}

/// Runs the contract of what a [`FirmwareStore`] remembers of failures over empty stores. `restart`
/// gives back the store as it is after a power cut.
///
/// # Panics
/// Where the implementation differs from the contract.
pub fn firmware_failures<S: FirmwareStore>(
    mut make: impl FnMut() -> S,
    mut restart: impl FnMut(S) -> S,
) {
    let version = |text: &str| text.parse::<FirmwareVersion>().expect("a version");
    let failure = |text: &str, reason: &str| Failure::new(version(text), at(7), true, reason);
    let (one, two) = (Peer::new("one").id, Peer::new("a two").id);
    let noted = |store: &S, device: &DeviceId| {
        let mut all = block_on(store.failures(device)).expect("no fault");
        all.sort_by(|a, b| a.version.cmp(&b.version));
        all
    };
    let store = make();
    assert_eq!(noted(&store, &one), [], "nothing has failed yet");
    block_on(store.forget_failure(&one, &version("1.0"))).expect("nothing to forget");
    let (first, second) = (
        failure("1.0", "no \"link\" \u{1f600}"),
        failure("2.0+b 7", ""),
    );
    for failure in [&second, &first, &failure("1.0", "later")] {
        block_on(store.note_failure(&one, failure)).expect("no fault");
    }
    let both = [first.clone(), second.clone()];
    assert_eq!(noted(&store, &one), both, "the first of each");
    assert_eq!(noted(&store, &two), [], "of another device");
    let store = restart(store);
    assert_eq!(noted(&store, &one), both, "durable");
    block_on(store.note_failure(&two, &second)).expect("no fault");
    block_on(store.forget_failure(&one, &second.version)).expect("no fault");
    let store = restart(store);
    assert_eq!(noted(&store, &one), [first], "forgotten, and nothing else");
    assert_eq!(noted(&store, &two), [second]);

    let store = make();
    std::thread::scope(|scope| {
        for number in 0..8 {
            for device in [&one, &two] {
                let (store, failure) = (&store, failure(&format!("{}", number % 4), "x"));
                scope.spawn(move || {
                    block_on(store.note_failure(device, &failure)).expect("no fault");
                });
            }
        }
    });
    assert_eq!(
        (noted(&store, &one).len(), noted(&store, &two).len()),
        (4, 4)
    );
}

fn check_image(image: &impl Image, expected: &[u8]) {
    let size = expected.len() as u64;
    let digest: [u8; 32] = Sha256::digest(expected).into();
    assert_eq!((image.size(), image.sha256()), (size, digest));
    let read = |offset: u64, length: usize| {
        block_on(image.read(offset, length))
            .expect("no fault")
            .to_vec()
    };
    let mut whole = Vec::new();
    while (whole.len() as u64) < size {
        let piece = read(whole.len() as u64, 70_001);
        assert!(
            !piece.is_empty() && piece.len() <= 70_001,
            "{}",
            piece.len()
        );
        whole.extend(piece);
    }
    assert_eq!(whole, expected);
    let last = read(size.saturating_sub(1), 100);
    assert_eq!(
        last,
        expected[expected.len() - 1..],
        "no more than there is"
    );
    assert_eq!(read(size, 100), b"", "nothing at the end");
    assert_eq!(read(size.saturating_add(7), 100), b"", "and behind it");
    assert_eq!(read(0, 0), b"");
}

/// Runs the contract of [`CertificateLog`]; `make` makes an empty one.
///
/// # Panics
/// Where the implementation differs from the contract.
pub fn certificate_log<S: CertificateLog>(mut make: impl FnMut() -> S) {
    entries_come_back_oldest_first(&make());
    a_serial_number_is_taken_once(&make());
    a_successor_revokes_after_the_overlap(&make());
    a_revocation_by_hand_counts_at_once(&make());
    what_is_superseded_is_listed_only_by_rule(&make());
    what_has_expired_is_listed_once_more(&make());
    a_key_that_was_revoked_is_forbidden(&make());
    entries_at_once_are_all_there(&make());
}

fn entries_come_back_oldest_first(log: &impl CertificateLog) {
    assert_eq!(issued(log, "dev1"), []);
    let entries = [
        entry("dev1", 3, 0),
        entry("dev2", 2, 0),
        entry("dev1", 1, 5),
    ];
    for entry in &entries {
        append(log, entry.clone());
    }
    assert_eq!(
        issued(log, "dev1"),
        [entries[0].clone(), entries[2].clone()]
    );
    assert_eq!(issued(log, "dev2"), [entries[1].clone()]);
    assert_eq!(issued(log, "dev"), []);
}

fn a_serial_number_is_taken_once(log: &impl CertificateLog) {
    append(log, entry("dev1", 1, 0));
    for again in [entry("dev1", 1, 0), entry("dev2", 1, 9)] {
        assert!(
            block_on(log.append(again)).is_err(),
            "a serial number twice"
        );
    }
    assert_eq!(issued(log, "dev1").len(), 1);
    assert_eq!(issued(log, "dev2"), []);
}

fn a_successor_revokes_after_the_overlap(log: &impl CertificateLog) {
    for (serial, seconds) in [(1, 0), (2, 1000), (3, 1500)] {
        append(log, entry("dev1", serial, seconds));
    }
    append(log, entry("dev2", 4, 0));
    for (seconds, expected) in [
        (1000, &[][..]),
        (1099, &[]),
        (1100, &[1]),
        (1599, &[1]),
        (1600, &[1, 2]),
        (100_000, &[1, 2]),
    ] {
        assert_eq!(revoked(log, seconds, 100), expected, "at {seconds}");
    }
    let listed = block_on(log.revocations(at(1100), &rules(100))).expect("no fault");
    assert_eq!(listed[0].reason(), RevocationReason::Superseded);
    assert_eq!(
        listed[0].at_unix(),
        unix(1100),
        "not before the overlap was over"
    );
    assert_eq!(issued(log, "dev1").len(), 3, "superseded is still issued");
}

fn a_revocation_by_hand_counts_at_once(log: &impl CertificateLog) {
    for (serial, seconds) in [(1, 0), (2, 10), (3, 20)] {
        append(log, entry("dev1", serial, seconds));
    }
    revoke(log, 2, 30);
    revoke(log, 2, 40);
    let listed = block_on(log.revocations(at(30), &rules(1000))).expect("no fault");
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (listed[0].at_unix(), *listed[0].serial()),
        (unix(30), number(2))
    );
    let left: Vec<_> = issued(log, "dev1")
        .iter()
        .map(|entry| entry.serial)
        .collect();
    assert_eq!(left, [number(3)], "neither it nor what it superseded");
    revoke(log, 3, 50);
    assert_eq!(issued(log, "dev1"), []);
    assert_eq!(revoked(log, 5000, 1000), [1, 2, 3]);
    // One that the log has never seen.
    revoke(log, 9, 60);
    assert_eq!(revoked(log, 5000, 1000), [1, 2, 3, 9]);
    append(log, entry("dev1", 4, 70));
    assert_eq!(issued(log, "dev1").len(), 1);
}

fn what_is_superseded_is_listed_only_by_rule(log: &impl CertificateLog) {
    append(log, entry("dev1", 1, 0));
    append(log, entry("dev1", 2, 10));
    append(log, entry("dev2", 3, 0));
    revoke(log, 3, 20);
    let by_hand_alone = ListRules {
        superseded_after_s: None,
        keep_expired_s: 0,
    };
    let listed = block_on(log.revocations(at(1000), &by_hand_alone)).expect("no fault");
    assert_eq!(listed.len(), 1);
    assert_eq!(*listed[0].serial(), number(3));
}

fn what_has_expired_is_listed_once_more(log: &impl CertificateLog) {
    append(log, entry("dev1", 1, 0));
    append(log, entry("dev1", 2, 10));
    append(log, entry("dev2", 3, 0));
    revoke(log, 3, 20);
    assert_eq!(revoked(log, LIFE_S, 0), [1, 3]);
    let last = LIFE_S.saturating_add(KEEP_S.into());
    assert_eq!(revoked(log, last, 0), [1, 3], "on a list after it expired");
    assert!(revoked(log, last.saturating_add(1), 0).is_empty());
}

fn a_key_that_was_revoked_is_forbidden(log: &impl CertificateLog) {
    let forbidden = |seed: u8| {
        let key = Sha256::digest(device_key(seed).public_key().to_spki_der()).into();
        block_on(log.is_key_forbidden(&key)).expect("no fault")
    };
    for (serial, seed) in [(1, 1), (2, 2), (3, 3), (4, 1)] {
        let mut entry = entry("dev1", serial, 0);
        entry.chain_pem = self_signed(seed);
        append(log, entry);
    }
    assert!(!forbidden(1) && !forbidden(2) && !forbidden(3));
    let revocation = |serial, reason| Revocation::new(number(serial), 5, unix(LIFE_S), reason);
    let revoke = |revocation| block_on(log.revoke(revocation)).expect("no fault");
    revoke(revocation(2, RevocationReason::Superseded));
    assert!(!forbidden(2), "the certificate alone");
    revoke(revocation(1, RevocationReason::KeyCompromise));
    assert!(forbidden(1) && !forbidden(3));
    revoke(revocation(3, RevocationReason::Unspecified).with_forbidden_key());
    assert!(forbidden(3));
    revoke(revocation(2, RevocationReason::Unspecified).with_forbidden_key());
    assert!(forbidden(2), "of a certificate that was revoked before");
    // The revocation may be there before the certificate is.
    revoke(revocation(9, RevocationReason::KeyCompromise));
    let mut late = entry("dev2", 9, 7);
    late.chain_pem = self_signed(4);
    assert!(!forbidden(4));
    append(log, late);
    assert!(forbidden(4));
}

fn entries_at_once_are_all_there(log: &impl CertificateLog) {
    std::thread::scope(|scope| {
        for task in 0..16_u64 {
            scope.spawn(move || {
                for count in 0..8 {
                    append(log, entry(&format!("dev{task}"), task * 8 + count + 1, 0));
                }
            });
        }
    });
    for task in 0..16_u64 {
        let found = issued(log, &format!("dev{task}"));
        let found: Vec<_> = found.iter().map(|entry| entry.serial).collect();
        let expected: Vec<_> = (1..=8).map(|count| number(task * 8 + count)).collect();
        assert_eq!(found, expected, "dev{task}");
    }
}

/// For how long an expired certificate stays listed here, in seconds.
const KEEP_S: u32 = 600;

fn rules(overlap_s: u32) -> ListRules {
    ListRules {
        superseded_after_s: Some(overlap_s),
        keep_expired_s: KEEP_S,
    }
}

/// A certificate on a device's key, as far as a log looks at it.
fn self_signed(seed: u8) -> String {
    // The first 32 bytes are the key, as in `device_key`.
    let entropy = [seed; LocalCa::ENTROPY_LEN];
    let settings = CaSettings::new("a key").expect("a name");
    let made = LocalCa::create(&entropy, &settings, unix(0)).expect("a certificate");
    made.root_pem().into()
}

/// The life of a certificate here, in seconds.
const LIFE_S: i64 = 7_776_000;

fn find(store: &impl DeviceStore, id: &str) -> Option<Arc<Device>> {
    let id: DeviceId = Peer::new(id).id;
    block_on(store.device(&id)).expect("no fault")
}

fn entry(device: &str, serial: u64, seconds: i64) -> Issued {
    Issued {
        device: device.parse().expect("a device id"),
        serial: number(serial),
        csr_sha256: [7; 32],
        at: at(seconds),
        not_after: at(LIFE_S),
        chain_pem: format!("certificate {serial}\n"),
    }
}

fn number(number: u64) -> SerialNumber {
    SerialNumber::from_be_bytes(&number.to_be_bytes()).expect("not zero")
}

fn unix(seconds: i64) -> u64 {
    u64::try_from(at(seconds).unix()).expect("after 1970")
}

fn append(log: &impl CertificateLog, entry: Issued) {
    block_on(log.append(entry)).expect("a new entry");
}

fn issued(log: &impl CertificateLog, device: &str) -> Vec<Issued> {
    let device: DeviceId = device.parse().expect("a device id");
    let issued = block_on(log.issued(&device)).expect("no fault");
    issued.iter().map(|entry| Issued::clone(entry)).collect()
}

fn revoke(log: &impl CertificateLog, serial: u64, seconds: i64) {
    let reason = RevocationReason::KeyCompromise;
    let revocation = Revocation::new(number(serial), unix(seconds), unix(LIFE_S), reason);
    block_on(log.revoke(revocation)).expect("no fault");
}

/// What is revoked, by number.
fn revoked(log: &impl CertificateLog, seconds: i64, overlap_s: u32) -> Vec<u64> {
    let listed = block_on(log.revocations(at(seconds), &rules(overlap_s))).expect("no fault");
    let mut numbers: Vec<_> = listed
        .iter()
        .map(|entry| {
            let digits = entry.serial().as_be_bytes().iter();
            digits.fold(0, |sum, digit| sum * 256 + u64::from(*digit))
        })
        .collect();
    numbers.sort_unstable();
    numbers
}
