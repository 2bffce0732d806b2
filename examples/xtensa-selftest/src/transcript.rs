//! What a check did, as a digest that two machines can compare.

use core::fmt::{self, Write};

use sha2::{Digest as _, Sha256};

/// Everything that a check computed, and the first thing that was not as expected.
pub(crate) struct Transcript {
    digest: Sha256,
    wrong: Option<&'static str>,
}

impl Transcript {
    /// Takes what was computed at a stage and what should have been.
    pub(crate) fn compare(&mut self, stage: &'static str, found: &[u8], expected: &[u8]) {
        self.note(found);
        self.require(stage, found == expected);
    }

    /// Takes what was computed at a stage, as text, and what should have been.
    pub(crate) fn compare_text(
        &mut self,
        stage: &'static str,
        found: impl fmt::Display,
        expected: impl fmt::Display,
    ) {
        let digest = |text: &dyn fmt::Display| {
            let mut one = Self::new();
            let written = write!(one, "{text}");
            (written.is_ok(), one.digest.finalize())
        };
        let (found, expected) = (digest(&found), digest(&expected));
        self.note(&found.1);
        self.require(stage, found.0 && found == expected);
    }

    /// Takes bytes that are compared with those of the other machine alone.
    pub(crate) fn note(&mut self, bytes: &[u8]) {
        self.digest.update((bytes.len() as u64).to_be_bytes());
        self.digest.update(bytes);
    }

    /// Fails the check at this stage if the condition does not hold.
    pub(crate) fn require(&mut self, stage: &'static str, holds: bool) {
        if !holds {
            self.wrong.get_or_insert(stage);
        }
    }

    fn new() -> Self {
        Self {
            digest: Sha256::new(),
            wrong: None,
        }
    }
}

impl Write for Transcript {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.digest.update(text.as_bytes());
        Ok(())
    }
}

/// Where the lines go, and how many checks failed.
pub(crate) struct Report<'o> {
    out: &'o mut dyn Write,
    checks: u32,
    failed: u32,
}

impl<'o> Report<'o> {
    pub(crate) fn new(out: &'o mut dyn Write) -> Self {
        Self {
            out,
            checks: 0,
            failed: 0,
        }
    }

    /// Runs a check and prints its digest and its verdict.
    pub(crate) fn check(&mut self, group: &str, name: &str, run: impl FnOnce(&mut Transcript)) {
        let mut transcript = Transcript::new();
        run(&mut transcript);
        self.checks += 1;
        for byte in transcript.digest.finalize().iter().take(16) {
            self.print(format_args!("{byte:02x}"));
        }
        let verdict = transcript.wrong.map_or("ok", |_| "WRONG");
        let stage = transcript.wrong.unwrap_or_default();
        self.print(format_args!("  {verdict:<5}  {group}/{name}  {stage}\n"));
        self.failed += u32::from(transcript.wrong.is_some());
    }

    /// Prints the totals; whether no check failed.
    pub(crate) fn finish(self) -> bool {
        let (checks, failed) = (self.checks, self.failed);
        self.out
            .write_fmt(format_args!("{checks} checks, {failed} failed\n"))
            .is_ok()
            && failed == 0
    }

    fn print(&mut self, text: fmt::Arguments<'_>) {
        if self.out.write_fmt(text).is_err() {
            self.failed += 1;
        }
    }
}
