//! A server that can answer only so many.

use alloc::sync::Arc;
use std::sync::{Mutex, PoisonError};

use providore_server_core::Admission;
use providore_wire::{DeviceId, Timestamp};

/// One token bucket for a whole server, in virtual time. Who finds it empty is told to come after
/// those who were told before. A clone is the same bucket.
#[derive(Debug, Clone)]
pub struct TokenBucket(Arc<Mutex<Bucket>>);

#[derive(Debug)]
struct Bucket {
    per_s: u32,
    burst: u32,
    tokens: u32,
    backlog: u32,
    at: Option<Timestamp>,
    admitted: u64,
    refused: u64,
}

impl TokenBucket {
    /// `per_s` requests per second in the long run, `burst` at once.
    #[must_use]
    pub fn new(per_s: u32, burst: u32) -> Self {
        Self(Arc::new(Mutex::new(Bucket {
            per_s: per_s.max(1),
            burst,
            tokens: burst,
            backlog: 0,
            at: None,
            admitted: 0,
            refused: 0,
        })))
    }

    /// How many requests were admitted, and how many told to wait.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        let bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (bucket.admitted, bucket.refused)
    }
}

impl Admission for TokenBucket {
    fn admit(&self, _: &DeviceId, now: Timestamp) -> Result<(), u32> {
        let bucket = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let passed_s = bucket.at.map_or(0, |at| now.seconds_since(at).max(0));
        bucket.at = Some(now);
        let passed_s = u32::try_from(passed_s).unwrap_or(u32::MAX);
        let gained = passed_s.saturating_mul(bucket.per_s);
        bucket.tokens = bucket.tokens.saturating_add(gained).min(bucket.burst);
        bucket.backlog = bucket.backlog.saturating_sub(gained);
        if let Some(left) = bucket.tokens.checked_sub(1) {
            bucket.tokens = left;
            bucket.admitted += 1;
            return Ok(());
        }
        bucket.refused += 1;
        bucket.backlog = bucket.backlog.saturating_add(1);
        Err(bucket.backlog.div_ceil(bucket.per_s))
    }
}
