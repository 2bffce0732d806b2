//! Two things measured in turns.

use std::time::{Duration, Instant};

/// How long something takes.
#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
pub(crate) fn time<T>(run: impl FnOnce() -> T) -> (Duration, T) {
    let began = Instant::now();
    let value = run();
    (began.elapsed(), value)
}

/// Now, for what does not fit into a closure.
#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The median times of two things, measured in turns so that a slow moment meets both.
pub(crate) fn pair(
    rounds: usize,
    mut ours: impl FnMut(),
    mut ceiling: impl FnMut(),
) -> (Duration, Duration) {
    let (mut our_times, mut ceiling_times) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        our_times.push(time(&mut ours).0);
        ceiling_times.push(time(&mut ceiling).0);
    }
    (median(our_times), median(ceiling_times))
}

/// The middle one.
pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// `a / b`.
pub(crate) fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64().max(f64::MIN_POSITIVE)
}
