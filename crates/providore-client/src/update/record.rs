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

use providore_pki::manifest::sha256;
use providore_wire::FirmwareVersion;

use super::UpdateState;
use crate::report::{characters, is_control, plain_characters};

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

    /// A device that has confirmed nothing, and tried nothing.
    #[must_use]
    pub fn new() -> Self {
        let mut state = Self {
            record: [0; Self::LEN],
        };
        state.put(0, MAGIC);
        state.record[FORMAT_AT] = FORMAT;
        state.seal();
        state
    }

    /// The record.
    #[must_use]
    pub const fn encode(&self) -> [u8; Self::LEN] {
        self.record
    }

    /// The same, where it lies.
    pub(crate) const fn record(&self) -> &[u8] {
        &self.record
    }

    /// Reads a record: all that [`encode`](Self::encode) writes, and nothing else.
    ///
    /// # Errors
    /// [`UpdateStateError`].
    pub fn decode(record: &[u8]) -> Result<Self, UpdateStateError> {
        let mut state = Self::new();
        state.read(record)?;
        Ok(state)
    }

    /// Takes the place of what was known; after an error nothing is.
    #[inline(never)] // Its frame is not to last as long as what follows.
    pub(crate) fn read(&mut self, record: &[u8]) -> Result<(), UpdateStateError> {
        let record: &[u8; Self::LEN] = record.try_into().map_err(|_| UpdateStateError::Kind)?;
        self.record = *record;
        let checked = self.check();
        if checked.is_err() {
            *self = Self::new();
        }
        checked
    }

    fn check(&self) -> Result<(), UpdateStateError> {
        if !self.record.starts_with(MAGIC) {
            return Err(UpdateStateError::Kind);
        }
        if self.record.last_chunk() != Some(&checksum(&self.record)) {
            return Err(UpdateStateError::Checksum);
        }
        if self.record[FORMAT_AT] != FORMAT {
            return Err(UpdateStateError::Format);
        }
        // One way to write it, so that there is one way to read it.
        if !self.is_consistent() {
            return Err(UpdateStateError::Content);
        }
        Ok(())
    }

    fn is_consistent(&self) -> bool {
        let (Some(version), Some(reason)) = (self.text(VERSION), self.text(REASON)) else {
            return false;
        };
        let release = match self.record[PHASE] {
            IDLE => version.is_empty() && self.sequence() == 0,
            TRIAL..=ROLLED_BACK => FirmwareVersion::parse(version).is_ok(),
            _ => false,
        };
        let boots = self.record[BOOTS] == 0 || self.record[PHASE] == TRIAL;
        let ended = reason.is_empty() || self.record[PHASE] >= APPLIED;
        let mut text = core::str::from_utf8(reason).is_ok();
        characters(reason, &mut |character| {
            text &= !is_control(character);
            text
        });
        let rest = self.record.get(RESERVED..SUM).unwrap_or_default();
        release && boots && ended && text && is_zero(rest)
    }

    /// The highest sequence number that was ever confirmed: nothing from there down is installed.
    #[must_use]
    pub fn floor(&self) -> u64 {
        self.number(FLOOR)
    }

    /// The release that failed last, and how often it was tried.
    #[must_use]
    pub fn failed(&self) -> Option<(u64, u8)> {
        let tries = self.record[TRIES];
        (tries > 0).then(|| (self.number(FAILED_SEQUENCE), tries))
    }

    pub(super) const fn phase_byte(&self) -> u8 {
        self.record[PHASE]
    }

    pub(super) const fn boots(&self) -> u8 {
        self.record[BOOTS]
    }

    pub(super) fn sequence(&self) -> u64 {
        self.number(SEQUENCE)
    }

    /// The name of the release; empty without one.
    pub(crate) fn version(&self) -> &str {
        let text = core::str::from_utf8(self.text(VERSION).unwrap_or_default());
        text.unwrap_or_default()
    }

    /// Why it ended.
    pub(crate) fn reason(&self) -> &str {
        let text = core::str::from_utf8(self.text(REASON).unwrap_or_default());
        text.unwrap_or_default()
    }

    pub(super) const fn set_phase(&mut self, phase: u8, boots: u8) {
        self.record[PHASE] = phase;
        self.record[BOOTS] = boots;
    }

    /// No release, and so no reason.
    pub(super) fn clear_phase(&mut self) {
        self.set_phase(IDLE, 0);
        let places = self.record.get_mut(SEQUENCE..SUM).unwrap_or_default();
        places.fill(0);
    }

    pub(super) fn set_floor(&mut self, floor: u64) {
        self.put_number(FLOOR, floor);
    }

    /// Where there was none.
    pub(super) fn set_release(&mut self, sequence: u64, version: &FirmwareVersion) {
        self.put_number(SEQUENCE, sequence);
        let version = version.as_str().as_bytes();
        // At most 64.
        self.record[VERSION.at] = u8::try_from(version.len()).unwrap_or(0);
        self.put(VERSION.at.saturating_add(1), version);
    }

    /// Where there was none.
    pub(super) fn set_reason(&mut self, reason: &str) {
        let mut length = 0_u8;
        plain_characters(reason, &mut |character| {
            let at = usize::from(length);
            let end = at.saturating_add(character.len());
            if end > REASON.room {
                return false;
            }
            let place = REASON.at.saturating_add(1).saturating_add(at);
            self.put(place, character);
            // At most 48.
            length = u8::try_from(end).unwrap_or(length);
            true
        });
        self.record[REASON.at] = length;
    }

    /// This release failed once more, or as the first after another one.
    pub(super) fn count_failure(&mut self, sequence: u64) {
        let again = self.number(FAILED_SEQUENCE) == sequence;
        let tries = if again { self.record[TRIES] } else { 0 };
        self.record[TRIES] = tries.saturating_add(1);
        self.put_number(FAILED_SEQUENCE, sequence);
    }

    /// What every change ends with.
    #[inline(never)] // Every change ends with it.
    pub(super) fn seal(&mut self) {
        let sum = checksum(&self.record);
        self.put(SUM, &sum);
    }

    #[inline(never)] // Every change is made of it.
    fn put(&mut self, at: usize, bytes: &[u8]) {
        let places = self.record.get_mut(at..).unwrap_or_default();
        for (slot, byte) in places.iter_mut().zip(bytes) {
            *slot = *byte;
        }
    }

    #[inline(never)] // Three callers.
    fn put_number(&mut self, at: usize, number: u64) {
        self.put(at, &number.to_be_bytes());
    }

    #[inline(never)] // Everything is read through it.
    fn number(&self, at: usize) -> u64 {
        let places = self.record.get(at..).unwrap_or_default();
        let number = places.first_chunk().copied().unwrap_or_default();
        u64::from_be_bytes(number)
    }

    /// `None` if it is longer than its place, or has other bytes than zeros behind it.
    #[inline(never)] // Everything is read through it.
    fn text(&self, place: Place) -> Option<&[u8]> {
        let (length, rest) = self.record.get(place.at..)?.split_first()?;
        let (text, behind) = rest.get(..place.room)?.split_at_checked((*length).into())?;
        is_zero(behind).then_some(text)
    }
}

impl Default for UpdateState {
    fn default() -> Self {
        Self::new()
    }
}

/// A text behind its length.
#[derive(Clone, Copy)]
struct Place {
    at: usize,
    room: usize,
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

fn checksum(record: &[u8; UpdateState::LEN]) -> [u8; CHECKSUM_LEN] {
    let digest = sha256(&[record.get(..SUM).unwrap_or_default()]);
    digest.first_chunk().copied().unwrap_or_default()
}

const MAGIC: &[u8] = b"PvUp";
const FORMAT: u8 = 1;
const CHECKSUM_LEN: usize = 8;

// Where it stands, as above.
const FORMAT_AT: usize = 4;
const PHASE: usize = 5;
const BOOTS: usize = 6;
const TRIES: usize = 7;
const FLOOR: usize = 8;
const FAILED_SEQUENCE: usize = 16;
const SEQUENCE: usize = 24;
const VERSION: Place = Place {
    at: 32,
    room: FirmwareVersion::MAX_LEN,
};
const REASON: Place = Place {
    at: 97,
    room: UpdateState::MAX_REASON,
};
const RESERVED: usize = 146;
const SUM: usize = UpdateState::LEN - CHECKSUM_LEN;

pub(super) const IDLE: u8 = 0;
pub(super) const TRIAL: u8 = 1;
pub(super) const CONFIRMING: u8 = 2;
pub(super) const APPLIED: u8 = 3;
pub(super) const FAILED: u8 = 4;
pub(super) const ROLLED_BACK: u8 = 5;

#[cfg(test)]
mod tests {
    extern crate alloc;
    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::{Outcome, Release, UpdatePhase};

    fn trying(state: &UpdateState, sequence: u64, version: &str) -> UpdateState {
        changed(state, |state| {
            state.trying(sequence, &version.parse().unwrap());
        })
    }

    fn changed(state: &UpdateState, change: impl FnOnce(&mut UpdateState)) -> UpdateState {
        let mut state = state.clone();
        change(&mut state);
        state
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
        let trial = trying(&idle, 7, "2.0.0");
        let confirming = changed(&trial, UpdateState::confirming);
        check(&UpdateState::default());
        check(&idle);
        check(&trial);
        check(&confirming);
        check(&changed(&confirming, UpdateState::confirmed));
        let no_link = "no \"link\" within 600 s";
        let ended = |state: &mut UpdateState| state.ended(Outcome::RolledBack, no_link);
        check(&changed(&trial, ended));
        let trial = trying(&idle, u64::MAX, &"9".repeat(FirmwareVersion::MAX_LEN));
        let long = "\u{1f600}".repeat(40);
        check(&changed(&trial, |state| {
            state.ended(Outcome::Failed, &long);
        }));
    }

    #[test]
    fn what_is_read_is_what_was_written() {
        let idle = UpdateState::with_floor(4);
        let trial = trying(&idle, 7, "2.0.0");
        let release = Release {
            sequence: 7,
            version: "2.0.0",
        };
        assert_eq!(trial.phase(), UpdatePhase::Trial { release, boots: 0 });
        let why = "a\tb".repeat(30);
        let ended = changed(&trial, |state| state.ended(Outcome::Failed, &why));
        let ended_as = UpdatePhase::Ended {
            release,
            outcome: Outcome::Failed,
            reason: &"a b".repeat(16),
        };
        assert_eq!(ended.phase(), ended_as);
        assert_eq!((ended.floor(), ended.failed()), (4, Some((7, 1))));
        let confirmed = changed(
            &changed(&trial, UpdateState::confirming),
            UpdateState::confirmed,
        );
        assert_eq!((confirmed.floor(), confirmed.failed()), (7, None));
        assert_eq!(
            changed(&confirmed, UpdateState::told),
            UpdateState::with_floor(7)
        );
    }

    /// A record as it was always written.
    #[test]
    fn the_bytes_are_those_of_the_table() {
        let state = changed(
            &trying(&UpdateState::with_floor(0x0102), 7, "2.0"),
            |state| {
                state.ended(Outcome::RolledBack, "why");
            },
        );
        let mut expected = [0; UpdateState::LEN];
        expected[..8].copy_from_slice(b"PvUp\x01\x05\x00\x01");
        expected[8..16].copy_from_slice(&0x0102_u64.to_be_bytes());
        expected[16..24].copy_from_slice(&7_u64.to_be_bytes());
        expected[24..32].copy_from_slice(&7_u64.to_be_bytes());
        expected[32..36].copy_from_slice(b"\x032.0");
        expected[97..101].copy_from_slice(b"\x03why");
        let sum = Sha256::digest(&expected[..152]);
        expected[152..].copy_from_slice(&sum[..8]);
        assert_eq!(state.encode(), expected);
    }

    #[test]
    fn a_record_that_nobody_writes_is_refused() {
        let rewrite = |at: usize, byte: u8| {
            let mut record = trying(&UpdateState::with_floor(1), 7, "2.0.0").encode();
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
