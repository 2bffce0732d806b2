//! The record that says which slot runs, and what a bootloader does about it.
//!
//! ```text
//!  0  magic "pvB1"          8  which slot runs: 0 A, 1 B     12  A: length     48  B: length
//!  4  sequence number       9  0 settled, 1 trial, 2 back    16  A: SHA-256    52  B: SHA-256
//!                          10  boots on trial   11  0                          84  zeros
//!                                                 88  first 8 bytes of the SHA-256 of 0 to 88
//! ```
//!
//! Numbers are little-endian. The record stands at the beginning of one of two sectors; a new one
//! goes to the sector that does not hold the newest, which stays until then.

use sha2::{Digest as _, Sha256};

use crate::SlotState;

/// How often an image on trial is started, unless the application says otherwise, before the one
/// before it runs again.
pub const TRIAL_BOOTS: u8 = 3;

/// One of the two places for an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "there are two")]
pub enum Slot {
    /// The first, which runs where nothing says otherwise.
    #[default]
    A,
    /// The second.
    B,
}

impl Slot {
    /// The one that it is not.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// What was last committed to a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_structs, reason = "an image is known by these")]
pub struct BootImage {
    /// Its length in bytes; 0 if nobody knows, as of the image that was there first.
    pub length: u32,
    /// Its SHA-256.
    pub sha256: [u8; 32],
}

/// Which slot runs, and why.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BootRecord {
    sequence: u32,
    active: Slot,
    state: SlotState,
    boots: u8,
    images: [BootImage; 2],
}

impl BootRecord {
    /// How long a record is in flash, in bytes.
    pub const LEN: usize = 96;

    /// Reads a record; `None` for what was never written, or not to its end.
    #[must_use]
    pub fn parse(bytes: &[u8; Self::LEN]) -> Option<Self> {
        let (content, checksum) = bytes.split_at(CONTENT_LEN);
        if *checksum != checksum_of(content) {
            return None;
        }
        let rest = content.strip_prefix(MAGIC)?;
        let (sequence, rest) = rest.split_first_chunk()?;
        let ([active, state, boots, 0], rest) = rest.split_first_chunk()? else {
            return None;
        };
        let (first, rest) = image(rest)?;
        let (second, rest) = image(rest)?;
        let record = Self {
            sequence: u32::from_le_bytes(*sequence),
            active: match active {
                0 => Slot::A,
                1 => Slot::B,
                _ => return None,
            },
            state: match state {
                0 => SlotState::Settled,
                1 => SlotState::OnTrial,
                2 => SlotState::RolledBack,
                _ => return None,
            },
            boots: *boots,
            images: [first, second],
        };
        (*rest == [0; 4]).then_some(record)
    }

    /// The record as it stands in flash.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let active = u8::from(self.active == Slot::B);
        let state = match self.state {
            SlotState::Settled => 0,
            SlotState::OnTrial => 1,
            SlotState::RolledBack => 2,
        };
        let [first, second] = &self.images;
        let mut bytes = [0; Self::LEN];
        let parts: [&[u8]; 7] = [
            MAGIC,
            &self.sequence.to_le_bytes(),
            &[active, state, self.boots, 0],
            &first.length.to_le_bytes(),
            &first.sha256,
            &second.length.to_le_bytes(),
            &second.sha256,
        ];
        let (content, checksum) = bytes.split_at_mut(CONTENT_LEN);
        for (to, from) in content.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        checksum.copy_from_slice(&checksum_of(content));
        bytes
    }

    /// The slot that runs, or runs after the next restart.
    #[must_use]
    pub const fn active(&self) -> Slot {
        self.active
    }

    /// What became of the last switch.
    #[must_use]
    pub const fn state(&self) -> SlotState {
        self.state
    }

    /// How often the image on trial has been started.
    #[must_use]
    pub const fn boots(&self) -> u8 {
        self.boots
    }

    /// What was last committed to a slot.
    #[must_use]
    pub const fn image(&self, slot: Slot) -> &BootImage {
        let [first, second] = &self.images;
        match slot {
            Slot::A => first,
            Slot::B => second,
        }
    }

    /// The record after it, in which that slot runs.
    pub(super) fn next(&self, active: Slot, state: SlotState) -> Self {
        Self {
            sequence: self.sequence.wrapping_add(1),
            active,
            state,
            boots: 0,
            images: self.images,
        }
    }

    /// The record after it, in which that image is on trial.
    pub(super) fn trial(&self, active: Slot, image: BootImage) -> Self {
        let mut next = self.next(active, SlotState::OnTrial);
        let [first, second] = &mut next.images;
        match active {
            Slot::A => *first = image,
            Slot::B => *second = image,
        }
        next
    }

    const fn is_newer_than(&self, other: &Self) -> bool {
        self.sequence.wrapping_sub(other.sequence) < 1 << 31
    }
}

/// What the two sectors hold: the newest record, and where the next one goes.
///
/// ```
/// use providore_client::flash::{BootRecord, BootSectors, Slot, TRIAL_BOOTS};
///
/// // What stands at the beginning of the two sectors, here of a device that is new.
/// let (first, second) = ([0xFF; BootRecord::LEN], [0xFF; BootRecord::LEN]);
/// let boot = BootSectors::read(&first, &second).decide(TRIAL_BOOTS);
/// // If there is something to write, it is written now: erase the sector, write, then jump.
/// assert!(boot.write.is_none());
/// assert_eq!(boot.slot, Slot::A);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootSectors {
    newest: BootRecord,
    free: usize,
}

/// What a bootloader is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
#[expect(clippy::exhaustive_structs, reason = "a bootloader heeds all of it")]
pub struct BootDecision {
    /// What to write before the jump. If it cannot be written, the slot is started all the same.
    pub write: Option<BootWrite>,
    /// Where to jump to.
    pub slot: Slot,
    /// What lies there, for a bootloader that checks.
    pub image: BootImage,
}

/// A record to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a bootloader needs all of it")]
pub struct BootWrite {
    /// The sector to erase first, 0 or 1.
    pub sector: usize,
    /// What goes to its beginning.
    pub bytes: [u8; BootRecord::LEN],
}

impl BootSectors {
    /// Reads what stands at the beginning of both sectors. Where neither holds a record, no image
    /// has been installed yet, and slot A runs.
    #[must_use]
    pub fn read(first: &[u8; BootRecord::LEN], second: &[u8; BootRecord::LEN]) -> Self {
        let (newest, free) = match (BootRecord::parse(first), BootRecord::parse(second)) {
            (Some(first), Some(second)) if second.is_newer_than(&first) => (second, 0),
            (Some(first), _) => (first, 1),
            (None, Some(second)) => (second, 0),
            (None, None) => (BootRecord::default(), 0),
        };
        Self { newest, free }
    }

    /// The newest record.
    #[must_use]
    pub const fn record(&self) -> &BootRecord {
        &self.newest
    }

    /// What a bootloader does at every start: it counts the starts of an image on trial, and goes
    /// back to the one before when there were `trial_boots` without a
    /// [`confirm`](crate::FirmwareSlot::confirm).
    pub fn decide(&self, trial_boots: u8) -> BootDecision {
        let now = &self.newest;
        let next = match now.state {
            SlotState::OnTrial if now.boots < trial_boots => {
                let mut next = now.next(now.active, SlotState::OnTrial);
                next.boots = now.boots.saturating_add(1);
                next
            }
            SlotState::OnTrial => now.next(now.active.other(), SlotState::RolledBack),
            _ => return self.boot(now, false),
        };
        self.boot(&next, true)
    }

    /// What a bootloader does that finds the image of [`decide`](Self::decide) damaged: the other
    /// slot runs from now on, which on trial holds the image before. `None` if nobody knows what the
    /// other slot holds.
    #[must_use]
    pub fn decide_without_active(&self) -> Option<BootDecision> {
        let other = self.newest.active.other();
        let known = self.newest.image(other).length > 0;
        let next = self.newest.next(other, SlotState::RolledBack);
        (known || self.newest.state == SlotState::OnTrial).then(|| self.boot(&next, true))
    }

    /// How to make `next` the newest record.
    pub(super) fn replace_by(&self, next: &BootRecord) -> BootWrite {
        BootWrite {
            sector: self.free,
            bytes: next.to_bytes(),
        }
    }

    fn boot(&self, record: &BootRecord, is_new: bool) -> BootDecision {
        BootDecision {
            write: is_new.then(|| self.replace_by(record)),
            slot: record.active,
            image: *record.image(record.active),
        }
    }
}

fn image(bytes: &[u8]) -> Option<(BootImage, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (sha256, rest) = rest.split_first_chunk()?;
    let image = BootImage {
        length: u32::from_le_bytes(*length),
        sha256: *sha256,
    };
    Some((image, rest))
}

/// Against writes that were cut, not against anybody who can write.
fn checksum_of(content: &[u8]) -> [u8; CHECKSUM_LEN] {
    let digest: [u8; 32] = Sha256::digest(content).into();
    *digest.first_chunk().unwrap_or(&[0; CHECKSUM_LEN])
}

const MAGIC: &[u8] = b"pvB1";
const CHECKSUM_LEN: usize = 8;
const CONTENT_LEN: usize = 88;
