//! [`UpdateState`] as a record.
//!
//! ```text
//! 0    "PvUp"             32   length of the version   u8, 0 without a release
//! 4    format, 1      u8  33   version                 64 bytes, zeros after it
//! 5    phase          u8  97   length of the reason    u8
//! 6    starts         u8  98   reason                  48 bytes, zeros after it
//! 7    tries          u8  146  zeros                   6 bytes
//! 8    floor          u64 152  checksum                the first 8 bytes of SHA-256 over the others
//! 16   failed         u64
//! 24   sequence       u64      numbers are big-endian
//! ```

use providore_wire::FirmwareVersion;
use sha2::{Digest as _, Sha256};

use super::{Reason, Release, UpdatePhase, UpdateState};
use crate::Outcome;

/// Why a record is not an [`UpdateState`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateStateError {
    /// Not [`UpdateState::LEN`] bytes that begin as all do.
    #[error("not a record of an update")]
    Kind,
    /// A later format than this one.
    #[error("a record of an update in another format")]
    Format,
    /// Some bit of it is another than was written.
    #[error("a record of an update with the wrong checksum")]
    Checksum,
    /// What no [`UpdateState`] is written as.
    #[error("a record of an update that says what none can")]
    Content,
}

impl UpdateState {
    /// The length of a record in bytes.
    pub const LEN: usize = 160;

    /// The record.
    #[must_use]
    pub fn encode(&self) -> [u8; Self::LEN] {
        let (phase, boots, release, reason) = match &self.phase {
            UpdatePhase::Idle => (IDLE, 0, None, None),
            UpdatePhase::Trial { release, boots } => (TRIAL, *boots, Some(release), None),
            UpdatePhase::Confirming(release) => (CONFIRMING, 0, Some(release), None),
            UpdatePhase::Ended {
                release,
                outcome,
                reason,
            } => (ended(*outcome), 0, Some(release), Some(reason)),
        };
        let mut writer = Writer {
            record: [0; Self::LEN],
            at: 0,
        };
        writer.push(MAGIC);
        writer.push(&[FORMAT, phase, boots, self.tries]);
        writer.push(&self.floor.to_be_bytes());
        writer.push(&self.failed.to_be_bytes());
        let sequence = release.map_or(0, |release| release.sequence);
        writer.push(&sequence.to_be_bytes());
        let version = release.map_or("", |release| release.version.as_str());
        writer.text(version, FirmwareVersion::MAX_LEN);
        writer.text(reason.map_or("", Reason::as_str), Reason::MAX_LEN);
        writer.seal()
    }

    /// Reads a record: all that [`encode`](Self::encode) writes, and nothing else.
    ///
    /// # Errors
    /// [`UpdateStateError`].
    pub fn decode(record: &[u8]) -> Result<Self, UpdateStateError> {
        let record: &[u8; Self::LEN] = record.try_into().map_err(|_| UpdateStateError::Kind)?;
        let body = record.strip_prefix(MAGIC).ok_or(UpdateStateError::Kind)?;
        if record.last_chunk() != Some(&checksum(record)) {
            return Err(UpdateStateError::Checksum);
        }
        let mut reader = Reader(body);
        let [format, phase, boots, tries] = reader.array()?;
        if format != FORMAT {
            return Err(UpdateStateError::Format);
        }
        let floor = u64::from_be_bytes(reader.array()?);
        let failed = u64::from_be_bytes(reader.array()?);
        let sequence = u64::from_be_bytes(reader.array()?);
        let version = reader.text(FirmwareVersion::MAX_LEN)?;
        let reason = reader.text(Reason::MAX_LEN)?;
        let release = || {
            let version = FirmwareVersion::parse(version).map_err(|_| UpdateStateError::Content)?;
            Ok(Release { sequence, version })
        };
        let phase = match phase {
            IDLE => UpdatePhase::Idle,
            TRIAL => UpdatePhase::Trial {
                release: release()?,
                boots,
            },
            CONFIRMING => UpdatePhase::Confirming(release()?),
            APPLIED | FAILED | ROLLED_BACK => UpdatePhase::Ended {
                release: release()?,
                outcome: outcome(phase),
                reason: Reason::new(
                    core::str::from_utf8(reason).map_err(|_| UpdateStateError::Content)?,
                ),
            },
            _ => return Err(UpdateStateError::Content),
        };
        let state = Self {
            floor,
            failed,
            tries,
            phase,
        };
        // One way to write it, so that there is one way to read it.
        if state.encode() != *record {
            return Err(UpdateStateError::Content);
        }
        Ok(state)
    }
}

struct Writer {
    record: [u8; UpdateState::LEN],
    at: usize,
}

impl Writer {
    fn push(&mut self, bytes: &[u8]) {
        let rest = self.record.get_mut(self.at..).unwrap_or_default();
        for (slot, byte) in rest.iter_mut().zip(bytes) {
            *slot = *byte;
        }
        self.at = self.at.saturating_add(bytes.len());
    }

    fn text(&mut self, text: &str, room: usize) {
        // Each of them is shorter than 256 bytes.
        self.push(&[u8::try_from(text.len()).unwrap_or(0)]);
        let end = self.at.saturating_add(room);
        self.push(text.as_bytes());
        self.at = end;
    }

    fn seal(mut self) -> [u8; UpdateState::LEN] {
        let sum = checksum(&self.record);
        if let Some(place) = self.record.last_chunk_mut() {
            *place = sum;
        }
        self.record
    }
}

struct Reader<'r>(&'r [u8]);

impl<'r> Reader<'r> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], UpdateStateError> {
        let (array, rest) = self.0.split_first_chunk().ok_or(UpdateStateError::Kind)?;
        self.0 = rest;
        Ok(*array)
    }

    fn text(&mut self, room: usize) -> Result<&'r [u8], UpdateStateError> {
        let [length] = self.array()?;
        let (place, rest) = self
            .0
            .split_at_checked(room)
            .ok_or(UpdateStateError::Kind)?;
        self.0 = rest;
        place
            .get(..usize::from(length))
            .ok_or(UpdateStateError::Content)
    }
}

fn checksum(record: &[u8; UpdateState::LEN]) -> [u8; CHECKSUM_LEN] {
    let body = record.split_last_chunk::<CHECKSUM_LEN>();
    let digest: [u8; 32] = Sha256::digest(body.map_or(&record[..], |(body, _)| body)).into();
    digest.first_chunk().copied().unwrap_or_default()
}

const fn ended(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Applied | Outcome::Healthy => APPLIED,
        Outcome::Failed => FAILED,
        Outcome::RolledBack => ROLLED_BACK,
    }
}

const fn outcome(phase: u8) -> Outcome {
    match phase {
        APPLIED => Outcome::Applied,
        FAILED => Outcome::Failed,
        _ => Outcome::RolledBack,
    }
}

const MAGIC: &[u8] = b"PvUp";
const FORMAT: u8 = 1;
const CHECKSUM_LEN: usize = 8;

const IDLE: u8 = 0;
const TRIAL: u8 = 1;
const CONFIRMING: u8 = 2;
const APPLIED: u8 = 3;
const FAILED: u8 = 4;
const ROLLED_BACK: u8 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn release() -> Release {
        Release {
            sequence: 7,
            version: "2.0.0".parse().unwrap(),
        }
    }

    fn check(state: &UpdateState) {
        let record = state.encode();
        assert_eq!(UpdateState::decode(&record).as_ref(), Ok(state));
        for byte in 0..record.len() {
            for bit in 0..8 {
                let mut damaged = record;
                damaged[byte] ^= 1 << bit;
                assert!(UpdateState::decode(&damaged).is_err(), "{byte} {bit}");
            }
            assert!(UpdateState::decode(&record[..byte]).is_err(), "{byte}");
        }
    }

    #[test]
    fn a_state_is_read_as_it_was_written_and_damage_shows() {
        let idle = UpdateState::with_floor(u64::MAX);
        let trial = idle.trying(release());
        check(&UpdateState::default());
        check(&idle);
        check(&trial);
        check(&trial.confirming());
        check(&trial.confirming().confirmed());
        check(&trial.ended(Outcome::RolledBack, "no \"link\" within 600 s"));
        let long = FirmwareVersion::parse(&[b'9'; FirmwareVersion::MAX_LEN]).unwrap();
        let version = long;
        let trial = idle.trying(Release {
            sequence: u64::MAX,
            version,
        });
        check(&trial.ended(Outcome::Failed, &"\u{1f600}".repeat(40)));
    }

    #[test]
    fn a_record_that_nobody_writes_is_refused() {
        let rewrite = |at: usize, byte: u8| {
            let mut record = UpdateState::with_floor(1).trying(release()).encode();
            record[at] = byte;
            let sum = checksum(&record);
            *record.last_chunk_mut().unwrap() = sum;
            UpdateState::decode(&record)
        };
        assert!(rewrite(6, 2).is_ok(), "another start");
        assert_eq!(rewrite(0, b'Q'), Err(UpdateStateError::Kind));
        assert_eq!(rewrite(4, 2), Err(UpdateStateError::Format));
        for (at, byte) in [
            (5, 0),
            (5, 2),
            (5, 6),
            (32, 0),
            (32, 65),
            (33, b'\n'),
            (40, 1),
            (97, 1),
            (150, 1),
        ] {
            let content = Err(UpdateStateError::Content);
            // A trial whose start is not counted is another state, and written in another way.
            if (at, byte) == (5, 2) {
                assert!(rewrite(at, byte).is_ok());
                continue;
            }
            assert_eq!(rewrite(at, byte), content, "{at} {byte}");
        }
    }
}
