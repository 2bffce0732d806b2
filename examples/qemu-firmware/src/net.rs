//! The network card, as embassy-net wants it.

use core::task::Context;

use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use virtio_drivers::{device::net::VirtIONetRaw, transport::DeviceType};

use crate::virtio::{Memory, Port, find};

/// The network card of the board (`virtio-net`).
pub struct NetworkCard {
    card: Card,
    /// Lent to the card, each under the token that it gave.
    buffers: [(u16, &'static mut Frame); QUEUE],
    /// The frame that is being read.
    frame: [u8; FRAME],
}

/// Memory for the card to write frames into.
pub struct Frames([Frame; QUEUE]);

impl Frames {
    /// Nothing was received.
    #[must_use]
    pub const fn new() -> Self {
        Self([[0; _]; QUEUE])
    }
}

impl Default for Frames {
    fn default() -> Self {
        Self::new()
    }
}

/// An Ethernet frame behind the header of the emulator's card.
type Frame = [u8; FRAME + HEADER];
type Card = VirtIONetRaw<Memory, Port, QUEUE>;

const QUEUE: usize = 4;
/// An Ethernet frame without its checksum.
const FRAME: usize = 1514;
/// The longer of the two headers that the card may put before it, and a little more.
const HEADER: usize = 22;

impl NetworkCard {
    /// The card.
    ///
    /// # Panics
    /// On a board without one.
    #[must_use]
    pub fn new(frames: &'static mut Frames) -> Self {
        let port = find(DeviceType::Network).expect("the board has no virtio-net-device");
        let mut card = Card::new(port).expect("virtio-net");
        let buffers = frames
            .0
            .each_mut()
            .map(|buffer| (lend(&mut card, buffer), buffer));
        Self {
            card,
            buffers,
            frame: [0; FRAME],
        }
    }

    /// Copies the next frame out of the card's buffer, and lends the buffer again.
    fn next_frame(&mut self) -> Option<usize> {
        let token = self.card.poll_receive()?;
        let (place, buffer) = self.buffers.iter_mut().find(|(lent, _)| *lent == token)?;
        // SAFETY: the buffer that was lent under this token, and the card is done with it.
        let received = unsafe { self.card.receive_complete(token, &mut **buffer) };
        let length = received.ok().and_then(|(start, length)| {
            let content = buffer.get(start..start.checked_add(length)?)?;
            self.frame.get_mut(..length)?.copy_from_slice(content);
            Some(length)
        });
        *place = lend(&mut self.card, buffer);
        length
    }
}

fn lend(card: &mut Card, buffer: &mut Frame) -> u16 {
    // SAFETY: nobody looks at the buffer until the card gives its token back.
    unsafe { card.receive_begin(buffer) }.expect("as many buffers as places")
}

impl Driver for NetworkCard {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = ToSend<'a>;

    fn receive(&mut self, _: &mut Context<'_>) -> Option<(Received<'_>, ToSend<'_>)> {
        let length = self.next_frame()?;
        let frame = self.frame.get_mut(..length)?;
        Some((Received(frame), ToSend(&mut self.card)))
    }

    fn transmit(&mut self, _: &mut Context<'_>) -> Option<ToSend<'_>> {
        Some(ToSend(&mut self.card))
    }

    fn link_state(&mut self, _: &mut Context<'_>) -> LinkState {
        LinkState::Up
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = FRAME;
        capabilities.max_burst_size = Some(1);
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(self.card.mac_address())
    }
}

/// A frame that came.
pub struct Received<'a>(&'a mut [u8]);

impl RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, read: F) -> R {
        read(self.0)
    }
}

/// A frame that may go.
pub struct ToSend<'a>(&'a mut Card);

impl TxToken for ToSend<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, write: F) -> R {
        let mut frame = [0; FRAME];
        let (frame, _) = frame.split_at_mut(length);
        let result = write(frame);
        // A frame that is lost is sent again by those who miss it.
        let _ = self.0.send(frame);
        result
    }
}
