//! Finding the server by asking the local network: DNS-SD over multicast DNS.

mod candidates;
mod multicast;
mod search;

pub use multicast::{Datagram, Multicast};
pub use search::{Search, SearchStep};

use providore_wire::dns_sd::{Fingerprint, Query};

use crate::{Entropy, Locator, ServerAddress};

/// Asks the local network for servers, and hands out what it hears.
///
/// In this order: the address that was good last; what is announced, at most
/// [`Search::CANDIDATES`] in a round, such as have the expected fingerprint first; the fallback. It
/// asks as [`Search`] says, and not at all as long as the last good address is good.
///
/// ```
/// # use providore_client::*;
/// # async fn example<M: Multicast>(multicast: M) -> Result<(), AddressError> {
/// let mut buffer = [0; 1500]; // what does not fit is not heard
/// let entropy = || 4; // of a hardware generator
/// let mut locator = DnsSd::new(multicast, entropy, &mut buffer)
///     .with_fallback("http://192.0.2.1:3000".parse()?);
/// while let Some(server) = locator.next().await {
///     // Ask it something: an agent does.
/// }
/// # Ok(()) }
/// ```
///
/// # Security
/// An announcement is a hint that anybody can send. It changes nothing that the device trusts: a
/// server counts when its answer is signed with the device's secret, and only then is its address
/// remembered ([`Locator::confirm`]).
#[derive(Debug)]
pub struct DnsSd<'b, M, E> {
    search: Search,
    current: Option<ServerAddress>,
    multicast: M,
    entropy: E,
    buffer: &'b mut [u8],
}

impl<'b, M: Multicast, E: Entropy> DnsSd<'b, M, E> {
    /// A locator that knows no address yet. An answer of one server has some 250 bytes, and one that
    /// does not fit into `buffer` is not heard: 512 bytes suit a microcontroller, 1,500 take any.
    pub fn new(multicast: M, mut entropy: E, buffer: &'b mut [u8]) -> Self {
        Self {
            search: Search::new(&mut entropy),
            current: None,
            multicast,
            entropy,
            buffer,
        }
    }

    /// Tries this address when nobody else was found.
    #[must_use]
    pub fn with_fallback(mut self, address: ServerAddress) -> Self {
        self.search = self.search.with_fallback(address);
        self
    }

    /// Tries servers that announce this CA before others.
    #[must_use]
    pub fn with_fingerprint(mut self, fingerprint: Fingerprint) -> Self {
        self.search = self.search.with_fingerprint(fingerprint);
        self
    }

    /// Begins anew with short intervals: the network has just come up.
    pub fn restart(&mut self) {
        self.search.restart(&mut self.entropy);
    }

    /// What the packets go through.
    pub const fn multicast_mut(&mut self) -> &mut M {
        &mut self.multicast
    }

    async fn listen(&mut self, within_ms: u64) {
        let heard = self.multicast.receive(self.buffer, within_ms).await;
        let Ok(heard) = heard else {
            return self.search.deaf();
        };
        let Some(datagram) = heard else {
            return self.search.passed(within_ms);
        };
        let packet = self.buffer.get(..datagram.length).unwrap_or_default();
        let Datagram {
            source, waited_ms, ..
        } = datagram;
        self.search
            .heard(packet, source, waited_ms, &mut self.entropy);
    }
}

impl<M: Multicast, E: Entropy> Locator for DnsSd<'_, M, E> {
    const REMEMBERS: bool = true;

    async fn next(&mut self) -> Option<&ServerAddress> {
        self.current = None;
        loop {
            match self.search.step() {
                SearchStep::Try(address) => return Some(self.current.insert(address)),
                SearchStep::RoundEnded => return None,
                SearchStep::Listen { within_ms } => self.listen(within_ms).await,
                SearchStep::Ask { first } => {
                    let alone = first && self.multicast.has_the_port_to_itself();
                    let query = if alone {
                        Query::unicast()
                    } else {
                        Query::multicast()
                    };
                    match self.multicast.send(&query.to_bytes()).await {
                        Ok(()) => self.search.asked(),
                        Err(_) => self.search.deaf(),
                    }
                }
            }
        }
    }

    fn recall(&mut self, address: &ServerAddress) {
        self.search.recall(address);
    }

    fn current(&self) -> Option<&ServerAddress> {
        self.current.as_ref()
    }

    fn confirm(&mut self) -> bool {
        let address = self.current.as_ref();
        address.is_some_and(|address| self.search.confirm(address))
    }
}
