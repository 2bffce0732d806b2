//! Firmware of an agent without authors: what the server has signed is installed.

use providore_sign::MacKey;
use providore_wire::FirmwareVersion;

use super::super::{
    Agent, AgentError, Event, FirmwareStep,
    ask::{Approached, Repetitions, moment},
};
use crate::{
    Body, Clock as _, Exchange, FirmwareCheck, FirmwareDownload, FirmwareOutcome,
    FirmwareSlot as _, Head, Locator as _, Outcome, Parts, Record, Report, Storage as _, Subject,
    Transport as _, VerifiedImage,
};

impl<K: MacKey, P: Parts> Agent<'_, K, P> {
    pub(super) async fn take_offer(&mut self) -> Result<FirmwareStep, AgentError> {
        let server = self.approach().await?;
        let outcome = self.follow_offer(&server).await;
        self.settle(outcome).await
    }

    pub(super) async fn confirm_offer(&mut self) -> Result<(), AgentError> {
        let slot = &mut self.platform.parts().slot;
        slot.confirm().await.map_err(AgentError::Slot)?;
        let committed = core::mem::take(&mut self.on_trial);
        if committed && let Some(version) = self.offered.take() {
            self.device.set_version(version);
        }
        let version = self.device.version().clone();
        let report = Report::new(Subject::Firmware, Outcome::Applied, Some(&version), "");
        self.tell_if_free(report).await;
        Ok(())
    }

    pub(super) async fn reject_offer(&mut self) -> Result<(), AgentError> {
        // After a restart the agent knows it only as what runs.
        let version = self.offered.as_ref().filter(|_| self.on_trial);
        let version = version.unwrap_or(self.device.version()).clone();
        let parts = self.platform.parts();
        // First the record: rolled back without it, the device would install the same again.
        let record = version.as_str().as_bytes();
        let stored = parts.storage.store(Record::RefusedFirmware, record).await;
        stored.map_err(AgentError::Storage)?;
        parts.slot.roll_back().await.map_err(AgentError::Slot)?;
        self.on_trial = false;
        let report = Report::new(Subject::Firmware, Outcome::RolledBack, Some(&version), "");
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
                self.offered = None;
                self.say(&Event::FirmwareUpToDate);
                return Ok(FirmwareStep::UpToDate);
            }
        };
        if self.was_refused(&version).await? {
            self.say(&Event::FirmwareSkipped(&version));
            self.offered = Some(version);
            return Ok(FirmwareStep::Skipped);
        }
        self.say(&Event::FirmwareOffered(&version));
        let written = self.download(server, &version).await;
        let slot = &mut self.platform.parts().slot;
        let image = match written {
            Ok(image) => image,
            Err(error) => {
                // The first error is the one to tell; what is left over, `begin` clears.
                let _ = slot.abort().await;
                if let AgentError::Slot(error) = &error {
                    self.tell_no_place(server, error).await;
                }
                return Err(error);
            }
        };
        slot.commit(image).await.map_err(AgentError::Slot)?;
        self.on_trial = true;
        self.say(&Event::FirmwareCommitted(&version));
        self.offered = Some(version);
        Ok(FirmwareStep::OnTrial)
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
            // Nobody signed it: who changes it on the way can end this download, as by cutting it.
            if let Some(length) = content_length(&answer.head) {
                let has_room = parts.slot.check_room(length).await;
                has_room.map_err(AgentError::Slot)?;
            }
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

fn content_length(head: &impl Head) -> Option<u64> {
    let text = core::str::from_utf8(head.field("content-length")?).ok()?;
    text.parse().ok()
}

/// Reads a body to its end, part by part.
async fn drain(
    body: &mut impl Body,
    buffer: &mut [u8],
    mut take: impl AsyncFnMut(&[u8]) -> Result<(), AgentError>,
) -> Result<(), AgentError> {
    loop {
        let length = body.read(buffer).await?;
        match buffer.get(..length) {
            Some(part) if length > 0 => take(part).await?,
            _ => return Ok(()),
        }
    }
}
