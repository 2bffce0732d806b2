//! The firmware of the day.

use providore_sign::MacKey;
use providore_wire::FirmwareVersion;

use super::{
    Agent, AgentError, Event,
    ask::{Approached, Repetitions, drain, moment},
};
use crate::{
    Clock as _, Exchange, FirmwareCheck, FirmwareDownload, FirmwareOutcome, FirmwareSlot as _,
    Locator as _, Outcome, Parts, Record, Report, Storage as _, Subject, Transport as _,
    VerifiedImage,
};

/// What became of the firmware.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FirmwareStep {
    /// Nothing else waits.
    UpToDate,
    /// This version waits and was refused before; it is not tried again.
    Skipped(FirmwareVersion),
    /// This version has been written and runs after the next restart, on trial: restart, then
    /// call [`Agent::confirm_firmware`] or [`Agent::reject_firmware`]. Until then nothing else is
    /// installed.
    OnTrial(FirmwareVersion),
    /// This version waits, and is nothing that this device may install. The server was told.
    #[cfg(feature = "update")]
    Refused(FirmwareVersion),
    /// The firmware on trial did not work, and the slot went back: restart now.
    #[cfg(feature = "update")]
    Restart,
}

impl<K: MacKey, P: Parts> Agent<'_, K, P> {
    /// Asks once whether firmware waits; if so downloads, checks and commits it.
    ///
    /// # Errors
    /// [`AgentError`]; the image that runs stays.
    pub async fn check_firmware(&mut self) -> Result<FirmwareStep, AgentError> {
        if let Some(version) = &self.on_trial {
            return Ok(FirmwareStep::OnTrial(version.clone()));
        }
        #[cfg(feature = "update")]
        if self.has_authors() {
            return self.update_firmware().await;
        }
        let server = self.approach().await?;
        let outcome = self.follow_offer(&server).await;
        self.settle(outcome).await
    }

    /// The firmware on trial works: it stays. In the `Signed` dialect the server is told, unless it
    /// is not to be asked now.
    ///
    /// # Errors
    /// [`AgentError::Slot`]; the trial then goes on.
    pub async fn confirm_firmware(&mut self) -> Result<(), AgentError> {
        #[cfg(feature = "update")]
        if self.has_authors() {
            return self.confirm_update().await;
        }
        let slot = &mut self.platform.parts().slot;
        slot.confirm().await.map_err(AgentError::Slot)?;
        if let Some(version) = self.on_trial.take() {
            self.device.set_version(version);
        }
        let version = Some(self.device.version());
        let report = Report::new(Subject::Firmware, Outcome::Applied, version, "");
        self.tell_if_free(report).await;
        Ok(())
    }

    /// The firmware on trial does not work: the previous one runs next, and this version is not
    /// installed again. The server is told as by [`confirm_firmware`](Self::confirm_firmware).
    ///
    /// # Errors
    /// [`AgentError::Storage`] or [`AgentError::Slot`]; the trial then goes on.
    pub async fn reject_firmware(&mut self) -> Result<(), AgentError> {
        #[cfg(feature = "update")]
        if self.has_authors() {
            return self.reject_update("refused by the application").await;
        }
        // After a restart the agent knows it only as what runs.
        let version = self.on_trial.as_ref().unwrap_or(self.device.version());
        let parts = self.platform.parts();
        // First the record: rolled back without it, the device would install the same again.
        let record = version.as_str().as_bytes();
        let stored = parts.storage.store(Record::RefusedFirmware, record).await;
        stored.map_err(AgentError::Storage)?;
        parts.slot.roll_back().await.map_err(AgentError::Slot)?;
        let report = Report::new(Subject::Firmware, Outcome::RolledBack, Some(version), "");
        self.on_trial = None;
        self.tell_if_free(report).await;
        Ok(())
    }

    async fn follow_offer(&mut self, server: &Approached) -> Result<FirmwareStep, AgentError> {
        let running = self.device.version().clone();
        // Without authors a manifest says nothing that the server could not have said itself.
        let version = match self.ask(server, FirmwareCheck::new()).await? {
            FirmwareOutcome::Offered(version) | FirmwareOutcome::Described { version, .. }
                if version != running =>
            {
                version
            }
            _ => {
                self.say(&Event::FirmwareUpToDate);
                return Ok(FirmwareStep::UpToDate);
            }
        };
        if self.was_refused(&version).await? {
            self.say(&Event::FirmwareSkipped(&version));
            return Ok(FirmwareStep::Skipped(version));
        }
        self.say(&Event::FirmwareOffered(&version));
        let written = self.download(server, &version).await;
        let slot = &mut self.platform.parts().slot;
        let image = match written {
            Ok(image) => image,
            Err(error) => {
                // The first error is the one to tell; what is left over, `begin` clears.
                let _ = slot.abort().await;
                return Err(error);
            }
        };
        slot.commit(image).await.map_err(AgentError::Slot)?;
        self.on_trial = Some(version.clone());
        self.say(&Event::FirmwareCommitted(&version));
        Ok(FirmwareStep::OnTrial(version))
    }

    async fn was_refused(&mut self, version: &FirmwareVersion) -> Result<bool, AgentError> {
        let storage = &mut self.platform.parts().storage;
        let mut buffer = [0; FirmwareVersion::MAX_LEN];
        let record = storage.load(Record::RefusedFirmware, &mut buffer).await;
        let record = record.map_err(AgentError::Storage)?;
        Ok(record == Some(version.as_str().as_bytes()))
    }

    async fn download(
        &mut self,
        _: &Approached,
        version: &FirmwareVersion,
    ) -> Result<VerifiedImage, AgentError> {
        let parts = self.platform.parts();
        let device = &mut self.device;
        let mut operation = FirmwareDownload::new(version.clone(), self.settings.image);
        let mut repetitions = Repetitions::of(device);
        loop {
            let memory = &mut *self.buffers.chunk;
            let exchange = Exchange::ask(operation, device, moment::<P>(parts), memory)?;
            let server = parts.locator.current().ok_or(AgentError::NoServer)?;
            let mut answer = parts.transport.send(server, &exchange.request()).await?;
            let clock = parts.clock.now();
            let opened = match exchange.open(device, &answer.head, clock) {
                Err(error) if repetitions.allow(&error) => {
                    operation = exchange.into_operation();
                    continue;
                }
                opened => opened?,
            };
            let mut receiving = opened.into_image(exchange.into_operation())?;
            parts
                .slot
                .begin(version, 0)
                .await
                .map_err(AgentError::Slot)?;
            let mut written = 0_u64;
            drain(&mut answer.body, self.buffers.chunk, async |part| {
                let part = receiving.chunk(part)?;
                parts.slot.write(part).await.map_err(AgentError::Slot)?;
                written = written.saturating_add(part.len() as u64);
                if let Some(report) = &mut self.report {
                    report(&Event::FirmwareProgress { written });
                }
                Ok(())
            })
            .await?;
            return Ok(receiving.finish()?);
        }
    }
}
