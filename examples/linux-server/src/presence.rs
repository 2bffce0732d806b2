//! When each device was last heard, and which firmware it said it runs.
//!
//! Kept in memory by the server and written down now and then: what a crash loses is seconds of it, of
//! a large fleet two minutes.
//! `device list` and `device show` read the file.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use providore_server_core::json_files::write_private;
use providore_wire::{DeviceId, FirmwareVersion, Timestamp};
use serde::{Deserialize, Serialize};

/// The longest file in bytes: 100,000 devices with the longest ids and versions take 20 MiB.
const MAX_LEN: u64 = 64 * 1024 * 1024;

/// What is known of one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Heard {
    /// When it last proved who it is, in seconds since the Unix epoch.
    at: i64,
    /// What it said it runs, if it said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    runs: Option<String>,
}

impl Heard {
    /// When it last proved who it is.
    pub(crate) fn at(&self) -> Timestamp {
        Timestamp::from_unix(self.at).unwrap_or(Timestamp::MAX)
    }

    /// What it said it runs, if it said so.
    pub(crate) fn runs(&self) -> Option<&str> {
        self.runs.as_deref()
    }
}

/// By the id of the device.
type All = BTreeMap<String, Heard>;

/// Reads the file. One that is damaged is as good as none: devices will be heard again.
pub(crate) fn read(path: &Path) -> All {
    read_file(path).unwrap_or_default()
}

fn read_file(path: &Path) -> io::Result<All> {
    if fs::metadata(path)?.len() > MAX_LEN {
        return Err(ErrorKind::FileTooLarge.into());
    }
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

/// What a running server knows.
#[derive(Debug)]
pub(crate) struct Presence {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    all: All,
    is_new: bool,
}

impl Presence {
    /// Goes on with what an earlier server wrote down.
    pub(crate) fn open(path: &Path) -> Self {
        Self {
            path: path.into(),
            state: Mutex::new(State {
                all: read(path),
                is_new: false,
            }),
        }
    }

    /// A device has proved who it is.
    pub(crate) fn note(&self, device: &DeviceId, runs: Option<&FirmwareVersion>, at: Timestamp) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.is_new = true;
        let runs = runs.map(FirmwareVersion::as_str);
        if let Some(heard) = state.all.get_mut(device.as_str()) {
            heard.at = at.unix();
            if runs.is_some() && heard.runs.as_deref() != runs {
                heard.runs = runs.map(String::from);
            }
            return;
        }
        let heard = Heard {
            at: at.unix(),
            runs: runs.map(String::from),
        };
        state.all.insert(device.as_str().into(), heard);
    }

    /// How long to wait between two writes, in seconds: the file of a large fleet takes longer.
    pub(crate) fn interval_s(&self) -> u32 {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let thousands = state.all.len().checked_div(1000).unwrap_or(0);
        u32::try_from(thousands)
            .unwrap_or(u32::MAX)
            .saturating_add(5)
    }

    /// Writes down what is new; devices that `is_known` does not know any more are forgotten.
    pub(crate) fn store(&self, is_known: impl Fn(&str) -> bool) -> io::Result<()> {
        let bytes = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if !state.is_new {
                return Ok(());
            }
            state.all.retain(|id, _| is_known(id));
            state.is_new = false;
            serde_json::to_vec(&state.all)?
        };
        let written = write_private(&self.path, &bytes);
        if written.is_err() {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.is_new = true;
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_heard_is_there_after_a_restart_and_forgotten_with_its_device() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("presence.json");
        let (one, two): (DeviceId, DeviceId) = ("one".parse().unwrap(), "two".parse().unwrap());
        let version: FirmwareVersion = "1.0 RC".parse().unwrap();
        let at = |unix| Timestamp::from_unix(unix).unwrap();
        let presence = Presence::open(&path);
        presence.store(|_| true).unwrap();
        assert!(!path.exists(), "nothing is new");
        presence.note(&one, Some(&version), at(5));
        presence.note(&two, None, at(6));
        // It still runs what it last said.
        presence.note(&one, None, at(7));
        presence.store(|_| true).unwrap();
        let all = read(&path);
        assert_eq!(
            (all["one"].at(), all["one"].runs()),
            (at(7), Some("1.0 RC"))
        );
        assert_eq!((all["two"].at(), all["two"].runs()), (at(6), None));
        let again = Presence::open(&path);
        again.note(&two, Some(&version), at(9));
        again.store(|id| id != "one").unwrap();
        let all = read(&path);
        assert_eq!((all.len(), all["two"].at()), (1, at(9)));
        fs::write(&path, "damaged").unwrap();
        assert!(read(&path).is_empty());
    }
}
