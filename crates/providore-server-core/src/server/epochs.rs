//! What the server remembers of requests, for as long as its clock goes forward.
//!
//! A clock that is set back is handled as a restart is: the nonces that are remembered by the later
//! time, and those that were forgotten by it, mean nothing any more. So a new epoch begins, with an
//! empty memory and another key for challenges. Requests by the clock count in it only if they were
//! made after everything that the epoch before can have accepted; until then devices are served over
//! challenges. `docs/MODEL.md` has the rule as `SetBackIsRestart`.

use alloc::sync::Arc;

use async_lock::Mutex;
use providore_sign::{
    BoundedReplayGuard, KeyError, ReplayLimits,
    signed::{ChallengeKey, RequestPolicy},
};
use providore_wire::{Timestamp, signed::Challenge};

use super::Server;
use crate::{Event, Moment, StoreError};

/// How far the times of requests that are handled at once may be apart, in seconds. Within this the
/// replay guard alone sees to it that what was forgotten is not new.
const TOLERANCE_S: i64 = 5;

/// A time in which the clock was not set back.
pub(super) struct Epoch {
    pub(super) policy: RequestPolicy,
    pub(super) guard: Mutex<BoundedReplayGuard>,
}

/// The epoch of now.
pub(super) struct Current {
    epoch: Arc<Epoch>,
    /// The latest time of a request in this epoch.
    seen: Timestamp,
    /// From when on requests by the clock count: no earlier than any time seen before.
    started: Timestamp,
    /// The challenge of this second.
    challenge: Option<(Timestamp, Challenge)>,
}

impl Current {
    /// The first epoch. `started` may be later than the clock shows.
    pub(super) fn new(challenges: ChallengeKey, started: Timestamp, limits: ReplayLimits) -> Self {
        Self {
            epoch: Arc::new(Epoch {
                policy: RequestPolicy::new(challenges, started),
                guard: Mutex::new(BoundedReplayGuard::new(limits)),
            }),
            seen: Timestamp::MIN,
            started,
            challenge: None,
        }
    }

    /// Takes note of the time. Returns by how many seconds the clock was set back, if it was: then a
    /// new epoch has begun.
    fn note(&mut self, now: Timestamp, limits: ReplayLimits) -> Result<Option<i64>, KeyError> {
        let back_s = self.seen.seconds_since(now);
        if back_s <= TOLERANCE_S {
            self.seen = self.seen.max(now);
            return Ok(None);
        }
        let started = self.started.max(self.seen);
        let challenges = self.epoch.policy.challenges().next()?;
        *self = Self::new(challenges, started, limits);
        self.seen = now;
        Ok(Some(back_s))
    }
}

impl<S> Server<S> {
    /// The epoch for a request that comes now.
    pub(super) async fn epoch(&self, now: Timestamp) -> Result<Arc<Epoch>, StoreError> {
        let mut current = self.epoch.lock().await;
        let noted = current.note(now, self.settings.replay);
        let noted = noted.map_err(|error| StoreError::new("make a challenge key", error))?;
        if let Some(by_s) = noted {
            self.audit.record(&Event::ClockSetBack { by_s });
        }
        Ok(Arc::clone(&current.epoch))
    }

    /// The epoch that there is.
    pub(super) async fn current_epoch(&self) -> Arc<Epoch> {
        Arc::clone(&self.epoch.lock().await.epoch)
    }

    /// A challenge to hand out. Who gets it does not matter: nonces tell requests over the same one
    /// apart.
    pub(super) async fn challenge(&self, moment: &Moment) -> Result<Challenge, StoreError> {
        let mut current = self.epoch.lock().await;
        // A request that began before the clock was set back ends in this epoch.
        let now = moment.now.min(current.seen);
        if let Some((at, challenge)) = &current.challenge
            && *at == now
        {
            return Ok(challenge.clone());
        }
        let challenges = current.epoch.policy.challenges();
        let challenge = challenges.issue(now, moment.for_challenge());
        let challenge = challenge.map_err(|error| StoreError::new("make a challenge", error))?;
        current.challenge = Some((now, challenge.clone()));
        Ok(challenge)
    }
}
