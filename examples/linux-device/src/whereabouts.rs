//! Where the server is: as configured, or found on the local network.

use core::net::{IpAddr, Ipv4Addr};

use providore_client::{
    DnsSd, FixedAddress, Locator, Record, ServerAddress, Storage, TokioMulticast,
};
use providore_pki::Certificate;
use providore_wire::dns_sd::Fingerprint;
use sha2::{Digest as _, Sha256};
use tracing::warn;

use crate::{exit::Failure, random::SystemRandom, settings::Settings};

/// The locator of this machine.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is only one")]
pub(crate) enum Whereabouts<'b> {
    Configured(FixedAddress),
    Searched(DnsSd<'b, TokioMulticast, SystemRandom>),
}

impl<'b> Whereabouts<'b> {
    /// The server's address, if there is one; else a search, in which servers of the pinned CA are
    /// tried first.
    pub(crate) async fn new(
        settings: &Settings,
        storage: &mut impl Storage,
        buffer: &'b mut [u8],
    ) -> Result<Self, Failure> {
        if let Some(server) = &settings.server {
            return Ok(Self::Configured(FixedAddress::new(server.clone())));
        }
        let expected = pinned(storage, buffer).await;
        let mut search = DnsSd::new(
            multicast(&settings.interfaces)?,
            SystemRandom::new()?,
            buffer,
        );
        if let Some(expected) = expected {
            search = search.with_fingerprint(expected);
        }
        Ok(Self::Searched(search))
    }
}

impl Locator for Whereabouts<'_> {
    const REMEMBERS: bool = true;

    async fn next(&mut self) -> Option<&ServerAddress> {
        match self {
            Self::Configured(address) => address.next().await,
            Self::Searched(search) => search.next().await,
        }
    }

    fn current(&self) -> Option<&ServerAddress> {
        match self {
            Self::Configured(address) => address.current(),
            Self::Searched(search) => search.current(),
        }
    }

    fn recall(&mut self, address: &ServerAddress) {
        if let Self::Searched(search) = self {
            search.recall(address);
        }
    }

    fn confirm(&mut self) -> bool {
        match self {
            Self::Configured(address) => address.confirm(),
            Self::Searched(search) => search.confirm(),
        }
    }
}

/// A socket on these interfaces; if none are named, on all that have an IPv4 address, loopback among
/// them.
pub(crate) fn multicast(chosen: &[Ipv4Addr]) -> Result<TokioMulticast, Failure> {
    let addresses = match chosen {
        [] => addresses(),
        chosen => chosen.to_vec(),
    };
    TokioMulticast::bind(&addresses).map_err(|error| {
        Failure::local(
            "servers cannot be searched for: is the network up, and does another program hold UDP \
             port 5353 for itself? A server's address can be given with --server",
            error,
        )
    })
}

fn addresses() -> Vec<Ipv4Addr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        warn!("the interfaces of this machine cannot be listed: {error}");
        Vec::new()
    });
    let v4 = |interface: if_addrs::Interface| match interface.ip() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    };
    interfaces.into_iter().filter_map(v4).collect()
}

/// The fingerprint of the pinned CA, if it is one certificate.
async fn pinned(storage: &mut impl Storage, buffer: &mut [u8]) -> Option<Fingerprint> {
    let stored = storage.load(Record::Authority, buffer).await;
    let text = core::str::from_utf8(stored.ok()??).ok()?;
    let root = Certificate::from_pem(text).ok()?;
    Some(Fingerprint::new(Sha256::digest(root.der()).into()))
}

/// What to do when nobody was found.
pub(crate) const NOBODY: &str = "no server was found: is one running, in the network of this \
    machine, and listening on more than 127.0.0.1 (`providore-server serve --http 0.0.0.0:3000`)? \
    Does a firewall drop UDP port 5353? In another network, or without multicast, give its address \
    with --server";
