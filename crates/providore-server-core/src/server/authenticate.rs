//! The one place where a request becomes a device's.

use alloc::{string::String, sync::Arc};

use providore_sign::{Refusal, ReplayGuard as _, Use, original, signed};
use providore_wire::{
    DeviceId, Dialect, Target, original::RequestHead as OriginalHead,
    signed::RequestHead as SignedHead,
};

use super::{
    Server,
    authenticated::{Authenticated, Proof, Secret},
    epochs::Epoch,
};
use crate::{
    CertificateLog, ConfigStore, Device, DeviceStore, Event, FirmwareStore, Moment, Reason,
    Request, Response, StoreError, problem::Problem,
};

/// A request that is a device's.
pub(super) enum Admitted<'a> {
    /// It is to be answered.
    Fresh(Authenticated<'a>),
    /// It cannot be told from a repetition for so many seconds, for lack of room.
    NoRoom(Authenticated<'a>, u32),
}

/// Why a request is nobody's.
enum Refused {
    /// For the operator; the peer learns that it is not authenticated.
    Because(Option<DeviceId>, Reason),
    /// It is this device's, and was not signed for now. The peer learns the same.
    NotFresh(DeviceId, Refusal),
    /// It could not be found out.
    Fault(StoreError),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Fault(error)
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
        moment: &Moment,
    ) -> Result<Admitted<'a>, Response<S::Image>> {
        let refused = match self.identify(request, target, moment).await {
            Ok(admitted) => return Ok(admitted),
            Err(refused) => refused,
        };
        let peer = request.peer;
        match &refused {
            Refused::Fault(error) => return Err(self.fault(error)),
            Refused::Because(claimed, reason) => self.audit.record(&Event::Unauthenticated {
                peer,
                claimed: claimed.as_ref(),
                reason: *reason,
            }),
            Refused::NotFresh(device, reason) => self.audit.record(&Event::Challenged {
                peer,
                device,
                reason: *reason,
            }),
        }
        Err(self.unauthorized(moment).await)
    }

    /// What every request gets that is not authenticated: the same bytes within a second, and all
    /// that a device needs to try again.
    async fn unauthorized(&self, moment: &Moment) -> Response<S::Image> {
        match self.challenge(moment).await {
            Ok(challenge) => Problem::Unauthorized
                .response()
                .with("www-authenticate", "Hmac")
                .with("accept-signature", ACCEPT_SIGNATURE)
                .with("providore-challenge", String::from(challenge.as_str())),
            Err(error) => self.fault(&error),
        }
    }

    async fn identify<'a>(
        &self,
        request: &'a Request<'a>,
        target: &Target<'a>,
        moment: &Moment,
    ) -> Result<Admitted<'a>, Refused> {
        // For every request: a challenge is made no later than the latest of them.
        let epoch = self.epoch(moment.now).await?;
        let method = request.method.parse();
        let method = method.map_err(|_| Refused::Because(None, Reason::Method))?;
        let fields = request.fields.iter().copied();
        match SignedHead::parse(method, target, fields.clone()) {
            Ok(head) => self.identify_signed(head, request, &epoch, moment).await,
            // Whatever speaks the other dialect carries no signature of this one.
            Err(providore_wire::signed::HeadError::Unsigned) => {
                let head = OriginalHead::parse(method, target.path(), fields);
                let malformed = |error| Refused::Because(None, Reason::Malformed(error));
                self.identify_original(head.map_err(malformed)?, request, moment)
                    .await
            }
            Err(error) => {
                let claimed = SignedHead::claimed_device(&fields);
                let reason = Reason::MalformedSignature(error);
                Err(Refused::Because(claimed, reason))
            }
        }
    }

    async fn identify_original<'a>(
        &self,
        head: OriginalHead<'a>,
        request: &'a Request<'a>,
        moment: &Moment,
    ) -> Result<Admitted<'a>, Refused> {
        let claimed = head.device().clone();
        let because = |reason| Refused::Because(Some(claimed.clone()), reason);
        let device = self.store.device(&claimed).await?;
        // A stranger's request is verified as well, so that the time taken does not tell.
        let key = device
            .as_ref()
            .map_or(&self.stranger, |device| device.key());
        let policy = &self.settings.original;
        let verdict =
            original::verify_request(head, request.body, &mut key.share(), policy, moment.now);
        let device = device.ok_or_else(|| because(Reason::UnknownDevice))?;
        let verified = verdict.map_err(|refusal| because(Reason::Refused(refusal)))?;
        if device.dialect > Dialect::Original {
            return Err(because(Reason::WeakerDialect));
        }
        check_enabled(&device).map_err(because)?;
        let proof = Proof::Original(verified);
        Ok(Admitted::Fresh(Authenticated::new(device, proof, request)))
    }

    async fn identify_signed<'a>(
        &self,
        head: SignedHead<'a>,
        request: &'a Request<'a>,
        epoch: &Epoch,
        moment: &Moment,
    ) -> Result<Admitted<'a>, Refused> {
        let claimed = head.device().clone();
        let because = |reason| Refused::Because(Some(claimed.clone()), reason);
        let device = self.store.device(&claimed).await?;
        let verify = |keys| {
            let head = head.clone();
            signed::verify_request(head, request.body, keys, &epoch.policy, moment.now)
        };
        // As often for a stranger and for a device for which no secret waits, so that the time
        // taken does not tell.
        let known = device.as_ref().and_then(|device| device.keys());
        let next = device.as_ref().and_then(|device| device.next_keys());
        let mut verdict = verify(known.unwrap_or(&self.strangers_keys))
            .map(|verified| (verified, Secret::Present));
        if let Err(Refusal::WrongSignature) = verdict {
            let second = verify(next.unwrap_or(&self.strangers_keys));
            if next.is_some() {
                verdict = second.map(|verified| (verified, Secret::Next));
            }
        }
        let device = device.ok_or_else(|| because(Reason::UnknownDevice))?;
        let (verified, secret) = match verdict {
            Err(refusal) if is_not_fresh(&refusal) => {
                check_enabled(&device).map_err(because)?;
                return Err(Refused::NotFresh(claimed, refusal));
            }
            verdict => verdict.map_err(|refusal| because(Reason::Refused(refusal)))?,
        };
        check_enabled(&device).map_err(because)?;

        let token = verified.replay_token();
        let usage = epoch.guard.lock().await.first_use(&token, moment.now);
        let asked = Authenticated::new(device, Proof::Signed(verified, secret), request);
        let room = match usage {
            Use::First => None,
            Use::NoRoom { retry_after_s } => Some(retry_after_s),
            _ => return Err(because(Reason::Repeated)),
        };
        // Also before it is told to wait: a device takes any answer under its next secret as a sign
        // that the server has it.
        self.settle(asked.device(), secret).await?;
        Ok(match room {
            None => Admitted::Fresh(asked),
            Some(retry_after_s) => Admitted::NoRoom(asked, retry_after_s),
        })
    }

    /// Writes down, before anything is answered, what a good request has proved: that the device
    /// has its next secret, and that it speaks this dialect.
    async fn settle(&self, device: &Device, secret: Secret) -> Result<(), Refused> {
        if secret == Secret::Next
            && let Some(check) = device.next_key_check()
        {
            if let Err(error) = self.store.promote_secret(&device.id, check).await {
                return Err(self.not_promoted(device, check, error).await?);
            }
            self.audit
                .record(&Event::SecretReplaced { device: &device.id });
        }
        if device.dialect < Dialect::Signed {
            self.store.pin_dialect(&device.id, Dialect::Signed).await?;
            self.audit
                .record(&Event::DialectRaised { device: &device.id });
        }
        Ok(())
    }
}

impl<S: DeviceStore> Server<S> {
    /// Why a secret was not promoted. The operator may have replaced or withdrawn it since the device
    /// was looked up: then it is a wrong secret, as it would be a moment later.
    async fn not_promoted(
        &self,
        device: &Device,
        check: [u8; 8],
        error: StoreError,
    ) -> Result<Refused, StoreError> {
        let now = self.store.device(&device.id).await?;
        let counts =
            now.is_some_and(|now| now.next_key_check() == Some(check) || now.key_check() == check);
        if counts {
            return Ok(Refused::Fault(error));
        }
        let reason = Reason::Refused(Refusal::WrongSignature);
        Ok(Refused::Because(Some(device.id.clone()), reason))
    }
}

/// Whether the signature was good and only its time was not: a challenge helps.
const fn is_not_fresh(refusal: &Refusal) -> bool {
    matches!(
        refusal,
        Refusal::FromTheFuture { .. }
            | Refusal::Expired { .. }
            | Refusal::BeforeStart { .. }
            | Refusal::ForeignChallenge
            | Refusal::OldChallenge { .. }
    )
}

fn check_enabled(device: &Arc<Device>) -> Result<(), Reason> {
    if device.enabled {
        Ok(())
    } else {
        Err(Reason::Disabled)
    }
}

/// What to sign and how, for whoever can do it (RFC 9421 section 5.1).
const ACCEPT_SIGNATURE: &str = "providore=(\"@method\" \"@path\" \"@query\");created;expires;\
                                alg=\"hmac-sha256\";tag=\"providore-2\"";
