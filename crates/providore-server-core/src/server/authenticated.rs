//! Who asks: proof that a known and enabled device signed a request, here and now.

use alloc::sync::Arc;

use providore_sign::{
    KeyError, ReplayToken, SoftwareKey,
    original::VerifiedRequest as OriginalRequest,
    signed::{Keys, VerifiedRequest as SignedRequest},
};
use providore_wire::{Dialect, FirmwareVersion, Method, Timestamp};

use crate::{Device, Request};

/// A device and what it signed.
///
/// Only [`Server::authenticate`](super::Server) makes one, and every handler asks for it.
pub(super) struct Authenticated<'a> {
    device: Arc<Device>,
    proof: Proof<'a>,
    received: &'a Request<'a>,
}

/// What was verified, in the dialect that it came in.
#[expect(
    clippy::large_enum_variant,
    reason = "one stands on the stack for each request in hand"
)]
pub(super) enum Proof<'a> {
    Original(OriginalRequest<'a>),
    /// With the secret of the record, or with the one that is to replace it.
    Signed(SignedRequest<'a>, Secret),
}

/// Which of a device's secrets a request was signed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secret {
    Present,
    Next,
}

impl<'a> Authenticated<'a> {
    pub(super) const fn new(
        device: Arc<Device>,
        proof: Proof<'a>,
        received: &'a Request<'a>,
    ) -> Self {
        Self {
            device,
            proof,
            received,
        }
    }

    /// The device that signed.
    pub(super) fn device(&self) -> &Device {
        &self.device
    }

    /// What was verified.
    pub(super) const fn proof(&self) -> &Proof<'a> {
        &self.proof
    }

    pub(super) const fn dialect(&self) -> Dialect {
        match self.proof {
            Proof::Original(_) => Dialect::Original,
            Proof::Signed(..) => Dialect::Signed,
        }
    }

    /// The keys of the secret that the request was signed with; the `Original` dialect has none.
    pub(super) fn keys(&self) -> Option<&Keys> {
        match self.proof {
            Proof::Original(_) => None,
            Proof::Signed(_, Secret::Present) => self.device.keys(),
            Proof::Signed(_, Secret::Next) => self.device.next_keys(),
        }
    }

    /// The secret that the request was signed with; `None` in the `Original` dialect.
    pub(super) fn secret(&self) -> Result<Option<SoftwareKey>, KeyError> {
        match self.proof {
            Proof::Original(_) => Ok(None),
            Proof::Signed(_, Secret::Present) => Ok(Some(self.device.key().clone())),
            Proof::Signed(_, Secret::Next) => {
                self.device.next_secret().map(SoftwareKey::new).transpose()
            }
        }
    }

    pub(super) fn method(&self) -> Method {
        match &self.proof {
            Proof::Original(verified) => verified.method(),
            Proof::Signed(verified, _) => verified.method(),
        }
    }

    pub(super) fn body(&self) -> &'a [u8] {
        match &self.proof {
            Proof::Original(verified) => verified.body(),
            Proof::Signed(verified, _) => verified.body(),
        }
    }

    /// The firmware that runs on the device, if it said so in a form that a server can hold.
    pub(super) fn firmware_version(&self) -> Option<FirmwareVersion> {
        match &self.proof {
            Proof::Original(verified) => verified.firmware_version(),
            Proof::Signed(verified, _) => verified.firmware_version(),
        }
    }

    /// The earliest moment at which the request can have been signed.
    pub(super) fn signed_since(&self) -> Timestamp {
        match &self.proof {
            Proof::Original(verified) => verified.created(),
            Proof::Signed(verified, _) => verified.signed_since(),
        }
    }

    pub(super) fn replay_token(&self) -> ReplayToken<'_> {
        match &self.proof {
            Proof::Original(verified) => verified.replay_token(),
            Proof::Signed(verified, _) => verified.replay_token(),
        }
    }

    /// A header field. The `Original` dialect does not sign it: there it is a wish.
    pub(super) fn field(&self, name: &str) -> Option<&'a str> {
        match &self.proof {
            Proof::Original(_) => self.received.field(name),
            Proof::Signed(verified, _) => core::str::from_utf8(verified.field(name)?).ok(),
        }
    }
}
