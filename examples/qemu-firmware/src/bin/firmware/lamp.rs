//! What the device is there for, and its log.

use core::{error::Error, fmt};

use device_app::{Application, Status};
use providore_client::Event;
use qemu_firmware::log;

/// A lamp, if it had one.
pub struct Lamp;

impl Application for Lamp {
    fn apply_config(&self, config: &[u8]) -> Result<(), &'static str> {
        let text = str::from_utf8(config).map_err(|_| "not text")?;
        if config.is_empty() {
            log!("lamp: no configuration");
        } else {
            log!("lamp: configured with {}", text.trim_end());
        }
        Ok(())
    }

    fn self_test(&self) -> Result<(), &'static str> {
        if cfg!(feature = "faulty") {
            return Err("the lamp does not light");
        }
        Ok(())
    }

    fn status(&self, status: Status) {
        log!("status: {status:?}");
    }

    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Failed { step, error } => log!("{step}: {}", Causes(error)),
            Event::Server(address) => log!("server: {address}"),
            event => log!("{event:?}"),
        }
    }
}

/// An error with what caused it.
struct Causes<'e>(&'e dyn Error);

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut error = self.0;
        while let Some(source) = error.source() {
            write!(f, ": {source}")?;
            error = source;
        }
        Ok(())
    }
}
