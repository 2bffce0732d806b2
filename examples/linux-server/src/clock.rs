//! The one place where this program reads the clock and asks for randomness.

use providore_server_core::{Moment, Start};
use providore_wire::Timestamp;
use rand::Rng as _;

/// The time now.
#[expect(clippy::disallowed_methods, reason = "the program's one clock")]
pub(crate) fn now() -> Timestamp {
    let elapsed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seconds = elapsed.map_or(0, |elapsed| elapsed.as_secs());
    i64::try_from(seconds)
        .ok()
        .and_then(Timestamp::from_unix)
        .unwrap_or(Timestamp::MAX)
}

/// The time now, as the file system has it.
#[expect(clippy::disallowed_methods, reason = "the program's one clock")]
pub(crate) fn system() -> std::time::SystemTime {
    std::time::SystemTime::now()
}

/// The time now, in whole seconds since the Unix epoch.
pub(crate) fn now_unix() -> u64 {
    u64::try_from(now().unix()).unwrap_or(0)
}

/// The time now, in milliseconds since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "the program's one clock")]
pub(crate) fn now_unix_ms() -> u64 {
    let elapsed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    elapsed.map_or(0, |elapsed| {
        u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
    })
}

/// A clock that only goes forward, for durations.
#[expect(clippy::disallowed_methods, reason = "the program's one clock")]
pub(crate) fn instant() -> std::time::Instant {
    std::time::Instant::now()
}

/// Fresh random bytes from a generator that the operating system seeds.
pub(crate) fn entropy<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

/// What a request may know of the world.
pub(crate) fn moment() -> Moment {
    Moment {
        now: now(),
        entropy: entropy(),
    }
}

/// A server that remembers since then.
pub(crate) fn start(at: Timestamp) -> Start {
    Start {
        at,
        stranger: entropy(),
        challenges: entropy(),
    }
}
