//! The parts of the device, put together.

use device_app::{DeviceApp, Restart};
use embassy_embedded_hal::adapter::BlockingAsync;
use embassy_net::{
    Stack,
    dns::DnsSocket,
    tcp::client::{TcpClient, TcpClientState},
};
use embassy_time::Delay;
use esp_hal::rng::Rng;
use esp32_parts::{ota::OtaSlots, provisioning::Provisioning};
use providore_client::{
    Buffers, Device, DnsSd, ImageCheck, NalSettings, NalTransport, Platform, Settings,
    flash::FlashStorage,
};
use providore_pki::{PublicKey, manifest::AuthorKeys};
use providore_wire::{Dialect, FirmwareVersion, dns_sd::Fingerprint};
use static_cell::StaticCell;

use crate::{
    SEQUENCE, VERSION,
    board::{Board, CHIP_ID},
    flash::Layout,
    key::Key,
    network::{Group, NoticePort, Room},
    time::Uptime,
};

/// What everything is received into. Chunks of 8 KiB go together with manifests of less: a slot has
/// 192 of them, and each takes 32 bytes of a manifest.
struct Memory {
    chunk: [u8; 8192],
    document: [u8; 8192],
    packet: [u8; 1500],
    head: [u8; 1536],
}

static MEMORY: StaticCell<Memory> = StaticCell::new();
static TCP: StaticCell<TcpClientState<1, 1024, 1536>> = StaticCell::new();
static GROUP: StaticCell<Room<2048, 256>> = StaticCell::new();
static NOTICES: StaticCell<Room<512, 0>> = StaticCell::new();
static AUTHORS: StaticCell<[PublicKey; 4]> = StaticCell::new();

/// Lives until the board has to restart.
pub(crate) async fn run(
    flash: Layout,
    told: Provisioning<'static>,
    key: Key,
    stack: Stack<'static>,
) -> Result<Restart, &'static str> {
    let memory = MEMORY.init_with(|| Memory {
        chunk: [0; 8192],
        document: [0; 8192],
        packet: [0; 1500],
        head: [0; 1536],
    });
    // Not before the radio is on: without it the generator repeats itself.
    let random = || Rng::new().random();

    let tcp = TcpClient::new(stack, TCP.init_with(TcpClientState::new));
    let names = DnsSocket::new(stack);
    let settings = NalSettings::default();
    let transport = NalTransport::new(tcp, names, Delay, &mut memory.head, settings);

    let group = Group::new(stack, GROUP.init_with(Room::new)).ok_or(NO_SOCKET)?;
    let mut locator = DnsSd::new(group, random, &mut memory.packet);
    if let Some(server) = told.server {
        let server = server.parse().map_err(|_| "the server's address is none")?;
        locator = locator.with_fallback(server);
    }
    if let Some(authority) = told.authority {
        locator = locator.with_fingerprint(Fingerprint::new(authority));
    }

    let records = BlockingAsync::new(flash.records);
    let storage = FlashStorage::new(records, 0..flash.records_len)
        .map_err(|_| "the partition for records is too small")?;
    let slot = OtaSlots::new(flash.otadata, flash.slots, flash.running)
        .map_err(|_| "the partition otadata has another length than two sectors")?;

    let version = VERSION
        .parse()
        .map_err(|_| "the version of this image is none")?;
    let device = Device::new(Dialect::Signed, told.id.clone(), version, key)
        .map_err(|_| "the key cannot be used: are the fuses burned?")?;
    let image = ImageCheck::new(&[0xe9], 4096, 0x18_0000).with_opening(is_for_this_chip);
    let platform = Platform {
        transport,
        locator,
        slot,
        storage,
        clock: Uptime,
        entropy: random,
    };
    let buffers = Buffers {
        chunk: &mut memory.chunk,
        document: &mut memory.document,
    };
    let notices = NoticePort::new(stack, NOTICES.init_with(Room::new)).ok_or(NO_SOCKET)?;
    let app = DeviceApp::new(device, platform, Settings::new(image), buffers).with_notices(notices);
    let app = app.with_authors(authors(&told)?, &told.hardware, SEQUENCE);
    Ok(app.run(&Board).await)
}

/// The authors whose firmware is installed.
fn authors(told: &Provisioning<'_>) -> Result<AuthorKeys<'static>, &'static str> {
    const WRONG: &str = "the keys of the authors are none, twice the same, or not on the curve";
    let mut keys = told.authors.iter().map(PublicKey::from_sec1);
    let first = keys.next().ok_or(WRONG)?.map_err(|_| WRONG)?;
    let all = AUTHORS.init([first; 4]);
    let mut count = 1;
    for (slot, key) in all.iter_mut().skip(1).zip(keys) {
        *slot = key.map_err(|_| WRONG)?;
        count += 1;
    }
    let all: &'static [PublicKey] = all;
    AuthorKeys::new(all.get(..count).unwrap_or_default()).map_err(|_| WRONG)
}

/// An image of Espressif's format says at its twelfth byte which chip it is for.
fn is_for_this_chip(opening: &[u8], _: &FirmwareVersion) -> bool {
    opening.get(12..14) == Some(&CHIP_ID.to_le_bytes())
}

const NO_SOCKET: &str = "there is no room for another socket";
