//! Arguments that several commands take: an error says what is allowed.

use std::fmt;

use providore_wire::{DeviceId, FirmwareVersion};

/// The id of a device.
pub(crate) fn device(text: &str) -> Result<DeviceId, String> {
    text.parse().map_err(explain)
}

/// A firmware version or a hardware type.
pub(crate) fn name(text: &str) -> Result<FirmwareVersion, String> {
    text.parse().map_err(explain)
}

fn explain(error: impl fmt::Display) -> String {
    format!(
        "{error}\n  allowed are 1 to 64 letters A-Z a-z, digits, and -._~:+@ and blanks inside; no dot at \
         an end or beside another"
    )
}
