//! The device's agent, with the parts of a device that are no part of it: a server that answers
//! from a script, a flash that is a piece of memory, a clock that stands still.

use core::{
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

#[cfg(feature = "client-firmware")]
use providore_client::FirmwareStep;
use providore_client::{
    Agent, Answer, Body, Buffers, Clock, ConfigStep, Device, Entropy, FirmwareSlot, FixedAddress,
    Head, ImageCheck, Platform, Record, Request, ServerAddress, Settings, SlotState, Storage,
    StoreError, Transport, TransportError, VerifiedImage,
};
#[cfg(feature = "client-firmware")]
use providore_pki::{PublicKey, manifest::AuthorKeys};
use providore_sign::SoftwareKey;
use providore_wire::{Dialect, FirmwareVersion, Timestamp};

use core::hint::black_box;

use crate::board::{self, Records, Script};

#[cfg(feature = "client-firmware")]
const AUTHOR: &[u8; 65] = include_bytes!("../script/author.bin");
const NOW: i64 = 1_767_323_045;
const SECRET: &[u8] = b"an example of a secret, 32 bytes";

/// A day of the device.
#[inline(never)]
pub(crate) fn device(document: &mut [u8], chunk: &mut [u8]) -> Option<()> {
    let (config, document) = document.split_at_mut_checked(512)?;
    let buffers = Buffers { chunk, document };
    #[cfg(feature = "client-firmware")]
    let keys = [PublicKey::from_sec1(black_box(AUTHOR)).ok()?];
    let mut agent = agent(
        config,
        buffers,
        #[cfg(feature = "client-firmware")]
        &keys,
    );
    // It stays where it is.
    let agent = agent.as_mut()?;
    first_config(agent)?;
    #[cfg(feature = "client-firmware")]
    first_firmware(agent)?;
    black_box(agent);
    Some(())
}

type Whole<'a> =
    Agent<'a, SoftwareKey, Platform<Script<'a>, FixedAddress, Flash, Records<'a>, Still, Counting>>;

/// In a frame of its own: what it is put together from is gone when it works.
#[inline(never)]
fn agent<'a>(
    config: &'a mut [u8],
    buffers: Buffers<'a>,
    #[cfg(feature = "client-firmware")] keys: &'a [PublicKey],
) -> Option<Whole<'a>> {
    let device = Device::new(
        Dialect::Signed,
        black_box("d8fa0180").parse().ok()?,
        black_box("1.1.0").parse().ok()?,
        SoftwareKey::new(black_box(SECRET)).ok()?,
    );
    let platform = Platform {
        transport: Script(black_box(&crate::ANSWERS)),
        locator: FixedAddress::new(black_box("http://192.0.2.1:3000").parse().ok()?),
        slot: Flash { used: 0 },
        storage: Records::new(config),
        clock: Still,
        entropy: Counting(0),
    };
    let settings = Settings::new(ImageCheck::new(b"", 1, 1 << 20));
    let agent = Agent::new(device.ok()?, platform, settings, buffers);
    #[cfg(feature = "client-firmware")]
    let agent = {
        let authors = AuthorKeys::new(keys).ok()?;
        agent.with_authors(authors, &black_box("esp32-s2").parse().ok()?)
    };
    Some(agent)
}

#[inline(never)]
fn first_config(agent: &mut Whole<'_>) -> Option<()> {
    let stored = ready(pin!(agent.check_config()))?.ok()?;
    (stored == ConfigStep::Stored).then_some(())
}

#[cfg(feature = "client-firmware")]
#[inline(never)]
fn first_firmware(agent: &mut Whole<'_>) -> Option<()> {
    let step = ready(pin!(agent.check_firmware()))?.ok()?;
    matches!(step, FirmwareStep::OnTrial).then_some(())
}

/// What is ready at once. Pinned by the caller: a future is as large as all that it holds, and is
/// not to be moved.
fn ready<F: Future>(future: Pin<&mut F>) -> Option<F::Output> {
    let mut context = Context::from_waker(Waker::noop());
    match future.poll(&mut context) {
        Poll::Ready(outcome) => Some(outcome),
        Poll::Pending => None,
    }
}

/// What came back.
pub(crate) struct Said(&'static [u8]);

pub(crate) struct Rest(&'static [u8]);

impl Transport for Script<'_> {
    type Head<'t>
        = Said
    where
        Self: 't;
    type Body<'t>
        = Rest
    where
        Self: 't;

    async fn send<'t>(
        &'t mut self,
        _: &ServerAddress,
        request: &Request<'_>,
    ) -> Result<Answer<Said, Rest>, TransportError> {
        black_box((request.method(), request.target()));
        black_box((request.lines(), request.body()));
        let (head, body) = self.answer().ok_or(TransportError::unreachable())?;
        Ok(Answer {
            head: Said(head),
            body: Rest(body),
        })
    }
}

impl Head for Said {
    fn status(&self) -> u16 {
        board::status(self.0)
    }

    fn fields(&self) -> impl Iterator<Item = (&str, &[u8])> {
        crate::fields(self.0)
    }
}

impl Body for Rest {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, TransportError> {
        Ok(board::read(&mut self.0, buffer))
    }
}

struct Flash {
    used: u64,
}

impl FirmwareSlot for Flash {
    fn capacity(&self) -> u64 {
        black_box(1 << 20)
    }

    async fn state(&mut self) -> Result<SlotState, StoreError> {
        Ok(black_box(SlotState::Settled))
    }

    async fn read(&mut self, _: u64, _: &mut [u8]) -> Result<usize, StoreError> {
        Ok(black_box(0))
    }

    async fn begin(&mut self, _: &FirmwareVersion, keep: u64) -> Result<u64, StoreError> {
        Ok(black_box(keep))
    }

    async fn write(&mut self, chunk: &[u8]) -> Result<(), StoreError> {
        self.used = self.used.wrapping_add(chunk.len() as u64);
        black_box(chunk);
        Ok(())
    }

    async fn commit(&mut self, image: VerifiedImage) -> Result<(), StoreError> {
        black_box(&image);
        Ok(())
    }

    async fn abort(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn confirm(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn roll_back(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Storage for Records<'_> {
    async fn load<'b>(
        &mut self,
        record: Record,
        buffer: &'b mut [u8],
    ) -> Result<Option<&'b [u8]>, StoreError> {
        Ok(Records::read(self, record == Record::Config, buffer))
    }

    async fn store(&mut self, record: Record, content: &[u8]) -> Result<(), StoreError> {
        self.write(record == Record::Config, content);
        Ok(())
    }

    async fn remove(&mut self, record: Record) -> Result<(), StoreError> {
        black_box(record);
        Ok(())
    }
}

struct Still;

impl Clock for Still {
    fn now(&mut self) -> Option<Timestamp> {
        Timestamp::from_unix(black_box(NOW))
    }

    fn uptime_ms(&mut self) -> u64 {
        black_box(1000)
    }

    async fn sleep_ms(&mut self, milliseconds: u64) {
        black_box(milliseconds);
    }
}

struct Counting(u32);

impl Entropy for Counting {
    fn next_u32(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(1);
        self.0
    }
}
