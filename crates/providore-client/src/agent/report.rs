//! Telling the server what became of something.

use providore_sign::MacKey;

use super::{
    Agent, AgentError, Event, Step,
    ask::{Approached, Line, Pending},
};
use crate::{BodyFault, Error, Parts, Report, WrittenReport};

impl<K: MacKey, P: Parts> Agent<'_, K, P> {
    /// Tells the server what became of something. Only in the `Signed` dialect.
    ///
    /// What became of firmware and of a refused configuration the agent tells by itself. A report
    /// takes up to half of the document buffer; of a longer one the reason is cut.
    ///
    /// # Errors
    /// [`AgentError`].
    pub async fn send_report(&mut self, report: Report<'_>) -> Result<(), AgentError> {
        let server = self.approach().await?;
        let written = self.write_report(&report);
        let outcome = self.post(&server, written).await;
        self.settle(outcome).await
    }

    #[cfg(any(feature = "config-trial", feature = "server-trusted-firmware"))]
    /// Tells it if the server may be asked right now: a report is not worth a wait.
    pub(super) async fn tell_if_free(&mut self, report: Report<'_>) {
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
    pub(super) fn tell(
        &mut self,
        server: &Approached,
        report: Report<'_>,
    ) -> impl Future<Output = ()> {
        let written = self.write_report(&report);
        self.tell_written(server, written)
    }

    pub(super) async fn tell_written(&mut self, server: &Approached, written: Option<usize>) {
        if self.device.session().is_none() {
            return;
        }
        match self.post(server, written).await {
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

    pub(super) fn write_report(&mut self, report: &Report<'_>) -> Option<usize> {
        report.write_json(first_half(self.buffers.document))
    }

    /// Sends what was written to the beginning of the document buffer; the answer goes behind it.
    pub(super) async fn post(
        &mut self,
        _: &Approached,
        written: Option<usize>,
    ) -> Result<(), AgentError> {
        let limit = self.buffers.document.len() as u64;
        let parts = written.and_then(|end| self.buffers.document.split_at_mut_checked(end));
        let (json, document) = parts.ok_or(Error::Body(BodyFault::too_long(limit)))?;
        let line = Line {
            device: &mut self.device,
            platform: &mut self.platform,
        };
        let mut pending = Pending::of(WrittenReport::of(json));
        line.ask(&mut pending, self.buffers.chunk, document).await?;
        pending.into_outcome()
    }
}

/// The room for a report.
pub(super) fn first_half(document: &mut [u8]) -> &mut [u8] {
    let half = document.len().div_euclid(2);
    document.get_mut(..half).unwrap_or_default()
}
