//! The commands of Espressif's tools: shown, or run.

use std::{fmt, fs, path::Path, process::Command};

use zeroize::Zeroizing;

/// Why nothing came of it, for the one who typed it.
pub(crate) type Failure = String;

/// A command line.
pub(crate) struct Line(Vec<String>);

impl Line {
    pub(crate) fn new(words: &[&str]) -> Self {
        Self(words.iter().map(|word| (*word).to_owned()).collect())
    }

    pub(crate) fn with(mut self, words: &[&str]) -> Self {
        self.0.extend(Self::new(words).0);
        self
    }

    /// `--port` and its value, if there is one.
    pub(crate) fn with_port(self, port: Option<&str>) -> Self {
        match port {
            Some(port) => self.with(&["--port", port]),
            None => self,
        }
    }

    /// Runs it to its end, on this terminal.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let (program, words) = self.0.split_first().ok_or("no command")?;
        match Command::new(program).args(words).status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("{program} failed: {status}")),
            Err(error) => Err(format!(
                "{program} does not start ({error}): is it installed?"
            )),
        }
    }
}

/// As a shell takes it.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, word) in self.0.iter().enumerate() {
            let blank = if at == 0 { "" } else { " " };
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=".contains(c);
            if !word.is_empty() && word.chars().all(plain) {
                write!(f, "{blank}{word}")?;
            } else {
                write!(f, "{blank}'{}'", word.replace('\'', r"'\''"))?;
            }
        }
        Ok(())
    }
}

/// The first line of a file, without its end.
pub(crate) fn line_of(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let text = fs::read_to_string(path).map(Zeroizing::new);
    let text = text.map_err(|error| format!("{}: {error}", path.display()))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.contains('\n') {
        return Err(format!("{}: more than one line", path.display()));
    }
    Ok(Zeroizing::new(line.to_owned()))
}
