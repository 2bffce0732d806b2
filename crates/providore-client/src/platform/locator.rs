//! Finding the server.

use super::ServerAddress;

/// Candidates for the server, one after the other.
///
/// # Security
/// A wrong candidate costs a request and no more: an answer counts only when it is signed.
#[expect(
    async_fn_in_trait,
    reason = "no Send bound: executors of devices have one thread"
)]
pub trait Locator {
    /// Whether [`confirm`](Self::confirm) may ever want an address kept; if not, none is read.
    const REMEMBERS: bool = false;

    /// Goes on to the next candidate; `None` at the end of a round, after which the next round begins.
    async fn next(&mut self) -> Option<&ServerAddress>;

    /// The candidate that [`next`](Self::next) named last; `None` before the first, and after the end
    /// of a round.
    fn current(&self) -> Option<&ServerAddress>;

    /// An address that [`confirm`](Self::confirm) wanted kept, before the last restart.
    fn recall(&mut self, address: &ServerAddress) {
        let _ = address;
    }

    /// The [`current`](Self::current) candidate has given an answer that is signed with the device's
    /// secret. Returns whether to keep its address over a restart: the agent does, under
    /// [`Record::Server`](crate::Record::Server). A locator that is told its addresses keeps none.
    fn confirm(&mut self) -> bool {
        false
    }
}

impl<L: Locator + ?Sized> Locator for &mut L {
    const REMEMBERS: bool = L::REMEMBERS;

    async fn next(&mut self) -> Option<&ServerAddress> {
        (**self).next().await
    }

    fn current(&self) -> Option<&ServerAddress> {
        (**self).current()
    }

    fn recall(&mut self, address: &ServerAddress) {
        (**self).recall(address);
    }

    fn confirm(&mut self) -> bool {
        (**self).confirm()
    }
}

/// One address, known beforehand.
#[derive(Debug, Clone)]
pub struct FixedAddress {
    address: ServerAddress,
    named: bool,
}

impl FixedAddress {
    /// Always this one.
    #[must_use]
    pub const fn new(address: ServerAddress) -> Self {
        Self {
            address,
            named: false,
        }
    }
}

impl Locator for FixedAddress {
    async fn next(&mut self) -> Option<&ServerAddress> {
        self.named = !self.named;
        Self::current(self)
    }

    fn current(&self) -> Option<&ServerAddress> {
        self.named.then_some(&self.address)
    }
}

/// Several addresses, tried in order.
#[derive(Debug, Clone)]
pub struct AddressList<'a> {
    addresses: &'a [ServerAddress],
    /// How many have been named in this round.
    named: usize,
}

impl<'a> AddressList<'a> {
    /// These, in this order.
    #[must_use]
    pub const fn new(addresses: &'a [ServerAddress]) -> Self {
        Self {
            addresses,
            named: 0,
        }
    }
}

impl Locator for AddressList<'_> {
    async fn next(&mut self) -> Option<&ServerAddress> {
        self.named = match self.addresses.get(self.named) {
            Some(_) => self.named.saturating_add(1),
            None => 0,
        };
        Self::current(self)
    }

    fn current(&self) -> Option<&ServerAddress> {
        self.addresses.get(self.named.checked_sub(1)?)
    }
}
