//! `run`: day after day, until somebody says stop.

use providore_client::{CertificateStep, ConfigStep, FirmwareStep};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};

use super::Host;
use crate::exit::Failure;

impl Host<'_> {
    pub(super) async fn live(&mut self) -> Result<(), Failure> {
        let failed = |error| Failure::local("signals cannot be received", error);
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        // Whatever is under way is dropped: nothing is replaced before its successor is complete.
        tokio::select! {
            () = self.days() => {}
            _ = terminate.recv() => info!("stopped by SIGTERM"),
            _ = interrupt.recv() => info!("stopped by SIGINT"),
        }
        Ok(())
    }

    async fn days(&mut self) {
        loop {
            let day = self.agent.day().await;
            // Only changes are results here; that all is current goes without saying.
            if let Some(step @ ConfigStep::Stored) = &day.config {
                warn_of(self.after_config(step).await);
            }
            if let Some(step @ CertificateStep::Stored { .. }) = &day.certificate {
                warn_of(self.after_certificate(step).await);
            }
            if let Some(step @ (FirmwareStep::OnTrial(_) | FirmwareStep::Refused(_))) =
                &day.firmware
            {
                warn_of(self.after_firmware(step).await);
            }
            self.agent.rest().await;
        }
    }
}

fn warn_of(outcome: Result<(), Failure>) {
    if let Err(failure) = outcome {
        warn!("{}", failure.story());
    }
}
