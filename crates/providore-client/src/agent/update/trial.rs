//! Firmware on trial: counted, tested, kept or taken back.

use providore_sign::MacKey;
use providore_wire::FirmwareVersion;

use super::super::{Agent, AgentError, Event, Step};
use crate::{
    Clock as _, Error, FirmwareSlot as _, Outcome, Parts, SlotState, TimeCheck, update::Duty,
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
        if self.on_trial {
            return Ok(Boot::OnTrial);
        }
        if !self.update.is_known {
            self.read_state().await?;
        }
        let slot = &mut self.platform.parts().slot;
        let slot = slot.state().await.map_err(AgentError::Slot)?;
        match self.duty(slot) {
            Duty::RollBack => {
                self.take_back().await?;
                Ok(Boot::Restart)
            }
            Duty::Confirm => {
                self.finish_confirming().await?;
                Ok(Boot::Settled)
            }
            Duty::OnTrial => self.keep_state().await.map(|()| Boot::OnTrial),
            Duty::Settled => self.keep_state().await.map(|()| Boot::Settled),
        }
    }

    /// What is to be done next; counts this start, once.
    fn duty(&mut self, slot: SlotState) -> Duty {
        let update = &mut self.update;
        // What runs counts as installed unless it is on trial: a release that goes back must not keep
        // the ones between from being installed.
        if slot != SlotState::OnTrial && update.state.is_idle() {
            update.state.raise(update.installed);
        }
        let at_start = !core::mem::replace(&mut update.is_known, true);
        let boots = at_start.then_some(self.settings.trial_boots);
        let running = self.device.version();
        let (is_changed, duty) = update.state.start(slot, running, boots);
        update.is_changed |= is_changed;
        if duty == Duty::OnTrial && update.trial_since_ms.is_none() {
            update.trial_since_ms = Some(self.platform.parts().clock.uptime_ms());
        }
        duty
    }

    /// Asks the server for a sign of life. An answer that it has signed, and the application's test,
    /// confirm the firmware; a test that fails, or too long a time without an answer, takes it back.
    /// It is decided here, and done by [`Self::resume_firmware`].
    ///
    /// # Errors
    /// [`AgentError`]; the trial then goes on.
    pub(super) async fn judge_trial(&mut self) -> Result<(), AgentError> {
        let heard = match self.trial_left_ms() {
            Some(0) => false,
            _ => match self.hear_server().await {
                Ok(()) => true,
                Err(error) if self.trial_left_ms() != Some(0) => return Err(error),
                Err(_) => false,
            },
        };
        let verdict = match &mut self.update.self_test {
            _ if !heard => Err("no signed answer of the server in time"),
            Some(test) => test(),
            None => Ok(()),
        };
        let state = self.update.change();
        match verdict {
            Ok(()) => state.confirming(),
            Err(reason) => state.ended(Outcome::RolledBack, reason),
        }
        Ok(())
    }

    /// Milliseconds that a trial has left, if one is under way.
    pub(in crate::agent) fn trial_left_ms(&mut self) -> Option<u64> {
        let since_ms = self.update.trial_since_ms?;
        let now_ms = self.platform.parts().clock.uptime_ms();
        let whole_ms = u64::from(self.settings.trial_s).saturating_mul(1000);
        Some(whole_ms.saturating_sub(now_ms.saturating_sub(since_ms)))
    }

    /// The record, then the slot, then the record again, which raises the floor.
    async fn finish_confirming(&mut self) -> Result<(), AgentError> {
        self.keep_state().await?;
        let slot = &mut self.platform.parts().slot;
        slot.confirm().await.map_err(AgentError::Slot)?;
        self.update.trial_since_ms = None;
        self.update.change().confirmed();
        self.keep_state().await?;
        self.say_ended();
        Ok(())
    }

    /// The record, so that the reason is known, then the slot. A medium that keeps no record any more
    /// does not keep the device on bad firmware: the slot remembers by itself that it went back.
    async fn take_back(&mut self) -> Result<(), AgentError> {
        if let Err(error) = self.keep_state().await {
            self.say(&Event::Failed {
                step: Step::Firmware,
                error: &error,
            });
        }
        let slot = &mut self.platform.parts().slot;
        slot.roll_back().await.map_err(AgentError::Slot)?;
        self.update.restart = true;
        self.update.trial_since_ms = None;
        self.on_trial = false;
        self.say_ended();
        Ok(())
    }

    /// Says what became of the release that was on trial.
    #[inline(never)] // Its frame is not to last as long as the writing.
    fn say_ended(&mut self) {
        let state = &self.update.state;
        let version = FirmwareVersion::parse(state.version().as_bytes());
        let (Some(report), Ok(version)) = (&mut self.report, &version) else {
            return;
        };
        match state.outcome() {
            Some(Outcome::Applied) => report(&Event::FirmwareConfirmed(version)),
            Some(_) => report(&Event::FirmwareRolledBack {
                version,
                reason: state.reason(),
            }),
            None => {}
        }
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
