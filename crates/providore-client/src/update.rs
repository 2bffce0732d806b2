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

use providore_wire::FirmwareVersion;

use crate::{Outcome, SlotState};
use record::{APPLIED, CONFIRMING, FAILED, IDLE, ROLLED_BACK, TRIAL};

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
#[derive(Clone, PartialEq, Eq)]
pub struct UpdateState {
    /// At any time as it is stored: there is no second form that would have to be converted.
    record: [u8; Self::LEN],
}

/// What an update waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UpdatePhase<'s> {
    /// Nothing.
    Idle,
    /// This release is being switched to, or runs on trial.
    Trial {
        /// Which.
        release: Release<'s>,
        /// How often it has been started.
        boots: u8,
    },
    /// This release works, and the slot is about to know it.
    Confirming(Release<'s>),
    /// The server has to be told what became of this release; if it was no good, and is still on
    /// trial, that ends first.
    Ended {
        /// Which.
        release: Release<'s>,
        /// What became of it.
        outcome: Outcome,
        /// Why, in at most [`UpdateState::MAX_REASON`] bytes; empty for one that is applied.
        reason: &'s str,
    },
}

/// A release, as its manifest names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Release<'s> {
    /// Its place in the order of releases; 0 if nobody knows it any more.
    pub sequence: u64,
    /// Its name.
    pub version: &'s str,
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

    /// The longest reason in bytes; of a longer one as much is kept as fits, and control characters
    /// become blanks.
    pub const MAX_REASON: usize = 48;

    /// A device that has confirmed the release of this sequence number, and tried no other.
    #[must_use]
    pub fn with_floor(floor: u64) -> Self {
        let mut state = Self::new();
        state.raise(floor);
        state
    }

    /// What the update waits for.
    #[must_use]
    pub fn phase(&self) -> UpdatePhase<'_> {
        let release = Release {
            sequence: self.sequence(),
            version: self.version(),
        };
        match (self.phase_byte(), self.outcome()) {
            (_, Some(outcome)) => UpdatePhase::Ended {
                release,
                outcome,
                reason: self.reason(),
            },
            (TRIAL, _) => UpdatePhase::Trial {
                release,
                boots: self.boots(),
            },
            (CONFIRMING, _) => UpdatePhase::Confirming(release),
            _ => UpdatePhase::Idle,
        }
    }

    /// Whether a release was tried as often as it may be.
    pub(crate) fn gave_up(&self, sequence: u64) -> bool {
        matches!(self.failed(), Some((failed, tries)) if failed == sequence && tries >= Self::MAX_TRIES)
    }

    /// What the server has to be told of the release that ended.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        match self.phase_byte() {
            APPLIED => Some(Outcome::Applied),
            FAILED => Some(Outcome::Failed),
            ROLLED_BACK => Some(Outcome::RolledBack),
            _ => None,
        }
    }

    /// The floor is at least this one: the release that runs knows its own number.
    pub(crate) fn raise(&mut self, floor: u64) {
        if floor > self.floor() {
            self.set_floor(floor);
            self.seal();
        }
    }

    /// The server was told.
    pub(crate) fn told(&mut self) {
        self.clear_phase();
        self.seal();
    }

    /// A release is about to be switched to.
    pub(crate) fn trying(&mut self, sequence: u64, version: &FirmwareVersion) {
        self.clear_phase();
        self.set_phase(TRIAL, 0);
        self.set_release(sequence, version);
        self.seal();
    }

    /// The release on trial works.
    pub(crate) fn confirming(&mut self) {
        if self.phase_byte() == TRIAL {
            self.set_phase(CONFIRMING, 0);
            self.seal();
        }
    }

    /// The slot knows that the release works: only now is what is older too old.
    pub(crate) fn confirmed(&mut self) {
        if self.phase_byte() == CONFIRMING {
            self.set_phase(APPLIED, 0);
            self.set_floor(self.sequence().max(self.floor()));
            self.seal();
        }
    }

    /// The release on trial, or about to be, is no good.
    #[inline(never)] // Four callers.
    pub(crate) fn ended(&mut self, outcome: Outcome, reason: &str) {
        if !matches!(self.phase_byte(), TRIAL | CONFIRMING) {
            return;
        }
        let is_back = outcome == Outcome::RolledBack;
        self.set_phase(if is_back { ROLLED_BACK } else { FAILED }, 0);
        self.set_reason(reason);
        let sequence = self.sequence();
        if sequence > 0 {
            self.count_failure(sequence);
        }
        self.seal();
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
    ///
    /// The record then says what is to be stored; `true` if that is something else than before.
    #[inline(never)] // Its frame is not to last as long as the writing.
    pub(crate) fn start(
        &mut self,
        slot: SlotState,
        running: &FirmwareVersion,
        boots: Option<u8>,
    ) -> (bool, Duty) {
        match (slot, self.phase_byte()) {
            (SlotState::OnTrial, TRIAL) => match boots {
                None => (false, Duty::OnTrial),
                Some(most) if self.boots() >= most => {
                    let reason = "not confirmed in as many starts as it had";
                    self.ended(Outcome::RolledBack, reason);
                    (true, Duty::RollBack)
                }
                Some(_) => {
                    self.set_phase(TRIAL, self.boots().saturating_add(1));
                    self.seal();
                    (true, Duty::OnTrial)
                }
            },
            (SlotState::OnTrial, CONFIRMING) => (false, Duty::Confirm),
            (SlotState::OnTrial, FAILED | ROLLED_BACK) => (false, Duty::RollBack),
            (SlotState::OnTrial, _) => {
                self.trying(0, running);
                self.set_phase(TRIAL, 1);
                self.seal();
                (true, Duty::OnTrial)
            }
            (SlotState::RolledBack, TRIAL | CONFIRMING) => {
                self.ended(Outcome::RolledBack, "given up by the bootloader");
                (true, Duty::Settled)
            }
            (_, TRIAL) => {
                self.told();
                (true, Duty::Settled)
            }
            (_, CONFIRMING) => {
                self.confirmed();
                (true, Duty::Settled)
            }
            _ => (false, Duty::Settled),
        }
    }

    /// Whether nothing is on trial, and nothing to be told.
    pub(crate) fn is_idle(&self) -> bool {
        self.phase_byte() == IDLE
    }
}

impl core::fmt::Debug for UpdateState {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("UpdateState")
            .field("floor", &self.floor())
            .field("failed", &self.failed())
            .field("phase", &self.phase())
            .finish()
    }
}
