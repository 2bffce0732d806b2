//! Datagrams to everybody on the link.

use core::net::SocketAddr;

use crate::TransportError;

/// A UDP socket at port 5353 that has joined 224.0.0.251
/// ([`providore_wire::dns_sd`] has both as constants).
///
/// # Contract
/// What is sent leaves from port 5353, with 255 as its time to live. What arrives late, twice or not
/// at all is lost to nobody: UDP may.
#[expect(
    async_fn_in_trait,
    reason = "no Send bound: executors of devices have one thread"
)]
pub trait Multicast {
    /// Sends a datagram to the group.
    ///
    /// # Errors
    /// [`TransportError`], if the network is down. The search then goes on without it.
    async fn send(&mut self, datagram: &[u8]) -> Result<(), TransportError>;

    /// Waits for a datagram, so many milliseconds at most; `None` if none came. One that is longer
    /// than `buffer` may be cut.
    ///
    /// # Errors
    /// [`TransportError`], if the network is down.
    async fn receive(
        &mut self,
        buffer: &mut [u8],
        within_ms: u64,
    ) -> Result<Option<Datagram>, TransportError>;

    /// Whether no other program on this machine uses port 5353, so that the first answer may come to
    /// it alone (RFC 6762 sections 5.4 and 15.1).
    fn has_the_port_to_itself(&self) -> bool {
        false
    }
}

/// A datagram that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "implementations make it as a literal"
)]
pub struct Datagram {
    /// How many bytes of the buffer it takes.
    pub length: usize,
    /// Who sent it, as the network says.
    pub source: SocketAddr,
    /// How long it was waited for, in milliseconds.
    pub waited_ms: u64,
}

impl<M: Multicast + ?Sized> Multicast for &mut M {
    async fn send(&mut self, datagram: &[u8]) -> Result<(), TransportError> {
        (**self).send(datagram).await
    }

    async fn receive(
        &mut self,
        buffer: &mut [u8],
        within_ms: u64,
    ) -> Result<Option<Datagram>, TransportError> {
        (**self).receive(buffer, within_ms).await
    }

    fn has_the_port_to_itself(&self) -> bool {
        (**self).has_the_port_to_itself()
    }
}
