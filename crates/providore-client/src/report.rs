//! `POST /report`.

use providore_wire::{FirmwareVersion, Method, Route};

use crate::{
    BufferedOperation, Error, Operation,
    exchange::{SignedAnswer, Target, sealed::Question},
    firmware::target_of,
};

/// What became of something: a JSON object of at most 1024 bytes for the server.
///
/// Only in the `Signed` dialect. [`Agent::send_report`](crate::Agent::send_report) sends it; who asks
/// without an agent writes it first.
///
/// ```
/// use providore_client::{Outcome, Report, Subject, WrittenReport};
///
/// let version = "1.2.0".parse()?;
/// let report = Report::new(Subject::Firmware, Outcome::RolledBack, Some(&version), "no \"link\"");
/// let mut memory = [0; WrittenReport::MAX_LEN];
/// let written = report.write(&mut memory).ok_or("no room")?;
/// assert_eq!(
///     written.as_json(),
///     r#"{"what":"firmware","outcome":"rolled-back","version":"1.2.0","reason":"no \"link\""}"#,
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct Report<'r> {
    what: Subject,
    outcome: Outcome,
    /// Empty without one.
    version: &'r str,
    reason: &'r str,
}

/// A [`Report`] as it is sent, in memory that the caller lent.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct WrittenReport<'m> {
    json: &'m [u8],
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

impl<'r> Report<'r> {
    /// The longest reason in characters; of a longer one this much is told.
    pub const MAX_REASON: usize = 256;

    /// A report. An empty `reason` is left out, and control characters in it become blanks.
    pub fn new(
        what: Subject,
        outcome: Outcome,
        version: Option<&'r FirmwareVersion>,
        reason: &'r str,
    ) -> Self {
        Self {
            what,
            outcome,
            version: version.map_or("", FirmwareVersion::as_str),
            reason,
        }
    }

    /// What became of an update; `None` before its end.
    #[cfg(feature = "update")]
    pub(crate) fn of_update(state: &'r crate::UpdateState) -> Option<Self> {
        Some(Self {
            what: Subject::Firmware,
            outcome: state.outcome()?,
            version: state.version(),
            reason: state.reason(),
        })
    }

    /// Writes it at the beginning of `memory`, of which [`WrittenReport::MAX_LEN`] bytes are always
    /// enough. A reason that does not fit is cut; `None` if all the rest does not fit either.
    pub fn write<'m>(&self, memory: &'m mut [u8]) -> Option<WrittenReport<'m>> {
        let length = self.write_json(memory)?;
        memory.get(..length).map(WrittenReport::of)
    }

    /// How many bytes it takes.
    #[inline(never)] // Its frame is not to last as long as the sending.
    pub(crate) fn write_json(&self, memory: &mut [u8]) -> Option<usize> {
        let longest = memory.len().min(WrittenReport::MAX_LEN);
        let mut json = Pen {
            memory: memory.get_mut(..longest)?,
            length: 0,
            reserved: END.len(),
        };
        json.push("{\"what\":\"")?;
        json.push(self.what.name())?;
        json.push("\",\"outcome\":\"")?;
        json.push(self.outcome.name())?;
        // No character of a version needs an escape.
        if !self.version.is_empty() {
            json.push("\",\"version\":\"")?;
            json.push(self.version)?;
        }
        if !self.reason.is_empty() {
            json.push("\",\"reason\":\"")?;
            json.push_reason(self.reason);
        }
        json.reserved = 0;
        json.push(END)?;
        Some(json.length)
    }
}

/// Writes what fits.
struct Pen<'m> {
    memory: &'m mut [u8],
    length: usize,
    /// So much stays free.
    reserved: usize,
}

impl Pen<'_> {
    fn push(&mut self, piece: &str) -> Option<()> {
        self.push_bytes(piece.as_bytes())
    }

    #[inline(never)] // Everything is written through it.
    fn push_bytes(&mut self, piece: &[u8]) -> Option<()> {
        let length = self.length.checked_add(piece.len())?;
        let needed = length.checked_add(self.reserved)?;
        let room = self.memory.get_mut(..needed)?.get_mut(self.length..)?;
        for (slot, byte) in room.iter_mut().zip(piece) {
            *slot = *byte;
        }
        self.length = length;
        Some(())
    }

    fn push_reason(&mut self, reason: &str) {
        let (mut characters, mut left) = (Report::MAX_REASON, MAX_REASON_BYTES);
        plain_characters(reason, &mut |character| {
            let Some(rest) = left.checked_sub(character.len()) else {
                return false;
            };
            left = rest;
            let Some(rest) = characters.checked_sub(1) else {
                return false;
            };
            characters = rest;
            let escaped = match character {
                b"\"" => b"\\\"",
                b"\\" => b"\\\\",
                plain => plain,
            };
            self.push_bytes(escaped).is_some()
        });
    }
}

/// One character after the other, as long as they are wanted, with a blank for each that controls.
pub(crate) fn plain_characters(text: &str, take: &mut dyn FnMut(&[u8]) -> bool) {
    characters(text.as_bytes(), &mut |character| {
        take(if is_control(character) {
            b" "
        } else {
            character
        })
    });
}

/// One character after the other of UTF-8, as long as they are wanted, by its bytes: to decode and
/// encode each takes more code.
#[inline(never)] // Three callers.
pub(crate) fn characters(text: &[u8], take: &mut dyn FnMut(&[u8]) -> bool) {
    let is_inner = |byte: &u8| byte & 0xc0 == 0x80;
    let mut rest = text;
    while let Some((_, behind)) = rest.split_first() {
        let inner = behind.iter().take_while(|byte| is_inner(byte)).count();
        let Some((character, behind)) = rest.split_at_checked(inner.saturating_add(1)) else {
            return;
        };
        if !take(character) {
            return;
        }
        rest = behind;
    }
}

/// Whether a character in UTF-8 is one of U+0000 to U+001F and U+007F to U+009F.
pub(crate) const fn is_control(character: &[u8]) -> bool {
    matches!(character, [0..=0x1f | 0x7f] | [0xc2, ..=0x9f])
}

const END: &str = "\"}";

/// With 256 of these bytes escaped and all other members at their longest, below 1024.
const MAX_REASON_BYTES: usize = 512;

impl<'m> WrittenReport<'m> {
    /// The longest report in bytes.
    pub const MAX_LEN: usize = 1024;

    /// Of bytes that [`Report::write_json`] has written.
    pub(crate) const fn of(json: &'m [u8]) -> Self {
        Self { json }
    }

    /// What is sent.
    #[must_use]
    pub fn as_json(&self) -> &'m str {
        core::str::from_utf8(self.json).unwrap_or_default()
    }
}

impl Question for WrittenReport<'_> {
    fn method(&self) -> Method {
        Method::Post
    }

    fn target(&self) -> Target<'_> {
        target_of(Route::Report)
    }

    fn content(&self) -> Option<(&'static str, &[u8])> {
        Some(("application/json", self.json))
    }

    fn is_signed_only(&self) -> bool {
        true
    }
}

impl Operation for WrittenReport<'_> {}

impl BufferedOperation for WrittenReport<'_> {
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
        let mut memory = [0; WrittenReport::MAX_LEN];
        let report = Report::new(Subject::Config, Outcome::Failed, None, reason);
        let report = report.write(&mut memory).unwrap();
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
            let mut memory = [0; WrittenReport::MAX_LEN];
            let written = report.write(&mut memory).unwrap();
            let json = written.as_json();
            assert!(json.ends_with("\"}"), "{json}");
            assert_eq!(json.matches('\\').count() % 2, 0, "{json}");
        }
    }

    #[test]
    fn in_little_room_the_reason_is_cut() {
        let report = Report::new(Subject::Device, Outcome::Failed, None, "a\"\u{1f600}b");
        let least = "{\"what\":\"device\",\"outcome\":\"failed\",\"reason\":\"\"}".len();
        for (more, reason) in ["", "a", "a", "a\\\""].into_iter().enumerate() {
            let mut memory = [0; 100];
            let memory = memory.get_mut(..least + more).unwrap();
            let json = report.write(memory).unwrap();
            assert!(
                json.as_json().ends_with(&alloc::format!(":\"{reason}\"}}")),
                "{json:?}"
            );
        }
        assert!(report.write(&mut [0; 30]).is_none());
        assert!(report.write(&mut []).is_none());
    }
}
