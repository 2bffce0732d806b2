//! From start to restart.

use core::fmt;

#[cfg(feature = "certificates")]
use providore_client::Identity;
use providore_client::{
    Agent, Boot, Buffers, ConfigStep, ConfigTrial, Day, Device, Event, FirmwareStep, NoNotices,
    NoticeSource, Parts, Settings,
};
#[cfg(feature = "certificates")]
use providore_pki::DeviceKey;
use providore_pki::manifest::AuthorKeys;
use providore_sign::MacKey;
use providore_wire::HardwareType;

use crate::{Application, Restart, Status, led::Led};

/// A device, put together and not started.
pub struct DeviceApp<'a, K, P, N = NoNotices> {
    device: Device<K>,
    platform: P,
    settings: Settings,
    buffers: Buffers<'a>,
    notices: N,
    authors: Option<Authors<'a>>,
    #[cfg(feature = "certificates")]
    identity: Option<(&'a mut dyn DeviceKey, Option<&'a str>)>,
}

/// Whose firmware is installed, and on what.
struct Authors<'a> {
    keys: AuthorKeys<'a>,
    hardware: HardwareType,
    installed: u64,
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
            authors: None,
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
            authors: self.authors,
            #[cfg(feature = "certificates")]
            identity: self.identity,
        }
    }
}

impl<'a, K: MacKey, P: Parts, N: NoticeSource> DeviceApp<'a, K, P, N> {
    /// Installs firmware that one of these authors has signed for this hardware; what is older than
    /// `installed`, the sequence number of the firmware that runs as its build knows it (0 if it does
    /// not), is not. Without authors no firmware is installed at all.
    #[must_use]
    pub fn with_authors(
        mut self,
        keys: AuthorKeys<'a>,
        hardware: &HardwareType,
        installed: u64,
    ) -> Self {
        self.authors = Some(Authors {
            keys,
            hardware: hardware.clone(),
            installed,
        });
        self
    }

    /// Keeps a certificate for this key; with roots (PEM) trusts them and no others, without any the
    /// CA that the server shows at first use.
    #[cfg(feature = "certificates")]
    #[must_use]
    pub fn with_identity(mut self, key: &'a mut dyn DeviceKey, roots_pem: Option<&'a str>) -> Self {
        self.identity = Some((key, roots_pem));
        self
    }

    /// Lives until the device has to restart. The future may be dropped at any time, and the
    /// power may fail.
    pub async fn run<A: Application + ?Sized>(mut self, application: &A) -> Restart {
        self.settings.firmware &= self.authors.is_some();
        let led = Led::new(application);
        let mut report = |event: &Event<'_>| {
            led.follow(event);
            application.event(event);
        };
        let mut self_test = || application.self_test();
        let mut agent = Agent::new(self.device, self.platform, self.settings, self.buffers)
            .with_report(&mut report)
            .with_self_test(&mut self_test);
        if let Some(authors) = self.authors {
            agent = agent
                .with_authors(authors.keys, &authors.hardware)
                .with_installed_sequence(authors.installed);
        }
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
    // What fails here is tried again by the first day.
    if let Ok(Boot::Restart) = agent.start_firmware().await {
        return Restart::PreviousFirmware;
    }
    use_config(agent, application).await;
    loop {
        let day = agent.day().await;
        if let Some(restart) = restart_after(&day) {
            return restart;
        }
        if let Some(ConfigStep::OnTrial) = day.config {
            use_config(agent, application).await;
        }
        agent.rest_or_notice(notices).await;
    }
}

/// Whether the day ended with other firmware to run.
fn restart_after(day: &Day) -> Option<Restart> {
    match &day.firmware {
        Some(FirmwareStep::OnTrial) => Some(Restart::NewFirmware),
        Some(FirmwareStep::Restart) => Some(Restart::PreviousFirmware),
        _ => None,
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

impl<K, P, N> fmt::Debug for DeviceApp<'_, K, P, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceApp").finish_non_exhaustive()
    }
}
