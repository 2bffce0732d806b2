//! The certificate log: one JSON object a line, appended and synced before anybody hears of it.
//!
//! One thread writes. It takes all entries that wait and syncs once for them, so that many devices
//! at once cost little more than one. Another process (the command line) may append as well: both
//! hold the file's lock while they write, and [`Log::refresh`] reads what came from elsewhere.

use alloc::{format, string::String, sync::Arc, vec::Vec};
use std::{
    collections::{HashMap, HashSet},
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::{PoisonError, RwLock},
    thread,
};

use async_channel::{Receiver, Sender};
use providore_pki::{
    SerialNumber,
    crl::{Revocation, RevocationReason},
};
use providore_wire::{DeviceId, Timestamp};
use serde::{Deserialize, Serialize};

use super::files::sync_folder;
use crate::{Issued, StoreError, not_revoked, revoked_at};

/// Entries that one sync covers at most.
const MAX_BATCH: usize = 256;

/// Entries that may wait for the writer; more callers than this wait for room.
const MAX_WAITING: usize = 1024;

pub(super) struct Log {
    index: Arc<RwLock<Index>>,
    writer: Sender<Append>,
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
    done: Sender<Result<(), io::ErrorKind>>,
}

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
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)?;
        sync_folder(folder)?;
        file.lock()?;
        let whole = end_of_last_line(&mut file)?;
        if whole < file.metadata()?.len() {
            file.set_len(whole)?;
            file.sync_all()?;
        }
        file.unlock()?;

        let mut index = Index::default();
        index.read_on(&mut file)?;
        let (writer, appends) = async_channel::bounded(MAX_WAITING);
        thread::Builder::new()
            .name("certificate-log".into())
            .spawn(move || write_all(&mut file, &appends))?;
        Ok(Self {
            index: Arc::new(RwLock::new(index)),
            writer,
        })
    }

    /// Reads what another process has appended.
    pub(super) fn refresh(&self, path: &Path) -> io::Result<()> {
        let mut file = File::open(path)?;
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        if file.metadata()?.len() > index.read {
            index.read_on(&mut file)?;
        }
        Ok(())
    }

    pub(super) async fn issue(&self, entry: Issued) -> Result<(), StoreError> {
        let line = Line::Issued(IssuedLine::from(&entry));
        self.append(&line).await?;
        self.write_index(|index| index.add_issued(entry));
        Ok(())
    }

    pub(super) async fn revoke(&self, revocation: Revocation) -> Result<(), StoreError> {
        if self.read_index(|index| index.revoked.contains_key(revocation.serial())) {
            return Ok(());
        }
        self.append(&Line::Revoked(RevokedLine::from(&revocation)))
            .await?;
        self.write_index(|index| index.add_revoked(revocation));
        Ok(())
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

    async fn append(&self, line: &Line) -> Result<(), StoreError> {
        let fault = |error| StoreError::new("write the certificate log", error);
        let mut bytes = serde_json::to_vec(line)
            .map_err(|error| StoreError::new("encode a log entry", error))?;
        bytes.push(b'\n');
        let (done, outcome) = async_channel::bounded(1);
        let gone = || StoreError::message("the writer of the certificate log has ended");
        self.writer
            .send(Append { line: bytes, done })
            .await
            .map_err(|_| gone())?;
        outcome
            .recv()
            .await
            .map_err(|_| gone())?
            .map_err(|kind| fault(io::Error::from(kind)))
    }

    fn read_index<T>(&self, read: impl FnOnce(&Index) -> T) -> T {
        read(&self.index.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write_index(&self, write: impl FnOnce(&mut Index)) {
        write(&mut self.index.write().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Index {
    /// Reads from where the last reading ended to the end of the last whole line.
    fn read_on(&mut self, file: &mut File) -> io::Result<()> {
        file.seek(SeekFrom::Start(self.read))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let Some(text) = line.strip_suffix(b"\n") else {
                break;
            };
            self.add_line(text).map_err(|what| {
                let message = format!("certificate log, byte {}: {what}", self.read);
                io::Error::new(io::ErrorKind::InvalidData, message)
            })?;
            self.read = self.read.saturating_add(line.len() as u64);
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
fn write_all(file: &mut File, appends: &Receiver<Append>) {
    while let Ok(first) = appends.recv_blocking() {
        let mut batch = Vec::from([first]);
        while batch.len() < MAX_BATCH
            && let Ok(next) = appends.try_recv()
        {
            batch.push(next);
        }
        let lines: Vec<u8> = batch
            .iter()
            .flat_map(|append| append.line.iter().copied())
            .collect();
        let outcome = write_durably(file, &lines).map_err(|error| error.kind());
        for append in batch {
            // Whoever asked may have gone meanwhile; the entry stands all the same.
            let _ = append.done.send_blocking(outcome);
        }
    }
}

/// Appends all of `lines` or, as far as the file system lets us, nothing.
fn write_durably(file: &mut File, lines: &[u8]) -> io::Result<()> {
    file.lock()?;
    let before = file.metadata()?.len();
    let written = file.write_all(lines).and_then(|()| file.sync_data());
    if written.is_err() {
        file.set_len(before)?;
    }
    file.unlock()?;
    written
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
