//! `run`: day after day, until somebody says stop.

use providore_client::{CertificateStep, ConfigStep, FirmwareStep};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};

use super::Host;
use crate::{
    exit::Failure,
    notices::Notices,
    store::{CERTIFICATE, CONFIG},
};

impl Host<'_> {
    pub(super) async fn live(&mut self) -> Result<(), Failure> {
        let mut notices = Notices::listen(self.settings.notices).await?;
        let failed = |error| Failure::local("signals cannot be received", error);
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        // Whatever is under way is dropped: nothing is replaced before its successor is complete.
        tokio::select! {
            () = self.days(&mut notices) => {}
            _ = terminate.recv() => info!("stopped by SIGTERM"),
            _ = interrupt.recv() => info!("stopped by SIGINT"),
        }
        Ok(())
    }

    async fn days(&mut self, notices: &mut Notices) {
        let settings = self.settings;
        loop {
            // Before anything is asked: what was not told needs no server.
            warn_of(self.tell(CONFIG, &settings.config_path).await);
            warn_of(self.tell(CERTIFICATE, &settings.cert_path).await);
            let day = self.agent.day().await;
            // Only changes are results here; that all is current goes without saying.
            if let Some(step @ ConfigStep::Stored) = &day.config {
                warn_of(self.after_config(step).await);
            }
            match &day.certificate {
                Some(CertificateStep::KeyRevoked) => warn_of(self.certificate(false).await),
                Some(step @ CertificateStep::Stored { .. }) => {
                    warn_of(self.after_certificate(step).await);
                }
                _ => {}
            }
            if let Some(step @ (FirmwareStep::OnTrial | FirmwareStep::Refused)) = day.firmware {
                warn_of(self.after_firmware(step).await);
            }
            if let Some(waiting) = self.agent.rest_or_notice(notices).await {
                info!("the server says that something waits: {waiting}");
            }
        }
    }
}

fn warn_of(outcome: Result<(), Failure>) {
    if let Err(failure) = outcome {
        warn!("{}", failure.story());
    }
}
