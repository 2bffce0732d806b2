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

/// Sockets on the interfaces that have these addresses; if none are named, on all interfaces, loopback
/// among them. Over IPv4 and IPv6, as far as an interface has them.
pub(crate) fn multicast(chosen: &[Ipv4Addr]) -> Result<TokioMulticast, Failure> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        warn!("the interfaces of this machine cannot be listed: {error}");
        Vec::new()
    });
    let v4 = |interface: &if_addrs::Interface| match interface.ip() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    };
    let addresses: Vec<Ipv4Addr> = match chosen {
        [] => interfaces.iter().filter_map(v4).collect(),
        chosen => chosen.to_vec(),
    };
    let is_chosen = |name: &str| {
        let mut own = interfaces.iter().filter(|interface| interface.name == name);
        chosen.is_empty()
            || own.any(|interface| v4(interface).is_some_and(|ip| chosen.contains(&ip)))
    };
    let v6 = interfaces
        .iter()
        .filter(|interface| interface.ip().is_ipv6() && is_chosen(&interface.name));
    let mut indices: Vec<u32> = v6.filter_map(|interface| interface.index).collect();
    indices.sort_unstable();
    indices.dedup();
    TokioMulticast::bind_dual(&addresses, &indices).map_err(|error| {
        Failure::local(
            "servers cannot be searched for: is the network up, and does another program hold UDP \
             port 5353 for itself? A server's address can be given with --server",
            error,
        )
    })
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
