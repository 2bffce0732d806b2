//! Firmware on trial: counted, tested, kept or taken back.

use providore_sign::MacKey;

use super::super::{Agent, AgentError, Event, Step};
use crate::{
    Clock as _, Error, FirmwareSlot as _, Outcome, Parts, TimeCheck, UpdatePhase, update::Duty,
};

/// What a device is to do after its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub enum Boot {
    /// Live: what runs is kept.
    Settled,
    /// Live: what runs is on trial, and the first thing that a day does is to end that.
    OnTrial,
    /// Restart now: the previous firmware runs next.
    Restart,
}

impl<K: MacKey, P: Parts> Agent<'_, K, P> {
    /// What every start begins with: counts it, if the firmware that runs is on trial, and goes on
    /// with whatever a power cut interrupted. A firmware that was started more than
    /// [`Settings::trial_boots`](crate::Settings) times without having been confirmed is rolled back.
    ///
    /// An agent that was not told of its start begins with this at its first check.
    ///
    /// # Errors
    /// [`AgentError::Storage`], [`AgentError::Slot`]. The agent can be used all the same, and tries
    /// this again.
    pub async fn start_firmware(&mut self) -> Result<Boot, AgentError> {
        self.resume_firmware().await
    }

    /// Makes record and slot fit each other.
    pub(super) async fn resume_firmware(&mut self) -> Result<Boot, AgentError> {
        if self.update.restart {
            return Ok(Boot::Restart);
        }
        if self.on_trial.is_some() {
            return Ok(Boot::OnTrial);
        }
        let known = self.update.state.is_some();
        let stored = self.read_state().await?;
        let slot = &mut self.platform.parts().slot;
        let slot = slot.state().await.map_err(AgentError::Slot)?;
        let boots = (!known).then_some(self.settings.trial_boots);
        let (state, duty) = stored.start(slot, self.device.version(), boots);
        if duty == Duty::OnTrial && self.update.trial_since_ms.is_none() {
            let now_ms = self.platform.parts().clock.uptime_ms();
            self.update.trial_since_ms = Some(now_ms);
        }
        match duty {
            Duty::RollBack => {
                self.take_back(state).await?;
                return Ok(Boot::Restart);
            }
            Duty::Confirm => {
                self.keep_state(state).await?;
                self.finish_confirming().await?;
                return Ok(Boot::Settled);
            }
            Duty::OnTrial | Duty::Settled => {}
        }
        if state == stored && !known {
            // Nothing new to be stored.
            self.update.state = Some(state);
        } else {
            self.keep_state(state).await?;
        }
        Ok(match duty {
            Duty::OnTrial => Boot::OnTrial,
            _ => Boot::Settled,
        })
    }

    /// Asks the server for a sign of life. An answer that it has signed, and the application's test,
    /// confirm the firmware; a test that fails, or too long a time without an answer, takes it back.
    ///
    /// # Errors
    /// [`AgentError`]; the trial then goes on.
    pub(in crate::agent) async fn judge_trial(&mut self) -> Result<Boot, AgentError> {
        let heard = match self.trial_left_ms() {
            Some(0) => Err(AgentError::NoServer),
            _ => self.hear_server().await,
        };
        if let Err(error) = heard {
            if self.trial_left_ms() != Some(0) {
                return Err(error);
            }
            self.end_trial("no signed answer of the server in time")
                .await?;
            return Ok(Boot::Restart);
        }
        let test = self.update.self_test.as_mut();
        if let Err(reason) = test.map_or(Ok(()), |test| test()) {
            self.end_trial(reason).await?;
            return Ok(Boot::Restart);
        }
        self.confirm_trial().await?;
        Ok(Boot::Settled)
    }

    /// Milliseconds that a trial has left, if one is under way.
    pub(in crate::agent) fn trial_left_ms(&mut self) -> Option<u64> {
        let since_ms = self.update.trial_since_ms?;
        let now_ms = self.platform.parts().clock.uptime_ms();
        let whole_ms = u64::from(self.settings.trial_s).saturating_mul(1000);
        Some(whole_ms.saturating_sub(now_ms.saturating_sub(since_ms)))
    }

    /// The firmware on trial works.
    pub(in crate::agent) async fn confirm_trial(&mut self) -> Result<(), AgentError> {
        let confirming = self.state().confirming();
        self.keep_state(confirming).await?;
        self.finish_confirming().await
    }

    /// The firmware on trial does not work.
    pub(in crate::agent) async fn end_trial(&mut self, reason: &str) -> Result<(), AgentError> {
        let ended = self.state().ended(Outcome::RolledBack, reason);
        self.take_back(ended).await
    }

    /// The slot, then the record, which raises the floor.
    async fn finish_confirming(&mut self) -> Result<(), AgentError> {
        let version = match self.state().phase() {
            UpdatePhase::Confirming(release) => Some(release.version.clone()),
            _ => None,
        };
        let slot = &mut self.platform.parts().slot;
        slot.confirm().await.map_err(AgentError::Slot)?;
        self.update.trial_since_ms = None;
        let confirmed = self.state().confirmed();
        self.keep_state(confirmed).await?;
        if let Some(version) = version {
            self.say(&Event::FirmwareConfirmed(&version));
        }
        Ok(())
    }

    /// The record, so that the reason is known, then the slot. A medium that keeps no record any more
    /// does not keep the device on bad firmware: the slot remembers by itself that it went back.
    async fn take_back(&mut self, ended: crate::UpdateState) -> Result<(), AgentError> {
        if let Err(error) = self.keep_state(ended.clone()).await {
            self.say(&Event::Failed {
                step: Step::Firmware,
                error: &error,
            });
        }
        let slot = &mut self.platform.parts().slot;
        slot.roll_back().await.map_err(AgentError::Slot)?;
        self.update.restart = true;
        self.update.trial_since_ms = None;
        self.on_trial = None;
        if let UpdatePhase::Ended {
            release, reason, ..
        } = ended.phase()
        {
            self.say(&Event::FirmwareRolledBack {
                version: &release.version,
                reason: reason.as_str(),
            });
        }
        Ok(())
    }

    /// Any answer that the server has signed, and be it that it does not know the time.
    async fn hear_server(&mut self) -> Result<(), AgentError> {
        let server = self.approach().await?;
        let heard = match self.ask(&server, TimeCheck::new()).await {
            Ok(_) | Err(AgentError::Answer(Error::Declined { .. })) => Ok(()),
            Err(error) => Err(error),
        };
        self.settle(heard).await
    }
}
