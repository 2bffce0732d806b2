//! A device under update, whose power can fail at any write: an agent with authors, over any slot.

use core::cell::RefCell;

use alloc::rc::Rc;

use futures_lite::future::block_on;
use providore_client::{
    Agent, Boot, Buffers, Device, FirmwareSlot, FirmwareStep, FixedAddress, ImageCheck, Platform,
    Record, Settings, SlotState, Storage, TransportError, UpdateState,
    memory::{
        Cut, MemoryAnswer, MemoryClock, MemoryRequest, MemorySlot, MemoryStorage, MemoryTransport,
        Power,
    },
};
use providore_pki::{PublicKey, manifest::AuthorKeys};
use providore_sign::SoftwareKey;
use providore_wire::{Dialect, FirmwareVersion};

use super::{
    Prng,
    publisher::{HARDWARE, Publisher, author},
    unit::version_of,
};
use crate::parties::at;

/// What of a device survives: its flash, however it is made, and the power that every write to it
/// depends on.
pub trait Flash {
    /// Where firmware goes.
    type Slot: FirmwareSlot;
    /// Where records go.
    type Storage: Storage;

    /// A start: the power is on again if it had failed, and a bootloader decides what runs. A failure
    /// that has been ordered and did not happen yet still will.
    fn start(&mut self);

    /// Both, as they are now.
    fn parts(&mut self) -> (&mut Self::Slot, &mut Self::Storage);

    /// Lets the power fail at the write after `operations` more.
    fn cut(&mut self, operations: u32, cut: Cut);

    /// Tells whether it has failed since the last start, then and later.
    fn watch(&self) -> Box<dyn Fn() -> bool>;

    /// How many writes there have been: erasures, writes of images, switches, records.
    fn operations(&self) -> u32;

    /// The whole image that a start would run.
    fn running(&mut self) -> Vec<u8>;
}

/// A slot and a storage in memory.
#[derive(Debug)]
#[non_exhaustive]
pub struct MemoryParts {
    /// The slot.
    pub slot: MemorySlot,
    /// The records.
    pub storage: MemoryStorage,
    power: Power,
}

impl MemoryParts {
    /// A device that runs `image`, with a slot that erases sectors of so many bytes.
    #[must_use]
    pub fn running(image: &[u8], sector: u64) -> Self {
        let power = Power::new();
        let slot = MemorySlot::running(image).with_sectors(CAPACITY, sector);
        Self {
            slot: slot.with_power(&power),
            storage: MemoryStorage::new().with_power(&power),
            power,
        }
    }
}

impl Flash for MemoryParts {
    type Slot = MemorySlot;
    type Storage = MemoryStorage;

    fn start(&mut self) {
        if self.power.is_out() {
            self.power.restore();
        }
        self.slot.restart();
    }

    fn parts(&mut self) -> (&mut MemorySlot, &mut MemoryStorage) {
        (&mut self.slot, &mut self.storage)
    }

    fn cut(&mut self, operations: u32, cut: Cut) {
        self.power.cut(operations, cut);
    }

    fn watch(&self) -> Box<dyn Fn() -> bool> {
        let power = self.power.clone();
        Box::new(move || power.is_out())
    }

    fn operations(&self) -> u32 {
        self.power.steps()
    }

    fn running(&mut self) -> Vec<u8> {
        self.slot.image().to_vec()
    }
}

/// The device, and what it is asked to live through.
#[expect(missing_debug_implementations, reason = "holds closures")]
#[non_exhaustive]
pub struct Bench<F> {
    /// What survives.
    pub flash: F,
    /// The server.
    pub publisher: Publisher,
    /// What the agent goes by.
    pub settings: Settings,
    /// The keys of the authors whom the device trusts.
    pub authors: Vec<PublicKey>,
    /// The sequence number that the first image has.
    pub installed: u64,
    /// Whether later images know theirs as well.
    pub all_know_their_number: bool,
    /// The length of the chunk buffer.
    pub chunk_len: usize,
    /// What the link makes of an exchange; sees the request, and the answer if there is one.
    pub link: Rc<RefCell<LinkFault>>,
    /// Whether an image of this version passes its own test.
    pub self_test: fn(&FirmwareVersion) -> Result<(), &'static str>,
    /// What happened, one line each.
    pub events: Vec<String>,
    /// How often it was started.
    pub starts: u32,
}

/// Something that may happen to an exchange.
pub type LinkFault =
    dyn FnMut(&MemoryRequest, MemoryAnswer) -> Result<MemoryAnswer, TransportError>;

impl<F: Flash> Bench<F> {
    /// A device that trusts [`author`]s 1 and 2 and asks this server, with room for chunks of 1 KiB.
    pub fn new(flash: F, publisher: Publisher) -> Self {
        let check = ImageCheck::new(b"\xe9", 64, CAPACITY)
            .with_opening(|opening, version| version_of(opening).as_ref() == Some(version));
        let mut settings = Settings::new(check);
        // Nothing of this device but its firmware is of interest here.
        (settings.config, settings.secret) = (false, false);
        Self {
            flash,
            publisher,
            settings,
            authors: vec![author(1).public_key(), author(2).public_key()],
            installed: 1,
            all_know_their_number: false,
            chunk_len: 1024,
            link: Rc::new(RefCell::new(|_: &MemoryRequest, answer| Ok(answer))),
            self_test: |_| Ok(()),
            events: Vec::new(),
            starts: 0,
        }
    }

    /// The version that runs.
    ///
    /// # Panics
    /// If the image that a start would run is damaged: the device is lost.
    pub fn version(&mut self) -> FirmwareVersion {
        version_of(&self.flash.running()).expect("a device that boots")
    }

    /// What is remembered of updates.
    ///
    /// # Panics
    /// If it cannot be read.
    pub fn state(&mut self) -> UpdateState {
        let mut buffer = [0; UpdateState::LEN];
        let (_, storage) = self.flash.parts();
        let record =
            block_on(storage.load(Record::Update, &mut buffer)).expect("a storage that works");
        record.map_or_else(UpdateState::new, |record| {
            UpdateState::decode(record).expect("a record is whole")
        })
    }

    /// What became of the last switch.
    ///
    /// # Panics
    /// If it cannot be read.
    pub fn slot_state(&mut self) -> SlotState {
        let (slot, _) = self.flash.parts();
        block_on(slot.state()).expect("a slot that works")
    }

    /// Starts the device and lets it live for at most so many days, until it restarts or the power
    /// fails. Says whether it restarted.
    ///
    /// # Panics
    /// If the image that runs is damaged.
    pub fn start(&mut self, days: u32) -> bool {
        self.starts += 1;
        let version = self.version();
        let secret = SoftwareKey::new(Publisher::SECRET).expect("a secret");
        let id = Publisher::DEVICE.parse().expect("an id");
        let device = Device::new(Dialect::Signed, id, version.clone(), secret);
        let device = device.expect("a software key");
        let (link, publisher) = (Rc::clone(&self.link), self.publisher.clone());
        let is_out = self.flash.watch();
        let transport = MemoryTransport::new(move |request: MemoryRequest| {
            if is_out() {
                return Err(TransportError::unreachable());
            }
            let answer = publisher.answer(&request)?;
            link.borrow_mut()(&request, answer)
        });
        let entropy = Prng::new(u64::from(self.starts));
        let test = self.self_test;
        let running = version.clone();
        let mut self_test = move || test(&running);
        let installed = self.number_of(&version);
        let events = &mut self.events;
        let mut report = |event: &providore_client::Event<'_>| events.push(format!("{event:?}"));
        let (mut chunk, mut document) = (vec![0; self.chunk_len], vec![0; 4096]);
        self.flash.start();
        let (slot, storage) = self.flash.parts();
        let platform = Platform {
            transport,
            locator: FixedAddress::new("http://server".parse().expect("an address")),
            slot,
            storage,
            clock: MemoryClock::new(at(0)),
            entropy,
        };
        let buffers = Buffers {
            chunk: &mut chunk,
            document: &mut document,
        };
        let keys = AuthorKeys::new(&self.authors).expect("keys");
        let hardware = HARDWARE.parse().expect("a hardware type");
        let mut agent = Agent::new(device, platform, self.settings.clone(), buffers)
            .with_report(&mut report)
            .with_authors(keys, &hardware)
            .with_installed_sequence(installed)
            .with_self_test(&mut self_test);
        block_on(async {
            if matches!(agent.start_firmware().await, Ok(Boot::Restart)) {
                return true;
            }
            for _ in 0..days {
                let day = agent.day().await;
                let restarts = [FirmwareStep::Restart];
                let step = day.firmware;
                if matches!(step, Some(FirmwareStep::OnTrial))
                    || step.is_some_and(|step| restarts.contains(&step))
                {
                    return true;
                }
                agent.rest().await;
            }
            false
        })
    }

    /// What the build of an image knows: here, the first part of its version.
    fn number_of(&self, version: &FirmwareVersion) -> u64 {
        let major = version.as_str().split('.').next();
        match version.as_str() {
            "1.0.0" => self.installed,
            _ if self.all_know_their_number => major.and_then(|n| n.parse().ok()).unwrap_or(0),
            _ => 0,
        }
    }

    /// Starts it again and again until it lives a whole day without restarting and with the power
    /// on, at most so often.
    ///
    /// # Panics
    /// If it never comes to rest, or does not boot any more.
    pub fn live(&mut self, starts: u32) {
        let rests = (0..starts).any(|_| !self.start(1) && !self.flash.watch()());
        assert!(rests, "after {starts} starts: {:#?}", self.events);
    }
}

/// Room in each slot.
const CAPACITY: u64 = 16 * 1024;
