//! The firmware: the parts of the board, put together for `device-app`.
#![no_std]
#![no_main]

mod factory;
mod key;
mod lamp;
mod parts;

use core::cell::RefCell;

use device_app::DeviceApp;
use embassy_net::{
    Config, Runner, Stack, StackResources, StaticConfigV4,
    tcp::client::{TcpClient, TcpClientState},
};
use embassy_time::Delay;
use providore_client::{
    Buffers, Device, DnsSd, ImageCheck, NalSettings, NalTransport, NoNames, Platform, Settings,
    flash::{FlashSlots, FlashStorage},
};
use providore_sign::SoftwareKey;
use providore_wire::Dialect;
use qemu_firmware::{
    image, log, memory,
    net::{self, NetworkCard},
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

const VERSION: &str = match option_env!("FIRMWARE_VERSION") {
    Some(version) => version,
    None => "1.0.0",
};

#[riscv_rt::entry]
fn main() -> ! {
    memory::prepare();
    log!("firmware {VERSION}");
    let mut random = Random::new();
    let mut factory = [0; factory::LEN];
    let factory = Factory::read(&mut factory).expect("the factory has not written who this is");
    let (stack, mut runner) = network(&factory, &mut random);
    let device = async { live(&factory, stack, random).await };
    let _ = time::run(embassy_futures::select::select(runner.run(), device));
    power::restart()
}

fn network(
    factory: &Factory<'_>,
    random: &mut Random,
) -> (Stack<'static>, Runner<'static, NetworkCard>) {
    static BUFFERS: ConstStaticCell<net::Buffers> = ConstStaticCell::new(NetworkCard::BUFFERS);
    static SOCKETS: ConstStaticCell<StackResources<3>> =
        ConstStaticCell::new(StackResources::new());
    let card = NetworkCard::new(BUFFERS.take());
    let config = Config::ipv4_static(StaticConfigV4 {
        address: factory.address,
        gateway: None,
        dns_servers: Default::default(),
    });
    let mut seed = [0; 8];
    random.fill(&mut seed);
    embassy_net::new(card, config, SOCKETS.take(), u64::from_ne_bytes(seed))
}

async fn live(factory: &Factory<'_>, stack: Stack<'static>, mut random: Random) {
    let mut key = key::load_or_make(&mut random);
    let random = RefCell::new(random);
    static HEAD: ConstStaticCell<[u8; 1536]> = ConstStaticCell::new([0; _]);
    static CHUNK: ConstStaticCell<[u8; 4096]> = ConstStaticCell::new([0; _]);
    static DOCUMENT: ConstStaticCell<[u8; 12 * 1024]> = ConstStaticCell::new([0; _]);
    static TCP: ConstStaticCell<TcpClientState<1, 1024, 4096>> =
        ConstStaticCell::new(TcpClientState::new());
    static RECORD: ConstStaticCell<[u8; 12 * 1024]> = ConstStaticCell::new([0; _]);
    static UDP: ConstStaticCell<UdpBuffers> = ConstStaticCell::new(UdpBuffers::new());
    static MDNS: ConstStaticCell<[u8; 512]> = ConstStaticCell::new([0; _]);
    let tcp = TcpClient::new(stack, TCP.take());
    let transport = NalTransport::new(tcp, NoNames, Delay, HEAD.take(), NalSettings::default());
    let link = Link::join(stack, UDP.take().socket(stack));
    let platform = Platform {
        transport,
        locator: DnsSd::new(link, Draw(&random), MDNS.take())
            ,
        slot: FlashSlots::new(Flash, FIRMWARE).expect("the layout fits"),
        storage: FlashStorage::new(Flash, STORAGE, RECORD.take()).expect("the layout fits"),
        clock: Uptime,
        entropy: Draw(&random),
    };
    let version = VERSION.parse().expect("a version");
    let secret = SoftwareKey::new(factory.secret).expect("a secret");
    let device =
        Device::new(Dialect::Signed, factory.device.clone(), version, secret).expect("a device");
    let mut settings = Settings::new(ImageCheck::new(
        image::MAGIC,
        image::MIN_LEN,
        image::MAX_LEN,
    ));
    settings.interval_s = 5;
    let buffers = Buffers {
        chunk: CHUNK.take(),
        document: DOCUMENT.take(),
    };
    let app = DeviceApp::new(device, platform, settings, buffers).with_identity(&mut key, None);
    let restart = app.run(&Lamp).await;
    log!("restart: {restart:?}");
}

#[used]
#[unsafe(link_section = ".header.version")]
static HEADER: [u8; image::VERSION_LEN] = image::version_field(VERSION);

#[used]
#[unsafe(link_section = ".ballast")]
static BALLAST: [u8; 512 * 1024] = *include_bytes!(concat!(env!("OUT_DIR"), "/ballast"));
