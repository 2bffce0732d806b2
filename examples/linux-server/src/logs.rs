//! Logs: structured, to standard error or a file, as text or JSON.
//!
//! Nothing that logs ever waits or fails: lines go into a bounded queue, and a thread of its own
//! writes them. What cannot be written is dropped and counted.

mod queue;

use std::{
    fs::{File, OpenOptions},
    io::{self, IsTerminal as _, Write as _},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use tracing_subscriber::EnvFilter;

use self::queue::Queue;
use crate::{
    failure::{OrFail as _, Outcome},
    settings::{Log, LogFormat},
};

/// How long the end of the program waits for lines that are not written yet.
const PATIENCE: Duration = Duration::from_secs(1);

/// The log of this process. When it is dropped, the last lines are written, if that can be done
/// soon.
#[must_use]
pub(crate) struct Logs(Arc<Queue>);

impl Drop for Logs {
    fn drop(&mut self) {
        self.0.flush(PATIENCE);
    }
}

/// Begins logging; once, at the start of a command that runs for long.
pub(crate) fn begin(log: &Log) -> Outcome<Logs> {
    let filter = EnvFilter::try_new(log.level.as_deref().unwrap_or("info"))
        .or_fail("read the log level (try info, debug, or providore_server=debug)")?;
    let (sink, colour): (Box<dyn io::Write + Send>, bool) = match &log.file {
        Some(path) => {
            let file = open(path).or_fail(format!("write the log {}", path.display()))?;
            (Box::new(file), false)
        }
        None => (Box::new(io::stderr()), is_coloured()),
    };
    let queue = Arc::new(Queue::default());
    let written = Arc::clone(&queue);
    thread::Builder::new()
        .name("log".into())
        .spawn(move || queue::write_all(&written, sink))
        .or_fail("start the thread that writes the log")?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(queue::Writer(Arc::clone(&queue)))
        .with_ansi(colour)
        .with_target(false)
        // It would print to standard error, which may be what is broken.
        .log_internal_errors(false);
    let begun = match log.format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    begun.or_fail("begin logging")?;
    log_panics();
    Ok(Logs(queue))
}

/// On a terminal, and unless its user wants no colours (no-color.org).
#[expect(clippy::disallowed_methods, reason = "a program reads its environment")]
fn is_coloured() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    io::stderr().is_terminal() && !refused
}

/// A panic is a line of the log as well: the usual message to standard error might block.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let thread = thread::current();
        let thread = thread.name().unwrap_or("unnamed");
        let place = panic.location().map(tracing::field::display);
        let payload = panic.payload();
        let what = payload.downcast_ref::<&str>().copied();
        let what = what.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let what = what.unwrap_or("without a message");
        tracing::error!(thread, place, "panicked: {what}");
    }));
}

/// Says why the program ends. Standard error may be closed, or a pipe that nobody reads: neither
/// keeps the program from ending.
pub(crate) fn last_words(text: String) {
    let (said, is_said) = mpsc::channel();
    let say = move || {
        let _ = writeln!(io::stderr(), "{text}");
        let _ = said.send(());
    };
    // Without a thread to spare nothing is said: it might never end.
    if thread::Builder::new().spawn(say).is_ok() {
        let _ = is_said.recv_timeout(PATIENCE);
    }
}

/// Opened for appending, so that `logrotate` may cut it short while we write.
fn open(path: &std::path::Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}
