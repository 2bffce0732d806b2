//! What the operator learns.

use core::{fmt, net::IpAddr};

use providore_pki::{SerialNumber, csr::CsrError};
use providore_sign::Refusal;
use providore_wire::{
    DeviceId, FirmwareVersion, ParseError, Route, original::HeadError,
    signed::HeadError as SignedHeadError,
};

use crate::{Failure, Release, StoreError};

/// Something that an operator may want to know.
///
/// None of this goes to the peer.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A request was not authenticated.
    Unauthenticated {
        /// From where it came, if that is known.
        peer: Option<IpAddr>,
        /// The device that it claimed to come from, if it could be read.
        claimed: Option<&'a DeviceId>,
        /// Why.
        reason: Reason,
    },
    /// A device signed a request that does not count now, by its clock or an old challenge, and was
    /// told a challenge to sign again with. Every device without a clock begins like this, and every
    /// device after a restart of the server.
    Challenged {
        /// From where it came, if that is known.
        peer: Option<IpAddr>,
        /// The device.
        device: &'a DeviceId,
        /// Why the request does not count.
        reason: Refusal,
    },
    /// The clock of the server was set back. Until it shows the time of before again, devices that
    /// sign by their clock are told a challenge, as after a restart.
    ClockSetBack {
        /// By how many seconds.
        by_s: i64,
    },
    /// A request target could not be read.
    BadTarget {
        /// From where it came, if that is known.
        peer: Option<IpAddr>,
        /// What is wrong with it.
        error: ParseError,
    },
    /// A device asked and was answered.
    Answered {
        /// The device.
        device: &'a DeviceId,
        /// What it asked for; `None` if nothing has that path.
        route: Option<Route>,
        /// The status of the answer.
        status: u16,
        /// The firmware that it said it runs, if it said so.
        version: Option<&'a FirmwareVersion>,
    },
    /// A device asks more than it may.
    Limited {
        /// The device.
        device: &'a DeviceId,
        /// Seconds that it is told to wait.
        retry_after_s: u32,
    },
    /// A state-changing request came again and was answered from the log, without effect.
    Replayed {
        /// The device.
        device: &'a DeviceId,
    },
    /// A device told what became of something. What it says is its own.
    Reported {
        /// The device.
        device: &'a DeviceId,
        /// One JSON object in one line.
        report: &'a str,
    },
    /// A release of its record failed on a device: it is not offered to it again until the operator
    /// says so.
    FirmwareFailed {
        /// The device.
        device: &'a DeviceId,
        /// Which release, and what the device says of it.
        failure: &'a Failure,
    },
    /// A release would be offered to a device, but its image is not there: nothing is offered.
    ImageMissing {
        /// The device.
        device: &'a DeviceId,
        /// The release in its record.
        release: &'a Release,
    },
    /// A device used its next secret for the first time: the old one counts no more.
    SecretReplaced {
        /// The device.
        device: &'a DeviceId,
    },
    /// A device that might speak the `Original` dialect spoke `Signed`: from now on it must.
    DialectRaised {
        /// The device.
        device: &'a DeviceId,
    },
    /// A CSR was refused.
    CsrRefused {
        /// The device.
        device: &'a DeviceId,
        /// Why.
        reason: CsrError,
    },
    /// A CSR was refused because its key was revoked, by [`Revocation::forbids_key`](providore_pki::crl::Revocation::forbids_key).
    KeyForbidden {
        /// The device.
        device: &'a DeviceId,
    },
    /// A certificate was issued.
    Issued {
        /// The device.
        device: &'a DeviceId,
        /// The serial number.
        serial: SerialNumber,
        /// Whether the device had one before, which the new one supersedes.
        renewal: bool,
    },
    /// A store or the CA failed; the device was told to come back.
    Fault {
        /// What failed.
        error: &'a StoreError,
    },
}

/// Why a request was not authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The method is none that a signed request may have.
    Method,
    /// A header of the `Original` dialect is missing, repeated or malformed.
    Malformed(HeadError),
    /// The signature is not one of the `Signed` dialect.
    MalformedSignature(SignedHeadError),
    /// The device is known and spoke a weaker dialect than is accepted from it.
    WeakerDialect,
    /// The device is known and the request was answered before.
    Repeated,
    /// No such device.
    UnknownDevice,
    /// The device is disabled.
    Disabled,
    /// The device is known and the message is refused.
    Refused(Refusal),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method => f.write_str("method cannot be signed"),
            Self::Malformed(error) => write!(f, "{error}: {}", error.cause()),
            Self::MalformedSignature(error) => error.fmt(f),
            Self::WeakerDialect => f.write_str("dialect is weaker than its record allows"),
            Self::Repeated => f.write_str("request was seen before"),
            Self::UnknownDevice => f.write_str("unknown device"),
            Self::Disabled => f.write_str("device is disabled"),
            Self::Refused(refusal) => refusal.fmt(f),
        }
    }
}

/// Takes events. Called while a request is answered: hand over, do not wait.
pub trait Audit: Send + Sync {
    /// Takes one event.
    fn record(&self, event: &Event<'_>);
}

/// Nobody listens.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Unheard;

impl Audit for Unheard {
    fn record(&self, _: &Event<'_>) {}
}
