//! Challenges: made once a second, handed out with every answer.

use providore_wire::{Timestamp, signed::Challenge};

use super::Server;
use crate::{Moment, StoreError};

/// The challenge of this second.
#[derive(Debug, Default)]
pub(super) struct Latest(Option<(Timestamp, Challenge)>);

impl<S> Server<S> {
    /// A challenge to hand out. Who gets it does not matter: nonces tell requests over the same one
    /// apart.
    pub(super) async fn challenge(&self, moment: &Moment) -> Result<Challenge, StoreError> {
        let mut latest = self.latest_challenge.lock().await;
        if let Some((at, challenge)) = &latest.0
            && *at == moment.now
        {
            return Ok(challenge.clone());
        }
        let challenges = self.freshness.challenges();
        let challenge = challenges.issue(moment.now, moment.for_challenge());
        let challenge = challenge.map_err(|error| StoreError::new("make a challenge", error))?;
        latest.0 = Some((moment.now, challenge.clone()));
        Ok(challenge)
    }
}
