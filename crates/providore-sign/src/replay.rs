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
        devices: BTreeMap<DeviceId, Memory>,
        total: usize,
        /// No token ends before this instant: a sweep before it would find nothing.
        next_end: Option<Timestamp>,
        /// Of devices that are not in `devices`: what ended before this instant may have been
        /// forgotten.
        forgotten: Option<Timestamp>,
    }

    /// What is remembered of one device.
    #[derive(Debug, Default)]
    struct Memory {
        tokens: Vec<Token>,
        /// What ended before this instant may have been forgotten.
        forgotten: Option<Timestamp>,
    }

    #[derive(Debug, Clone, Copy)]
    struct Token {
        value: [u8; 16],
        until: Timestamp,
    }

    impl Memory {
        /// Forgets what has ended; returns how many tokens that were.
        fn sweep(&mut self, now: Timestamp) -> usize {
            let before = self.tokens.len();
            self.tokens.retain(|token| token.until >= now);
            let forgotten = before.saturating_sub(self.tokens.len());
            if forgotten > 0 {
                self.forgotten = self.forgotten.max(Some(now));
            }
            forgotten
        }

        fn first_end(&self) -> Option<Timestamp> {
            self.tokens.iter().map(|token| token.until).min()
        }
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
            let mut forgotten = 0_usize;
            for memory in self.devices.values_mut() {
                forgotten = forgotten.saturating_add(memory.sweep(now));
            }
            self.total = self.total.saturating_sub(forgotten);
            self.next_end = self.devices.values().filter_map(Memory::first_end).min();
            self.forget_devices();
        }

        /// Devices without tokens stay, each with the time up to which it was forgotten, while
        /// there are no more of them than tokens may be held. Else one time has to do for all.
        fn forget_devices(&mut self) {
            if self.devices.len() <= self.limits.total {
                return;
            }
            let floor = &mut self.forgotten;
            self.devices.retain(|_, memory| {
                if memory.tokens.is_empty() {
                    *floor = (*floor).max(memory.forgotten);
                }
                !memory.tokens.is_empty()
            });
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
            let mut known = self.devices.get_mut(request.device());
            // Somebody came with a later time: either requests overtook each other, or the clock
            // was set back.
            let forgotten = known
                .as_ref()
                .map_or(self.forgotten, |known| known.forgotten);
            if forgotten.is_some_and(|before| token.until < before) {
                return no_room(forgotten, token.until);
            }
            if let Some(known) = &mut known {
                let seen = |seen: &Token| seen.value == token.value && seen.until >= now;
                if known.tokens.iter().any(seen) {
                    return Use::Repeated;
                }
                if known.tokens.len() >= self.limits.per_device {
                    self.total = self.total.saturating_sub(known.sweep(now));
                    if known.tokens.len() >= self.limits.per_device {
                        return no_room(known.first_end(), now);
                    }
                }
            }
            if self.total >= self.limits.total {
                return no_room(self.next_end, now);
            }
            let memory = self.devices.entry(request.device().clone());
            let memory = memory.or_insert_with(|| Memory {
                tokens: Vec::new(),
                forgotten: self.forgotten,
            });
            memory.tokens.push(token);
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
