//! What is remembered of the trial of a configuration.
//!
//! ```text
//! offset  bytes
//!  0       4     "pvct"
//!  4       1     layout 1
//!  5       1     phase: 0 settled, 1 on trial, 2 refused by the application, 3 rolled back
//!  6       1     how often the device has started with it
//!  7       1     whether the server has been told, 0 or 1
//!  8      32     SHA-256 of the last known good configuration; zeros if there is none
//! 40      32     SHA-256 of the one that was tried last
//! 72    0 to 64  why it failed, UTF-8
//! ```

use providore_wire::Text;

use crate::{Outcome, Record, Storage, StoreError};

/// The digest of no configuration.
pub(super) const NONE: [u8; 32] = [0; 32];

const BEGINNING: [u8; 5] = *b"pvct\x01";
const FIXED_LEN: usize = 72;
const MAX_REASON: usize = 64;
const MAX_LEN: usize = FIXED_LEN + MAX_REASON;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Settled = 0,
    OnTrial = 1,
    Failed = 2,
    RolledBack = 3,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trial {
    phase: Phase,
    starts: u8,
    pub(super) told: bool,
    pub(super) kept: [u8; 32],
    tried: [u8; 32],
    pub(super) reason: Text<MAX_REASON>,
}

impl Trial {
    const UNKNOWN: Self = Self {
        phase: Phase::Settled,
        starts: 0,
        told: false,
        kept: NONE,
        tried: NONE,
        reason: Text::new(),
    };

    /// What is stored. What cannot be read is as good as nothing: the worst is another trial.
    pub(super) async fn load<S: Storage>(storage: &mut S) -> Result<Self, StoreError> {
        let mut buffer = [0; MAX_LEN];
        let record = match storage.load(Record::ConfigTrial, &mut buffer).await {
            Ok(record) => record,
            Err(error) if error.is_full() => None,
            Err(error) => return Err(error),
        };
        Ok(record.and_then(Self::read).unwrap_or(Self::UNKNOWN))
    }

    pub(super) async fn store<S: Storage>(&self, storage: &mut S) -> Result<(), StoreError> {
        let mut buffer = [0; MAX_LEN];
        let state = [self.phase as u8, self.starts, u8::from(self.told)];
        let reason = self.reason.as_str().as_bytes();
        let parts = [&BEGINNING[..], &state, &self.kept, &self.tried, reason];
        let mut length = 0_usize;
        for (slot, byte) in buffer.iter_mut().zip(parts.into_iter().flatten()) {
            *slot = *byte;
            length = length.saturating_add(1);
        }
        let record = buffer.get(..length).unwrap_or_default();
        storage.store(Record::ConfigTrial, record).await
    }

    /// Whether this one failed, and no other was offered since.
    pub(super) fn has_failed(&self, digest: &[u8; 32]) -> bool {
        matches!(self.phase, Phase::Failed | Phase::RolledBack) && self.tried == *digest
    }

    /// Counts a start with this one; whether there may be one.
    pub(super) fn begin(&mut self, digest: [u8; 32], most: u8) -> bool {
        if self.phase != Phase::OnTrial || self.tried != digest {
            self.starts = 0;
        }
        self.phase = Phase::OnTrial;
        self.tried = digest;
        let may = self.starts < most.max(1);
        self.starts = self.starts.saturating_add(1);
        may
    }

    /// The one that was tried is the last known good one from now on.
    pub(super) fn keep(&mut self, digest: [u8; 32]) {
        *self = Self {
            kept: digest,
            ..Self::UNKNOWN
        };
    }

    /// The one that was tried failed.
    pub(super) fn reject(&mut self, phase: Phase, reason: &str) {
        self.phase = phase;
        self.told = false;
        self.reason = Text::new();
        for character in reason.chars() {
            if self.reason.push(character).is_err() {
                break;
            }
        }
    }

    /// What the server has still to be told.
    pub(super) fn untold(&self) -> Option<Outcome> {
        match self.phase {
            Phase::Failed if !self.told => Some(Outcome::Failed),
            Phase::RolledBack if !self.told => Some(Outcome::RolledBack),
            _ => None,
        }
    }

    /// The server has another one than the one that failed: that one may be tried again when it
    /// comes again. Whether this changes anything.
    pub(super) fn forgive(&mut self) -> bool {
        let failed = matches!(self.phase, Phase::Failed | Phase::RolledBack);
        let forgiven = failed && self.told;
        if forgiven {
            self.keep(self.kept);
        }
        forgiven
    }

    fn read(record: &[u8]) -> Option<Self> {
        let rest = record.strip_prefix(&BEGINNING)?;
        let ([phase, starts, told], rest) = rest.split_first_chunk()?;
        let (kept, rest) = rest.split_first_chunk()?;
        let (tried, reason) = rest.split_first_chunk()?;
        let phase = match phase {
            0 => Phase::Settled,
            1 => Phase::OnTrial,
            2 => Phase::Failed,
            3 => Phase::RolledBack,
            _ => return None,
        };
        let mut text = Text::new();
        text.push_str(core::str::from_utf8(reason).ok()?).ok()?;
        Some(Self {
            phase,
            starts: *starts,
            told: *told != 0,
            kept: *kept,
            tried: *tried,
            reason: text,
        })
    }
}
