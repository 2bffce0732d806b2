//! Addresses that were heard of: few, each once, the likely ones first.

use core::net::{IpAddr, SocketAddr, SocketAddrV6};

use providore_wire::dns_sd::{Announcement, Fingerprint};

use crate::{Entropy, retry::below};

/// What was heard in a round.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    places: [Option<Candidate>; PLACES],
    /// How many addresses there have been for the places.
    offered: u64,
    tried: usize,
}

#[derive(Debug, Clone, Copy)]
struct Candidate {
    address: SocketAddr,
    /// Who announced it.
    source: IpAddr,
    likely: Likely,
    tried: bool,
}

/// Compared from the first field on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Likely {
    expected_fingerprint: bool,
    announced_by_itself: bool,
    is_v4: bool,
}

/// How many addresses are kept.
pub(super) const PLACES: usize = 8;

/// How many of these one host can fill with what it announces. More than one: a router that passes
/// announcements on between networks speaks for all servers beyond it.
const PLACES_OF_A_SOURCE: usize = 3;

impl Candidates {
    /// Takes the addresses of an announcement, as far as they can be a server's. It was heard on the
    /// interface `zone` (RFC 4007, section 11), or on one that has no number (0).
    pub(super) fn hear(
        &mut self,
        announced: &Announcement<'_>,
        (source, zone): (IpAddr, u32),
        expected: Option<&Fingerprint>,
        entropy: &mut (impl Entropy + ?Sized),
    ) {
        let usable = announced.path() == "/" && announced.version() == Announcement::VERSION;
        for &address in announced.addresses() {
            if !usable || !is_plausible(address, source, zone) {
                continue;
            }
            let likely = Likely {
                expected_fingerprint: expected.is_some() && announced.fingerprint() == expected,
                announced_by_itself: address == source,
                is_v4: address.is_ipv4(),
            };
            let candidate = Candidate {
                address: in_zone(address, announced.port(), zone),
                source,
                likely,
                tried: false,
            };
            self.take(candidate, entropy);
        }
    }

    /// An address that has been tried in this round, whoever announces it.
    pub(super) fn skip(&mut self, address: SocketAddr) {
        let candidate = Candidate {
            address,
            source: address.ip(),
            likely: Likely {
                expected_fingerprint: false,
                announced_by_itself: false,
                is_v4: false,
            },
            tried: true,
        };
        if let Some(place) = self.places.first_mut() {
            *place = Some(candidate);
        }
    }

    /// The likeliest that has not been tried.
    pub(super) fn next(&mut self) -> Option<SocketAddr> {
        if !self.are_waiting() {
            return None;
        }
        let waiting = self.places.iter_mut().flatten().filter(|c| !c.tried);
        let best = waiting.max_by_key(|candidate| candidate.likely)?;
        best.tried = true;
        self.tried = self.tried.saturating_add(1);
        Some(best.address)
    }

    /// Whether one is left to be tried. Of a flood that replaces what was tried no more than there
    /// are places for are tried.
    pub(super) fn are_waiting(&self) -> bool {
        self.tried < PLACES && self.places.iter().flatten().any(|c| !c.tried)
    }

    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    fn take(&mut self, candidate: Candidate, entropy: &mut (impl Entropy + ?Sized)) {
        let mut known = self.places.iter_mut().flatten();
        if let Some(known) = known.find(|known| known.address == candidate.address) {
            known.likely = known.likely.max(candidate.likely);
            return;
        }
        self.offered = self.offered.saturating_add(1);
        let same_source =
            |place: &Option<Candidate>| place.is_some_and(|other| other.source == candidate.source);
        let own = self.places.iter().filter(|place| same_source(place));
        let quota_is_full = own.count() >= PLACES_OF_A_SOURCE;
        if !quota_is_full && let Some(free) = self.places.iter_mut().find(|p| p.is_none()) {
            *free = Some(candidate);
            return;
        }
        // As many as there are places for remain of all that were offered, each as likely as any
        // other: who speaks first, or last, or most often, does not decide.
        let at = below(self.offered, entropy);
        let mut replaceable = self
            .places
            .iter_mut()
            .filter(|place| !quota_is_full || same_source(place));
        let chosen = usize::try_from(at).ok();
        if let Some(place) = chosen.and_then(|at| replaceable.nth(at)) {
            *place = Some(candidate);
        }
    }
}

/// An address that means something on one link alone is that of the link on which it was heard.
fn in_zone(address: IpAddr, port: u16, zone: u32) -> SocketAddr {
    match address {
        IpAddr::V6(v6) if v6.is_unicast_link_local() => SocketAddrV6::new(v6, port, 0, zone).into(),
        other => SocketAddr::new(other, port),
    }
}

/// Whether a server of the local network can have this address. One on the internet counts only if
/// it speaks for itself: else an announcement would send all devices here to somebody's door.
fn is_plausible(address: IpAddr, source: IpAddr, zone: u32) -> bool {
    match address {
        IpAddr::V4(v4) if v4.is_unspecified() || v4.is_multicast() || v4.is_broadcast() => false,
        IpAddr::V6(v6) if v6.is_unspecified() || v6.is_multicast() => false,
        // Without its interface such an address leads nowhere.
        IpAddr::V6(v6) if v6.is_unicast_link_local() => address == source && zone != 0,
        // Nobody but this machine may speak of this machine.
        _ if address.is_loopback() => source.is_loopback(),
        IpAddr::V4(v4) => address == source || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => address == source || v6.is_unique_local(),
    }
}
