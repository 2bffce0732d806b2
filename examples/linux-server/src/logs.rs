//! Logs: structured, to standard error or a file, as text or JSON.

use std::{
    fs::{File, OpenOptions},
    io::{self, IsTerminal as _},
    sync::Arc,
};

use tracing_subscriber::{EnvFilter, fmt::writer::BoxMakeWriter};

use crate::{
    failure::{OrFail as _, Outcome},
    settings::{Log, LogFormat},
};

/// Begins logging; once, at the start of a command that runs for long.
pub(crate) fn begin(log: &Log) -> Outcome {
    let filter = EnvFilter::try_new(log.level.as_deref().unwrap_or("info"))
        .or_fail("read the log level (try info, debug, or providore_server=debug)")?;
    let (writer, colour) = match &log.file {
        Some(path) => {
            let file = open(path).or_fail(format!("write the log {}", path.display()))?;
            (BoxMakeWriter::new(Arc::new(file)), false)
        }
        None => (BoxMakeWriter::new(io::stderr), io::stderr().is_terminal()),
    };
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(colour)
        .with_target(false);
    let begun = match log.format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    begun.or_fail("begin logging")
}

/// Opened for appending, so that `logrotate` may cut it short while we write.
fn open(path: &std::path::Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}
