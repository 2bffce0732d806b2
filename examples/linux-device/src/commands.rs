//! What each command does.

mod find;
mod live;

use providore_client::{
    Agent, AgentError, Buffers, CertificateStep, ConfigStep, Device, Error, FirmwareStep, Identity,
    ImageCheck, Parts, Platform, ReqwestSettings, ReqwestTransport, SecretStep, ServerAddress,
    Settings as AgentSettings, Step,
};
use providore_pki::manifest::AuthorKeys;
use providore_sign::{SoftwareKey, original};
use providore_wire::{FirmwareVersion, MAX_CONFIG_LEN, dns_sd::MAX_PACKET};
use serde_json::json;
use tracing::{debug, warn};

use crate::{
    advice::proxy_variable,
    cli::Command,
    clock::SystemClock,
    exit::{Failure, story},
    files,
    hook::{self, Change},
    keys::KeyFile,
    output::{self, Output},
    random::SystemRandom,
    settings::{Authors, Settings},
    slot::FileSlot,
    store::{CERTIFICATE, CONFIG, FileStorage, Untold},
    whereabouts::Whereabouts,
};

pub(crate) use find::find;

type HostPlatform<'a> =
    Platform<ReqwestTransport, Whereabouts<'a>, FileSlot, FileStorage, SystemClock, SystemRandom>;

type HostAgent<'a> = Agent<'a, SoftwareKey, HostPlatform<'a>>;

/// The agent of this machine, with what its results are told to.
struct Host<'a> {
    agent: HostAgent<'a>,
    key_file: Option<&'a mut KeyFile>,
    settings: &'a Settings,
    output: Output,
}

/// Runs a command to its end.
pub(crate) async fn run(
    command: Command,
    settings: &Settings,
    output: Output,
) -> Result<(), Failure> {
    if matches!(command, Command::Firmware(_)) && settings.firmware_dir.is_none() {
        return Err(Failure::usage("no firmware-dir: set --firmware-dir"));
    }
    let mut packet = vec![0; MAX_PACKET];
    let mut platform = platform(settings, &mut packet).await?;
    if settings.firmware_dir.is_some() {
        judge_left_over(&mut platform, settings).await?;
    }
    let mut key_file = match command {
        Command::Certificate { .. } | Command::Run => Some(KeyFile::open(settings)?),
        _ => None,
    };
    let mut key = key_file.as_ref().map(KeyFile::key);
    // What is stored is compared in the first, chunks of an author's firmware are checked in it.
    let (mut chunk, mut document) = (vec![0; DOCUMENT_LEN], vec![0; DOCUMENT_LEN]);
    let buffers = Buffers {
        chunk: &mut chunk,
        document: &mut document,
    };
    let mut report = output::log;
    let device = device(settings, &platform)?;
    let agent = Agent::new(device, platform, agent_settings(settings), buffers);
    let mut agent = with_authors(agent, settings)?.with_report(&mut report);
    if let Some(key) = &mut key {
        agent = agent.with_identity(Identity::new(key));
    }
    let mut host = Host {
        agent,
        key_file: key_file.as_mut(),
        settings,
        output,
    };
    match command {
        Command::Certificate { renew } => host.certificate(renew).await,
        Command::Config => host.config().await,
        Command::Firmware(_) => host.firmware().await,
        Command::Run => host.live().await,
        Command::Secret => host.secret().await,
        // Needs no settings, and was done before there were any.
        Command::Find { seconds } => find(seconds, &settings.interfaces, output).await,
    }
}

impl<'a> Host<'a> {
    /// A server that was found, and does not prove itself, is left for the next.
    async fn persist<T>(
        &mut self,
        mut attempt: impl AsyncFnMut(&mut HostAgent<'a>) -> Result<T, AgentError>,
    ) -> Result<T, AgentError> {
        if self.settings.server.is_none() {
            for _ in 1..ATTEMPTS {
                match attempt(&mut self.agent).await {
                    Err(error @ (AgentError::Transport(_) | AgentError::Answer(_)))
                        if !matches!(error.answer(), Some(Error::Declined { .. })) =>
                    {
                        warn!("looking further: {}", story(&error));
                    }
                    outcome => return outcome,
                }
            }
        }
        attempt(&mut self.agent).await
    }
}

impl<'a> Host<'a> {
    async fn certificate(&mut self, renew: bool) -> Result<(), Failure> {
        let attempt = async |agent: &mut HostAgent<'a>| {
            if renew {
                agent.renew_certificate().await
            } else {
                agent.check_certificate().await
            }
        };
        let mut step = self.persist(attempt).await?;
        if step == CertificateStep::KeyRevoked {
            self.replace_key()?;
            step = self.persist(attempt).await?;
        }
        self.after_certificate(&step).await
    }

    /// Has the agent ask with a new key from now on.
    fn replace_key(&mut self) -> Result<(), Failure> {
        match &mut self.key_file {
            Some(key_file) => key_file.replace(),
            None => Ok(()),
        }
    }

    async fn config(&mut self) -> Result<(), Failure> {
        let attempt = async |agent: &mut HostAgent<'a>| agent.check_config().await;
        let step = self.persist(attempt).await;
        let step = step.map_err(|error| Failure::of(Some(Step::Config), &error))?;
        self.after_config(&step).await
    }

    async fn firmware(&mut self) -> Result<(), Failure> {
        let attempt = async |agent: &mut HostAgent<'a>| agent.check_firmware().await;
        let step = self.persist(attempt).await?;
        self.after_firmware(step).await
    }

    async fn secret(&mut self) -> Result<(), Failure> {
        let attempt = async |agent: &mut HostAgent<'a>| agent.check_secret().await;
        let step = self.persist(attempt).await?;
        let (changed, sentence) = match step {
            SecretStep::Replaced => (true, "New secret stored"),
            SecretStep::Waiting => (false, "New secret stored, and not in use yet"),
            _ => (false, "Secret is current"),
        };
        let object = json!({"event": "secret", "changed": changed});
        self.output.result(sentence, &object);
        Ok(())
    }

    async fn after_certificate(&mut self, step: &CertificateStep) -> Result<(), Failure> {
        let path = &self.settings.cert_path;
        match step {
            CertificateStep::Stored { not_after_unix } => {
                if let Some(key_file) = &mut self.key_file {
                    key_file.settle()?;
                }
                let object = json!({"event": "certificate", "changed": true, "path": path,
                    "not_after_unix": not_after_unix});
                self.output.result("New Certificate created!", &object);
            }
            CertificateStep::Kept { renew_at_unix } => {
                let object = json!({"event": "certificate", "changed": false, "path": path,
                    "renew_at_unix": renew_at_unix});
                let sentence = "Certificate does not need renewing";
                self.output.result(sentence, &object);
            }
            CertificateStep::KeyRevoked => {
                return Err(Failure::declined(
                    "no certificate: the server refuses the new key as well",
                ));
            }
            _ => {}
        }
        self.tell(CERTIFICATE, path).await
    }

    async fn after_config(&mut self, step: &ConfigStep) -> Result<(), Failure> {
        let path = &self.settings.config_path;
        let changed = *step == ConfigStep::Stored;
        let object = json!({"event": "config", "changed": changed, "path": path});
        let sentence = if changed {
            format!("New configuration in {}", path.display())
        } else {
            String::from("Configuration is current")
        };
        self.output.result(&sentence, &object);
        self.tell(CONFIG, path).await
    }

    /// Calls the hook for a change of which it has not been told yet. It counts as told when the hook has
    /// ended well; until then it is called again each time, after a restart as well.
    async fn tell(&self, event: &'static str, path: &std::path::Path) -> Result<(), Failure> {
        let untold = Untold::of(self.settings);
        if self.settings.hook.is_none() || !untold.is_noted(event) {
            return Ok(());
        }
        self.call_hook(event, path, None).await?;
        let failed = |error| Failure::local("what the hook has been told cannot be noted", error);
        untold.clear(event).map_err(failed)
    }

    async fn after_firmware(&mut self, step: FirmwareStep) -> Result<(), Failure> {
        let version = match (step, self.agent.offered_firmware().cloned()) {
            (FirmwareStep::OnTrial, Some(version)) => version,
            (FirmwareStep::Refused, Some(version)) => {
                let message = format!("firmware {version} is not installed");
                let why = "no author whom this machine trusts has signed it for this machine now";
                return Err(Failure::not_verified(message, why));
            }
            _ => {
                let object = json!({"event": "firmware", "changed": false});
                self.output.result("Firmware is current", &object);
                return Ok(());
            }
        };
        let path = self.agent.platform_mut().slot.current();
        if let Err(failure) = self.call_hook("firmware", &path, Some(&version)).await {
            self.agent.reject_firmware().await?;
            // The previous one runs again: the same hook starts it.
            let _ = self.call_hook("firmware", &path, None).await;
            return Err(failure);
        }
        self.agent.confirm_firmware().await?;
        let sentence = format!("Firmware {version} installed in {}", path.display());
        let object = json!({"event": "firmware", "changed": true, "path": path,
            "version": version.as_str()});
        self.output.result(&sentence, &object);
        Ok(())
    }

    async fn call_hook(
        &self,
        event: &'static str,
        path: &std::path::Path,
        version: Option<&FirmwareVersion>,
    ) -> Result<(), Failure> {
        let change = Change {
            event,
            path,
            version: version.map(FirmwareVersion::as_str),
        };
        match &self.settings.hook {
            Some(hook) if !hook::run(hook, &change).await => {
                Err(Failure::local("the hook did not end well", event))
            }
            _ => Ok(()),
        }
    }
}

async fn platform<'a>(
    settings: &Settings,
    packet: &'a mut [u8],
) -> Result<HostPlatform<'a>, Failure> {
    let dir = settings.firmware_dir.clone();
    // Without a folder nothing asks for firmware.
    let dir = dir.unwrap_or_else(|| settings.state_dir.join("firmware"));
    let mut storage = FileStorage::new(settings);
    Ok(Platform {
        transport: transport(settings)?,
        locator: Whereabouts::new(settings, &mut storage, packet).await?,
        slot: FileSlot::new(dir, MAX_IMAGE_LEN),
        storage,
        clock: SystemClock::new(settings.dialect),
        entropy: SystemRandom::new()?,
    })
}

/// The `ca` file counts for HTTPS only: the Go client demanded one where it was of no use.
fn transport(settings: &Settings) -> Result<ReqwestTransport, Failure> {
    let roots = match &settings.ca {
        Some(path)
            if settings
                .server
                .as_ref()
                .is_some_and(ServerAddress::is_https) =>
        {
            let unusable = |why: &dyn core::fmt::Display| {
                Failure::usage(format!("ca {}: {why}", path.display()))
            };
            let content = files::read(path, MAX_CA_LEN).map_err(|error| unusable(&error))?;
            Some(content.ok_or_else(|| unusable(&"not there"))?)
        }
        _ => None,
    };
    if let Some(name) = proxy_variable() {
        debug!("{name} is set: requests go to that proxy, unless no_proxy names the server");
    }
    ReqwestTransport::new(&ReqwestSettings {
        roots_pem: roots.as_deref(),
        dangerous_accept_invalid_certificates: settings.insecure,
        ..ReqwestSettings::default()
    })
    .map_err(|error| Failure::usage(format!("TLS does not start: {}", story(&error))))
}

fn device(
    settings: &Settings,
    platform: &HostPlatform<'_>,
) -> Result<Device<SoftwareKey>, Failure> {
    let installed = platform
        .slot
        .version()
        .filter(|_| settings.firmware_dir.is_some());
    let version = settings
        .firmware_version
        .clone()
        .or(installed)
        .unwrap_or_else(|| settings.initial_version.clone());
    let key = settings.key.clone();
    let device = Device::new(settings.dialect, settings.device.clone(), version, key)
        .map_err(|error| Failure::usage(format!("secret: {error}")))?;
    if !settings.first_providore {
        return Ok(device);
    }
    Ok(device.with_response_policy(original::ResponsePolicy {
        dates: original::ResponseDates::FirstProvidore,
        ..original::ResponsePolicy::default()
    }))
}

fn agent_settings(settings: &Settings) -> AgentSettings {
    let mut agent = AgentSettings::new(ImageCheck::new(b"", 1, MAX_IMAGE_LEN));
    agent.interval_s = settings.interval_s;
    agent.firmware = settings.firmware_dir.is_some();
    agent
}

fn with_authors<'a, P: Parts>(
    agent: Agent<'a, SoftwareKey, P>,
    settings: &'a Settings,
) -> Result<Agent<'a, SoftwareKey, P>, Failure> {
    let Some(Authors { keys, hardware }) = &settings.authors else {
        return Ok(agent);
    };
    let keys = AuthorKeys::new(keys);
    let keys = keys.map_err(|error| Failure::usage(format!("author-key: {error}")))?;
    let agent = agent.with_authors(keys, hardware);
    Ok(agent.with_installed_sequence(settings.firmware_sequence))
}

/// A trial that was never judged (the machine went down in it) is judged now, by the same hook.
async fn judge_left_over(
    platform: &mut HostPlatform<'_>,
    settings: &Settings,
) -> Result<(), Failure> {
    if !platform.slot.is_on_trial() {
        return Ok(());
    }
    let (path, version) = (platform.slot.current(), platform.slot.version());
    let change = Change {
        event: "firmware",
        path: &path,
        version: version.as_ref().map(FirmwareVersion::as_str),
    };
    let good = match &settings.hook {
        Some(hook) => hook::run(hook, &change).await,
        None => true,
    };
    // An agent of its own: the device's version is known only afterwards.
    let device = device(settings, platform)?;
    let (mut chunk, mut document, mut report) = ([0; 1024], [0; 1024], output::log);
    let buffers = Buffers {
        chunk: &mut chunk,
        document: &mut document,
    };
    let platform = Platform {
        transport: &mut platform.transport,
        locator: &mut platform.locator,
        slot: &mut platform.slot,
        storage: &mut platform.storage,
        clock: &mut platform.clock,
        entropy: SystemRandom::new()?,
    };
    let agent = Agent::new(device, platform, agent_settings(settings), buffers);
    let mut agent = with_authors(agent, settings)?.with_report(&mut report);
    let judged = if good {
        agent.confirm_firmware().await
    } else {
        agent.reject_firmware().await
    };
    judged.map_err(|error| Failure::local("the trial of new firmware cannot be ended", error))
}

/// The longest configuration, and room for its encryption: 17 bytes for each record of 4096.
const DOCUMENT_LEN: usize = MAX_CONFIG_LEN + 16 * 1024;
const MAX_CA_LEN: u64 = 4 * 1024 * 1024;
const MAX_IMAGE_LEN: u64 = 4 * 1024 * 1024 * 1024;

/// How many found servers a command tries.
const ATTEMPTS: u32 = 3;
