//! The certificate log: one JSON object a line, appended and synced before anybody hears of it.
//!
//! One thread writes. It takes all entries that wait and syncs once for them, so that many devices
//! at once cost little more than one. Another process (the command line) may append as well: both
//! hold the file's lock while they write, and [`Log::refresh`] reads what came from elsewhere. What
//! is in memory is always the beginning of the file, in its order, and nothing that is not durable.

use alloc::{format, string::String, sync::Arc, vec::Vec};
use std::{
    collections::{HashMap, HashSet},
    fs::{File, OpenOptions},
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
    sync::{Mutex, PoisonError, RwLock},
    thread,
};

use async_channel::{Receiver, Sender};
use providore_pki::{
    SerialNumber,
    crl::{Revocation, RevocationReason},
};
use providore_wire::{DeviceId, Timestamp};
use serde::{Deserialize, Serialize};

use super::files::{keep_owner, sync_folder};
use crate::{Issued, StoreError, not_revoked, revoked_at};

/// Entries that one sync covers at most.
const MAX_BATCH: usize = 256;

/// Entries that may wait for the writer; more callers than this wait for room.
const MAX_WAITING: usize = 1024;

/// The length of a file that is not there.
const GONE: u64 = u64::MAX;

pub(super) struct Log {
    index: Arc<RwLock<Index>>,
    writer: Sender<Append>,
    inode: u64,
    /// How long the file was ([`GONE`]: not there) when [`Log::refresh`] failed.
    reported: Mutex<Option<u64>>,
}

#[derive(Default)]
struct Index {
    issued: HashMap<DeviceId, Vec<Arc<Issued>>>,
    serials: HashSet<SerialNumber>,
    revoked: HashMap<SerialNumber, Revocation>,
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

/// A line of the log.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Issued(IssuedLine),
    Revoked(RevokedLine),
}

#[derive(Serialize, Deserialize)]
struct IssuedLine {
    device: String,
    serial: String,
    csr_sha256: String,
    at: i64,
    not_after: i64,
    chain: String,
}

#[derive(Serialize, Deserialize)]
struct RevokedLine {
    serial: String,
    at: u64,
    reason: String,
    not_after: u64,
}

impl Log {
    /// Opens or creates the log. A last line without its end was never acknowledged and is cut off.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let is_new = !path.exists();
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)?;
        if is_new {
            keep_owner(&file, folder, folder);
        }
        sync_folder(folder)?;
        let mut index = Index::default();
        file.lock()?;
        cut_torn_line(&mut file)?;
        index.read_on(&mut file)?;
        file.unlock()?;

        let inode = file.metadata()?.ino();
        let index = Arc::new(RwLock::new(index));
        let (writer, appends) = async_channel::bounded(MAX_WAITING);
        let written = Arc::clone(&index);
        thread::Builder::new()
            .name("certificate-log".into())
            .spawn(move || write_all(&mut file, &appends, &written))?;
        Ok(Self {
            index,
            writer,
            inode,
            reported: Mutex::default(),
        })
    }

    /// Reads what another process has appended. Fails once for each state of the file.
    pub(super) fn refresh(&self, path: &Path) -> io::Result<()> {
        let outcome = self.read_new(path);
        let state = std::fs::metadata(path).map_or(GONE, |file| file.len());
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        let before = core::mem::replace(&mut *reported, outcome.is_err().then_some(state));
        if before == Some(state) {
            Ok(())
        } else {
            outcome
        }
    }

    fn read_new(&self, path: &Path) -> io::Result<()> {
        let mut file = File::open(path)?;
        file.lock_shared()?;
        let metadata = file.metadata()?;
        let read = self.read_index(|index| index.read);
        if metadata.ino() != self.inode || metadata.len() < read {
            return Err(io::Error::other("certificate log was replaced or cut"));
        }
        if metadata.len() > read {
            let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
            index.read_on(&mut file)?;
        }
        Ok(())
    }

    /// Writes down a certificate, unless its serial number is there already.
    pub(super) async fn issue(&self, entry: Issued) -> Result<(), StoreError> {
        let line = Line::Issued(IssuedLine::from(&entry));
        self.append(&line, Some(entry.serial)).await
    }

    pub(super) async fn revoke(&self, revocation: Revocation) -> Result<(), StoreError> {
        if self.read_index(|index| index.revoked.contains_key(revocation.serial())) {
            return Ok(());
        }
        self.append(&Line::Revoked(RevokedLine::from(&revocation)), None)
            .await
    }

    /// Whether anything was ever issued to a device, also if it was revoked.
    pub(super) fn has_issued(&self, device: &DeviceId) -> bool {
        self.read_index(|index| index.issued.contains_key(device))
    }

    /// Whether a certificate was issued or revoked here.
    pub(super) fn knows(&self, serial: &SerialNumber) -> bool {
        self.read_index(|index| {
            index.serials.contains(serial) || index.revoked.contains_key(serial)
        })
    }

    pub(super) fn issued(&self, device: &DeviceId) -> Vec<Arc<Issued>> {
        self.read_index(|index| {
            let all = index.issued.get(device).map_or(&[][..], Vec::as_slice);
            not_revoked(all, |serial| index.revoked.contains_key(serial)).to_vec()
        })
    }

    pub(super) fn all(&self) -> Vec<(Arc<Issued>, Option<Revocation>)> {
        self.read_index(|index| {
            let with_fate = |entry: &Arc<Issued>| {
                (Arc::clone(entry), index.revoked.get(&entry.serial).copied())
            };
            index.issued.values().flatten().map(with_fate).collect()
        })
    }

    pub(super) fn revocations(&self, now: Timestamp, overlap_s: u32) -> Vec<Revocation> {
        self.read_index(|index| {
            let issued = index.issued.values().map(Vec::as_slice);
            revoked_at(issued, index.revoked.values(), now, overlap_s)
        })
    }

    async fn append(&self, line: &Line, serial: Option<SerialNumber>) -> Result<(), StoreError> {
        let mut bytes = serde_json::to_vec(line)
            .map_err(|error| StoreError::new("encode a log entry", error))?;
        bytes.push(b'\n');
        let (done, outcome) = async_channel::bounded(1);
        let gone = || StoreError::message("the writer of the certificate log has ended");
        let append = Append {
            line: bytes,
            serial,
            done,
        };
        // Whoever drops this future does not undo the entry: the writer alone completes it.
        self.writer.send(append).await.map_err(|_| gone())?;
        let outcome = outcome.recv().await.map_err(|_| gone())?;
        outcome.map_err(|error| StoreError::new("write the certificate log", error))
    }

    fn read_index<T>(&self, read: impl FnOnce(&Index) -> T) -> T {
        read(&self.index.read().unwrap_or_else(PoisonError::into_inner))
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
                let message = format!("certificate log, byte {}: {what}", self.read);
                io::Error::new(io::ErrorKind::InvalidData, message)
            })?;
            self.read = self.read.saturating_add(line.len() as u64);
            line.clear();
        }
        Ok(())
    }

    fn add_line(&mut self, line: &[u8]) -> Result<(), String> {
        if line.is_empty() {
            return Ok(());
        }
        match serde_json::from_slice(line).map_err(|error| format!("{error}"))? {
            Line::Issued(line) => self.add_issued(line.parse()?),
            Line::Revoked(line) => self.add_revoked(line.parse()?),
        }
        Ok(())
    }

    fn add_issued(&mut self, entry: Issued) {
        if self.serials.insert(entry.serial) {
            self.issued
                .entry(entry.device.clone())
                .or_default()
                .push(Arc::new(entry));
        }
    }

    fn add_revoked(&mut self, revocation: Revocation) {
        self.revoked
            .entry(*revocation.serial())
            .or_insert(revocation);
    }
}

/// The life of the writing thread: it ends when the log is dropped.
fn write_all(file: &mut File, appends: &Receiver<Append>, index: &RwLock<Index>) {
    while let Ok(first) = appends.recv_blocking() {
        let mut batch = Vec::from([first]);
        while batch.len() < MAX_BATCH
            && let Ok(next) = appends.try_recv()
        {
            batch.push(next);
        }
        let outcome = file.lock().and_then(|()| {
            let outcome = write_durably(file, &mut batch, index);
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
fn write_durably(
    file: &mut File,
    batch: &mut Vec<Append>,
    index: &RwLock<Index>,
) -> io::Result<()> {
    if file.metadata()?.nlink() == 0 {
        return Err(io::Error::other("certificate log was removed"));
    }
    let before = cut_torn_line(file)?;
    let mut known = index.write().unwrap_or_else(PoisonError::into_inner);
    known.read_on(file)?;
    let mut taken = HashSet::new();
    batch.retain(|append| {
        let is_new = append
            .serial
            .is_none_or(|serial| !known.serials.contains(&serial) && taken.insert(serial));
        if !is_new {
            let error = io::Error::new(io::ErrorKind::AlreadyExists, "serial number is taken");
            let _ = append.done.send_blocking(Err(Arc::new(error)));
        }
        is_new
    });
    // Nobody waits for the disk.
    drop(known);
    let lines: Vec<u8> = batch
        .iter()
        .flat_map(|append| append.line.iter().copied())
        .collect();
    let written = file.write_all(&lines).and_then(|()| file.sync_data());
    if written.is_err() {
        file.set_len(before)?;
        return written;
    }
    let mut known = index.write().unwrap_or_else(PoisonError::into_inner);
    known.read_on(file)
}

/// Cuts off what a process that died left of its last line, and says where the file ends. Whoever
/// calls this holds the lock, so nobody is in the middle of writing.
fn cut_torn_line(file: &mut File) -> io::Result<u64> {
    let whole = end_of_last_line(file)?;
    if whole < file.metadata()?.len() {
        file.set_len(whole)?;
        file.sync_all()?;
    }
    Ok(whole)
}

/// Where the last whole line ends.
fn end_of_last_line(file: &mut File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut block = [0; 4096];
    while end > 0 {
        let start = end.saturating_sub(block.len() as u64);
        let length = usize::try_from(end.saturating_sub(start)).unwrap_or(0);
        let part = block.get_mut(..length).unwrap_or_default();
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(part)?;
        if let Some(newline) = part.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start.saturating_add(newline as u64).saturating_add(1));
        }
        end = start;
    }
    Ok(0)
}

impl From<&Issued> for IssuedLine {
    fn from(entry: &Issued) -> Self {
        Self {
            device: entry.device.as_str().into(),
            serial: format!("{}", entry.serial),
            csr_sha256: base16ct::lower::encode_string(&entry.csr_sha256),
            at: entry.at.unix(),
            not_after: entry.not_after.unix(),
            chain: entry.chain_pem.clone(),
        }
    }
}

impl IssuedLine {
    fn parse(self) -> Result<Issued, String> {
        let mut csr_sha256 = [0; 32];
        base16ct::lower::decode(&self.csr_sha256, &mut csr_sha256)
            .map_err(|error| format!("csr_sha256: {error}"))?;
        Ok(Issued {
            device: self
                .device
                .parse()
                .map_err(|error| format!("device: {error}"))?,
            serial: serial(&self.serial)?,
            csr_sha256,
            at: Timestamp::from_unix(self.at).ok_or("at is out of range")?,
            not_after: Timestamp::from_unix(self.not_after).ok_or("not_after is out of range")?,
            chain_pem: self.chain,
        })
    }
}

impl From<&Revocation> for RevokedLine {
    fn from(revocation: &Revocation) -> Self {
        Self {
            serial: format!("{}", revocation.serial()),
            at: revocation.at_unix(),
            reason: revocation.reason().as_str().into(),
            not_after: revocation.expires_unix(),
        }
    }
}

impl RevokedLine {
    fn parse(self) -> Result<Revocation, String> {
        let reason = RevocationReason::from_name(&self.reason)
            .ok_or_else(|| format!("reason {:?}", self.reason))?;
        Ok(Revocation::new(
            serial(&self.serial)?,
            self.at,
            self.not_after,
            reason,
        ))
    }
}

fn serial(hex: &str) -> Result<SerialNumber, String> {
    let bytes = base16ct::mixed::decode_vec(hex).map_err(|error| format!("serial: {error}"))?;
    SerialNumber::from_be_bytes(&bytes).ok_or_else(|| "serial is out of range".into())
}
