//! The configuration of the day.

use providore_sign::MacKey;
use providore_wire::Text;

use super::{
    Agent, AgentError, Event,
    ask::{Approached, Line, Pending},
};
use crate::{
    BodyFault, Config, ConfigOutcome, Error, Outcome, Parts, Record, Report, Storage as _, Subject,
};

/// What became of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigStep {
    /// The stored one is right.
    Kept,
    /// Another one has been stored.
    Stored,
    /// Another one has been stored, to be tried: call [`Agent::use_config`].
    OnTrial,
    /// The server has one that failed on this device; the stored one stays.
    Skipped,
}

impl<K: MacKey, P: Parts> Agent<'_, K, P> {
    /// Asks for the configuration once, and stores it under [`Record::Config`] if it is another.
    ///
    /// The first question of an agent is unconditional, later ones name the tag of the answer
    /// before: since the `Original` dialect does not sign the tag, it is not remembered beyond a
    /// restart. In the `Signed` dialect the server is told when the application's check refused one, and when
    /// one is longer than this device can hold.
    ///
    /// # Errors
    /// [`AgentError`]; what is stored stays.
    pub async fn check_config(&mut self) -> Result<ConfigStep, AgentError> {
        let server = self.approach().await?;
        #[cfg(feature = "config-trial")]
        self.tell_config_failure_or_say(&server).await;
        let mut outcome = self.fetch_config(&server).await;
        // A proxy that drops `if-none-match` makes the signature wrong, and so would a wrong secret: it
        // costs one more question to tell them apart.
        if let Err(AgentError::Answer(error)) = &outcome
            && error.is_unauthorized()
            && self.tag.take().is_some()
        {
            outcome = self.fetch_config(&server).await;
        }
        if let Err(AgentError::Answer(Error::Body(fault))) = &outcome
            && let Some(reason) = reason(*fault)
        {
            let report = Report::new(Subject::Config, Outcome::Failed, None, reason.as_str());
            self.tell(&server, report).await;
        }
        self.settle(outcome).await
    }

    async fn fetch_config(&mut self, _: &Approached) -> Result<ConfigStep, AgentError> {
        let mut operation = Config::new();
        if let Some(tag) = &self.tag {
            operation = operation.unless(tag);
        }
        if let Some(check) = self.settings.config_check {
            operation = operation.with_check(check);
        }
        let line = Line {
            device: &mut self.device,
            platform: &mut self.platform,
        };
        let (chunk, document) = (&mut *self.buffers.chunk, &mut *self.buffers.document);
        let mut pending = Pending::of(operation);
        line.ask(&mut pending, chunk, document).await?;
        let ConfigOutcome::Current(config) = pending.outcome()? else {
            self.say(&Event::ConfigKept);
            return Ok(ConfigStep::Kept);
        };
        let storage = &mut self.platform.parts().storage;
        #[cfg(feature = "config-trial")]
        if self.settings.config_trial.is_some() {
            let step = super::config_trial::offer(storage, config.bytes()).await;
            let step = step.map_err(AgentError::Storage)?;
            // Only what is in use, or about to be, may be named as "what we have".
            let tag = config.tag().filter(|_| step != ConfigStep::Skipped);
            let (length, tag) = (config.bytes().len(), tag.cloned());
            self.tag = tag;
            return Ok(self.follow(step, length));
        }
        // A stored configuration that cannot be read, or is longer, is not the same.
        let stored = storage.load(Record::Config, chunk).await;
        let bytes = config.bytes();
        let kept = matches!(stored, Ok(Some(stored)) if stored == bytes);
        let length = bytes.len();
        if !kept {
            let stored = storage.store(Record::Config, bytes).await;
            stored.map_err(AgentError::Storage)?;
        }
        let step = if kept {
            ConfigStep::Kept
        } else {
            ConfigStep::Stored
        };
        self.tag = config.tag().cloned();
        Ok(self.follow(step, length))
    }

    /// Tells what became of the configuration that the server has.
    fn follow(&mut self, step: ConfigStep, length: usize) -> ConfigStep {
        self.say(&match step {
            ConfigStep::Kept => Event::ConfigKept,
            ConfigStep::Skipped => Event::ConfigSkipped,
            ConfigStep::Stored | ConfigStep::OnTrial => Event::ConfigStored { length },
        });
        step
    }
}

/// Why a configuration of the server is of no use here, for its operator. Whatever else is wrong with a
/// body may have been done to it on the way.
fn reason(fault: BodyFault) -> Option<Text<64>> {
    let mut text = Text::new();
    let written = match fault {
        BodyFault::CheckedOut => text.push_str("refused by the application's check"),
        BodyFault::TooLong { limit } => text
            .push_str("longer than this device can hold: ")
            .and_then(|()| text.push_number(limit.into()))
            .and_then(|()| text.push_str(" bytes")),
        _ => return None,
    };
    written.is_ok().then_some(text)
}
