//! The changes that the server itself makes to the devices file.
//!
//! One thread writes. It takes all changes that wait and replaces the file once for them: when a
//! whole fleet moves to another dialect, its file is not written once for each device.

use alloc::{
    format,
    string::{String, ToString as _},
    sync::Arc,
    vec::Vec,
};
use std::{io, thread};

use async_channel::{Receiver, Sender};
use providore_wire::{DeviceId, Dialect};
use serde_json::{Map, Value};

use super::{
    devices::{self, DeviceEdit, LoadError},
    records::Records,
};
use crate::StoreError;

/// Changes that may wait for the writer, and that one write covers; more callers than this wait
/// for room.
const MAX_WAITING: usize = 16 * 1024;

/// What is to become of a record.
pub(super) enum Change {
    /// The weakest dialect is this one or stronger.
    Pin(Dialect),
    /// The next secret with this check is the only one.
    Promote([u8; 8]),
}

/// The way to the writing thread, which ends when this is dropped.
pub(super) struct Changes(Sender<Waiting>);

struct Waiting {
    id: DeviceId,
    change: Change,
    done: Sender<Outcome>,
}

type Outcome = Result<(), Fault>;

/// Why a change was not made.
#[derive(Clone)]
enum Fault {
    /// The record does not allow it.
    Refused(String),
    /// The file could not be changed, for nobody.
    File(Arc<LoadError>),
}

impl Changes {
    /// Starts the writing thread.
    pub(super) fn begin(records: Arc<Records>) -> io::Result<Self> {
        let (sender, waiting) = async_channel::bounded(MAX_WAITING);
        thread::Builder::new()
            .name("device-records".into())
            .spawn(move || write_all(&records, &waiting))?;
        Ok(Self(sender))
    }

    /// Whether the writing thread still runs.
    pub(super) fn is_alive(&self) -> bool {
        !self.0.is_closed()
    }

    /// Makes a change; it is durable and in use when this returns.
    pub(super) async fn make(&self, id: &DeviceId, change: Change) -> Result<(), StoreError> {
        let (done, outcome) = async_channel::bounded(1);
        let gone = || StoreError::message("the writer of the devices file has ended");
        let id = id.clone();
        let what = format!("change the record of {id}");
        // Whoever drops this future does not undo the change: the writer alone completes it.
        let waiting = Waiting { id, change, done };
        self.0.send(waiting).await.map_err(|_| gone())?;
        match outcome.recv().await.map_err(|_| gone())? {
            Ok(()) => Ok(()),
            Err(Fault::Refused(why)) => Err(StoreError::new(what, why)),
            Err(Fault::File(error)) => Err(StoreError::new(what, error)),
        }
    }
}

/// The life of the writing thread.
fn write_all(records: &Records, waiting: &Receiver<Waiting>) {
    while let Ok(first) = waiting.recv_blocking() {
        let mut batch = Vec::from([first]);
        while batch.len() < MAX_WAITING
            && let Ok(next) = waiting.try_recv()
        {
            batch.push(next);
        }
        let mut outcomes = Vec::new();
        let written = records.amend(|entries| {
            let applied = |waiting: &Waiting| apply(entries, &waiting.id, &waiting.change);
            let applied: Vec<_> = batch.iter().map(applied).collect();
            let is_changed = applied.iter().any(|outcome| matches!(outcome, Ok(true)));
            outcomes = applied;
            is_changed
        });
        let written = written.map_err(Arc::new);
        let refused = outcomes.into_iter().map(Result::err);
        for (waiting, refused) in batch.iter().zip(refused.chain(core::iter::repeat(None))) {
            let outcome = match (refused, &written) {
                (Some(why), _) => Err(Fault::Refused(why)),
                (None, Err(error)) => Err(Fault::File(Arc::clone(error))),
                (None, Ok(())) => Ok(()),
            };
            // Whoever asked may have gone meanwhile; the change stands all the same.
            let _ = waiting.done.send_blocking(outcome);
        }
    }
}

/// Changes one entry, or leaves it as it was; says whether it is another one now. Nothing that is
/// done here can keep the file from being used.
fn apply(entries: &mut DeviceEdit, id: &DeviceId, change: &Change) -> Result<bool, String> {
    let Some(entry) = entries.get_mut(id.as_str()) else {
        return match change {
            Change::Pin(_) => Ok(false),
            Change::Promote(_) => Err("device is not known".into()),
        };
    };
    let device = devices::device(id.as_str(), entry)?;
    let mut changed = members(entry);
    match change {
        Change::Pin(dialect) if device.dialect >= *dialect => return Ok(false),
        Change::Pin(dialect) => {
            changed.insert("dialect".into(), dialect.as_str().into());
        }
        Change::Promote(check) if device.key_check() == *check => return Ok(false),
        Change::Promote(check) if device.next_key_check() == Some(*check) => {
            // Not `remove`, which may put the last member in its place.
            let next = changed.shift_remove("nextSecretKey").unwrap_or_default();
            changed.insert("secretKey".into(), next);
        }
        Change::Promote(_) => return Err("no such secret waits".into()),
    }
    let changed = Value::Object(changed);
    devices::device(id.as_str(), &changed)?;
    *entry = changed;
    Ok(true)
}

/// The members of an entry; one of the first generation is a bare secret.
fn members(entry: &Value) -> Map<String, Value> {
    match entry {
        Value::Object(members) => members.clone(),
        secret => Map::from_iter([("secretKey".to_string(), secret.clone())]),
    }
}
