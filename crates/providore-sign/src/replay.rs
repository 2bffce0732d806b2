//! First time or seen before.

use providore_wire::{DeviceId, Timestamp};

/// What tells one verified request from every other of its device: proof that there was one.
///
/// Only the `replay_token` of a verified request makes one, so nobody without a device's key can
/// fill a guard.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct ReplayToken<'a> {
    device: &'a DeviceId,
    value: [u8; 16],
    until: Timestamp,
}

impl<'a> ReplayToken<'a> {
    pub(crate) const fn new(device: &'a DeviceId, value: [u8; 16], until: Timestamp) -> Self {
        Self {
            device,
            value,
            until,
        }
    }

    /// The device that signed the request.
    #[must_use]
    pub const fn device(&self) -> &'a DeviceId {
        self.device
    }

    /// 16 bytes that no other request of this device has: its nonce, or a part of its signature.
    #[must_use]
    pub const fn value(&self) -> &[u8; 16] {
        &self.value
    }

    /// The last second at which the same bytes would be accepted again.
    #[must_use]
    pub const fn until(&self) -> Timestamp {
        self.until
    }
}

/// Remembers requests for as long as they could be repeated.
///
/// # Security
/// A false [`Use::First`] executes a captured request a second time. A false [`Use::Repeated`] or
/// [`Use::NoRoom`] only delays: the device signs anew and tries again. An implementation that
/// cannot be sure says `NoRoom`; it never forgets a token before its time.
///
/// `providore-testkit` has a conformance suite.
pub trait ReplayGuard {
    /// Records the request, if it is the first with its token.
    fn first_use(&mut self, token: &ReplayToken<'_>, now: Timestamp) -> Use;
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
    fn first_use(&mut self, _: &ReplayToken<'_>, _: Timestamp) -> Use {
        Use::NoRoom { retry_after_s: 60 }
    }
}

#[cfg(feature = "alloc")]
pub use bounded::{BoundedReplayGuard, ReplayLimits};

#[cfg(feature = "alloc")]
mod bounded {
    use alloc::{collections::BTreeMap, vec::Vec};

    use providore_wire::{DeviceId, Timestamp};

    use super::{ReplayGuard, ReplayToken, Use};

    /// How much a [`BoundedReplayGuard`] remembers.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    #[expect(
        clippy::exhaustive_structs,
        reason = "settings are written as literals"
    )]
    pub struct ReplayLimits {
        /// Tokens of one device: what a download of 16 MiB in parts of 64 KiB takes. One that needs
        /// more within its window misbehaves, and only it is refused.
        pub per_device: usize,
        /// Tokens in all, of 24 bytes each; docs/BENCHMARKS.md says what that comes to.
        pub total: usize,
    }

    impl ReplayLimits {
        /// 256 tokens a device, 400,000 in all: 100,000 devices with four each.
        pub const DEFAULT: Self = Self {
            per_device: 256,
            total: 400_000,
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
        /// What ended before this instant may have been forgotten.
        forgotten: Option<Timestamp>,
    }

    #[derive(Debug, Clone, Copy)]
    struct Token {
        value: [u8; 16],
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
            self.forgotten = self.forgotten.max(Some(now));
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
        fn first_use(&mut self, request: &ReplayToken<'_>, now: Timestamp) -> Use {
            if self.total >= self.limits.total {
                self.sweep(now);
            }
            let token = Token {
                value: *request.value(),
                until: request.until(),
            };
            // Somebody came with a later time: either requests overtook each other, or the clock
            // was set back.
            if self.forgotten.is_some_and(|before| token.until < before) {
                return no_room(self.forgotten, token.until);
            }
            if let Some(known) = self.devices.get_mut(request.device()) {
                let seen = |seen: &Token| seen.value == token.value && seen.until >= now;
                if known.iter().any(seen) {
                    return Use::Repeated;
                }
                if known.len() >= self.limits.per_device {
                    self.forgotten = self.forgotten.max(Some(now));
                    let before = known.len();
                    known.retain(|token| token.until >= now);
                    let forgotten = before.saturating_sub(known.len());
                    self.total = self.total.saturating_sub(forgotten);
                    if known.len() >= self.limits.per_device {
                        return no_room(known.iter().map(|token| token.until).min(), now);
                    }
                }
            }
            if self.total >= self.limits.total {
                return no_room(self.next_end, now);
            }
            let device = request.device().clone();
            self.devices.entry(device).or_default().push(token);
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
