//! How a command fails: what was tried, why it did not work, what to do next.

use std::{
    fmt,
    io::{self, ErrorKind},
};

use providore_server_core::json_files::LoadError;

/// A failure that ends the program.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
    hint: Option<String>,
}

/// What every command returns.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// A failure without a further cause.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            source: None,
            hint: None,
        }
    }

    /// What was tried, of which this was a part. The hint stays.
    pub(crate) fn within(self, what: impl Into<String>) -> Self {
        Self {
            what: format!("cannot {}: {}", what.into(), self.what),
            ..self
        }
    }

    /// What to do next.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// `result.or_fail("read the configuration")?`
pub(crate) trait OrFail<T> {
    /// Says what was tried.
    fn or_fail(self, what: impl Into<String>) -> Outcome<T>;
}

impl<T, E: Into<Box<dyn std::error::Error + Send + Sync>>> OrFail<T> for Result<T, E> {
    fn or_fail(self, what: impl Into<String>) -> Outcome<T> {
        self.map_err(|error| Failure {
            what: format!("cannot {}", what.into()),
            source: Some(error.into()),
            hint: None,
        })
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        let hint = match &error {
            LoadError::Read(error) | LoadError::Write(error) | LoadError::Log(error) => {
                hint_for(error)
            }
            _ => "mend the file; nothing was changed",
        };
        Self {
            what: "cannot use the devices file".into(),
            source: Some(error.into()),
            hint: Some(hint.into()),
        }
    }
}

/// What to do about a file that cannot be used.
fn hint_for(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room; nothing was changed",
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "run this as the owner of the data folder; nothing was changed"
        }
        ErrorKind::WouldBlock => "end that process, or wait for it; nothing was changed",
        _ => "mend the file; nothing was changed",
    }
}

impl Failure {
    /// For programs: what happened, and what to do.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        serde_json::json!({"error": self.story(), "hint": self.hint})
    }

    /// What was tried, and all that it failed of, in one line.
    fn story(&self) -> String {
        let source = self.source.as_ref();
        let first = source.map(|error| &**error as &dyn std::error::Error);
        let causes = std::iter::successors(first, |error| error.source());
        causes.fold(self.what.clone(), |story, cause| {
            format!("{story}: {cause}")
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.story())?;
        if let Some(hint) = &self.hint {
            write!(f, "\n  {hint}")?;
        }
        Ok(())
    }
}
