//! The certificate log: one JSON object a line, appended and synced before anybody hears of it.
//!
//! One thread writes. It takes all entries that wait and syncs once for them, so that many devices
//! at once cost little more than one. Another process (the command line) may append as well: both
//! hold the file's lock while they write. Reading takes no lock: a line counts when its end is
//! there. What came from another process is read before a question is answered, so that a
//! revocation on the command line is seen by the next request.

mod line;
mod tail;

use alloc::{string::String, sync::Arc, vec::Vec};
use core::sync::atomic::{AtomicU64, Ordering};
use std::{
    collections::{HashMap, HashSet},
    fs::File,
    io::{self, BufRead as _, BufReader, Seek as _, SeekFrom, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError, RwLock},
    thread,
};

use async_channel::{Receiver, Sender};
use providore_pki::{SerialNumber, crl::Revocation};
use providore_wire::{DeviceId, Timestamp};

use self::line::{Entry, IssuedLine, Line, RevokedLine};
pub use self::tail::LogRepair;
use super::{
    files::{folder_of, open_or_make, sync_folder},
    lock,
};
use crate::{Issued, ListRules, StoreError, key_sha256, not_revoked, revoked_at};

/// Entries that one sync covers at most.
const MAX_BATCH: usize = 256;

/// Entries that may wait for the writer; more callers than this wait for room.
const MAX_WAITING: usize = 1024;

/// Repairs that wait to be told. Each needs a process that died; more are a disk that dies.
const MAX_REPAIRS: usize = 16;

/// The length of a file that is not there.
const GONE: u64 = u64::MAX;

pub(super) struct Log {
    shared: Arc<Shared>,
    writer: Sender<Append>,
    /// How long the file was ([`GONE`]: not there) when [`Log::refresh`] failed.
    reported: Mutex<Option<u64>>,
}

/// What readers and the writer of this process share.
struct Shared {
    path: PathBuf,
    inode: u64,
    index: RwLock<Index>,
    /// Where the file ends, as far as the writer of this process has written or is writing it: what
    /// is behind that came from another process.
    ours: AtomicU64,
    repairs: Mutex<Vec<LogRepair>>,
}

#[derive(Default)]
struct Index {
    issued: HashMap<DeviceId, Vec<Arc<Issued>>>,
    /// In the order of the file.
    all: Vec<Arc<Issued>>,
    serials: HashMap<SerialNumber, Arc<Issued>>,
    revoked: HashMap<SerialNumber, Revocation>,
    forbidden_keys: HashSet<[u8; 32]>,
    /// Up to where the file has been read.
    read: u64,
}

struct Append {
    line: Vec<u8>,
    /// The number of a new certificate, which no other may have.
    serial: Option<SerialNumber>,
    done: Sender<Outcome>,
}

type Outcome = Result<(), Arc<io::Error>>;

impl Log {
    /// Opens or creates the log. Only a log that does not end with a whole line needs its lock: it
    /// is repaired ([`Log::take_repairs`]).
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut file = open_or_make(path)?;
        sync_folder(folder_of(path))?;
        let shared = Arc::new(Shared {
            path: path.into(),
            inode: file.metadata()?.ino(),
            index: RwLock::default(),
            ours: AtomicU64::new(0),
            repairs: Mutex::default(),
        });
        if tail::is_torn(&mut file)? {
            lock::exclusive(&file, path)?;
            shared.mend(&mut file)?;
            file.unlock()?;
        }
        shared.read_on(&mut file)?;

        let (writer, appends) = async_channel::bounded(MAX_WAITING);
        let written = Arc::clone(&shared);
        thread::Builder::new()
            .name("certificate-log".into())
            .spawn(move || write_all(&mut file, &appends, &written))?;
        Ok(Self {
            shared,
            writer,
            reported: Mutex::default(),
        })
    }

    /// Whether the writing thread still runs.
    pub(super) fn is_alive(&self) -> bool {
        !self.writer.is_closed()
    }

    /// Reads what another process has appended. Fails once for each state of the file.
    pub(super) fn refresh(&self) -> io::Result<()> {
        let outcome = self.shared.read_new();
        let state = std::fs::metadata(&self.shared.path).map_or(GONE, |file| file.len());
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        let before = core::mem::replace(&mut *reported, outcome.is_err().then_some(state));
        if before == Some(state) {
            Ok(())
        } else {
            outcome
        }
    }

    /// What had to be repaired since this was last asked.
    pub(super) fn take_repairs(&self) -> Vec<LogRepair> {
        let mut repairs = self.shared.repairs.lock();
        core::mem::take(repairs.as_mut().map_or(&mut Vec::new(), |repairs| repairs))
    }

    /// Sees to it that what another process has appended until now is known.
    pub(super) async fn catch_up(&self) -> Result<(), StoreError> {
        let fault = |error| StoreError::new("read the certificate log", error);
        let length = std::fs::metadata(&self.shared.path).map_err(fault)?.len();
        if length <= self.shared.ours.load(Ordering::Acquire) {
            return Ok(());
        }
        let shared = Arc::clone(&self.shared);
        blocking::unblock(move || shared.read_new())
            .await
            .map_err(fault)
    }

    /// Like [`Log::catch_up`]. When the file is damaged or gone, what is in memory still counts:
    /// [`Log::refresh`] reports the damage, and nothing new is issued.
    pub(super) async fn catch_up_if_possible(&self) {
        let _ = self.catch_up().await;
    }

    /// Writes down a certificate, unless its serial number is there already.
    pub(super) async fn issue(&self, entry: Issued) -> Result<(), StoreError> {
        let line = Line::Issued(IssuedLine::from(&entry));
        self.append(&line, Some(entry.serial)).await
    }

    pub(super) async fn revoke(&self, revocation: Revocation) -> Result<(), StoreError> {
        if self.shared.index(|index| index.is_said(&revocation)) {
            return Ok(());
        }
        self.append(&Line::Revoked(RevokedLine::from(&revocation)), None)
            .await
    }

    /// Whether anything was ever issued to a device, also if it was revoked.
    pub(super) fn has_issued(&self, device: &DeviceId) -> bool {
        self.shared.index(|index| index.issued.contains_key(device))
    }

    /// Whether a certificate was issued or revoked here.
    pub(super) fn knows(&self, serial: &SerialNumber) -> bool {
        self.shared
            .index(|index| index.serials.contains_key(serial) || index.revoked.contains_key(serial))
    }

    pub(super) fn issued(&self, device: &DeviceId) -> Vec<Arc<Issued>> {
        self.shared.index(|index| {
            let all = index.issued.get(device).map_or(&[][..], Vec::as_slice);
            not_revoked(all, |serial| index.revoked.contains_key(serial)).to_vec()
        })
    }

    pub(super) fn all(&self) -> Vec<(Arc<Issued>, Option<Revocation>)> {
        self.shared.index(|index| {
            let with_fate = |entry: &Arc<Issued>| {
                (Arc::clone(entry), index.revoked.get(&entry.serial).copied())
            };
            index.all.iter().map(with_fate).collect()
        })
    }

    pub(super) fn revocations(&self, now: Timestamp, rules: &ListRules) -> Vec<Revocation> {
        self.shared.index(|index| {
            let issued = index.issued.values().map(Vec::as_slice);
            revoked_at(issued, index.revoked.values(), now, rules)
        })
    }

    pub(super) fn is_key_forbidden(&self, key_sha256: &[u8; 32]) -> bool {
        self.shared
            .index(|index| index.forbidden_keys.contains(key_sha256))
    }

    async fn append(&self, line: &Line, serial: Option<SerialNumber>) -> Result<(), StoreError> {
        let line = line
            .to_bytes()
            .map_err(|error| StoreError::new("encode a log entry", error))?;
        let (done, outcome) = async_channel::bounded(1);
        let gone = || StoreError::message("the writer of the certificate log has ended");
        let append = Append { line, serial, done };
        // Whoever drops this future does not undo the entry: the writer alone completes it.
        self.writer.send(append).await.map_err(|_| gone())?;
        let outcome = outcome.recv().await.map_err(|_| gone())?;
        outcome.map_err(|error| StoreError::new("write the certificate log", error))
    }
}

impl Shared {
    fn index<T>(&self, read: impl FnOnce(&Index) -> T) -> T {
        read(&self.index.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads what the index does not have yet.
    fn read_on(&self, file: &mut File) -> io::Result<()> {
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        index.read_on(file)?;
        self.ours.fetch_max(index.read, Ordering::AcqRel);
        Ok(())
    }

    fn read_new(&self) -> io::Result<()> {
        let mut file = File::open(&self.path)?;
        let metadata = file.metadata()?;
        let read = self.index(|index| index.read);
        if metadata.ino() != self.inode || metadata.len() < read {
            return Err(io::Error::other("certificate log was replaced or cut"));
        }
        if metadata.len() > self.ours.load(Ordering::Acquire) {
            self.read_on(&mut file)?;
        }
        Ok(())
    }

    /// Makes the file end with a whole line, and says where that is.
    fn mend(&self, file: &mut File) -> io::Result<u64> {
        let (end, repair) = tail::mend(file, &self.path)?;
        let mut repairs = self.repairs.lock().unwrap_or_else(PoisonError::into_inner);
        if repairs.len() < MAX_REPAIRS {
            repairs.extend(repair);
        }
        Ok(end)
    }
}

impl Index {
    /// Reads from where the last reading ended to the end of the last whole line.
    fn read_on(&mut self, file: &mut File) -> io::Result<()> {
        file.seek(SeekFrom::Start(self.read))?;
        let mut lines = BufReader::new(file);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line)? > 0 {
            let Some(text) = line.strip_suffix(b"\n") else {
                break;
            };
            self.add_line(text).map_err(|what| {
                let message = alloc::format!("certificate log, byte {}: {what}", self.read);
                io::Error::new(io::ErrorKind::InvalidData, message)
            })?;
            self.read = self.read.saturating_add(line.len() as u64);
            line.clear();
        }
        Ok(())
    }

    fn add_line(&mut self, line: &[u8]) -> Result<(), String> {
        match line::parse(line)? {
            Some(Entry::Issued(entry)) => self.add_issued(entry),
            Some(Entry::Revoked(revocation)) => self.add_revoked(revocation),
            None => {}
        }
        Ok(())
    }

    fn add_issued(&mut self, entry: Issued) {
        if self.serials.contains_key(&entry.serial) {
            return;
        }
        let entry = Arc::new(entry);
        self.serials.insert(entry.serial, Arc::clone(&entry));
        let forbidden = self.revoked.get(&entry.serial);
        if forbidden.is_some_and(Revocation::forbids_key) {
            self.forbidden_keys.extend(key_sha256(&entry));
        }
        self.all.push(Arc::clone(&entry));
        let issued = self.issued.entry(entry.device.clone()).or_default();
        issued.push(entry);
    }

    /// The first revocation of a certificate stays; a later one can only forbid its key as well.
    fn add_revoked(&mut self, revocation: Revocation) {
        let serial = *revocation.serial();
        let known = self.revoked.entry(serial).or_insert(revocation);
        if !revocation.forbids_key() {
            return;
        }
        *known = known.with_forbidden_key();
        let entry = self.serials.get(&serial);
        self.forbidden_keys
            .extend(entry.and_then(|entry| key_sha256(entry)));
    }

    /// Whether a revocation would change nothing.
    fn is_said(&self, revocation: &Revocation) -> bool {
        let known = self.revoked.get(revocation.serial());
        known.is_some_and(|known| known.forbids_key() || !revocation.forbids_key())
    }
}

/// The life of the writing thread: it ends when the log is dropped.
fn write_all(file: &mut File, appends: &Receiver<Append>, shared: &Shared) {
    while let Ok(first) = appends.recv_blocking() {
        let mut batch = Vec::from([first]);
        while batch.len() < MAX_BATCH
            && let Ok(next) = appends.try_recv()
        {
            batch.push(next);
        }
        let outcome = lock::exclusive(file, &shared.path).and_then(|()| {
            let outcome = write_durably(file, &mut batch, shared);
            file.unlock()?;
            outcome
        });
        let outcome = outcome.map_err(Arc::new);
        for append in batch {
            // Whoever asked may have gone meanwhile; the entry stands all the same.
            let _ = append.done.send_blocking(outcome.clone());
        }
    }
}

/// Appends the lines of `batch` or, as far as the file system lets us, nothing, and reads them back.
/// Those whose serial number is taken are answered here and leave the batch.
fn write_durably(file: &mut File, batch: &mut Vec<Append>, shared: &Shared) -> io::Result<()> {
    if file.metadata()?.nlink() == 0 {
        return Err(io::Error::other("certificate log was removed"));
    }
    let before = shared.mend(file)?;
    shared.read_on(file)?;
    let mut taken = HashSet::new();
    batch.retain(|append| {
        let is_new = append.serial.is_none_or(|serial| {
            !shared.index(|index| index.serials.contains_key(&serial)) && taken.insert(serial)
        });
        if !is_new {
            let error = io::Error::new(io::ErrorKind::AlreadyExists, "serial number is taken");
            let _ = append.done.send_blocking(Err(Arc::new(error)));
        }
        is_new
    });
    let lines: Vec<u8> = batch
        .iter()
        .flat_map(|append| append.line.iter().copied())
        .collect();
    // Readers need not look for what is not yet durable.
    let end = before.saturating_add(lines.len() as u64);
    shared.ours.store(end, Ordering::Release);
    let written = file.write_all(&lines).and_then(|()| file.sync_data());
    if written.is_err() {
        shared.ours.store(before, Ordering::Release);
        file.set_len(before)?;
        return written;
    }
    shared.read_on(file)
}
