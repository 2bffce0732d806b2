//! The firmware.
#![no_std]
#![no_main]

use embassy_net::{
    Ipv4Address,
    udp::{PacketMetadata, UdpSocket},
};
use embedded_storage_async::nor_flash::{NorFlash, ReadNorFlash};
use qemu_firmware::{
    flash::Partition, image, log, memory, net::NetworkCard, power, random::Random, time,
};
use static_cell::StaticCell;

#[used]
#[unsafe(link_section = ".header.version")]
static VERSION: [u8; image::VERSION_LEN] = image::version_field("1.0.0");
#[used]
#[unsafe(link_section = ".ballast")]
static BALLAST: [u8; 512 * 1024] = *include_bytes!(concat!(env!("OUT_DIR"), "/ballast"));

#[riscv_rt::entry]
fn main() -> ! {
    memory::prepare();
    let mut r = Random::new();
    let mut b = [0; 8];
    r.fill(&mut b);
    log!("random {b:02x?}");
    static BUFFERS: StaticCell<qemu_firmware::net::Buffers> = StaticCell::new();
    let card = NetworkCard::new(BUFFERS.init(NetworkCard::BUFFERS));
    static RES: StaticCell<embassy_net::StackResources<4>> = StaticCell::new();
    let (stack, mut runner) = embassy_net::new(
        card,
        embassy_net::Config::ipv4_static(embassy_net::StaticConfigV4 {
            address: embassy_net::Ipv4Cidr::new(Ipv4Address::new(10, 0, 2, 15), 24),
            gateway: None,
            dns_servers: Default::default(),
        }),
        RES.init(embassy_net::StackResources::new()),
        u64::from_le_bytes(b),
    );
    time::run(embassy_futures::select::select(runner.run(), async {
        let mut p = Partition::STORAGE;
        let mut x = [0; 16];
        p.read(0, &mut x).await.unwrap();
        log!("was {x:02x?}");
        p.erase(0, 256 * 1024).await.unwrap();
        log!("erased");
        p.write(4, &[1, 2, 3, 4, 5, 6, 7, 8]).await.unwrap();
        p.write(4, &[0xf1, 0xff, 3, 4, 5, 6, 7, 8]).await.unwrap();
        p.read(0, &mut x).await.unwrap();
        log!("is {x:02x?}");
        let big = [0x5a; 8192];
        for i in 0..16 {
            p.write(1024 + i * 8192, &big).await.unwrap();
        }
        log!("128 KiB written");
        let mut same = true;
        for i in 0..(16 * 8192 / 16) {
            p.read(1024 + i * 16, &mut x).await.unwrap();
            same &= x == [0x5a; 16];
        }
        log!("same {same}");
        let g = Ipv4Address::new(224, 0, 0, 251);
        stack.join_multicast_group(g).unwrap();
        let (mut rm, mut tm) = ([PacketMetadata::EMPTY; 4], [PacketMetadata::EMPTY; 4]);
        let (mut rx, mut tx) = ([0u8; 1024], [0u8; 1024]);
        let mut u = UdpSocket::new(stack, &mut rm, &mut rx, &mut tm, &mut tx);
        u.bind(5353).unwrap();
        u.send_to(b"hello", (g, 5353)).await.unwrap();
        let mut buf = [0; 512];
        match embassy_time::with_timeout(
            embassy_time::Duration::from_secs(3),
            u.recv_from(&mut buf),
        )
        .await
        {
            Ok(Ok((n, m))) => log!("got {n} from {:?}", m.endpoint),
            other => log!("{other:?}"),
        }
    }));
    log!("{:?}", memory::usage());
    power::off()
}
