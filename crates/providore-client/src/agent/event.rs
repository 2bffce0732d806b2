//! What the agent tells its caller.

use core::fmt;

use providore_wire::FirmwareVersion;

use super::AgentError;
use crate::ServerAddress;

/// A step of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// The configuration.
    Config,
    /// The certificate.
    Certificate,
    /// The firmware.
    Firmware,
    /// The secret that is to replace the device's own.
    Secret,
    /// What the server is told about the others.
    Report,
}

impl Step {
    /// The name in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Certificate => "certificate",
            Self::Firmware => "firmware",
            Self::Secret => "secret",
            Self::Report => "report",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Something that happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'e> {
    /// This candidate is asked from now on.
    Server(&'e ServerAddress),
    /// The call waits before it asks, after a failure.
    Waiting {
        /// How long.
        milliseconds: u64,
    },
    /// The day is over.
    Resting {
        /// How long.
        milliseconds: u64,
    },
    /// The server says that something waits: the next day begins soon.
    #[cfg(feature = "notices")]
    NoticeHeard,
    /// A datagram came that changes nothing; anybody can have sent it.
    #[cfg(feature = "notices")]
    NoticeIgnored(crate::NoticeFault),
    /// An attempt failed.
    Failed {
        /// What was attempted.
        step: Step,
        /// Why it failed.
        error: &'e AgentError,
    },
    /// The configuration is the one that is stored.
    ConfigKept,
    /// The server has a configuration that failed on this device; it is not tried again.
    ConfigSkipped,
    /// The server was reached with the other configuration: it is the last known good one.
    ConfigConfirmed,
    /// The other configuration failed: the one before is to be used again.
    ConfigRolledBack {
        /// Why.
        reason: &'e str,
    },
    /// The application does not use the stored configuration.
    ConfigRefused {
        /// Why.
        reason: &'e str,
    },
    /// Another configuration has been stored, to be used or to be tried.
    ConfigStored {
        /// Its length in bytes.
        length: usize,
    },
    /// The certificate is good for now.
    CertificateKept {
        /// When it will be renewed, in Unix seconds.
        renew_at_unix: u64,
    },
    /// There is no certificate that can be used, or its time has come.
    CertificateDue,
    /// A new certificate has been stored, the old one kept as previous.
    CertificateStored {
        /// When it ends, in Unix seconds.
        not_after_unix: u64,
    },
    /// No other firmware waits.
    FirmwareUpToDate,
    /// This version waits, but was tried before and did not work.
    FirmwareSkipped(&'e FirmwareVersion),
    /// This version waits and will be downloaded.
    FirmwareOffered(&'e FirmwareVersion),
    /// So much of the image has been written.
    FirmwareProgress {
        /// Bytes so far.
        written: u64,
    },
    /// The image runs after the next restart, on trial.
    FirmwareCommitted(&'e FirmwareVersion),
    /// The download goes on where it was interrupted: so many bytes of the image were there already,
    /// and are what its author signed.
    FirmwareResumed {
        /// How many of them stay.
        kept: u64,
    },
    /// The firmware that runs works: the trial is over.
    FirmwareConfirmed(&'e FirmwareVersion),
    /// This version did not work, and the previous one runs after the next restart.
    FirmwareRolledBack {
        /// Which.
        version: &'e FirmwareVersion,
        /// Why.
        reason: &'e str,
    },
    /// This version waits and is not installed. The server is told.
    #[cfg(feature = "update")]
    FirmwareRefused {
        /// Which.
        version: &'e FirmwareVersion,
        /// Why.
        fault: &'e super::FirmwareFault,
    },
    /// What was remembered of updates cannot be read: the device goes on as one that remembers
    /// nothing but the sequence number of what runs, if it knows that.
    #[cfg(feature = "update")]
    UpdateStateLost(&'e crate::UpdateStateError),
    /// The secret that is to replace the present one has been stored beside it.
    SecretReceived,
    /// The server has the new secret: it has been stored in place of the present one.
    SecretReplaced,
    /// The server took back the secret that was to replace the present one.
    SecretForgotten,
    /// The server was told what became of something.
    Reported,
    /// The server was not told, since it is not to be asked now.
    ReportDropped,
}
