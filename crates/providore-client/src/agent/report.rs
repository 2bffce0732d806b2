//! Telling the server what became of something.

use providore_sign::MacKey;

use super::{Agent, AgentError, Event, Step, ask::Approached};
use crate::{Parts, Report};

impl<K: MacKey, P: Parts> Agent<'_, K, P> {
    /// Tells the server what became of something. Only in the `Signed` dialect.
    ///
    /// What became of firmware and of a refused configuration the agent tells by itself.
    ///
    /// # Errors
    /// [`AgentError`].
    pub async fn send_report(&mut self, report: Report) -> Result<(), AgentError> {
        let server = self.approach().await?;
        let outcome = self.ask(&server, report).await;
        self.settle(outcome).await
    }

    /// Tells it if the server may be asked right now: a report is not worth a wait.
    pub(super) async fn tell_if_free(&mut self, report: Report) {
        if self.device.session().is_none() {
            return;
        }
        if self.owed_ms > 0 {
            self.say(&Event::ReportDropped);
            return;
        }
        match self.approach().await {
            Ok(server) => self.tell(&server, report).await,
            Err(error) => self.not_told(&error),
        }
    }

    /// Tells it as well as can be; a failure costs nothing else.
    pub(super) async fn tell(&mut self, server: &Approached, report: Report) {
        if self.device.session().is_none() {
            return;
        }
        match self.ask(server, report).await {
            Ok(()) => self.say(&Event::Reported),
            Err(error) => self.not_told(&error),
        }
    }

    pub(super) fn not_told(&mut self, error: &AgentError) {
        self.say(&Event::Failed {
            step: Step::Report,
            error,
        });
    }
}
