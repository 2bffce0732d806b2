//! Another configuration, on trial until the device has reached its server with it.
//!
//! ```text
//! another one comes ─▶ store NextConfig ─▶ ConfigTrial: tried ─▶ applied ─┬─▶ the server answers ─▶ ConfigTrial: kept ─▶ store Config ─┐
//!                                                                        └─▶ it does not ───────▶ ConfigTrial: failed ──────────────┴─▶ remove NextConfig
//! ```
//!
//! [`Record::Config`] is the last known good one at any time. One write of [`Record::ConfigTrial`]
//! decides; what follows from it is done again after a power cut.

mod record;

use providore_sign::MacKey;
use sha2::{Digest as _, Sha256};

use self::record::{Phase, Trial};
use super::{Agent, AgentError, ConfigStep, Event, Step, ask::Approached};
use crate::{
    Clock as _, Config, Error, Outcome, Parts, Record, Report, Storage, StoreError, Subject,
    TimeCheck,
};

/// How long another configuration has to show that the device reaches its server with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "settings are written as literals"
)]
pub struct ConfigTrial {
    /// The trial is lost after so many questions in a row that nobody answered, at least one, …
    pub attempts: u32,
    /// … but not before so many seconds: a server that is being restarted is no fault of the
    /// configuration.
    pub seconds: u32,
    /// It is lost as well if the device starts for the so manieth time without an answer and once
    /// more: the configuration may be what makes it crash.
    pub starts: u8,
}

impl ConfigTrial {
    /// 5 attempts and 10 minutes, or 3 starts.
    pub const DEFAULT: Self = Self {
        attempts: 5,
        seconds: 600,
        starts: 3,
    };
}

impl Default for ConfigTrial {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Which configuration is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub enum ConfigUse {
    /// None: none is stored.
    None,
    /// The one that was in use before.
    Kept,
    /// Another one: the server was reached with it.
    Confirmed,
    /// The one that was in use before, if any, after another one failed. The server is told at the
    /// next [`Agent::check_config`].
    RolledBack,
}

/// The application's hook: an empty configuration means that there is none.
type Apply<'a> = &'a mut dyn FnMut(&[u8]) -> Result<(), &'static str>;

impl<K: MacKey, P: Parts> Agent<'_, K, P> {
    /// Hands the stored configuration to the application: at each start, and after
    /// [`ConfigStep::OnTrial`].
    ///
    /// With [`Settings::config_trial`](super::Settings::config_trial), one that is new is handed over
    /// first, and then the server is asked until it answers, or until the trial is lost. If it is, or
    /// if `apply` refuses it, the one before is handed over (an empty one, if there was none), and
    /// the new one is not tried again until the server has had another one in between.
    ///
    /// # Errors
    /// [`AgentError::Storage`] if the stored configuration cannot be read. A new one that cannot be
    /// tried for such a reason is tried later.
    pub async fn use_config(&mut self, apply: Apply<'_>) -> Result<ConfigUse, AgentError> {
        let tried = match self.try_next(apply).await {
            Ok(tried) => tried,
            Err(error) => {
                self.say(&Event::Failed {
                    step: Step::Config,
                    error: &error,
                });
                None
            }
        };
        match tried {
            Some(true) => {
                let report = Report::new(Subject::Config, Outcome::Applied, None, "");
                self.tell_if_free(report).await;
                Ok(ConfigUse::Confirmed)
            }
            Some(false) => {
                self.use_last_good(apply).await?;
                Ok(ConfigUse::RolledBack)
            }
            None if self.use_last_good(apply).await? => Ok(ConfigUse::Kept),
            None => Ok(ConfigUse::None),
        }
    }

    /// Tries the next configuration, if there is one that is worth it; whether it is good.
    async fn try_next(&mut self, apply: Apply<'_>) -> Result<Option<bool>, AgentError> {
        // Firmware on trial has to be judged first, and may have a configuration of its own.
        let limits = self.settings.config_trial;
        let Some(limits) = limits.filter(|_| self.trial_left_ms().is_none()) else {
            return Ok(None);
        };
        let storage = &mut self.platform.parts().storage;
        let mut trial = Trial::load(storage).await.map_err(AgentError::Storage)?;
        let next = storage.load(Record::NextConfig, self.buffers.document);
        let Some(next) = next.await.map_err(AgentError::Storage)? else {
            return Ok(None);
        };
        let digest = digest_of(next);
        // The power failed when this had been decided.
        if trial.kept == digest {
            self.keep_next().await?;
            return Ok(None);
        }
        if trial.has_failed(&digest) {
            self.forget_next_config().await?;
            return Ok(None);
        }
        if !trial.begin(digest, limits.starts) {
            let why = "the device was restarted again and again";
            self.reject_next(trial, Phase::RolledBack, why).await?;
            return Ok(Some(false));
        }
        // Before it is applied: it may be what makes the device crash.
        trial.store(storage).await.map_err(AgentError::Storage)?;
        if let Err(why) = apply(next) {
            self.reject_next(trial, Phase::Failed, why).await?;
            return Ok(Some(false));
        }
        if !self.is_server_reached(limits).await {
            let why = "the server was not reached with it";
            self.reject_next(trial, Phase::RolledBack, why).await?;
            return Ok(Some(false));
        }
        trial.keep(digest);
        let storage = &mut self.platform.parts().storage;
        trial.store(storage).await.map_err(AgentError::Storage)?;
        self.say(&Event::ConfigConfirmed);
        self.keep_next().await?;
        Ok(Some(true))
    }

    /// Hands the last known good configuration over; whether there is one.
    async fn use_last_good(&mut self, apply: Apply<'_>) -> Result<bool, AgentError> {
        let storage = &mut self.platform.parts().storage;
        let stored = storage.load(Record::Config, self.buffers.document);
        let stored = stored.await.map_err(AgentError::Storage)?;
        let config = stored.unwrap_or_default();
        let applied = apply(config);
        if self.settings.config_trial.is_some() {
            let digest = stored.map_or(record::NONE, digest_of);
            let known = know_kept(storage, digest).await;
            known.map_err(AgentError::Storage)?;
        }
        let is_there = stored.is_some();
        if let Err(reason) = applied {
            self.say(&Event::ConfigRefused { reason });
        }
        Ok(is_there)
    }

    /// Asks until somebody with the key answers, be it with "no".
    async fn is_server_reached(&mut self, limits: ConfigTrial) -> bool {
        let began_ms = self.platform.parts().clock.uptime_ms();
        let mut attempts = 0_u32;
        loop {
            let outcome = self.reach_server().await;
            let error = match self.settle(outcome).await {
                Ok(()) | Err(AgentError::Answer(Error::Declined { .. })) => return true,
                Err(error) => error,
            };
            self.say(&Event::Failed {
                step: Step::Config,
                error: &error,
            });
            attempts = attempts.saturating_add(1);
            let now_ms = self.platform.parts().clock.uptime_ms();
            let passed_ms = now_ms.saturating_sub(began_ms);
            let is_over = passed_ms >= u64::from(limits.seconds).saturating_mul(1000);
            if is_over && attempts >= limits.attempts {
                return false;
            }
        }
    }

    async fn reach_server(&mut self) -> Result<(), AgentError> {
        let server = self.approach().await?;
        if self.device.session().is_some() {
            self.ask(&server, TimeCheck::new()).await?;
        } else {
            // Whatever it is: it is signed.
            let _ = self
                .ask(&server, Config::new().with_check(|_| true))
                .await?;
        }
        Ok(())
    }

    /// The next configuration takes the place of the last known good one.
    async fn keep_next(&mut self) -> Result<(), AgentError> {
        let storage = &mut self.platform.parts().storage;
        let next = storage.load(Record::NextConfig, self.buffers.document);
        if let Some(next) = next.await.map_err(AgentError::Storage)? {
            let stored = storage.store(Record::Config, next).await;
            stored.map_err(AgentError::Storage)?;
        }
        self.forget_next_config().await
    }

    async fn reject_next(
        &mut self,
        mut trial: Trial,
        phase: Phase,
        reason: &'static str,
    ) -> Result<(), AgentError> {
        trial.reject(phase, reason);
        let storage = &mut self.platform.parts().storage;
        trial.store(storage).await.map_err(AgentError::Storage)?;
        self.say(&Event::ConfigRolledBack { reason });
        self.forget_next_config().await
    }

    async fn forget_next_config(&mut self) -> Result<(), AgentError> {
        // It is not the tag of the one that is in use.
        self.tag = None;
        let storage = &mut self.platform.parts().storage;
        let removed = storage.remove(Record::NextConfig).await;
        removed.map_err(AgentError::Storage)
    }

    /// Tells the server of a configuration that failed, once; if it cannot be told, later.
    pub(super) async fn tell_config_failure_or_say(&mut self, server: &Approached) {
        if let Err(error) = self.tell_config_failure(server).await {
            self.not_told(&error);
        }
    }

    async fn tell_config_failure(&mut self, server: &Approached) -> Result<(), AgentError> {
        if self.settings.config_trial.is_none() {
            return Ok(());
        }
        let storage = &mut self.platform.parts().storage;
        let mut trial = Trial::load(storage).await.map_err(AgentError::Storage)?;
        let Some(outcome) = trial.untold() else {
            return Ok(());
        };
        let report = Report::new(Subject::Config, outcome, None, trial.reason.as_str());
        if self.device.session().is_some() {
            let written = self.write_report(&report);
            match self.post(server, written).await {
                Ok(()) => self.say(&Event::Reported),
                // The server has been told, and has no use for it.
                Err(AgentError::Answer(Error::Declined { .. })) => {}
                Err(error) => return Err(error),
            }
        }
        trial.told = true;
        let storage = &mut self.platform.parts().storage;
        trial.store(storage).await.map_err(AgentError::Storage)
    }
}

/// Takes the configuration that the server has now.
pub(super) async fn offer<S: Storage>(
    storage: &mut S,
    config: &[u8],
) -> Result<ConfigStep, StoreError> {
    let digest = digest_of(config);
    let mut trial = Trial::load(storage).await?;
    if trial.kept == digest {
        if trial.forgive() {
            trial.store(storage).await?;
        }
        // The server has thought better of the one that waits. Nothing is longer than no buffer.
        let waiting = storage.load(Record::NextConfig, &mut []).await;
        if !matches!(waiting, Ok(None)) {
            storage.remove(Record::NextConfig).await?;
        }
        return Ok(ConfigStep::Kept);
    }
    if trial.has_failed(&digest) {
        return Ok(ConfigStep::Skipped);
    }
    storage.store(Record::NextConfig, config).await?;
    Ok(ConfigStep::OnTrial)
}

/// Notes which configuration is the last known good one, if that is not known.
async fn know_kept<S: Storage>(storage: &mut S, digest: [u8; 32]) -> Result<(), StoreError> {
    let mut trial = Trial::load(storage).await?;
    if trial.kept == digest {
        return Ok(());
    }
    trial.kept = digest;
    trial.store(storage).await
}

fn digest_of(config: &[u8]) -> [u8; 32] {
    Sha256::digest(config).into()
}
