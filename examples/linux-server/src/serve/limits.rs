//! How often a device or an address may ask.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
};

use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
};
use providore_server_core::Admission;
use providore_wire::{DeviceId, Timestamp};

use crate::settings::Limits;

/// The share of each device. Only devices that proved who they are come here, so there are never
/// more keys than devices.
pub(super) struct Devices {
    limiter: DefaultKeyedRateLimiter<DeviceId>,
    clock: DefaultClock,
}

impl Devices {
    pub(super) fn new(per_minute: u32) -> Self {
        let quota = Quota::per_minute(at_least_one(per_minute));
        Self {
            limiter: RateLimiter::keyed(quota),
            clock: DefaultClock::default(),
        }
    }
}

impl Admission for Devices {
    fn admit(&self, device: &DeviceId, _: Timestamp) -> Result<(), u32> {
        self.limiter.check_key(device).map_err(|until| {
            let wait = until.wait_time_from(self.clock.now()).as_secs();
            u32::try_from(wait).unwrap_or(u32::MAX).saturating_add(1)
        })
    }
}

/// The share of each address: requests in time, and connections at once.
pub(super) struct Addresses {
    limiter: DefaultKeyedRateLimiter<IpAddr>,
    connections: Arc<Mutex<HashMap<IpAddr, usize>>>,
    most: usize,
}

impl Addresses {
    pub(super) fn new(limits: &Limits) -> Self {
        let per_second = at_least_one(limits.address_per_second);
        let burst = per_second.saturating_mul(at_least_one(10));
        Self {
            limiter: RateLimiter::keyed(Quota::per_second(per_second).allow_burst(burst)),
            connections: Arc::default(),
            most: limits.address_connections.max(1),
        }
    }

    /// Whether this peer may be answered now.
    pub(super) fn admit(&self, peer: IpAddr) -> bool {
        self.limiter.check_key(&network(peer)).is_ok()
    }

    /// A place for one more connection of this peer, until it is dropped.
    pub(super) fn connect(&self, peer: IpAddr) -> Option<Place> {
        let peer = network(peer);
        let mut connections = self
            .connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let held = connections.entry(peer).or_insert(0);
        if *held >= self.most {
            return None;
        }
        *held = held.saturating_add(1);
        Some(Place {
            peer,
            connections: Arc::clone(&self.connections),
        })
    }

    /// Forgets addresses that have their whole share again.
    pub(super) fn forget_idle(&self) {
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
    }
}

/// The place of one connection.
pub(super) struct Place {
    peer: IpAddr,
    connections: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut connections = self
            .connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = connections.get_mut(&self.peer) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                connections.remove(&self.peer);
            }
        }
    }
}

/// One household has one IPv4 address, or one /64 of IPv6: more keys would be free to it.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(peer) => IpAddr::V4(peer),
        IpAddr::V6(peer) => {
            let [a, b, c, d, ..] = peer.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

fn at_least_one(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_device_is_limited_and_the_others_are_not() {
        let devices = Devices::new(3);
        let (one, other) = ("one".parse().unwrap(), "other".parse().unwrap());
        let now = Timestamp::MIN;
        for _ in 0..3 {
            assert_eq!(devices.admit(&one, now), Ok(()));
        }
        let wait = devices.admit(&one, now).unwrap_err();
        assert!((1..=21).contains(&wait), "{wait}");
        assert_eq!(devices.admit(&other, now), Ok(()));
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let limits = Limits {
            address_per_second: 1,
            address_connections: 2,
            ..Limits::default()
        };
        let addresses = Addresses::new(&limits);
        let peer = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, last]);
        assert!((1..=10).all(|last| addresses.admit(peer(last))));
        assert!(!addresses.admit(peer(11)));
        let (first, second) = (addresses.connect(peer(1)), addresses.connect(peer(2)));
        assert!(first.is_some() && second.is_some() && addresses.connect(peer(3)).is_none());
        drop(first);
        assert!(addresses.connect(peer(3)).is_some());
    }
}
