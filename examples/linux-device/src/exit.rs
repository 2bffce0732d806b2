//! What ends the program early, and with which exit code.

use core::error::Error as StdError;
use std::process::ExitCode;

use providore_client::{AgentError, CertificateFault, Error, Step};

use crate::{advice::explained, whereabouts::NOBODY};

/// A failure with its exit code, as `--help` documents it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    code: u8,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Failure {
    /// Wrong usage or settings.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(USAGE, message, None)
    }

    /// What another time may go well.
    pub(crate) fn passing(message: impl Into<String>) -> Self {
        Self::new(MAY_PASS, message, None)
    }

    /// Trouble on this machine.
    pub(crate) fn local(
        message: impl Into<String>,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self::new(LOCAL, message, Some(source.into()))
    }

    /// The server has answered, and does not give what was asked for.
    pub(crate) fn declined(message: impl Into<String>) -> Self {
        Self::new(REFUSED, message, None)
    }

    /// Something is not what somebody trusted has signed.
    pub(crate) fn not_verified(
        message: impl Into<String>,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self::new(NOT_VERIFIED, message, Some(source.into()))
    }

    fn new(
        code: u8,
        message: impl Into<String>,
        source: Option<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self {
            code,
            message: message.into(),
            source,
        }
    }

    pub(crate) fn number(&self) -> u8 {
        self.code
    }

    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }

    /// The message and all its causes in one line.
    pub(crate) fn story(&self) -> String {
        story(self)
    }
}

/// An error and all its causes in one line.
pub(crate) fn story(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

impl From<AgentError> for Failure {
    fn from(error: AgentError) -> Self {
        Self::of(None, &error)
    }
}

impl Failure {
    /// What a step ended with.
    pub(crate) fn of(step: Option<Step>, error: &AgentError) -> Self {
        let message = match error {
            AgentError::Answer(answer) if answer.is_unauthorized() => {
                "the server does not accept this device: check --device-id and the secret; \
                 a first Providore needs --dialect original, and the clock right"
            }
            AgentError::NoServer => NOBODY,
            _ => "not done",
        };
        let message = format!("{message}: {}", explained(step, error));
        Self::new(code_of(error), message, None)
    }
}

fn code_of(error: &AgentError) -> u8 {
    match error {
        AgentError::Answer(Error::Key(_) | Error::ClockNotSet)
        | AgentError::Slot(_)
        | AgentError::Storage(_)
        | AgentError::Certificate(CertificateFault::Key(_) | CertificateFault::Request(_)) => LOCAL,
        AgentError::Answer(answer) if answer.is_unauthorized() => REFUSED,
        AgentError::Answer(answer) if answer.is_unverified() => NOT_VERIFIED,
        AgentError::Firmware(_) | AgentError::Certificate(CertificateFault::Chain(_)) => {
            NOT_VERIFIED
        }
        _ => MAY_PASS,
    }
}

const MAY_PASS: u8 = 1;
const USAGE: u8 = 2;
const REFUSED: u8 = 3;
const NOT_VERIFIED: u8 = 4;
const LOCAL: u8 = 5;
