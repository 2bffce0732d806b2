//! Wi-Fi, and what goes over it.

use core::net::SocketAddr;

use embassy_executor::Spawner;
use embassy_net::{
    Config, IpAddress, IpEndpoint, Runner, Stack, StackResources,
    udp::{PacketMetadata, UdpSocket},
};
use embassy_time::{Duration, Instant, Timer, with_timeout};
use esp_hal::{peripherals::WIFI, rng::Rng};
use esp_println::println;
use esp_radio::wifi::{
    AuthenticationMethodConfig, Config as Wifi, Interface, WifiController, sta::StationConfig,
};
use esp32_parts::provisioning::Provisioning;
use providore_client::{Datagram, Multicast, NoticeSource, TransportError};
use providore_wire::dns_sd;
use static_cell::StaticCell;

use crate::start;

/// Where notices come to: what `providore-server device notify ID --to ADDRESS:3001` is told.
pub(crate) const NOTICE_PORT: u16 = 3001;

/// TCP, UDP for discovery and for notices, DHCP, DNS.
const SOCKETS: usize = 6;

/// Begins to join the network. Nobody waits for it: what is asked meanwhile fails and is asked again.
pub(crate) fn join(
    spawner: &Spawner,
    radio: WIFI<'static>,
    told: &Provisioning<'_>,
) -> Result<Stack<'static>, &'static str> {
    static RESOURCES: StaticCell<StackResources<SOCKETS>> = StaticCell::new();
    let station = station(told)?;
    let mut controller =
        WifiController::new(radio, Default::default()).map_err(|_| "the radio does not start")?;
    let interface = Interface::station();
    controller
        .set_config(&Wifi::Station(station))
        .map_err(|_| "the radio does not take the network's name and password")?;
    // The radio is on, which makes these numbers random in earnest.
    let rng = Rng::new();
    let seed = u64::from(rng.random()) << 32 | u64::from(rng.random());
    let config = Config::dhcpv4(Default::default());
    let resources = RESOURCES.init(StackResources::new());
    let (stack, runner) = embassy_net::new(interface, config, resources, seed);
    start(spawner, run(runner));
    start(spawner, stay(controller));
    start(spawner, tell(stack));
    Ok(stack)
}

fn station(told: &Provisioning<'_>) -> Result<StationConfig, &'static str> {
    let name = told.wifi_name.try_into();
    let name = name.map_err(|_| "the network's name is too long")?;
    let method = if told.wifi_password.is_empty() {
        AuthenticationMethodConfig::Open
    } else {
        let password = told.wifi_password.try_into();
        let password = password.map_err(|_| "the network's password cannot be used")?;
        AuthenticationMethodConfig::Wpa2Personal(password)
    };
    let config = StationConfig::default();
    Ok(config.with_ssid(name).with_authentication(method))
}

#[embassy_executor::task]
async fn run(mut runner: Runner<'static, Interface>) {
    runner.run().await;
}

/// Connects, and connects again.
#[embassy_executor::task]
async fn stay(mut controller: WifiController<'static>) {
    loop {
        match controller.connect_async().await {
            Ok(_) => {
                println!("wifi: connected");
                let _ = controller.wait_for_disconnect_async().await;
                println!("wifi: disconnected");
            }
            Err(error) => println!("wifi: {error:?}"),
        }
        Timer::after_secs(5).await;
    }
}

/// Says under which address the device is known.
#[embassy_executor::task]
async fn tell(stack: Stack<'static>) {
    loop {
        stack.wait_config_up().await;
        if let Some(config) = stack.config_v4() {
            println!("address: {}", config.address);
        }
        let _ = stack.join_multicast_group(dns_sd::GROUP);
        stack.wait_config_down().await;
        println!("address: none");
    }
}

/// A UDP socket and its buffers.
pub(crate) struct Room<const RECEIVED: usize, const SENT: usize> {
    received: [u8; RECEIVED],
    received_from: [PacketMetadata; 4],
    sent: [u8; SENT],
    sent_to: [PacketMetadata; 2],
}

impl<const RECEIVED: usize, const SENT: usize> Room<RECEIVED, SENT> {
    pub(crate) const fn new() -> Self {
        Self {
            received: [0; RECEIVED],
            received_from: [PacketMetadata::EMPTY; 4],
            sent: [0; SENT],
            sent_to: [PacketMetadata::EMPTY; 2],
        }
    }

    fn socket(&'static mut self, stack: Stack<'static>, port: u16) -> Option<UdpSocket<'static>> {
        let mut socket = UdpSocket::new(
            stack,
            &mut self.received_from,
            &mut self.received,
            &mut self.sent_to,
            &mut self.sent,
        );
        socket.bind(port).ok()?;
        Some(socket)
    }
}

/// Multicast DNS.
pub(crate) struct Group(UdpSocket<'static>);

impl Group {
    pub(crate) fn new(stack: Stack<'static>, room: &'static mut Room<2048, 256>) -> Option<Self> {
        let mut socket = room.socket(stack, dns_sd::PORT)?;
        socket.set_hop_limit(Some(255));
        Some(Self(socket))
    }
}

impl Multicast for Group {
    async fn send(&mut self, datagram: &[u8]) -> Result<(), TransportError> {
        let group = IpEndpoint::new(IpAddress::Ipv4(dns_sd::GROUP), dns_sd::PORT);
        let sent = self.0.send_to(datagram, group).await;
        sent.map_err(|_| TransportError::unreachable())
    }

    async fn receive(
        &mut self,
        buffer: &mut [u8],
        within_ms: u64,
    ) -> Result<Option<Datagram>, TransportError> {
        let begin = Instant::now();
        let end = begin + Duration::from_millis(within_ms);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match with_timeout(left, self.0.recv_from(buffer)).await {
                Err(_) => return Ok(None),
                // Longer than the buffer: none of ours.
                Ok(Err(_)) => {}
                Ok(Ok((length, from))) => {
                    let IpAddress::Ipv4(address) = from.endpoint.addr;
                    return Ok(Some(Datagram {
                        length,
                        source: SocketAddr::from((address, from.endpoint.port)),
                        waited_ms: begin.elapsed().as_millis(),
                    }));
                }
            }
        }
    }

    fn has_the_port_to_itself(&self) -> bool {
        true
    }
}

/// Notices of the server.
pub(crate) struct NoticePort(UdpSocket<'static>);

impl NoticePort {
    pub(crate) fn new(stack: Stack<'static>, room: &'static mut Room<512, 0>) -> Option<Self> {
        room.socket(stack, NOTICE_PORT).map(Self)
    }
}

impl NoticeSource for NoticePort {
    async fn receive(&mut self, buffer: &mut [u8]) -> usize {
        loop {
            if let Ok((length, _)) = self.0.recv_from(buffer).await {
                return length;
            }
        }
    }
}
