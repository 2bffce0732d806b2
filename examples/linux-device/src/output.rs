//! What standard output and the log get to see.

use core::sync::atomic::{AtomicU64, Ordering};
use std::io::{self, ErrorKind, IsTerminal as _, Write as _};

use providore_client::Event;
use serde_json::{Value, json};
use tracing::{info, warn};

use crate::{
    advice::explained,
    exit::{Failure, story},
    settings::variable,
};

/// Sentences for people, or one JSON object a line for programs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Says that something was done, or need not be.
    pub(crate) fn result(self, sentence: &str, object: &Value) {
        let mut out = io::stdout().lock();
        let said = if self.json {
            writeln!(out, "{object}")
        } else {
            writeln!(out, "{sentence}")
        };
        // A reader that has seen enough is no failure, and none is a reason to end.
        if let Err(error) = said
            && error.kind() != ErrorKind::BrokenPipe
        {
            warn!("standard output cannot be written: {error}");
        }
    }

    pub(crate) fn failure(self, failure: &Failure) {
        let message = failure.story();
        if self.json {
            self.result(
                "",
                &json!({"event": "failure", "exit": failure.number(), "message": message}),
            );
        }
        tracing::error!("{message}");
    }
}

/// Whether the log may be coloured: on a terminal, and unless its user wants none (no-color.org).
pub(crate) fn is_coloured() -> bool {
    io::stderr().is_terminal() && variable("NO_COLOR").is_none()
}

/// Logs what the agent reports.
pub(crate) fn log(event: &Event<'_>) {
    match event {
        Event::FirmwareProgress { written } => return show_progress(*written),
        _ => end_progress(),
    }
    match event {
        Event::Server(server) => info!("asking {server}"),
        Event::Waiting { milliseconds } => {
            info!("waiting {} s before asking", milliseconds.div_euclid(1000));
        }
        Event::Resting { milliseconds } => {
            info!("next look in {} s", milliseconds.div_euclid(1000));
        }
        Event::Failed { step, error } => warn!("{step}: {}", explained(Some(*step), error)),
        Event::CertificateDue => info!("asking for a certificate"),
        Event::FirmwareOffered(version) => info!("downloading firmware {version}"),
        Event::FirmwareSkipped(version) => {
            info!("firmware {version} waits, but did not work before");
        }
        Event::FirmwareCommitted(version) => info!("firmware {version} written"),
        Event::FirmwareResumed { kept } => info!("{kept} bytes of it are here already"),
        Event::FirmwareConfirmed(version) => info!("firmware {version} stays"),
        Event::FirmwareRolledBack { version, reason } => {
            warn!("firmware {version} was taken back: {reason}");
        }
        Event::FirmwareRefused { version, fault } => {
            warn!("firmware {version} is not installed: {}", story(*fault));
        }
        Event::UpdateStateLost(error) => {
            warn!(
                "which firmware was installed is forgotten: {}",
                story(*error)
            );
        }
        Event::SecretReceived => info!("another secret waits"),
        Event::SecretReplaced => info!("the secret has been replaced"),
        Event::SecretForgotten => info!("the secret stays: the server took the next one back"),
        _ => {}
    }
}

/// The last count of a download that was shown, in MiB; 0 if none was.
static SHOWN: AtomicU64 = AtomicU64::new(0);

const MIB: u64 = 1024 * 1024;

/// Counts the MiB of a download on one line of a terminal.
fn show_progress(written: u64) {
    let whole = written.div_euclid(MIB);
    if whole == 0 || !io::stderr().is_terminal() || SHOWN.swap(whole, Ordering::Relaxed) == whole {
        return;
    }
    // Not worth failing for.
    let _ = write!(io::stderr(), "\r{whole} MiB");
}

/// What is said next begins on a line of its own.
fn end_progress() {
    if SHOWN.swap(0, Ordering::Relaxed) > 0 {
        let _ = writeln!(io::stderr());
    }
}
