//! What the program brings, and what it gets to know.

use providore_client::Event;

/// What the device is there for: the hooks of a program.
///
/// They take `&self`, since they are called from several places; what they change lies in cells,
/// atomics or channels to other tasks. None of them may block.
pub trait Application {
    /// Uses a configuration from now on: the stored one at each start, another one when it comes,
    /// and the one before again if the device does not reach its server with that. Empty if there
    /// is none (any more): what the program does without.
    ///
    /// # Errors
    /// Why it cannot be used. The one before stays, and the server is told.
    fn apply_config(&self, config: &[u8]) -> Result<(), &'static str>;

    /// Whether the firmware on trial does what it is for, asked after the server was reached.
    ///
    /// # Errors
    /// Why it does not. The firmware before is back after the next restart, and the server is told.
    fn self_test(&self) -> Result<(), &'static str> {
        Ok(())
    }

    /// What an LED shows. Called when it changes.
    fn status(&self, status: Status);

    /// Everything that happens, for a log.
    fn event(&self, event: &Event<'_>) {
        let _ = event;
    }
}

/// How the device is, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// It has started, and the server has not answered yet.
    Starting,
    /// It asks.
    Working,
    /// Firmware is being downloaded.
    Updating,
    /// All is well: it sleeps until the next day.
    Resting,
    /// Something failed; it tries again.
    Failing,
    /// [`DeviceApp::run`](crate::DeviceApp::run) is about to return.
    Restarting,
}

/// Why the device has to restart now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use]
#[non_exhaustive]
pub enum Restart {
    /// Another firmware runs after it, on trial.
    NewFirmware,
    /// The firmware on trial did not last: the one before runs after it.
    PreviousFirmware,
}
