//! `Multicast` over UDP sockets of the system, on a tokio runtime.

use alloc::vec::Vec;
use core::{
    future::poll_fn,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    task::Poll,
    time::Duration,
};
use std::io;

use ::tokio::{
    net::UdpSocket,
    time::{Instant, timeout},
};
use providore_wire::dns_sd::{GROUP, GROUP_V6, PORT};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::{Datagram, Multicast, TransportError};

/// Sockets at port 5353 that they share with other programs of this machine, over IPv4 and IPv6.
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
    v4: Option<Side<Ipv4Addr>>,
    v6: Option<Side<u32>>,
}

/// The socket of one address family, and the interfaces on which it asks.
#[derive(Debug)]
struct Side<I> {
    socket: UdpSocket,
    interfaces: Vec<I>,
}

impl TokioMulticast {
    /// A socket that asks and listens over IPv4 on the interfaces that have these addresses; on the one
    /// that the system chooses, if there are none. An interface that cannot be used is left out.
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
        Self::bind_dual(chosen, &[])
    }

    /// Sockets that ask and listen over IPv4 on the interfaces that have these addresses, and over IPv6 on
    /// those that have these numbers (RFC 3493, section 4). What cannot be used is left out.
    ///
    /// # Errors
    /// [`TransportError`] if the port cannot be shared, or none of the interfaces can be used.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn bind_dual(v4: &[Ipv4Addr], v6: &[u32]) -> Result<Self, TransportError> {
        let join =
            |socket: &Socket, interface: &Ipv4Addr| socket.join_multicast_v4(&GROUP, interface);
        let (v4, no_v4) = side(Domain::IPV4, v4, join);
        let join = |socket: &Socket, index: &u32| socket.join_multicast_v6(&GROUP_V6, *index);
        let (v6, no_v6) = side(Domain::IPV6, v6, join);
        if v4.is_none() && v6.is_none() {
            let error = no_v4.or(no_v6);
            return Err(error.map_or_else(TransportError::unreachable, unreachable));
        }
        Ok(Self { v4, v6 })
    }

    /// The next datagram of either socket.
    async fn hear(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let sockets = [
            self.v4.as_ref().map(|side| &side.socket),
            self.v6.as_ref().map(|side| &side.socket),
        ];
        loop {
            let ready = poll_fn(|context| {
                let mut sockets = sockets.iter().flatten();
                let ready = sockets.find(|socket| socket.poll_recv_ready(context).is_ready());
                ready.map_or(Poll::Pending, |ready| Poll::Ready(*ready))
            });
            match ready.await.try_recv_from(buffer) {
                // Somebody else has read it, or it was damaged.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                heard => return heard,
            }
        }
    }
}

impl Side<Ipv4Addr> {
    async fn send(&self, interface: Ipv4Addr, datagram: &[u8]) -> io::Result<()> {
        SockRef::from(&self.socket).set_multicast_if_v4(&interface)?;
        self.socket.send_to(datagram, (GROUP, PORT)).await?;
        Ok(())
    }
}

impl Side<u32> {
    async fn send(&self, interface: u32, datagram: &[u8]) -> io::Result<()> {
        SockRef::from(&self.socket).set_multicast_if_v6(interface)?;
        self.socket.send_to(datagram, (GROUP_V6, PORT)).await?;
        Ok(())
    }
}

impl Multicast for TokioMulticast {
    async fn send(&mut self, datagram: &[u8]) -> Result<(), TransportError> {
        let mut outcome = Err(TransportError::unreachable());
        let mut note = |sent: io::Result<()>| match sent {
            Ok(()) => outcome = Ok(()),
            Err(error) if outcome.is_err() => outcome = Err(unreachable(error)),
            Err(_) => {}
        };
        if let Some(side) = &self.v4 {
            for interface in &side.interfaces {
                note(side.send(*interface, datagram).await);
            }
        }
        if let Some(side) = &self.v6 {
            for interface in &side.interfaces {
                note(side.send(*interface, datagram).await);
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
        let hearing = self.hear(buffer);
        let Ok(heard) = timeout(Duration::from_millis(within_ms), hearing).await else {
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

/// The socket of one address family, if it can join the group on one of the interfaces; else why not.
fn side<I: Copy>(
    domain: Domain,
    interfaces: &[I],
    join: impl Fn(&Socket, &I) -> io::Result<()>,
) -> (Option<Side<I>>, Option<io::Error>) {
    if interfaces.is_empty() {
        return (None, None);
    }
    let socket = match shared_socket(domain) {
        Ok(socket) => socket,
        Err(error) => return (None, Some(error)),
    };
    let mut joined = Vec::new();
    let mut refused = None;
    for interface in interfaces {
        match join(&socket, interface) {
            Ok(()) => joined.push(*interface),
            Err(error) => refused = Some(error),
        }
    }
    if joined.is_empty() {
        return (None, refused);
    }
    match UdpSocket::from_std(socket.into()) {
        Ok(socket) => {
            let interfaces = joined;
            (Some(Side { socket, interfaces }), None)
        }
        Err(error) => (None, Some(error)),
    }
}

/// A socket beside those of other programs that speak multicast DNS (RFC 6762 section 15.1).
fn shared_socket(domain: Domain) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    socket.set_reuse_port(true)?;
    // Of a server on this machine, too, and as RFC 6762 section 11 wants it.
    if domain == Domain::IPV6 {
        socket.set_only_v6(true)?;
        socket.set_multicast_loop_v6(true)?;
        socket.set_multicast_hops_v6(255)?;
    } else {
        socket.set_multicast_loop_v4(true)?;
        socket.set_multicast_ttl_v4(255)?;
    }
    socket.set_nonblocking(true)?;
    let any: SocketAddr = if domain == Domain::IPV6 {
        (Ipv6Addr::UNSPECIFIED, PORT).into()
    } else {
        (Ipv4Addr::UNSPECIFIED, PORT).into()
    };
    socket.bind(&any.into())?;
    Ok(socket)
}

fn unreachable(error: io::Error) -> TransportError {
    TransportError::unreachable().with_source(error)
}
