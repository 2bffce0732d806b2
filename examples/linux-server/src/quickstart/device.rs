//! The device of the demo: the real client, over real HTTP, telling what it does.

use std::{
    cell::Cell,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use providore_client::{
    Agent, Answer, Buffers, CertificateStep, Clock, ConfigStep, Device, FirmwareStep, FixedAddress,
    Head as _, Identity, ImageCheck, Platform, Record, Request, ReqwestSettings, ReqwestTransport,
    ServerAddress, Settings, Transport, TransportError,
    memory::{MemorySlot, MemoryStorage},
};
use providore_pki::{Profile, SoftwareKey as PrivateKey, VerifiedChain};
use providore_sign::SoftwareKey;
use providore_wire::{Dialect, Timestamp};

use super::{
    demo::{DEVICE, Demo, MAGIC, VERSIONS},
    story::Story,
};
use crate::{
    clock,
    failure::{Failure, OrFail as _, Outcome},
    serve::fresh_key,
};

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// What survives between the steps, as flash would.
pub(super) struct DemoDevice {
    secret: String,
    server: ServerAddress,
    running: &'static str,
    private_key: PrivateKey,
    storage: MemoryStorage,
    slot: MemorySlot,
}

impl DemoDevice {
    pub(super) fn new(demo: &Demo, server: SocketAddr) -> Result<Self, Fault> {
        let [first, _] = VERSIONS;
        Ok(Self {
            secret: demo.secret.clone(),
            server: format!("http://{server}").parse()?,
            running: first,
            private_key: fresh_key().map_err(|failure| failure.to_string())?,
            storage: MemoryStorage::new(),
            slot: MemorySlot::running(&[MAGIC, first.as_bytes()].concat()),
        })
    }

    /// Configuration: asked for, proved, and kept.
    pub(super) async fn configure(&mut self, story: &Story) -> Outcome {
        let step = self
            .run(story, async |agent| agent.check_config().await)
            .await?;
        let config = self.storage.content(Record::Config).unwrap_or_default();
        let proof = "the answer is for this device and this question, and was encrypted";
        match step {
            ConfigStep::Stored => story.fact("proved", proof),
            _ => return Err(Failure::new("the device kept a configuration it never had")),
        }
        story.fact("stored", String::from_utf8_lossy(config));
        Ok(())
    }

    /// Certificate: the key never leaves the device; the chain is checked twice, by the device and
    /// here.
    pub(super) async fn certify(&mut self, story: &Story) -> Outcome {
        let mut key = self.private_key.clone();
        let public_key = key.public_key();
        let step = self
            .run_as(story, Some(&mut key), async |agent| {
                agent.check_certificate().await
            })
            .await?;
        let CertificateStep::Stored { not_after_unix } = step else {
            return Err(Failure::new("the device has no new certificate"));
        };
        story.fact(
            "proved",
            "the chain leads to the CA and is for this device and this key",
        );
        let text = |record| {
            let content = self.storage.content(record).unwrap_or_default();
            std::str::from_utf8(content).or_fail("read what the device stored")
        };
        let (chain, roots) = (text(Record::Certificate)?, text(Record::Authority)?);
        let now = clock::now_unix();
        let id = DEVICE.parse().or_fail("name the demo device")?;
        let certificate = VerifiedChain::verify(chain, roots, Profile::Client, now)
            .or_fail("verify the issued chain")?
            .belonging_to(&id, &public_key)
            .or_fail("find the device in its certificate")?;
        let end = i64::try_from(not_after_unix)
            .ok()
            .and_then(Timestamp::from_unix);
        let serial = certificate.certificate().serial();
        story.fact(
            "stored",
            format!("certificate {serial}, good until {}", shown(end)),
        );
        Ok(())
    }

    /// Update: offered, streamed, proved, and running after a restart.
    pub(super) async fn update(&mut self, story: &Story) -> Outcome {
        let check = async |agent: &mut DemoAgent<'_>| {
            let step = agent.check_firmware().await?;
            Ok((step, agent.offered_firmware().cloned()))
        };
        let (FirmwareStep::OnTrial, Some(version)) = self.run(story, check).await? else {
            return Err(Failure::new("the server offered no firmware"));
        };
        let [_, second] = VERSIONS;
        if version.as_str() != second {
            return Err(Failure::new(format!(
                "the server offered {version}, not {second}"
            )));
        }
        story.fact(
            "proved",
            "the whole image is what the server signed for this question, and begins as it must",
        );
        story.fact("restarts", format!("now running {second}, on trial"));
        self.running = second;
        let config = self
            .run(story, async |agent| agent.check_config().await)
            .await?;
        if !matches!(config, ConfigStep::Stored) {
            return Err(Failure::new(
                "the new firmware got no configuration of its own",
            ));
        }
        self.run(story, async |agent| agent.confirm_firmware().await)
            .await?;
        story.fact(
            "confirms",
            "it reached the server and has its configuration: the trial is over",
        );
        let step = self
            .run(story, async |agent| agent.check_firmware().await)
            .await?;
        match step {
            FirmwareStep::UpToDate => Ok(()),
            step => Err(Failure::new(format!("after the update there is {step:?}"))),
        }
    }

    async fn run<T>(
        &mut self,
        story: &Story,
        step: impl AsyncFnOnce(&mut DemoAgent<'_>) -> Result<T, providore_client::AgentError>,
    ) -> Outcome<T> {
        self.run_as(story, None, step).await
    }

    /// One step of a device that has just started: nothing is carried over but what it stored.
    async fn run_as<T>(
        &mut self,
        story: &Story,
        key: Option<&mut PrivateKey>,
        step: impl AsyncFnOnce(&mut DemoAgent<'_>) -> Result<T, providore_client::AgentError>,
    ) -> Outcome<T> {
        let id = DEVICE.parse().or_fail("name the demo device")?;
        let version = self.running.parse().or_fail("name the demo firmware")?;
        let secret = SoftwareKey::new(self.secret.as_bytes()).or_fail("use the secret")?;
        let transport =
            ReqwestTransport::new(&ReqwestSettings::default()).or_fail("start a client")?;
        let platform = Platform {
            transport: Narrated {
                inner: transport,
                story,
                asked: Rc::default(),
            },
            locator: FixedAddress::new(self.server.clone()),
            slot: &mut self.slot,
            storage: &mut self.storage,
            clock: Uptime::new(),
            entropy: random_u32 as fn() -> u32,
        };
        let device = Device::new(Dialect::Signed, id, version, secret).or_fail("use the secret")?;
        let settings = Settings::new(ImageCheck::new(MAGIC, 1024, 16 * 1024 * 1024));
        let (mut chunk, mut document) = (vec![0; 4096], vec![0; 16 * 1024]);
        let buffers = Buffers {
            chunk: &mut chunk,
            document: &mut document,
        };
        let mut agent = Agent::new(device, platform, settings, buffers);
        if let Some(key) = key {
            agent = agent.with_identity(Identity::new(key));
        }
        step(&mut agent).await.or_fail("provision the demo device")
    }
}

/// Somebody who knows the device's name and not its secret.
pub(super) async fn stranger(demo: &Demo, server: SocketAddr, story: &Story) -> Outcome {
    let mut stranger = DemoDevice::new(demo, server).or_fail("make a stranger")?;
    stranger.secret = "not the secret of this device".into();
    let outcome = stranger
        .run(story, async |agent| Ok(agent.check_config().await))
        .await?;
    if outcome.is_ok() {
        return Err(Failure::new("a stranger was given the configuration"));
    }
    story.fact(
        "proved",
        "without the secret there is one answer, whatever the reason",
    );
    Ok(())
}

type DemoAgent<'a> = Agent<
    'a,
    SoftwareKey,
    Platform<
        Narrated<'a>,
        FixedAddress,
        &'a mut MemorySlot,
        &'a mut MemoryStorage,
        Uptime,
        fn() -> u32,
    >,
>;

/// A transport that tells what is asked and what comes back.
struct Narrated<'a> {
    inner: ReqwestTransport,
    story: &'a Story,
    asked: Rc<Cell<u32>>,
}

impl Transport for Narrated<'_> {
    type Head<'t>
        = <ReqwestTransport as Transport>::Head<'t>
    where
        Self: 't;
    type Body<'t>
        = <ReqwestTransport as Transport>::Body<'t>
    where
        Self: 't;

    async fn send(
        &mut self,
        server: &ServerAddress,
        request: &Request<'_>,
    ) -> Result<Answer<Self::Head<'_>, Self::Body<'_>>, TransportError> {
        self.asked.set(self.asked.get().saturating_add(1));
        let signed = request.fields().any(|(name, _)| name == "signature");
        let how = if signed { ", signed" } else { "" };
        let body = match request.body().len() {
            0 => String::new(),
            length => format!(" with {length} bytes"),
        };
        let what = format!("{} {}{body}{how}", request.method(), request.target());
        self.story.fact("asked", what);
        let answer = self.inner.send(server, request).await?;
        let field = |name| answer.head.field(name).map(String::from_utf8_lossy);
        let mut got = answer.head.status().to_string();
        for name in [
            "location",
            "content-type",
            "content-encoding",
            "content-length",
        ] {
            if let Some(value) = field(name) {
                got.extend([", ", name, ": ", &*value]);
            }
        }
        if answer.head.status() == 401 && field("providore-challenge").is_some() {
            got.push_str(", and a challenge to sign the question anew over");
        }
        self.story.fact("got", got);
        Ok(answer)
    }
}

/// A clock without a battery: it starts in 1970 whenever the device does.
struct Uptime(Instant);

impl Uptime {
    fn new() -> Self {
        Self(clock::instant())
    }
}

impl Clock for Uptime {
    fn now(&mut self) -> Option<Timestamp> {
        let seconds = i64::try_from(self.0.elapsed().as_secs()).unwrap_or(i64::MAX);
        Timestamp::from_unix(seconds)
    }

    fn uptime_ms(&mut self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    async fn sleep_ms(&mut self, milliseconds: u64) {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }
}

fn random_u32() -> u32 {
    u32::from_le_bytes(clock::entropy())
}

fn shown(instant: Option<Timestamp>) -> String {
    instant.map_or_else(|| "for ever".into(), |instant| instant.to_string())
}
