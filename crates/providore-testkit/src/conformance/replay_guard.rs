//! The contract of `ReplayGuard`.

use providore_sign::{ReplayGuard, Use};
use providore_wire::Timestamp;

use crate::with_verified;

const LIFETIME_S: u32 = 100;
/// The lifetime and the skew that a server allows: the last second at which a copy is accepted.
const LAST_S: i64 = 130;

/// Runs the contract of [`ReplayGuard`] over guards with a memory. `make` takes how many tokens of
/// one device, and how many in all, a guard is to hold.
///
/// # Panics
/// Where an implementation differs from the contract.
pub fn replay_guard<G: ReplayGuard>(mut make: impl FnMut(usize, usize) -> G) {
    a_request_counts_once(make(4, 16));
    requests_are_told_apart(make(4, 16));
    a_device_that_floods_locks_out_only_itself(make(4, 16));
    a_full_guard_forgets_nothing(make(4, 6));
    what_may_be_forgotten_is_not_new(make(4, 4));
    what_was_forgotten_of_one_device_delays_no_other(make(4, 16));
}

/// Runs what must hold for a guard without a memory: it admits nothing, and says when to come
/// again.
///
/// # Panics
/// Where an implementation differs from the contract.
pub fn replay_guard_without_memory(mut guard: impl ReplayGuard) {
    for seconds in 0..10 {
        assert_no_room(ask(&mut guard, "dev1", "/a", 0, seconds));
        assert_no_room(ask(&mut guard, "dev1", "/b", seconds, seconds));
    }
}

fn a_request_counts_once(mut guard: impl ReplayGuard) {
    assert_eq!(ask(&mut guard, "dev1", "/a", 0, 0), Use::First);
    for seconds in [0, 1, i64::from(LIFETIME_S), LAST_S] {
        let again = ask(&mut guard, "dev1", "/a", 0, seconds);
        assert_eq!(again, Use::Repeated, "after {seconds} s");
    }
}

fn requests_are_told_apart(mut guard: impl ReplayGuard) {
    assert_eq!(ask(&mut guard, "dev1", "/a", 0, 0), Use::First);
    assert_eq!(ask(&mut guard, "dev1", "/b", 0, 0), Use::First);
    assert_eq!(ask(&mut guard, "dev1", "/a", 1, 1), Use::First);
    assert_eq!(ask(&mut guard, "dev2", "/c", 0, 1), Use::First);
    assert_eq!(ask(&mut guard, "dev1", "/b", 0, 1), Use::Repeated);
}

fn a_device_that_floods_locks_out_only_itself(mut guard: impl ReplayGuard) {
    for path in ["/a", "/b", "/c", "/d"] {
        assert_eq!(ask(&mut guard, "dev1", path, 0, 0), Use::First);
    }
    let wait = assert_no_room(ask(&mut guard, "dev1", "/e", 0, 0));
    assert_eq!(ask(&mut guard, "dev2", "/a", 0, 0), Use::First);
    assert_eq!(
        ask(&mut guard, "dev1", "/a", 0, LAST_S),
        Use::Repeated,
        "full is no reason to forget"
    );
    let later = i64::from(wait);
    assert_eq!(
        ask(&mut guard, "dev1", "/e", later, later),
        Use::First,
        "there is room when the guard said there would be"
    );
}

fn a_full_guard_forgets_nothing(mut guard: impl ReplayGuard) {
    let held = [
        ("dev1", "/a"),
        ("dev1", "/b"),
        ("dev2", "/a"),
        ("dev3", "/a"),
    ];
    let more = [("dev4", "/a"), ("dev5", "/a")];
    for (device, path) in held.into_iter().chain(more) {
        assert_eq!(ask(&mut guard, device, path, 0, 0), Use::First);
    }
    let wait = assert_no_room(ask(&mut guard, "dev6", "/a", 0, 0));
    for (device, path) in held.into_iter().chain(more) {
        assert_eq!(ask(&mut guard, device, path, 0, LAST_S), Use::Repeated);
    }
    let later = i64::from(wait);
    assert_eq!(ask(&mut guard, "dev6", "/a", later, later), Use::First);
}

/// Two requests that came together, and were not looked at in the order of their times; or a clock
/// that was set back.
fn what_may_be_forgotten_is_not_new(mut guard: impl ReplayGuard) {
    for path in ["/a", "/b", "/c", "/d"] {
        assert_eq!(ask(&mut guard, "dev1", path, 0, 0), Use::First);
    }
    // Makes room, and forgets the four.
    let later = LAST_S + 1;
    assert_eq!(ask(&mut guard, "dev1", "/e", later, later), Use::First);
    assert_ne!(ask(&mut guard, "dev1", "/a", 0, LAST_S), Use::First);
}

/// One device floods by a clock that is an hour ahead, which is then set right.
fn what_was_forgotten_of_one_device_delays_no_other(mut guard: impl ReplayGuard) {
    const HOUR: i64 = 3600;
    assert_eq!(ask(&mut guard, "dev2", "/a", 0, 0), Use::First);
    for (path, ahead) in ["/a", "/b", "/c", "/d", "/e"]
        .into_iter()
        .zip([0, 0, 0, 0, LAST_S + 1])
    {
        let now = HOUR.saturating_add(ahead);
        assert_eq!(ask(&mut guard, "dev1", path, now, now), Use::First);
    }
    assert_ne!(ask(&mut guard, "dev1", "/f", 1, 1), Use::First);
    assert_eq!(ask(&mut guard, "dev2", "/b", 1, 1), Use::First);
    assert_eq!(ask(&mut guard, "dev3", "/a", 1, 1), Use::First);
    assert_eq!(ask(&mut guard, "dev2", "/a", 0, 1), Use::Repeated);
}

/// Hands over a request that was made at `created`, `now` seconds after the start.
fn ask(guard: &mut dyn ReplayGuard, device: &str, path: &str, created: i64, now: i64) -> Use {
    let at = |seconds| {
        Timestamp::from_unix(1_767_323_045)
            .expect("a date")
            .saturating_add(seconds)
    };
    with_verified(device, path, at(created), LIFETIME_S, |request| {
        guard.first_use(&request.replay_token(), at(now))
    })
}

fn assert_no_room(answer: Use) -> u32 {
    match answer {
        Use::NoRoom { retry_after_s } => {
            assert!(retry_after_s >= 1, "a wait that is none");
            retry_after_s
        }
        other => {
            assert!(matches!(other, Use::NoRoom { .. }), "{other:?}, not NoRoom");
            1
        }
    }
}
