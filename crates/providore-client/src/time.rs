//! `GET /time`.

use providore_wire::{Route, Timestamp};

use crate::{
    BufferedOperation, Error, Operation,
    exchange::{SignedAnswer, Target, sealed::Question},
    firmware::target_of,
};

/// Asks for the time, and nothing else: every answer brings it, this one costs least.
///
/// The outcome is the time at which the server answered. [`Device::server_time`] has learned it by
/// then. Only in the `Signed` dialect.
///
/// [`Device::server_time`]: crate::Device::server_time
#[derive(Debug, Clone, Copy, Default)]
#[must_use]
#[non_exhaustive]
pub struct TimeCheck;

impl TimeCheck {
    /// Asks.
    pub const fn new() -> Self {
        Self
    }
}

impl Question for TimeCheck {
    fn target(&self) -> Target<'_> {
        target_of(Route::Time)
    }

    fn is_signed_only(&self) -> bool {
        true
    }
}

impl Operation for TimeCheck {}

impl BufferedOperation for TimeCheck {
    type Outcome<'b> = Timestamp;

    fn conclude(self, answer: SignedAnswer<'_, '_>) -> Result<Timestamp, Error> {
        if answer.told.status != 204 {
            return Err(answer.declined());
        }
        answer.without_body()?;
        Ok(answer.created)
    }
}
