//! The firmware: the parts of the board, put together for `device-app`.
#![no_std]
#![no_main]

mod factory;
mod key;
mod lamp;
mod parts;

use core::cell::RefCell;

use device_app::DeviceApp;
use embassy_futures::select::{Either, select};
use embassy_net::{
    Config, DhcpConfig, Runner, Stack, StackResources, StaticConfigV4,
    tcp::client::{TcpClient, TcpClientState},
};
use embassy_time::Delay;
use providore_client::{
    Buffers, Device, DnsSd, ImageCheck, NalSettings, NalTransport, NoNames, Platform, Settings,
    flash::{FlashSlots, FlashStorage},
};
use providore_pki::manifest::AuthorKeys;
use providore_sign::SoftwareKey;
use providore_wire::{Dialect, FirmwareVersion, HardwareType};
use qemu_firmware::{
    flash::{FIRMWARE, Flash, STORAGE},
    image, log, memory,
    net::{Frames, NetworkCard},
    power,
    random::Random,
    time,
};
use static_cell::ConstStaticCell;

use crate::{
    factory::Factory,
    lamp::Lamp,
    parts::{Draw, Link, UdpBuffers, Uptime},
};

/// The version of this release.
const VERSION: &str = match option_env!("FIRMWARE_VERSION") {
    Some(version) => version,
    None => "1.0.0",
};
/// Its number among all releases.
const SEQUENCE: &str = match option_env!("FIRMWARE_SEQUENCE") {
    Some(sequence) => sequence,
    None => "1",
};
/// What it is for.
const HARDWARE: &str = "qemu-virt";

/// How long a day is, in seconds. A device that is not watched takes an hour.
const DAY_S: u32 = 5;

#[riscv_rt::entry]
fn main() -> ! {
    memory::prepare();
    log!("firmware {VERSION}, release {SEQUENCE}");
    let mut random = Random::new();
    let mut lines = [0; factory::LEN];
    let factory = Factory::read(&mut lines).expect("no factory has written who this is");
    let (stack, mut runner) = network(&factory, &mut random);
    let ended = time::run(select(runner.run(), live(&factory, stack, random)));
    let Either::Second(reason) = ended;
    let memory::Usage { stack, heap } = memory::usage();
    log!("memory: {stack} bytes of stack, {heap} bytes of heap at most");
    log!("restart: {reason:?}");
    power::restart()
}

/// The IP stack on the network card.
fn network(
    factory: &Factory<'_>,
    random: &mut Random,
) -> (Stack<'static>, Runner<'static, NetworkCard>) {
    static FRAMES: ConstStaticCell<Frames> = ConstStaticCell::new(Frames::new());
    // Multicast DNS, one connection, and one that is being closed.
    static SOCKETS: ConstStaticCell<StackResources<3>> =
        ConstStaticCell::new(StackResources::new());
    let card = NetworkCard::new(FRAMES.take());
    let config = match factory.address {
        Some(address) => Config::ipv4_static(StaticConfigV4 {
            address,
            gateway: None,
            dns_servers: heapless::Vec::new(),
        }),
        None => Config::dhcpv4(DhcpConfig::default()),
    };
    let mut seed = [0; 8];
    random.fill(&mut seed);
    embassy_net::new(card, config, SOCKETS.take(), u64::from_ne_bytes(seed))
}

/// Memory of the connections.
static TCP: ConstStaticCell<TcpClientState<1, 1024, 4096>> =
    ConstStaticCell::new(TcpClientState::new());
/// Memory of multicast DNS.
static UDP: ConstStaticCell<UdpBuffers> = ConstStaticCell::new(UdpBuffers::new());

/// What the parts work in: zeros, which take no flash.
struct Workspace {
    mdns: [u8; 512],
    head: [u8; 1536],
    chunk: [u8; 8192],
    document: [u8; 6144],
}

static WORKSPACE: ConstStaticCell<Workspace> = ConstStaticCell::new(Workspace {
    mdns: [0; _],
    head: [0; _],
    chunk: [0; _],
    document: [0; _],
});

/// The device's life until it has to restart.
async fn live(
    factory: &Factory<'_>,
    stack: Stack<'static>,
    mut random: Random,
) -> device_app::Restart {
    let mut key = key::load_or_make(&mut random);
    let random = RefCell::new(random);
    let workspace = WORKSPACE.take();

    let link = Link::join(stack, UDP.take().socket(stack));
    let tcp = TcpClient::new(stack, TCP.take());
    let settings = NalSettings::default();
    let platform = Platform {
        transport: NalTransport::new(tcp, NoNames, Delay, &mut workspace.head, settings),
        locator: DnsSd::new(link, Draw(&random), &mut workspace.mdns),
        slot: FlashSlots::new(Flash, FIRMWARE).expect("the layout fits the chip"),
        storage: FlashStorage::new(Flash, STORAGE).expect("the layout fits the chip"),
        clock: Uptime,
        entropy: Draw(&random),
    };

    let version: FirmwareVersion = VERSION.parse().expect("a version");
    let secret = SoftwareKey::new(factory.secret).expect("a secret of the factory");
    let device = Device::new(Dialect::Signed, factory.device.clone(), version, secret);
    let check = ImageCheck::new(image::MAGIC, image::MIN_LEN, image::MAX_LEN);
    let mut settings = Settings::new(check);
    settings.interval_s = DAY_S;
    let buffers = Buffers {
        chunk: &mut workspace.chunk,
        document: &mut workspace.document,
    };
    let authors = factory.authors();
    let hardware: HardwareType = HARDWARE.parse().expect("a hardware type");
    let sequence = SEQUENCE.parse().expect("a number");
    DeviceApp::new(device.expect("a secret"), platform, settings, buffers)
        .with_authors(
            AuthorKeys::new(&authors).expect("authors of the factory"),
            &hardware,
            sequence,
        )
        .with_identity(&mut key, None)
        .run(&Lamp)
        .await
}

#[used]
#[unsafe(link_section = ".header.version")]
static HEADER: [u8; image::VERSION_LEN] = image::version_field(VERSION);

#[used]
#[unsafe(link_section = ".ballast")]
static BALLAST: [u8; 512 * 1024] = *include_bytes!(concat!(env!("OUT_DIR"), "/ballast"));
