//! Where an update stands, over restarts and power cuts.
//!
//! ```text
//!         ┌──────────────── Idle ◀───────────── the server was told ────────────┐
//!         ▼                                                                     │
//!  Trial, commit ─▶ restart ─▶ Trial, start 1, 2, … ─▶ Confirming, confirm ─▶ Ended(applied)
//!         │                            │
//!         │ not switched               └─▶ Ended(rolled back), roll back, restart
//!         └─▶ Idle
//! ```
//!
//! Each word is one write of [`Record::Update`](crate::Record::Update) or one step of the slot, in
//! this order. Power that fails between two of them leaves a pair of record and slot from which the
//! next start goes on: see [`UpdateState::start`].

mod record;

pub use record::UpdateStateError;

use core::fmt;

use providore_wire::{FirmwareVersion, Text};

use crate::{Outcome, SlotState};

/// What a device remembers of updates: what is too old for it, what it is trying, what it still has
/// to tell, and what it tried in vain.
///
/// ```
/// use providore_client::UpdateState;
///
/// let state = UpdateState::with_floor(7);
/// let record = state.encode();
/// assert_eq!(UpdateState::decode(&record)?, state);
/// # Ok::<(), providore_client::UpdateStateError>(())
/// ```
///
/// A record that is not there or damaged counts as one that says nothing: no floor but that which
/// the firmware that runs brings along, no failure, nothing to tell. Firmware by an author goes on
/// to be installed, since the alternative is a device that is never updated again; what is lost is
/// the protection against old releases of that author, unless the firmware brings its own sequence
/// number along. A trial that is under way begins anew.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UpdateState {
    floor: u64,
    failed: u64,
    tries: u8,
    phase: UpdatePhase,
}

/// What an update waits for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum UpdatePhase {
    /// Nothing.
    #[default]
    Idle,
    /// This release is being switched to, or runs on trial.
    Trial {
        /// Which.
        release: Release,
        /// How often it has been started.
        boots: u8,
    },
    /// This release works, and the slot is about to know it.
    Confirming(Release),
    /// The server has to be told what became of this release; if it was no good, and is still on
    /// trial, that ends first.
    Ended {
        /// Which.
        release: Release,
        /// What became of it.
        outcome: Outcome,
        /// Why; empty for one that is applied.
        reason: Reason,
    },
}

/// A release, as its manifest names it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Release {
    /// Its place in the order of releases; 0 if nobody knows it any more.
    pub sequence: u64,
    /// Its name.
    pub version: FirmwareVersion,
}

/// Why a release was no good: at most 48 bytes of text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reason(Text<{ Self::MAX_LEN }>);

impl Reason {
    /// The longest reason in bytes.
    pub const MAX_LEN: usize = 48;

    /// As much of a text as fits; control characters become blanks.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut reason = Text::new();
        for character in text.chars() {
            let character = if character.is_control() {
                ' '
            } else {
                character
            };
            if reason.push(character).is_err() {
                break;
            }
        }
        Self(reason)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What is to be done with the slot, so that it fits the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Duty {
    /// Nothing: no image is on trial.
    Settled,
    /// Nothing: one is.
    OnTrial,
    /// The trial is to end well.
    Confirm,
    /// The trial is to end.
    RollBack,
}

impl UpdateState {
    /// How often a release that failed is tried in all, even if it is offered again.
    pub const MAX_TRIES: u8 = 3;

    /// A device that has confirmed nothing, and tried nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            floor: 0,
            failed: 0,
            tries: 0,
            phase: UpdatePhase::Idle,
        }
    }

    /// A device that has confirmed the release of this sequence number, and tried no other.
    #[must_use]
    pub fn with_floor(floor: u64) -> Self {
        Self::new().raised(floor)
    }

    /// The highest sequence number that was ever confirmed: nothing from there down is installed.
    #[must_use]
    pub const fn floor(&self) -> u64 {
        self.floor
    }

    /// What the update waits for.
    #[must_use]
    pub const fn phase(&self) -> &UpdatePhase {
        &self.phase
    }

    /// The release that failed last, and how often it was tried.
    #[must_use]
    pub const fn failed(&self) -> Option<(u64, u8)> {
        if self.tries == 0 {
            return None;
        }
        Some((self.failed, self.tries))
    }

    /// Whether a release was tried as often as it may be.
    pub(crate) const fn gave_up(&self, sequence: u64) -> bool {
        self.failed == sequence && self.tries >= Self::MAX_TRIES
    }

    /// The floor is at least this one: the release that runs knows its own number.
    pub(crate) fn raised(mut self, floor: u64) -> Self {
        self.floor = self.floor.max(floor);
        self
    }

    /// The server was told.
    pub(crate) fn told(&self) -> Self {
        self.with(UpdatePhase::Idle)
    }

    /// A release is about to be switched to.
    pub(crate) fn trying(&self, release: Release) -> Self {
        self.with(UpdatePhase::Trial { release, boots: 0 })
    }

    /// The release on trial works.
    pub(crate) fn confirming(&self) -> Self {
        match &self.phase {
            UpdatePhase::Trial { release, .. } => {
                self.with(UpdatePhase::Confirming(release.clone()))
            }
            _ => self.clone(),
        }
    }

    /// The slot knows that the release works: only now is what is older too old.
    pub(crate) fn confirmed(&self) -> Self {
        let UpdatePhase::Confirming(release) = &self.phase else {
            return self.clone();
        };
        let phase = UpdatePhase::Ended {
            release: release.clone(),
            outcome: Outcome::Applied,
            reason: Reason::default(),
        };
        self.with(phase).raised(release.sequence)
    }

    /// The release on trial, or about to be, is no good.
    pub(crate) fn ended(&self, outcome: Outcome, reason: &str) -> Self {
        let (UpdatePhase::Trial { release, .. } | UpdatePhase::Confirming(release)) = &self.phase
        else {
            return self.clone();
        };
        let mut ended = self.with(UpdatePhase::Ended {
            release: release.clone(),
            outcome,
            reason: Reason::new(reason),
        });
        if release.sequence > 0 {
            let again = self.failed == release.sequence;
            ended.tries = if again { self.tries } else { 0 }.saturating_add(1);
            ended.failed = release.sequence;
        }
        ended
    }

    /// What a record and a slot mean together, when the firmware that runs is `running`. At a start
    /// `boots` is how often a release may be started on trial; `None` between starts.
    ///
    /// | record | slot | means |
    /// |---|---|---|
    /// | trial | on trial | it runs: one more start, or one too many |
    /// | trial | settled | the power failed before the switch: nothing happened |
    /// | trial, confirming | rolled back | the bootloader gave it up |
    /// | confirming | on trial | the power failed before the slot knew |
    /// | confirming | settled | the power failed before the record was done |
    /// | ended, no good | on trial | the power failed before the slot went back |
    /// | anything else | on trial | somebody else switched, or the record is lost: a trial begins |
    pub(crate) fn start(
        &self,
        slot: SlotState,
        running: &FirmwareVersion,
        boots: Option<u8>,
    ) -> (Self, Duty) {
        use UpdatePhase::{Confirming, Ended, Trial};
        match (slot, &self.phase) {
            (
                SlotState::OnTrial,
                Trial {
                    release,
                    boots: so_far,
                },
            ) => match boots {
                None => (self.clone(), Duty::OnTrial),
                Some(most) if *so_far >= most => {
                    let reason = "not confirmed in as many starts as it had";
                    (self.ended(Outcome::RolledBack, reason), Duty::RollBack)
                }
                Some(_) => {
                    let (release, boots) = (release.clone(), so_far.saturating_add(1));
                    (self.with(Trial { release, boots }), Duty::OnTrial)
                }
            },
            (SlotState::OnTrial, Confirming(_)) => (self.clone(), Duty::Confirm),
            (SlotState::OnTrial, Ended { outcome, .. }) if *outcome != Outcome::Applied => {
                (self.clone(), Duty::RollBack)
            }
            (SlotState::OnTrial, _) => {
                let release = Release {
                    sequence: 0,
                    version: running.clone(),
                };
                (self.with(Trial { release, boots: 1 }), Duty::OnTrial)
            }
            (SlotState::RolledBack, Trial { .. } | Confirming(_)) => {
                let reason = "given up by the bootloader";
                (self.ended(Outcome::RolledBack, reason), Duty::Settled)
            }
            (_, Trial { .. }) => (self.told(), Duty::Settled),
            (_, Confirming(_)) => (self.confirmed(), Duty::Settled),
            _ => (self.clone(), Duty::Settled),
        }
    }

    fn with(&self, phase: UpdatePhase) -> Self {
        Self {
            phase,
            ..self.clone()
        }
    }
}
