//! What commands say: text for people, one line of JSON for programs, notes beside both.

use std::io::{self, ErrorKind, Write as _};

use serde_json::Value;

use crate::failure::{OrFail as _, Outcome};

/// Prints text. A reader that has seen enough (`| head`) is no failure.
pub(crate) fn say(text: &str) -> Outcome {
    match deliver(text) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.or_fail("print"),
    }
}

/// Prints one line of JSON.
pub(crate) fn say_json(value: &Value) -> Outcome {
    say(&format!("{value}\n"))
}

/// Prints text that nobody can have twice: the caller learns whether it arrived.
pub(crate) fn deliver(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Says something beside the answer. Nothing depends on it, so a closed stream is no failure.
pub(crate) fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Rows in columns, two blanks apart.
pub(crate) fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths);
        let line: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
    }
    text
}
