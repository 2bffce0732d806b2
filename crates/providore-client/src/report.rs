//! `POST /report`.

use providore_wire::{FirmwareVersion, Method, Route};

use crate::{
    BufferedOperation, Error, Operation,
    exchange::{SignedAnswer, Target, sealed::Question},
    firmware::target_of,
};

/// Tells the server what became of something: a JSON object of at most 1024 bytes, written here.
///
/// Only in the `Signed` dialect.
///
/// ```
/// use providore_client::{Outcome, Report, Subject};
///
/// let version = "1.2.0".parse()?;
/// let report = Report::new(Subject::Firmware, Outcome::RolledBack, Some(&version), "no \"link\"");
/// assert_eq!(
///     report.as_json(),
///     r#"{"what":"firmware","outcome":"rolled-back","version":"1.2.0","reason":"no \"link\""}"#,
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Report {
    json: [u8; Self::MAX_LEN],
    length: usize,
}

/// What a [`Report`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Subject {
    /// An image.
    Firmware,
    /// A configuration.
    Config,
    /// A certificate.
    Certificate,
    /// The device as a whole.
    Device,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// It is in use.
    Applied,
    /// It could not be used; what was there stays.
    Failed,
    /// It was in use and did not work; what was there before is back.
    RolledBack,
    /// It works.
    Healthy,
}

impl Subject {
    const fn name(self) -> &'static str {
        match self {
            Self::Firmware => "firmware",
            Self::Config => "config",
            Self::Certificate => "certificate",
            Self::Device => "device",
        }
    }
}

impl Outcome {
    const fn name(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Failed => "failed",
            Self::RolledBack => "rolled-back",
            Self::Healthy => "healthy",
        }
    }
}

impl Report {
    /// The longest report in bytes.
    pub const MAX_LEN: usize = 1024;

    /// The longest reason in characters; of a longer one this much is told.
    pub const MAX_REASON: usize = 256;

    /// A report. An empty `reason` is left out, and control characters in it become blanks.
    pub fn new(
        what: Subject,
        outcome: Outcome,
        version: Option<&FirmwareVersion>,
        reason: &str,
    ) -> Self {
        let mut report = Self {
            json: [0; Self::MAX_LEN],
            length: 0,
        };
        for piece in [
            "{\"what\":\"",
            what.name(),
            "\",\"outcome\":\"",
            outcome.name(),
        ] {
            report.push(piece);
        }
        // No character of a version needs an escape.
        if let Some(version) = version {
            report.push("\",\"version\":\"");
            report.push(version.as_str());
        }
        if !reason.is_empty() {
            report.push("\",\"reason\":\"");
            report.push_reason(reason);
        }
        report.push("\"}");
        report
    }

    fn push_reason(&mut self, reason: &str) {
        let mut left = MAX_REASON_BYTES;
        for character in reason.chars().take(Self::MAX_REASON) {
            let character = if character.is_control() {
                ' '
            } else {
                character
            };
            let Some(rest) = left.checked_sub(character.len_utf8()) else {
                break;
            };
            left = rest;
            if matches!(character, '"' | '\\') {
                self.push("\\");
            }
            self.push(character.encode_utf8(&mut [0; 4]));
        }
    }

    /// Bounded as above all of it fits.
    fn push(&mut self, piece: &str) {
        let room = self.json.get_mut(self.length..).unwrap_or_default();
        if let Some(room) = room.get_mut(..piece.len()) {
            room.copy_from_slice(piece.as_bytes());
            self.length = self.length.saturating_add(piece.len());
        }
    }

    /// What is sent.
    #[must_use]
    pub fn as_json(&self) -> &str {
        core::str::from_utf8(self.bytes()).unwrap_or_default()
    }

    fn bytes(&self) -> &[u8] {
        self.json.get(..self.length).unwrap_or_default()
    }
}

/// With 256 of these bytes escaped and all other members at their longest, below 1024.
const MAX_REASON_BYTES: usize = 512;

impl Question for Report {
    fn method(&self) -> Method {
        Method::Post
    }

    fn target(&self) -> Target<'_> {
        target_of(Route::Report)
    }

    fn content(&self) -> Option<(&'static str, &[u8])> {
        Some(("application/json", self.bytes()))
    }

    fn is_signed_only(&self) -> bool {
        true
    }
}

impl Operation for Report {}

impl BufferedOperation for Report {
    type Outcome<'b> = ();

    fn conclude(self, answer: SignedAnswer<'_, '_>) -> Result<(), Error> {
        if answer.told.status != 204 {
            return Err(answer.declined());
        }
        Ok(answer.without_body()?)
    }
}

#[cfg(test)]
mod tests {
    extern crate alloc;
    use super::*;

    fn check(reason: &str, expected: &str) {
        let report = Report::new(Subject::Config, Outcome::Failed, None, reason);
        let reason = match expected {
            "" => alloc::string::String::new(),
            text => alloc::format!(",\"reason\":\"{text}\""),
        };
        let expected = alloc::format!("{{\"what\":\"config\",\"outcome\":\"failed\"{reason}}}");
        assert_eq!(report.as_json(), expected);
    }

    #[test]
    fn a_reason_is_escaped_and_cut() {
        check("", "");
        check("a\"b\\c", r#"a\"b\\c"#);
        check("a\n\u{7f}\0b", "a   b");
        check(&"x".repeat(300), &"x".repeat(256));
        check(&"\u{1f600}".repeat(300), &"\u{1f600}".repeat(128));
    }

    #[test]
    fn the_longest_report_fits() {
        let version = "9".repeat(64).parse().unwrap();
        let mut reason = "\"".repeat(170);
        reason.push_str(&"\u{1f600}".repeat(86));
        let (what, outcome) = (Subject::Certificate, Outcome::RolledBack);
        for reason in [&reason, &"\\".repeat(256)] {
            let report = Report::new(what, outcome, Some(&version), reason);
            assert!(report.as_json().ends_with("\"}"), "{report:?}");
        }
    }
}
