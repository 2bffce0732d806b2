//! Lines that wait to be written: bounded, and nobody waits for room.

use std::{
    collections::VecDeque,
    io::{self, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tracing_subscriber::fmt::MakeWriter;

/// The most bytes that wait: some thousand lines, which is what a disk that stalls for a moment
/// leaves behind.
const MAX_WAITING: usize = 1024 * 1024;

/// Counts lines that were dropped, because nobody took them or they could not be written.
const DROPPED: &str = "providore_log_lines_dropped_total";

#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    /// A line is being written now.
    writing: bool,
    /// Lines dropped since the last one that was written.
    dropped: u64,
}

impl Queue {
    /// Takes a line, or drops it if there is no room.
    fn put(&self, line: &[u8]) {
        let mut waiting = self.lock();
        let bytes = waiting.bytes.saturating_add(line.len());
        if bytes > MAX_WAITING {
            waiting.dropped = waiting.dropped.saturating_add(1);
            drop(waiting);
            metrics::counter!(DROPPED).increment(1);
            return;
        }
        waiting.bytes = bytes;
        waiting.lines.push_back(line.to_vec());
        self.changed.notify_all();
    }

    /// Waits until everything is written, but no longer than `patience`.
    pub(super) fn flush(&self, patience: Duration) {
        let is_busy = |waiting: &mut Waiting| waiting.writing || !waiting.lines.is_empty();
        let _ = self
            .changed
            .wait_timeout_while(self.lock(), patience, is_busy);
    }

    /// The next line to write, once there is one.
    fn next(&self) -> Vec<u8> {
        let mut waiting = self.lock();
        loop {
            if let Some(line) = waiting.lines.pop_front() {
                waiting.bytes = waiting.bytes.saturating_sub(line.len());
                waiting.writing = true;
                return line;
            }
            waiting = self
                .changed
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes note of what became of that line; returns how many were dropped if that is to be said
    /// now.
    fn written(&self, outcome: &io::Result<()>) -> u64 {
        let mut waiting = self.lock();
        waiting.writing = false;
        self.changed.notify_all();
        if outcome.is_ok() {
            return std::mem::take(&mut waiting.dropped);
        }
        waiting.dropped = waiting.dropped.saturating_add(1);
        drop(waiting);
        metrics::counter!(DROPPED).increment(1);
        0
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The life of the writing thread.
pub(super) fn write_all(queue: &Queue, mut sink: impl Write) {
    loop {
        let line = queue.next();
        let outcome = sink.write_all(&line).and_then(|()| sink.flush());
        let dropped = queue.written(&outcome);
        if dropped > 0 {
            tracing::warn!(
                dropped,
                "lines of the log were dropped: it could not be written"
            );
        }
    }
}

/// Puts what `tracing` formats into the queue.
pub(super) struct Writer(pub(super) Arc<Queue>);

/// One line.
pub(super) struct Line<'a>(&'a Queue);

impl<'a> MakeWriter<'a> for Writer {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(&self.0)
    }
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.put(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
