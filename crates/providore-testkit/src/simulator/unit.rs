//! A device in a world: the real agent over a simulated platform.

use alloc::rc::Rc;
use core::cell::Cell;

use providore_client::{
    Agent, Buffers, Clock, Device, FirmwareStep, FixedAddress, Identity, ImageCheck, Platform,
    Record, Settings,
    memory::{MemorySlot, MemoryStorage, Power},
};
use providore_pki::{PublicKey, manifest::AuthorKeys};
use providore_sign::SoftwareKey;
use providore_wire::{Dialect, FirmwareVersion, Timestamp};

use super::{Link, Prng, Weather, World, author};
use crate::parties::{Peer, device_key};

/// The configuration for version 1.0.0.
pub const CONFIG_1: &str = r#"{"interval":1}"#;

/// The configuration for version 2.0.0.
pub const CONFIG_2: &str = r#"{"interval":2,"unit":"s"}"#;

const MAGIC: &[u8] = b"\xe9image ";
const IMAGE_LEN: usize = 700;

/// The image of a version: magic bytes, the version, a line end, and filling.
#[must_use]
pub fn image(version: &str) -> Vec<u8> {
    let mut image = [MAGIC, version.as_bytes(), b"\n"].concat();
    image.resize(IMAGE_LEN, 0xa5);
    image
}

/// The version that an image names.
pub(super) fn version_of(image: &[u8]) -> Option<FirmwareVersion> {
    let rest = image.strip_prefix(MAGIC)?;
    let line = rest.split(|byte| *byte == b'\n').next()?;
    core::str::from_utf8(line).ok()?.parse().ok()
}

/// The platform of a [`Unit`].
pub type UnitParts<'u> = Platform<
    &'u mut Link,
    FixedAddress,
    &'u mut MemorySlot,
    &'u mut MemoryStorage,
    SkewedClock,
    Prng,
>;

/// What the program of a [`Unit`] is put together from, after a start.
#[expect(missing_debug_implementations, reason = "holds a secret")]
#[non_exhaustive]
pub struct Board<'u> {
    /// Who it is.
    pub device: Device<SoftwareKey>,
    /// What it is made of.
    pub platform: UnitParts<'u>,
    /// What its agents go by.
    pub settings: Settings,
    /// Its memory.
    pub buffers: Buffers<'u>,
    /// The key of its certificate.
    pub key: &'u mut providore_pki::SoftwareKey,
    /// The CA that it trusts, if it is to trust no other.
    pub roots_pem: Option<&'u str>,
    /// Whose firmware it installs; everybody's, if there are none.
    pub authors: &'u [PublicKey],
}

/// The world's time, and how wrong a device knows it, if it has a clock.
#[derive(Debug, Clone)]
pub struct SkewedClock {
    world: World,
    skew_s: Rc<Cell<Option<i64>>>,
}

impl Clock for SkewedClock {
    fn now(&mut self) -> Option<Timestamp> {
        Some(self.world.now().saturating_add(self.skew_s.get()?))
    }

    fn uptime_ms(&mut self) -> u64 {
        self.world.timeline().now_ms()
    }

    async fn sleep_ms(&mut self, milliseconds: u64) {
        self.world.timeline().sleep_ms(milliseconds).await;
    }
}

/// A device: what survives its restarts, and its link.
#[expect(missing_debug_implementations, reason = "holds a secret")]
#[non_exhaustive]
pub struct Unit {
    /// Who it is.
    pub peer: Peer,
    /// Its link.
    pub link: Link,
    /// Its firmware.
    pub slot: MemorySlot,
    /// Its records.
    pub storage: MemoryStorage,
    /// What its agents go by.
    pub settings: Settings,
    clock: SkewedClock,
    entropy: Prng,
    key: providore_pki::SoftwareKey,
    roots_pem: Option<String>,
    authors: Vec<PublicKey>,
    chunk: Vec<u8>,
    document: Vec<u8>,
}

impl Unit {
    /// A new device that runs version 1.0.0, and that the server of the world knows. It speaks
    /// `Original`.
    ///
    /// # Panics
    /// If `id` is no device id.
    #[must_use]
    pub fn new(world: &World, id: &str, weather: Weather) -> Self {
        Self::speaking(Dialect::Original, world, id, weather)
    }

    /// The same, in any dialect.
    ///
    /// # Panics
    /// If `id` is no device id.
    #[must_use]
    pub fn speaking(dialect: Dialect, world: &World, id: &str, weather: Weather) -> Self {
        let mut peer = Peer::new(id);
        peer.dialect = dialect;
        world.register(&peer);
        let seed = id.bytes().fold(1, |seed: u64, byte| {
            seed.wrapping_mul(257).wrapping_add(u64::from(byte))
        });
        let check = ImageCheck::new(b"\xe9", 64, 4096)
            .with_opening(|opening, version| version_of(opening).as_ref() == Some(version));
        Self {
            peer,
            link: Link::new(world.clone(), weather),
            slot: MemorySlot::running(&image("1.0.0")),
            storage: MemoryStorage::new(),
            settings: Settings::new(check),
            clock: SkewedClock {
                world: world.clone(),
                skew_s: Rc::new(Cell::new(Some(0))),
            },
            entropy: Prng::new(seed),
            key: device_key(7),
            roots_pem: None,
            authors: Vec::new(),
            chunk: vec![0; 1024],
            document: vec![0; 4096],
        }
    }

    /// The same device, which trusts this CA and no other.
    #[must_use]
    pub fn with_roots(mut self, roots_pem: &str) -> Self {
        self.roots_pem = Some(roots_pem.into());
        self
    }

    /// The same device, which installs only what [`author`] 1 or 2 has signed; the server publishes
    /// its releases that way from now on. It speaks `Signed`.
    #[must_use]
    pub fn with_authors(mut self, world: &World) -> Self {
        world.publish(&self.peer);
        self.authors = vec![author(1).public_key(), author(2).public_key()];
        self.chunk.resize(1024, 0);
        self
    }

    /// The power on which every write of the device depends from now on, to slot and storage.
    pub fn share_power(&mut self) -> Power {
        let power = Power::new();
        self.slot = self.slot.clone().with_power(&power);
        self.storage = self.storage.clone().with_power(&power);
        power
    }

    /// Puts the device's clock so many seconds before the server's.
    pub fn set_skew_s(&self, seconds: i64) {
        self.clock.skew_s.set(Some(seconds));
    }

    /// Takes the device's clock away.
    pub fn remove_clock(&self) {
        self.clock.skew_s.set(None);
    }

    /// The version that runs.
    ///
    /// # Panics
    /// If the image that runs is damaged.
    #[must_use]
    pub fn version(&self) -> FirmwareVersion {
        version_of(self.slot.image()).expect("a whole image")
    }

    /// The text of a record.
    #[must_use]
    pub fn text(&self, record: Record) -> Option<&str> {
        core::str::from_utf8(self.storage.content(record)?).ok()
    }

    /// Whether it runs 2.0.0 for good, with its configuration and a certificate.
    #[must_use]
    pub fn is_provisioned(&self) -> bool {
        is_provisioned(&self.slot, &self.storage)
    }

    /// Starts the device: an agent that knows only what was stored.
    ///
    /// # Panics
    /// If the image that runs is damaged.
    pub fn start(&mut self) -> Agent<'_, SoftwareKey, UnitParts<'_>> {
        let Board {
            device,
            platform,
            settings,
            buffers,
            key,
            roots_pem,
            authors,
        } = self.board();
        let mut identity = Identity::new(key);
        if let Some(roots_pem) = roots_pem {
            identity = identity.with_roots(roots_pem);
        }
        let agent = Agent::new(device, platform, settings, buffers).with_identity(identity);
        if authors.is_empty() {
            return agent;
        }
        let keys = AuthorKeys::new(authors).expect("different keys");
        agent.with_authors(keys, &"board".parse().expect("a hardware type"))
    }

    /// Starts the device as far as a program of it needs: it knows only what was stored.
    ///
    /// # Panics
    /// If the image that runs is damaged.
    pub fn board(&mut self) -> Board<'_> {
        let secret = SoftwareKey::new(self.peer.secret.as_bytes()).expect("a secret");
        let (id, version) = (self.peer.id.clone(), self.version());
        let address = "http://server".parse().expect("an address");
        let device = Device::new(self.peer.dialect, id, version, secret);
        Board {
            device: device.expect("a software key"),
            platform: Platform {
                transport: &mut self.link,
                locator: FixedAddress::new(address),
                slot: &mut self.slot,
                storage: &mut self.storage,
                clock: self.clock.clone(),
                entropy: self.entropy.clone(),
            },
            settings: self.settings.clone(),
            buffers: Buffers {
                chunk: &mut self.chunk,
                document: &mut self.document,
            },
            key: &mut self.key,
            roots_pem: self.roots_pem.as_deref(),
            authors: &self.authors,
        }
    }

    /// Lives until everything is there, restarting into new firmware, for at most so many days of
    /// the agent. Says how many it took.
    pub async fn live(&mut self, days: u32) -> Option<u32> {
        let mut day = 0;
        let judges_by_itself = !self.authors.is_empty();
        loop {
            self.slot.restart();
            let mut agent = self.start();
            if !judges_by_itself && agent.platform_mut().slot.is_on_trial() {
                // What has started far enough to ask works.
                let _ = agent.confirm_firmware().await;
            }
            loop {
                if day == days {
                    return None;
                }
                day += 1;
                let done = agent.day().await;
                if matches!(
                    done.firmware,
                    Some(FirmwareStep::OnTrial | FirmwareStep::Restart)
                ) {
                    break;
                }
                let parts = agent.platform_mut();
                if is_provisioned(parts.slot, parts.storage) {
                    return Some(day);
                }
                agent.rest().await;
            }
        }
    }
}

fn is_provisioned(slot: &MemorySlot, storage: &MemoryStorage) -> bool {
    slot.image() == image("2.0.0")
        && !slot.is_on_trial()
        && storage.content(Record::Config) == Some(CONFIG_2.as_bytes())
        && storage.content(Record::Certificate).is_some()
}
