//! `POST /report`.

use alloc::string::String;

use providore_wire::{FirmwareVersion, Timestamp};
use serde::Deserialize;

use super::{Authenticated, Server};
use crate::{
    CertificateLog, ConfigStore, Device, DeviceStore, Event, Failure, FirmwareStore, Moment,
    Response, StoreError, problem::Problem,
};

/// The longest report in bytes: a sentence about one thing.
const MAX_REPORT: usize = 1024;

/// As much of a report as the server acts upon. Other members, and other values of these, are for
/// the operator.
#[derive(Deserialize)]
struct Told {
    what: Option<String>,
    outcome: Option<String>,
    version: Option<String>,
    reason: Option<String>,
}

/// What became of a release.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Applied,
    Failed,
    RolledBack,
}

impl<S> Server<S>
where
    S: DeviceStore + ConfigStore + FirmwareStore + CertificateLog,
{
    /// Hands what a device says of itself to the operator, as it is, and remembers which release
    /// failed on it: that is not offered to it again.
    pub(super) async fn report(
        &self,
        asked: &Authenticated<'_>,
        moment: &Moment,
    ) -> Result<Response<S::Image>, StoreError> {
        let essence = asked.field("content-type").unwrap_or_default();
        let essence = essence.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            return Ok(Problem::UnsupportedReport.response());
        }
        if asked.body().len() > MAX_REPORT {
            return Ok(Problem::TooLarge.response());
        }
        let report = core::str::from_utf8(asked.body()).ok().map(str::trim);
        let told = report.and_then(|report| Some((report, Told::parse(report)?)));
        let Some((report, told)) = told else {
            return Ok(Problem::UnusableReport.response());
        };
        let device = asked.device();
        self.audit.record(&Event::Reported {
            device: &device.id,
            report,
        });
        self.remember(device, &told, moment.now).await?;
        Ok(Response::empty(204))
    }

    /// Writes down, before it is acknowledged, what became of a release. One that is not in the
    /// device's record would not be offered anyway: so there is a limit to what a device can have
    /// written down.
    async fn remember(
        &self,
        device: &Device,
        told: &Told,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some((fate, version)) = told.firmware() else {
            return Ok(());
        };
        if device.release(&version).is_none() {
            return Ok(());
        }
        if fate == Fate::Applied {
            return self.store.forget_failure(&device.id, &version).await;
        }
        let reason = told.reason.as_deref().unwrap_or_default();
        let failure = Failure::new(version, now, fate == Fate::RolledBack, reason);
        self.store.note_failure(&device.id, &failure).await?;
        self.audit.record(&Event::FirmwareFailed {
            device: &device.id,
            failure: &failure,
        });
        Ok(())
    }
}

impl Told {
    /// Reads one JSON object in one line.
    fn parse(report: &str) -> Option<Self> {
        let is_object = report.starts_with('{') && !report.contains(char::is_control);
        serde_json::from_str(report).ok().filter(|_| is_object)
    }

    /// What became of which release, if that is what it is about.
    fn firmware(&self) -> Option<(Fate, FirmwareVersion)> {
        if self.what.as_deref() != Some("firmware") {
            return None;
        }
        let fate = match self.outcome.as_deref()? {
            "applied" => Fate::Applied,
            "failed" => Fate::Failed,
            "rolled-back" => Fate::RolledBack,
            _ => return None,
        };
        Some((fate, self.version.as_deref()?.parse().ok()?))
    }
}
