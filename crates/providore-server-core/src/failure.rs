//! What the server remembers of a release that did not work on a device.

use alloc::string::String;

use providore_wire::{FirmwareVersion, Timestamp};

/// A release that failed on one device, and is not offered to it again until the operator says so.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// The release.
    pub version: FirmwareVersion,
    /// When the server heard of it.
    pub at: Timestamp,
    /// Whether it was in use, and the device went back to the release before.
    pub rolled_back: bool,
    reason: String,
}

impl Failure {
    /// The longest reason in characters.
    pub const MAX_REASON: usize = 256;

    /// A failure. Of a longer reason the beginning is kept, and control characters in it become
    /// blanks: it is a stranger's text that ends up on an operator's terminal.
    #[must_use]
    pub fn new(version: FirmwareVersion, at: Timestamp, rolled_back: bool, reason: &str) -> Self {
        let shown = |c: char| if c.is_control() { ' ' } else { c };
        Self {
            version,
            at,
            rolled_back,
            reason: reason.chars().take(Self::MAX_REASON).map(shown).collect(),
        }
    }

    /// What the device said; empty if it said nothing.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
}
