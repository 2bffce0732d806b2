//! How often a device may ask.

use providore_wire::{DeviceId, Timestamp};

/// Says whether a device may be answered now.
///
/// Asked only about requests that the device really signed, so a stranger cannot use up its share;
/// devices behind one address do not share either. Limits for strangers belong to the adapter,
/// which knows addresses.
pub trait Admission: Send + Sync {
    /// Admits the request, or says after how many seconds to come again.
    ///
    /// # Errors
    /// Seconds to wait, at least 1.
    fn admit(&self, device: &DeviceId, now: Timestamp) -> Result<(), u32>;
}

/// Everybody may ask at any time.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Unlimited;

impl Admission for Unlimited {
    fn admit(&self, _: &DeviceId, _: Timestamp) -> Result<(), u32> {
        Ok(())
    }
}
