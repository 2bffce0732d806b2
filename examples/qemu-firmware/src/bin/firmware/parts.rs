//! The board as the traits of `providore-client` see it.

use core::cell::RefCell;

use embassy_net::{
    IpEndpoint, Stack,
    udp::{PacketMetadata, UdpSocket},
};
use embassy_time::{Duration, Instant, Timer, with_timeout};
use providore_client::{Clock, Datagram, Entropy, Multicast, TransportError};
use providore_wire::{Timestamp, dns_sd};
use qemu_firmware::{random::Random, time};

/// The time since power came on: the board knows no other.
pub struct Uptime;

impl Clock for Uptime {
    fn now(&mut self) -> Option<Timestamp> {
        None
    }

    fn uptime_ms(&mut self) -> u64 {
        time::uptime_ms()
    }

    async fn sleep_ms(&mut self, milliseconds: u64) {
        Timer::after(Duration::from_millis(milliseconds)).await;
    }
}

/// One generator for all who draw.
#[derive(Clone, Copy)]
pub struct Draw<'r>(pub &'r RefCell<Random>);

impl Entropy for Draw<'_> {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.0.borrow_mut().fill(&mut bytes);
        u32::from_ne_bytes(bytes)
    }
}

/// Memory of a UDP socket.
#[derive(Debug)]
pub struct UdpBuffers {
    received: [PacketMetadata; 4],
    sent: [PacketMetadata; 2],
    receive: [u8; 2048],
    send: [u8; 512],
}

impl UdpBuffers {
    /// Nothing was received.
    pub const fn new() -> Self {
        Self {
            received: [PacketMetadata::EMPTY; 4],
            sent: [PacketMetadata::EMPTY; 2],
            receive: [0; 2048],
            send: [0; 512],
        }
    }

    /// A socket in this memory.
    pub fn socket(&mut self, stack: Stack<'static>) -> UdpSocket<'_> {
        let Self {
            received,
            sent,
            receive,
            send,
        } = self;
        UdpSocket::new(stack, received, receive, sent, send)
    }
}
/// The network around, as multicast DNS is spoken in it.
pub struct Link<'s>(UdpSocket<'s>);

impl<'s> Link<'s> {
    /// Listens to the group.
    ///
    /// # Panics
    /// If somebody else in this program does.
    pub fn join(stack: Stack<'static>, mut socket: UdpSocket<'s>) -> Self {
        stack
            .join_multicast_group(dns_sd::GROUP)
            .expect("a group is free");
        socket.bind(dns_sd::PORT).expect("the port is free");
        socket.set_hop_limit(Some(255));
        Self(socket)
    }
}

impl Multicast for Link<'_> {
    async fn send(&mut self, datagram: &[u8]) -> Result<(), TransportError> {
        let group = IpEndpoint::new(dns_sd::GROUP.into(), dns_sd::PORT);
        let sent = self.0.send_to(datagram, group).await;
        sent.map_err(|_| TransportError::unreachable())
    }

    async fn receive(
        &mut self,
        buffer: &mut [u8],
        within_ms: u64,
    ) -> Result<Option<Datagram>, TransportError> {
        let start = Instant::now();
        let received = self.0.recv_from(buffer);
        // What is longer than the buffer is not for us.
        let Ok(Ok((length, from))) = with_timeout(Duration::from_millis(within_ms), received).await
        else {
            return Ok(None);
        };
        Ok(Some(Datagram {
            length,
            source: from.endpoint.into(),
            waited_ms: start.elapsed().as_millis(),
        }))
    }

    fn has_the_port_to_itself(&self) -> bool {
        true
    }
}
