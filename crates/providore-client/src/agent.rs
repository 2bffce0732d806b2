//! The device's day: find the server, keep configuration, certificate and firmware current.

mod ask;
mod certificate;
mod config;
#[cfg(feature = "config-trial")]
mod config_trial;
mod error;
mod event;
mod firmware;
#[cfg(any(feature = "update", feature = "server-trusted-firmware"))]
mod no_place;
mod report;
mod rest;
#[cfg(feature = "secret-rotation")]
mod secret;
mod settings;
#[cfg(feature = "certificates")]
mod time;
#[cfg(feature = "update")]
mod update;

use providore_sign::MacKey;

pub use certificate::CertificateStep;
#[cfg(feature = "certificates")]
pub use certificate::{CertificateFault, Identity};
pub use config::ConfigStep;
#[cfg(feature = "config-trial")]
pub use config_trial::{ConfigTrial, ConfigUse};
pub use error::AgentError;
pub use event::{Event, Step};
pub use firmware::FirmwareStep;
#[cfg(feature = "secret-rotation")]
pub use secret::SecretStep;
pub use settings::{Buffers, Settings};
#[cfg(feature = "update")]
pub use update::{Boot, FirmwareFault};

use crate::{Device, EntityTag, Error, Parts};
use providore_wire::FirmwareVersion;

/// Runs the operations on a [`Platform`](crate::Platform), one after the other.
///
/// Plain `async` without an executor. Every call that asks the server first waits out what the
/// call before was told to wait (`Retry-After`, back-off). Dropping a future at any point is safe:
/// nothing is replaced before its successor is complete and checked.
///
/// ```no_run
/// # use providore_client::*;
/// # async fn example<P: Parts, K: providore_sign::MacKey>(device: Device<K>, platform: P) {
/// let settings = Settings::new(ImageCheck::new(b"\xE9", 4096, 0x1A_0000));
/// let (mut chunk, mut document) = ([0; 1024], [0; 4096]);
/// let buffers = Buffers { chunk: &mut chunk, document: &mut document };
/// let mut agent = Agent::new(device, platform, settings, buffers);
/// agent.run().await;
/// # }
/// ```
#[expect(
    clippy::struct_excessive_bools,
    reason = "what has happened, each for itself"
)]
pub struct Agent<'b, K, P> {
    device: Device<K>,
    platform: P,
    settings: Settings,
    buffers: Buffers<'b>,
    report: Option<&'b mut dyn FnMut(&Event<'_>)>,
    #[cfg(feature = "certificates")]
    identity: Option<Identity<'b>>,
    /// Whether the locator's current candidate is asked on, and not the next.
    keeps_server: bool,
    /// Whether the locator was told what was good before the start.
    recalled: bool,
    tag: Option<EntityTag>,
    /// The firmware version that the server named last.
    offered: Option<FirmwareVersion>,
    /// Whether that has been committed and waits for a restart.
    on_trial: bool,
    #[cfg(feature = "update")]
    update: update::Update<'b>,
    /// Whether the attempt under way brought something that the next one need not bring again.
    moved: bool,
    #[cfg(feature = "secret-rotation")]
    secrets: secret::Secrets,
    #[cfg(feature = "notices")]
    notices: crate::Notices,
    failures: u32,
    owed_ms: u64,
}

/// What one day brought. `None` is a step that is not part of it, or one that failed to the end;
/// its errors were reported.
#[derive(Debug)]
#[must_use]
#[non_exhaustive]
pub struct Day {
    /// The configuration.
    pub config: Option<ConfigStep>,
    /// The certificate.
    pub certificate: Option<CertificateStep>,
    /// The firmware.
    pub firmware: Option<FirmwareStep>,
    /// The secret.
    #[cfg(feature = "secret-rotation")]
    pub secret: Option<SecretStep>,
}

impl<'b, K: MacKey, P: Parts> Agent<'b, K, P> {
    /// An agent that has not asked anything yet.
    pub fn new(device: Device<K>, platform: P, settings: Settings, buffers: Buffers<'b>) -> Self {
        #[cfg(feature = "notices")]
        let notices = crate::Notices::new(settings.notices);
        Self {
            device,
            platform,
            settings,
            buffers,
            report: None,
            #[cfg(feature = "certificates")]
            identity: None,
            keeps_server: false,
            recalled: false,
            tag: None,
            offered: None,
            on_trial: false,
            #[cfg(feature = "update")]
            update: update::Update::default(),
            moved: false,
            #[cfg(feature = "secret-rotation")]
            secrets: secret::Secrets::default(),
            #[cfg(feature = "notices")]
            notices,
            failures: 0,
            owed_ms: 0,
        }
    }

    /// Tells `report` what happens, as it happens.
    #[must_use]
    pub fn with_report(mut self, report: &'b mut dyn FnMut(&Event<'_>)) -> Self {
        self.report = Some(report);
        self
    }

    /// Lives one day after the other, for ever. End it by dropping the future.
    ///
    /// A device that restarts into a new firmware does so from [`Event::FirmwareCommitted`].
    pub async fn run(&mut self) {
        loop {
            let _ = self.day().await;
            self.rest().await;
        }
    }

    /// Lives one day: configuration, certificate, firmware, secret, each tried
    /// [`Settings::attempts`] times. A step that fails does not keep the next from being tried.
    ///
    /// With authors and firmware on trial, the trial comes first, and nothing else as long as the
    /// server is not heard.
    pub async fn day(&mut self) -> Day {
        if let Some(trial) = self.trial_of_the_day().await {
            return trial;
        }
        Day {
            config: self.config_of_the_day().await,
            certificate: self.certificate_of_the_day().await,
            firmware: self.firmware_of_the_day().await,
            #[cfg(feature = "secret-rotation")]
            secret: self.secret_of_the_day().await,
        }
    }

    /// The device as the server is told.
    pub const fn device(&self) -> &Device<K> {
        &self.device
    }

    /// The parts, to reach a storage or a slot between calls.
    pub const fn platform_mut(&mut self) -> &mut P {
        &mut self.platform
    }

    /// Milliseconds that the next call will wait before it asks: what the last failure cost.
    #[must_use]
    pub const fn owed_ms(&self) -> u64 {
        self.owed_ms
    }

    /// What a day is that begins with firmware on trial; `None` if it goes on as any other.
    #[cfg(feature = "update")]
    async fn trial_of_the_day(&mut self) -> Option<Day> {
        if !self.has_authors() || self.on_trial {
            return None;
        }
        let attempt = async |agent: &mut Self| agent.go_through_trial().await;
        let firmware = match self.persist(Step::Firmware, attempt).await {
            Some(Boot::Settled) => return None,
            Some(Boot::Restart) => Some(FirmwareStep::Restart),
            _ => None,
        };
        Some(Day {
            config: None,
            certificate: None,
            firmware,
            #[cfg(feature = "secret-rotation")]
            secret: None,
        })
    }

    #[cfg(not(feature = "update"))]
    #[expect(
        clippy::unused_async,
        reason = "the feature puts the real step in its place"
    )]
    async fn trial_of_the_day(&mut self) -> Option<Day> {
        None
    }

    /// What a trial has left, if one is under way.
    #[cfg(not(feature = "update"))]
    #[expect(
        clippy::unused_self,
        reason = "the feature puts the real one in its place"
    )]
    const fn trial_left_ms(&self) -> Option<u64> {
        None
    }

    async fn config_of_the_day(&mut self) -> Option<ConfigStep> {
        if !self.settings.config {
            return None;
        }
        let attempt = async |agent: &mut Self| agent.check_config().await;
        self.persist(Step::Config, attempt).await
    }

    #[cfg(feature = "certificates")]
    async fn certificate_of_the_day(&mut self) -> Option<CertificateStep> {
        self.identity.as_ref()?;
        let attempt = async |agent: &mut Self| agent.check_certificate().await;
        self.persist(Step::Certificate, attempt).await
    }

    #[cfg(not(feature = "certificates"))]
    #[expect(
        clippy::unused_async,
        reason = "the feature puts the real step in its place"
    )]
    async fn certificate_of_the_day(&mut self) -> Option<CertificateStep> {
        None
    }

    async fn firmware_of_the_day(&mut self) -> Option<FirmwareStep> {
        if !self.settings.firmware {
            return None;
        }
        let attempt = async |agent: &mut Self| agent.check_firmware().await;
        self.persist(Step::Firmware, attempt).await
    }

    #[cfg(feature = "secret-rotation")]
    async fn secret_of_the_day(&mut self) -> Option<SecretStep> {
        if !self.settings.secret || self.device.session().is_none() {
            return None;
        }
        let attempt = async |agent: &mut Self| agent.check_secret().await;
        self.persist(Step::Secret, attempt).await
    }

    async fn persist<T>(
        &mut self,
        step: Step,
        mut attempt: impl AsyncFnMut(&mut Self) -> Result<T, AgentError>,
    ) -> Option<T> {
        let mut attempts = self.settings.attempts.max(1);
        let mut patience = MAX_WAITS;
        while attempts > 0 {
            let error = match attempt(self).await {
                Ok(done) => return Some(done),
                Err(error) => error,
            };
            self.say(&Event::Failed {
                step,
                error: &error,
            });
            let moved = core::mem::take(&mut self.moved);
            if moved {
                self.failures = 0;
            }
            // A server that says when to come back has not been asked in vain.
            let asked_to_wait = error.answer().and_then(Error::retry_after_s).is_some();
            if asked_to_wait && patience > 0 {
                patience = patience.saturating_sub(1);
            } else if !moved {
                attempts = attempts.saturating_sub(1);
            }
        }
        None
    }

    fn say(&mut self, event: &Event<'_>) {
        if let Some(report) = &mut self.report {
            report(event);
        }
    }
}

/// How often within a step a server may say when to come back.
const MAX_WAITS: u32 = 8;

impl<K, P> core::fmt::Debug for Agent<'_, K, P> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Agent")
            .field("failures", &self.failures)
            .finish_non_exhaustive()
    }
}
