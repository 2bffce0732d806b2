//! The contract of `Storage`.

use futures_lite::future::block_on;
use providore_client::{Record, Storage};

/// Runs the contract of [`Storage`] over storages that are empty and have room for 4 kB in records
/// of up to 1000 bytes. `restart` gives back the storage as it is after a restart.
///
/// # Panics
/// Where the implementation differs from the contract.
pub fn storage<S: Storage>(mut make: impl FnMut() -> S, mut restart: impl FnMut(S) -> S) {
    nothing_is_there(make(), &mut restart);
    what_is_stored_is_there_until_it_is_replaced(make(), &mut restart);
    what_is_removed_is_gone(make(), &mut restart);
    no_record_is_taken_for_another(make(), &mut restart);
    a_record_that_does_not_fit_the_buffer_is_refused(make());
}

/// All records that an agent may keep.
pub const RECORDS: [Record; 8] = [
    Record::Config,
    Record::Certificate,
    Record::PreviousCertificate,
    Record::Authority,
    Record::RefusedFirmware,
    Record::Update,
    Record::Secret,
    Record::NextSecret,
];

fn nothing_is_there<S: Storage>(mut storage: S, restart: &mut impl FnMut(S) -> S) {
    for _ in 0..2 {
        for record in RECORDS {
            assert_eq!(load(&mut storage, record), None, "{record:?}");
        }
        storage = restart(storage);
    }
}

fn what_is_stored_is_there_until_it_is_replaced<S: Storage>(
    mut storage: S,
    restart: &mut impl FnMut(S) -> S,
) {
    let long: Vec<u8> = (0..1000_u16)
        .flat_map(u16::to_le_bytes)
        .take(1000)
        .collect();
    let contents: [&[u8]; 6] = [b"{}", b"", &long, b"\xFF\xFF\xFF\xFF", b"\0", b"last"];
    for content in contents {
        store(&mut storage, Record::Config, content);
        assert_eq!(load(&mut storage, Record::Config).as_deref(), Some(content));
        storage = restart(storage);
        assert_eq!(load(&mut storage, Record::Config).as_deref(), Some(content));
    }
}

fn what_is_removed_is_gone<S: Storage>(mut storage: S, restart: &mut impl FnMut(S) -> S) {
    for _ in 0..2 {
        remove(&mut storage, Record::Secret);
        assert_eq!(load(&mut storage, Record::Secret), None);
        store(&mut storage, Record::Secret, b"secret");
        store(&mut storage, Record::Config, b"stays");
        remove(&mut storage, Record::Secret);
        assert_eq!(load(&mut storage, Record::Secret), None);
        storage = restart(storage);
        assert_eq!(load(&mut storage, Record::Secret), None);
        let other = load(&mut storage, Record::Config);
        assert_eq!(other.as_deref(), Some(&b"stays"[..]));
    }
}

/// Often enough that a log of records comes to its end several times.
fn no_record_is_taken_for_another<S: Storage>(mut storage: S, restart: &mut impl FnMut(S) -> S) {
    let content = |record: Record, round: u32| format!("{record:?} in round {round}").repeat(5);
    for round in 0..100 {
        for record in RECORDS {
            store(&mut storage, record, content(record, round).as_bytes());
        }
        if round % 10 == 0 {
            storage = restart(storage);
        }
        for record in RECORDS {
            let expected = content(record, round).into_bytes();
            assert_eq!(load(&mut storage, record), Some(expected));
        }
    }
}

fn a_record_that_does_not_fit_the_buffer_is_refused(mut storage: impl Storage) {
    store(&mut storage, Record::Config, b"five.");
    for length in 0..5 {
        let mut buffer = vec![0; length];
        let outcome = block_on(storage.load(Record::Config, &mut buffer));
        assert!(outcome.is_err_and(|error| error.is_full()), "{length}");
    }
    let mut buffer = [0; 5];
    let outcome = block_on(storage.load(Record::Config, &mut buffer));
    assert_eq!(outcome.expect("fits"), Some(&b"five."[..]));
}

fn load(storage: &mut impl Storage, record: Record) -> Option<Vec<u8>> {
    let mut buffer = [0; 1024];
    let content = block_on(storage.load(record, &mut buffer));
    content.expect("a storage that works").map(<[u8]>::to_vec)
}

fn store(storage: &mut impl Storage, record: Record, content: &[u8]) {
    block_on(storage.store(record, content)).expect("room");
}

fn remove(storage: &mut impl Storage, record: Record) {
    block_on(storage.remove(record)).expect("a storage that works");
}
