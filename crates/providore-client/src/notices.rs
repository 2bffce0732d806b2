//! Notices: when to ask early, without I/O.

use providore_sign::notice::NoticeRefusal;
use providore_wire::{Timestamp, notice::Waiting};

use crate::{Device, Entropy, retry::below};

/// How often notices may make the device ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "settings are written as literals"
)]
pub struct NoticePolicy {
    /// From one poll for a notice to the next, at least so many milliseconds, however many notices
    /// come.
    pub interval_ms: u32,
    /// A poll comes up to so many milliseconds after its notice: a fleet that is told at once does
    /// not come at once.
    pub jitter_ms: u32,
}

impl NoticePolicy {
    /// At most once in a minute, within 5 s.
    pub const DEFAULT: Self = Self {
        interval_ms: 60_000,
        jitter_ms: 5_000,
    };
}

impl Default for NoticePolicy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Which notices count, and when the device is to ask for them.
///
/// Nothing is stored. What a notice is good for is over as soon as the server has answered: one that
/// is not younger than the server's last answer counts no more, also after a restart, and none counts
/// before there was one. So an old notice that is sent again makes a device ask once more at most.
///
/// ```
/// use providore_client::{NoticePolicy, Notices};
///
/// let mut notices = Notices::new(NoticePolicy::DEFAULT);
/// assert_eq!(notices.due_ms(), None);
/// # let device = providore_client::Device::new(providore_wire::Dialect::Signed,
/// #     "d8fa0180".parse()?, "1.0.0".parse()?,
/// #     providore_sign::SoftwareKey::new(b"32 random bytes of this device..")?)?;
/// // A datagram that came 12 s after the start:
/// assert!(notices.hear(b"from anybody", &device, 12_000, &mut || 0).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Notices {
    policy: NoticePolicy,
    /// The highest counter so far.
    counter: u64,
    polled_ms: Option<u64>,
    due: Option<(u64, Waiting)>,
}

/// Why a datagram changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoticeFault {
    /// It is not a notice of the server for this device.
    #[error("not a notice for this device")]
    Refused(#[source] NoticeRefusal),
    /// It is not younger than the server's last answer, or than a notice that has come.
    #[error("notice is old")]
    Old,
    /// The server has not answered since the start: the device asks anyway.
    #[error("notice before the first answer")]
    NothingHeard,
    /// The device's dialect has no notices.
    #[error("the device's dialect has no notices")]
    NotInDialect,
}

impl Notices {
    /// None has come yet.
    #[must_use]
    pub const fn new(policy: NoticePolicy) -> Self {
        Self {
            policy,
            counter: 0,
            polled_ms: None,
            due: None,
        }
    }

    /// Takes a datagram that came so many milliseconds after the device's start.
    ///
    /// # Errors
    /// [`NoticeFault`]: anybody can have sent it.
    pub fn hear<K>(
        &mut self,
        datagram: &[u8],
        device: &Device<K>,
        uptime_ms: u64,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<(), NoticeFault> {
        let (key, heard) = device.notices().ok_or(NoticeFault::NotInDialect)?;
        let notice = key.verify(datagram).map_err(NoticeFault::Refused)?;
        let answered = heard.ok_or(NoticeFault::NothingHeard)?;
        if notice.counter() <= self.counter.max(unix_ms(answered)) {
            return Err(NoticeFault::Old);
        }
        self.counter = notice.counter();
        let (due_ms, waiting) = self
            .due
            .unwrap_or_else(|| (self.next_ms(uptime_ms, entropy), notice.waiting()));
        self.due = Some((due_ms, waiting | notice.waiting()));
        Ok(())
    }

    fn next_ms(&self, uptime_ms: u64, entropy: &mut (impl Entropy + ?Sized)) -> u64 {
        let interval_ms = u64::from(self.policy.interval_ms);
        let polled = self.polled_ms.map(|then| then.saturating_add(interval_ms));
        let jitter_ms = below(u64::from(self.policy.jitter_ms), entropy);
        polled.unwrap_or(0).max(uptime_ms).saturating_add(jitter_ms)
    }

    /// When to ask, in milliseconds since the start.
    #[must_use]
    pub fn due_ms(&self) -> Option<u64> {
        self.due.map(|(due_ms, _)| due_ms)
    }

    /// The device asks now, whether for a notice or not; what it was told that waits.
    pub fn poll(&mut self, uptime_ms: u64) -> Option<Waiting> {
        let (_, waiting) = self.due.take()?;
        self.polled_ms = Some(uptime_ms);
        Some(waiting)
    }
}

/// Nothing is older than 1970.
fn unix_ms(time: Timestamp) -> u64 {
    u64::try_from(time.unix()).unwrap_or(0).saturating_mul(1000)
}
