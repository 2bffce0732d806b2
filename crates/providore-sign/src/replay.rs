//! First time or seen before.

use providore_wire::Timestamp;

use crate::original::VerifiedRequest;

/// Remembers requests for as long as they could be repeated.
///
/// # Security
/// A false [`Use::First`] executes a captured request a second time. A false [`Use::Repeated`] or
/// [`Use::NoRoom`] only delays: the device signs anew and tries again. An implementation that
/// cannot be sure says `NoRoom`; it never forgets a token before its time.
///
/// Only verified requests come here, so nobody without a device's key can fill a guard.
/// `providore-testkit` has a conformance suite.
pub trait ReplayGuard {
    /// Records the request, if it is the first with its token.
    fn first_use(&mut self, request: &VerifiedRequest<'_>, now: Timestamp) -> Use;
}

/// What a [`ReplayGuard`] says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub enum Use {
    /// Not seen before; it is now recorded.
    First,
    /// Seen before, within its time.
    Repeated,
    /// Not recorded, for lack of room: refuse, and name this many seconds as `Retry-After`.
    NoRoom {
        /// Seconds until the oldest token of this device (or of all) is forgotten, at least 1.
        retry_after_s: u32,
    },
}

/// A guard that has no memory and therefore refuses every request.
///
/// The safe choice where nothing may change by request.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct RefuseAll;

impl ReplayGuard for RefuseAll {
    fn first_use(&mut self, _: &VerifiedRequest<'_>, _: Timestamp) -> Use {
        Use::NoRoom { retry_after_s: 60 }
    }
}

#[cfg(feature = "alloc")]
pub use bounded::{BoundedReplayGuard, ReplayLimits};

#[cfg(feature = "alloc")]
mod bounded {
    use alloc::{collections::BTreeMap, vec::Vec};

    use providore_wire::{DeviceId, Timestamp};

    use super::{ReplayGuard, Use};
    use crate::original::VerifiedRequest;

    /// How much a [`BoundedReplayGuard`] remembers.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    #[expect(
        clippy::exhaustive_structs,
        reason = "settings are written as literals"
    )]
    pub struct ReplayLimits {
        /// Tokens of one device. One that needs more within its window misbehaves, and only it
        /// is refused.
        pub per_device: usize,
        /// Tokens in all: 40 bytes each, and about 120 for each device.
        pub total: usize,
    }

    impl ReplayLimits {
        /// 32 tokens a device, 200,000 in all: below 32 MB when full of single tokens.
        pub const DEFAULT: Self = Self {
            per_device: 32,
            total: 200_000,
        };
    }

    impl Default for ReplayLimits {
        fn default() -> Self {
            Self::DEFAULT
        }
    }

    /// A guard in memory, bounded per device and in all.
    #[derive(Debug, Default)]
    pub struct BoundedReplayGuard {
        limits: ReplayLimits,
        devices: BTreeMap<DeviceId, Vec<Token>>,
        total: usize,
        /// No token ends before this instant: a sweep before it would find nothing.
        next_end: Option<Timestamp>,
    }

    #[derive(Debug, Clone, Copy)]
    struct Token {
        tag: [u8; 32],
        until: Timestamp,
    }

    impl BoundedReplayGuard {
        /// An empty guard.
        #[must_use]
        pub fn new(limits: ReplayLimits) -> Self {
            Self {
                limits,
                ..Self::default()
            }
        }

        /// Tokens held now, expired ones included.
        #[must_use]
        pub const fn len(&self) -> usize {
            self.total
        }

        /// Whether nothing is held.
        #[must_use]
        pub const fn is_empty(&self) -> bool {
            self.total == 0
        }

        /// Forgets what has ended, if anything has.
        fn sweep(&mut self, now: Timestamp) {
            if self.next_end.is_some_and(|end| now <= end) {
                return;
            }
            self.devices.retain(|_, tokens| {
                tokens.retain(|token| token.until >= now);
                !tokens.is_empty()
            });
            let ends = || self.devices.values().flatten().map(|token| token.until);
            self.total = ends().count();
            self.next_end = ends().min();
        }
    }

    impl ReplayGuard for BoundedReplayGuard {
        fn first_use(&mut self, request: &VerifiedRequest<'_>, now: Timestamp) -> Use {
            let token = Token {
                tag: *request.replay_token().as_bytes(),
                until: request.valid_until(),
            };
            let known = self
                .devices
                .get(request.device())
                .map_or(&[][..], Vec::as_slice);
            if known
                .iter()
                .any(|seen| seen.tag == token.tag && seen.until >= now)
            {
                return Use::Repeated;
            }
            if known.len() >= self.limits.per_device || self.total >= self.limits.total {
                self.sweep(now);
            }
            let known = self
                .devices
                .get(request.device())
                .map_or(&[][..], Vec::as_slice);
            if known.len() >= self.limits.per_device {
                return no_room(known.iter().map(|token| token.until).min(), now);
            }
            if self.total >= self.limits.total {
                return no_room(self.next_end, now);
            }
            self.devices
                .entry(request.device().clone())
                .or_default()
                .push(token);
            self.total = self.total.saturating_add(1);
            let end = self.next_end.unwrap_or(token.until);
            self.next_end = Some(end.min(token.until));
            Use::First
        }
    }

    fn no_room(until: Option<Timestamp>, now: Timestamp) -> Use {
        let wait = until.map_or(1, |until| until.seconds_since(now).saturating_add(1));
        Use::NoRoom {
            retry_after_s: u32::try_from(wait.max(1)).unwrap_or(u32::MAX),
        }
    }
}
