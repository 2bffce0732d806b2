//! The board as the traits of `providore-client` see it.

use core::cell::RefCell;

use embassy_net::{
    Stack,
    udp::{PacketMetadata, UdpSocket},
};
use embassy_time::{Duration, Timer};
use providore_client::{Clock, Entropy};
use providore_wire::Timestamp;
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
