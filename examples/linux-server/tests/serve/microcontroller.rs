//! A device as on a microcontroller: its transport, flash and agent without an allocator, against
//! the real server over TCP.

use core::net::SocketAddr;
use std::{
    io::{ErrorKind as Kind, Read as _, Write as _},
    net::TcpStream,
};

use embedded_hal_async::delay::DelayNs;
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use embedded_nal_async::TcpConnect;
use futures_lite::future::block_on;
use providore_client::{
    Agent, Buffers, ConfigStep, Device, FirmwareStep, FixedAddress, ImageCheck, NalSettings,
    NalTransport, NoNames, Platform, Record, Settings, Storage as _,
    flash::{FlashLayout, FlashSlots, FlashStorage, Slot, TRIAL_BOOTS, start},
    memory::{MemoryClock, MemoryFlash, Power},
};
use providore_sign::SoftwareKey;
use providore_wire::Dialect;

use super::running::{SECRET, Site, now};

const SLOT_LEN: u32 = 0x30_0000;
const STORAGE: core::ops::Range<u32> = 0x60_2000..0x60_6000;

fn layout() -> FlashLayout {
    FlashLayout {
        boot: 0..0x2000,
        slot_a: 0x2000..0x2000 + SLOT_LEN,
        slot_b: 0x2000 + SLOT_LEN..0x2000 + 2 * SLOT_LEN,
    }
}

#[test]
fn a_device_without_an_allocator_is_configured_and_brought_up_to_date() {
    let site = Site::new();
    let server = site.serve(&[]);
    let address = format!("http://{}", server.http.unwrap());
    let flash = MemoryFlash::<4, 4096>::new(0x606, &Power::new());
    let slot = || block_on(start(&mut flash.clone(), &layout(), TRIAL_BOOTS)).unwrap();
    assert_eq!(slot(), Slot::A);

    let (mut head, mut chunk, mut document) = ([0; 1536], [0; 1024], [0; 2048]);
    let key = SoftwareKey::new(SECRET.as_bytes()).unwrap();
    let version = "1.0.0".parse().unwrap();
    let device = Device::new(Dialect::Signed, "dev1".parse().unwrap(), version, key).unwrap();
    let mut count = 0_u32;
    let platform = Platform {
        transport: NalTransport::new(Host, NoNames, Never, &mut head, NalSettings::default()),
        locator: FixedAddress::new(address.parse().unwrap()),
        slot: FlashSlots::new(flash.clone(), layout()).unwrap(),
        storage: FlashStorage::new(flash.clone(), STORAGE).unwrap(),
        clock: MemoryClock::new(now()),
        entropy: || {
            count += 1;
            count
        },
    };
    let settings = Settings::new(ImageCheck::new(b"\xEA", 1000, SLOT_LEN.into()));
    let buffers = Buffers {
        chunk: &mut chunk,
        document: &mut document,
    };
    let mut agent = Agent::new(device, platform, settings, buffers);
    let day = block_on(agent.day());
    assert!(matches!(day.config, Some(ConfigStep::Stored)), "{day:?}");
    assert!(
        matches!(day.firmware, Some(FirmwareStep::OnTrial)),
        "{day:?}"
    );

    let mut storage = FlashStorage::new(flash.clone(), STORAGE).unwrap();
    let mut place = [0; 64];
    let config = block_on(storage.load(Record::Config, &mut place)).unwrap();
    assert_eq!(config, Some(&br#"{"version":"one"}"#[..]));
    assert_eq!(slot(), Slot::B, "the new image starts");
    let begin = layout().slot_b.start as usize;
    assert!(flash.content(begin..begin + 3_000_000) == vec![0xEA; 3_000_000]);
}

/// The TCP stack of the host.
struct Host;

struct Connection(TcpStream);

fn kind(error: &std::io::Error) -> ErrorKind {
    match error.kind() {
        Kind::ConnectionRefused => ErrorKind::ConnectionRefused,
        Kind::WouldBlock | Kind::TimedOut => ErrorKind::TimedOut,
        _ => ErrorKind::Other,
    }
}

impl TcpConnect for Host {
    type Error = ErrorKind;
    type Connection<'a> = Connection;

    async fn connect(&self, remote: SocketAddr) -> Result<Connection, ErrorKind> {
        let stream = TcpStream::connect(remote).map_err(|error| kind(&error))?;
        let limit = Some(std::time::Duration::from_secs(20));
        stream
            .set_read_timeout(limit)
            .map_err(|error| kind(&error))?;
        Ok(Connection(stream))
    }
}

impl ErrorType for Connection {
    type Error = ErrorKind;
}

impl Read for Connection {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        self.0.read(buffer).map_err(|error| kind(&error))
    }
}

impl Write for Connection {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        self.0.write(bytes).map_err(|error| kind(&error))
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        self.0.flush().map_err(|error| kind(&error))
    }
}

/// The stream itself ends what takes too long.
struct Never;

impl DelayNs for Never {
    async fn delay_ns(&mut self, _: u32) {
        core::future::pending::<()>().await;
    }
}
