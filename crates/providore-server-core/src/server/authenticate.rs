//! Who asks: the one place where a request becomes a device's.

use alloc::sync::Arc;

use providore_sign::original::{VerifiedRequest, verify_request};
use providore_wire::{DeviceId, Dialect, Target, Timestamp, original::RequestHead};

use super::Server;
use crate::{
    CertificateLog, ConfigStore, Device, DeviceStore, Event, FirmwareStore, Reason, Request,
    Response, problem::Problem,
};

/// Proof that a known and enabled device signed this request, here and now.
///
/// Only [`Server::authenticate`] makes one, and every handler asks for it.
pub(super) struct Authenticated<'a> {
    device: Arc<Device>,
    verified: VerifiedRequest<'a>,
    received: &'a Request<'a>,
}

impl<'a> Authenticated<'a> {
    /// The device that signed.
    pub(super) fn device(&self) -> &Device {
        &self.device
    }

    /// What it signed.
    pub(super) const fn verified(&self) -> &VerifiedRequest<'a> {
        &self.verified
    }

    /// A header field, which this dialect does not sign: take it as a wish.
    pub(super) fn unsigned_field(&self, name: &str) -> Option<&'a str> {
        self.received.field(name)
    }
}

impl<S> Server<S>
where
    S: DeviceStore + ConfigStore + FirmwareStore + CertificateLog,
{
    /// Authenticates a request, or gives the one answer that all failures have.
    pub(super) async fn authenticate<'a>(
        &self,
        request: &'a Request<'a>,
        target: &Target<'a>,
        now: Timestamp,
    ) -> Result<Authenticated<'a>, Response<S::Image>> {
        let refuse = |claimed: Option<&DeviceId>, reason| {
            self.audit
                .record(&Event::Unauthenticated { claimed, reason });
            Problem::Unauthorized
                .response()
                .with("www-authenticate", "Hmac")
        };
        let method = request
            .method
            .parse()
            .map_err(|_| refuse(None, Reason::Method))?;
        let head = RequestHead::parse(method, target.path(), request.fields.iter().copied())
            .map_err(|error| refuse(None, Reason::Malformed(error)))?;
        let claimed = head.device().clone();
        let device = match self.store.device(&claimed).await {
            Ok(device) => device.filter(|device| device.dialect == Dialect::Original),
            Err(error) => return Err(self.fault(&error)),
        };
        // A stranger's request is verified as well, so that the time taken does not tell.
        let mut key = device
            .as_ref()
            .map_or(&self.stranger, |device| device.key())
            .share();
        let verdict = verify_request(head, request.body, &mut key, &self.settings.original, now);
        let device = device.ok_or_else(|| refuse(Some(&claimed), Reason::UnknownDevice))?;
        let verified =
            verdict.map_err(|refusal| refuse(Some(&claimed), Reason::Refused(refusal)))?;
        if !device.enabled {
            return Err(refuse(Some(&claimed), Reason::Disabled));
        }
        Ok(Authenticated {
            device,
            verified,
            received: request,
        })
    }
}
