//! From start to restart.

use core::cell::Cell;

#[cfg(feature = "certificates")]
use providore_client::Identity;
use providore_client::{
    Agent, Buffers, ConfigStep, ConfigTrial, Device, Event, FirmwareStep, NoNotices, NoticeSource,
    Parts, Settings,
};
#[cfg(feature = "certificates")]
use providore_pki::DeviceKey;
use providore_sign::MacKey;

use crate::{Application, Restart, Status};

/// A device, put together and not started.
pub struct DeviceApp<'a, K, P, N = NoNotices> {
    device: Device<K>,
    platform: P,
    settings: Settings,
    buffers: Buffers<'a>,
    notices: N,
    #[cfg(feature = "certificates")]
    identity: Option<(&'a mut dyn DeviceKey, Option<&'a str>)>,
}

impl<'a, K: MacKey, P: Parts> DeviceApp<'a, K, P> {
    /// A device on this platform, which goes by these settings. Another configuration is on trial,
    /// whatever they say.
    pub fn new(
        device: Device<K>,
        platform: P,
        mut settings: Settings,
        buffers: Buffers<'a>,
    ) -> Self {
        settings.config_trial.get_or_insert(ConfigTrial::DEFAULT);
        Self {
            device,
            platform,
            settings,
            buffers,
            notices: NoNotices,
            #[cfg(feature = "certificates")]
            identity: None,
        }
    }

    /// Asks early when a notice of the server comes in by this socket.
    #[must_use]
    pub fn with_notices<N: NoticeSource>(self, notices: N) -> DeviceApp<'a, K, P, N> {
        DeviceApp {
            device: self.device,
            platform: self.platform,
            settings: self.settings,
            buffers: self.buffers,
            notices,
            #[cfg(feature = "certificates")]
            identity: self.identity,
        }
    }
}

#[cfg(feature = "certificates")]
impl<'a, K: MacKey, P: Parts, N: NoticeSource> DeviceApp<'a, K, P, N> {
    /// Keeps a certificate for this key; with roots (PEM) trusts them and no others, without any the
    /// CA that the server shows at first use.
    #[must_use]
    pub fn with_identity(mut self, key: &'a mut dyn DeviceKey, roots_pem: Option<&'a str>) -> Self {
        self.identity = Some((key, roots_pem));
        self
    }
}

impl<K: MacKey, P: Parts, N: NoticeSource> DeviceApp<'_, K, P, N> {
    /// Lives until the device has to restart. The future may be dropped at any time, and the
    /// device be cut off power.
    pub async fn run<A: Application + ?Sized>(mut self, application: &A) -> Restart {
        let led = Led::new(application);
        let mut report = |event: &Event<'_>| {
            led.follow(event);
            application.event(event);
        };
        let mut agent = Agent::new(self.device, self.platform, self.settings, self.buffers)
            .with_report(&mut report);
        #[cfg(feature = "certificates")]
        if let Some((key, roots_pem)) = self.identity {
            let mut identity = Identity::new(key);
            if let Some(roots_pem) = roots_pem {
                identity = identity.with_roots(roots_pem);
            }
            agent = agent.with_identity(identity);
        }
        let restart = live(&mut agent, &mut self.notices, application).await;
        led.show(Status::Restarting);
        restart
    }
}

/// One day after the other, until the device has to restart.
async fn live<K: MacKey, P: Parts, A: Application + ?Sized>(
    agent: &mut Agent<'_, K, P>,
    notices: &mut impl NoticeSource,
    application: &A,
) -> Restart {
    use_config(agent, application).await;
    loop {
        let day = agent.day().await;
        if let Some(FirmwareStep::OnTrial(_)) = day.firmware {
            return Restart::NewFirmware;
        }
        if let Some(ConfigStep::OnTrial) = day.config {
            use_config(agent, application).await;
        }
        agent.rest_or_notice(notices).await;
    }
}

/// Hands the configuration to the application. One that cannot be read is like one that is not there:
/// the server has it.
async fn use_config<K: MacKey, P: Parts, A: Application + ?Sized>(
    agent: &mut Agent<'_, K, P>,
    application: &A,
) {
    let mut apply = |config: &[u8]| application.apply_config(config);
    if agent.use_config(&mut apply).await.is_err() {
        let _ = application.apply_config(b"");
    }
}

impl<K, P, N> core::fmt::Debug for DeviceApp<'_, K, P, N> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("DeviceApp").finish_non_exhaustive()
    }
}

/// Tells the application's LED when its status changes.
struct Led<'a, A: ?Sized> {
    application: &'a A,
    shown: Cell<Status>,
}

impl<'a, A: Application + ?Sized> Led<'a, A> {
    fn new(application: &'a A) -> Self {
        application.status(Status::Starting);
        Self {
            application,
            shown: Cell::new(Status::Starting),
        }
    }

    fn show(&self, status: Status) {
        if self.shown.replace(status) != status {
            self.application.status(status);
        }
    }

    fn follow(&self, event: &Event<'_>) {
        let failing = self.shown.get() == Status::Failing;
        match event {
            Event::Failed { .. } | Event::Waiting { .. } => self.show(Status::Failing),
            Event::FirmwareOffered(_) => self.show(Status::Updating),
            Event::Resting { .. } if !failing => self.show(Status::Resting),
            Event::Resting { .. } | Event::Server(_) => {}
            _ => self.show(Status::Working),
        }
    }
}
