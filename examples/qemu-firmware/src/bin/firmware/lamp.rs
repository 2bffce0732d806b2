//! What the device is there for, and its log.

use core::{error::Error, fmt};

use device_app::{Application, Status};
use providore_client::Event;
use qemu_firmware::{
    log,
    memory::{self, Usage},
};

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
            Event::Server(address) => log!("server: {address}"),
            Event::Failed { step, error } => log!("{step}: failed: {}", Causes(error)),
            Event::Waiting { milliseconds } => log!("waits {milliseconds} ms"),
            Event::Resting { milliseconds } => {
                let Usage { stack, heap } = memory::usage();
                log!("memory: {stack} bytes of stack, {heap} bytes of heap at most");
                log!("rests {milliseconds} ms");
            }
            Event::ConfigStored { length } => log!("config: {length} bytes are stored"),
            Event::CertificateStored { not_after_unix } => {
                log!("certificate: stored, good until {not_after_unix}");
            }
            Event::FirmwareUpToDate => log!("firmware: up to date"),
            Event::FirmwareSkipped(version) => log!("firmware: {version} has failed before"),
            Event::FirmwareOffered(version) => log!("firmware: {version} is offered"),
            Event::FirmwareResumed { kept } => log!("firmware: {kept} bytes are there already"),
            Event::FirmwareProgress { written } => {
                if written.is_multiple_of(PROGRESS) {
                    log!("firmware: {written} bytes");
                }
            }
            Event::FirmwareCommitted(version) => log!("firmware: {version} runs next, on trial"),
            Event::FirmwareConfirmed(version) => log!("firmware: {version} is kept"),
            Event::FirmwareRolledBack { version, reason } => {
                log!("firmware: {version} is taken back: {reason}");
            }
            Event::FirmwareRefused { version, fault } => {
                log!("firmware: {version} is refused: {}", Causes(fault));
            }
            Event::Reported => log!("the server was told"),
            event => log!("{event:?}"),
        }
    }
}

/// After how many bytes of a download to say so.
const PROGRESS: u64 = 128 * 1024;

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
