//! `Multicast` over a UDP socket of the system, on a tokio runtime.

use alloc::vec::Vec;
use core::{net::Ipv4Addr, time::Duration};
use std::io;

use ::tokio::{
    net::UdpSocket,
    time::{Instant, timeout},
};
use providore_wire::dns_sd::{GROUP, PORT};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::{Datagram, Multicast, TransportError};

/// A socket at port 5353 that it shares with other programs of this machine, over IPv4.
///
/// ```no_run
/// # use core::net::Ipv4Addr;
/// # async fn example() -> Result<(), providore_client::TransportError> {
/// use providore_client::{DnsSd, TokioMulticast};
///
/// let multicast = TokioMulticast::bind(&["192.168.1.20".parse().unwrap_or(Ipv4Addr::UNSPECIFIED)])?;
/// let mut buffer = [0; 1500];
/// let locator = DnsSd::new(multicast, || 4, &mut buffer);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct TokioMulticast {
    socket: UdpSocket,
    interfaces: Vec<Ipv4Addr>,
}

impl TokioMulticast {
    /// A socket that asks and listens on the interfaces that have these addresses; on the one that
    /// the system chooses, if there are none. An interface that cannot be used is left out.
    ///
    /// # Errors
    /// [`TransportError`] if the port cannot be shared, or none of the interfaces can be used.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn bind(interfaces: &[Ipv4Addr]) -> Result<Self, TransportError> {
        let chosen: &[Ipv4Addr] = match interfaces {
            [] => &[Ipv4Addr::UNSPECIFIED],
            some => some,
        };
        let socket = shared_socket().map_err(unreachable)?;
        let mut joined = Vec::new();
        let mut refused = None;
        for interface in chosen {
            match socket.join_multicast_v4(&GROUP, interface) {
                Ok(()) => joined.push(*interface),
                Err(error) => refused = Some(error),
            }
        }
        match refused {
            Some(error) if joined.is_empty() => return Err(unreachable(error)),
            _ => {}
        }
        let socket = UdpSocket::from_std(socket.into()).map_err(unreachable)?;
        Ok(Self {
            socket,
            interfaces: joined,
        })
    }

    async fn send_on(&self, interface: Ipv4Addr, datagram: &[u8]) -> io::Result<()> {
        SockRef::from(&self.socket).set_multicast_if_v4(&interface)?;
        self.socket.send_to(datagram, (GROUP, PORT)).await?;
        Ok(())
    }
}

impl Multicast for TokioMulticast {
    async fn send(&mut self, datagram: &[u8]) -> Result<(), TransportError> {
        let mut outcome = Err(TransportError::unreachable());
        for interface in &self.interfaces {
            match self.send_on(*interface, datagram).await {
                Ok(()) => outcome = Ok(()),
                Err(error) if outcome.is_err() => outcome = Err(unreachable(error)),
                Err(_) => {}
            }
        }
        outcome
    }

    async fn receive(
        &mut self,
        buffer: &mut [u8],
        within_ms: u64,
    ) -> Result<Option<Datagram>, TransportError> {
        let begin = Instant::now();
        let receiving = self.socket.recv_from(buffer);
        let Ok(heard) = timeout(Duration::from_millis(within_ms), receiving).await else {
            return Ok(None);
        };
        let (length, source) = heard.map_err(unreachable)?;
        let waited_ms = u64::try_from(begin.elapsed().as_millis()).unwrap_or(within_ms);
        Ok(Some(Datagram {
            length,
            source,
            waited_ms,
        }))
    }
}

/// A socket beside those of other programs that speak multicast DNS (RFC 6762 section 15.1).
fn shared_socket() -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    socket.set_reuse_port(true)?;
    // Of a server on this machine, too, and as RFC 6762 section 11 wants it.
    socket.set_multicast_loop_v4(true)?;
    socket.set_multicast_ttl_v4(255)?;
    socket.set_nonblocking(true)?;
    socket.bind(&core::net::SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT)).into())?;
    Ok(socket)
}

fn unreachable(error: io::Error) -> TransportError {
    TransportError::unreachable().with_source(error)
}
