//! Where notices of the server arrive.

use core::{
    future::pending,
    net::{Ipv4Addr, Ipv6Addr},
    time::Duration,
};
use std::io;

use providore_client::NoticeSource;
use tokio::net::UdpSocket;
use tracing::{debug, info};

use crate::exit::Failure;

/// A UDP port, if notices are wanted.
pub(crate) struct Notices(Option<UdpSocket>);

impl Notices {
    /// Listens on all addresses of this machine.
    pub(crate) async fn listen(port: Option<u16>) -> Result<Self, Failure> {
        let Some(port) = port else {
            return Ok(Self(None));
        };
        let failed = |error| Failure::local("the port for notices cannot be used", error);
        let socket = bind(port).await.map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        info!("hearing notices at port {}", address.port());
        Ok(Self(Some(socket)))
    }
}

/// IPv6 where there is such a thing, which on Linux hears IPv4 as well.
async fn bind(port: u16) -> io::Result<UdpSocket> {
    match UdpSocket::bind((Ipv6Addr::UNSPECIFIED, port)).await {
        Ok(socket) => Ok(socket),
        Err(_) => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).await,
    }
}

impl NoticeSource for Notices {
    async fn receive(&mut self, buffer: &mut [u8]) -> usize {
        let Some(socket) = &self.0 else {
            return pending().await;
        };
        loop {
            match socket.recv_from(buffer).await {
                Ok((length, _)) => return length,
                Err(error) => {
                    debug!("no notice: {error}");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

// A socket that fails at once each time must not keep the processor busy.
const PAUSE: Duration = Duration::from_secs(1);
