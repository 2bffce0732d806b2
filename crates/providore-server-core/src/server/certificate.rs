//! `POST /certificates/request` and `GET /certificate`.

use alloc::{
    format,
    string::{String, ToString as _},
    sync::Arc,
};

use providore_pki::{SerialNumber, Validity, VerifiedCsr, ca::CertificateTerms};
use providore_sign::{ReplayGuard as _, Use};
use providore_wire::{DeviceId, Dialect, Timestamp};

use super::{Authenticated, Server, ca_fault, text};
use crate::{
    CertificateLog, ConfigStore, Device, DeviceStore, Event, FirmwareStore, Issued, Moment,
    Response, StoreError, problem::Problem,
};

const PEM: &str = "application/x-pem-file";

/// The longest wait that a device with a slow clock is told, in seconds.
const MAX_WAIT_S: i64 = 60;

impl<S> Server<S>
where
    S: DeviceStore + ConfigStore + FirmwareStore + CertificateLog,
{
    /// Turns a CSR into a certificate, once.
    ///
    /// The log is what makes this safe to repeat: the same CSR within the hour gets the certificate
    /// that is written down already, whether the request is a retry, a replay, or comes after a
    /// restart that forgot the replay guard. A request that was signed before the newest certificate
    /// was issued, and comes only now, issues nothing: it would supersede what the device uses.
    pub(super) async fn issue(
        &self,
        asked: &Authenticated<'_>,
        moment: &Moment,
    ) -> Result<Response<S::Image>, StoreError> {
        let csr = match self.checked_csr(asked).await? {
            Ok(csr) => csr,
            Err(problem) => return Ok(problem),
        };
        let device = asked.device();
        let Some(lock) = self.issuing.get(shard(&device.id, self.issuing.len())) else {
            return Err(StoreError::message("no lock to issue under"));
        };
        let _one_at_a_time = lock.lock().await;
        let usage = match asked.dialect() {
            Dialect::Original => {
                let epoch = self.current_epoch().await;
                let mut guard = epoch.guard.lock().await;
                guard.first_use(&asked.replay_token(), moment.now)
            }
            // No other came this far.
            _ => Use::First,
        };
        let issued = self.store.issued(&device.id).await?;
        let newest = issued.last();
        // Requests that came together may be answered in another order.
        let skew_s = i64::from(self.settings.original.freshness.max_skew_s);
        // Above 0 for a request that was signed before the newest certificate was issued: delayed,
        // captured, or by a clock that is slow. A newest from the future is of a clock that was
        // wrong, and delays nobody.
        let late_s = newest
            .filter(|newest| newest.at.seconds_since(moment.now) <= skew_s)
            .map_or(0, |newest| newest.at.seconds_since(asked.signed_since()));
        // The device of a slow clock cannot accept the answer, and would ask for one after the other.
        let slow_s = match asked.dialect() {
            Dialect::Original => moment
                .now
                .seconds_since(asked.signed_since())
                .saturating_sub(skew_s),
            // It has no window that its own clock decides on.
            _ => 0,
        };
        let late_s = late_s.max(slow_s);
        let old = usage == Use::Repeated || late_s > 0;
        let counts = skew_s.saturating_neg()..=i64::from(self.settings.same_csr_s);
        let known = issued.iter().rev().find(|entry| {
            entry.csr_sha256 == *csr.fingerprint()
                && counts.contains(&moment.now.seconds_since(entry.at))
        });
        let is_newest = known.is_some_and(|known| newest.is_some_and(|n| n.serial == known.serial));
        match (usage, known) {
            // One that was superseded is soon revoked: it is no answer to a new request.
            (_, Some(known)) if is_newest || old => {
                if usage == Use::Repeated || !is_newest {
                    self.audit.record(&Event::Replayed { device: &device.id });
                }
                Ok(text(200, PEM, known.chain_pem.clone()))
            }
            (Use::First, _) if !old => self.issue_new(device, &csr, moment, newest.is_some()).await,
            (Use::NoRoom { retry_after_s }, _) => {
                self.audit.record(&Event::Limited {
                    device: &device.id,
                    retry_after_s,
                });
                Ok(Problem::TooManyRequests.retry_after(retry_after_s))
            }
            // Late, or seen before while nothing came of it: its device signs anew.
            _ => {
                self.audit.record(&Event::Replayed { device: &device.id });
                let wait_s = u32::try_from(late_s.clamp(1, MAX_WAIT_S)).unwrap_or(1);
                Ok(Problem::Unavailable.retry_after(wait_s))
            }
        }
    }

    /// The CSR in a request, if a certificate may be issued for it; else what the device is told.
    async fn checked_csr(
        &self,
        asked: &Authenticated<'_>,
    ) -> Result<Result<VerifiedCsr, Response<S::Image>>, StoreError> {
        if !is_csr_type(asked.field("content-type")) {
            return Ok(Err(Problem::UnsupportedMediaType.response()));
        }
        let device = &asked.device().id;
        let csr = match VerifiedCsr::check(asked.body(), device) {
            Ok(csr) => csr,
            Err(reason) => {
                self.audit.record(&Event::CsrRefused { device, reason });
                let detail = with_causes(&reason);
                return Ok(Err(Problem::UnusableCsr.detailed(&detail)));
            }
        };
        if self.store.is_key_forbidden(&csr.key_fingerprint()).await? {
            self.audit.record(&Event::KeyForbidden { device });
            return Ok(Err(Problem::KeyRevoked.response()));
        }
        Ok(Ok(csr))
    }

    async fn issue_new(
        &self,
        device: &Device,
        csr: &VerifiedCsr,
        moment: &Moment,
        renewal: bool,
    ) -> Result<Response<S::Image>, StoreError> {
        let policy = &device.certificate;
        let serial = SerialNumber::from_entropy(&moment.for_serial())
            .ok_or_else(|| StoreError::message("entropy of zeros"))?;
        let now_unix = u64::try_from(moment.now.unix()).unwrap_or(0);
        let validity = Validity::starting_at(now_unix, policy.lifetime_s())
            .map_err(|error| StoreError::new("validity of a certificate", error))?;
        let terms = CertificateTerms::new(policy.profile, serial, validity)
            .with_alt_names(policy.alt_names.clone());
        let issued = self.authority.issue(csr, &terms).map_err(ca_fault)?;
        let chain_pem = String::from(issued.chain_pem());
        let certificate = issued.certificate();
        let not_after = i64::try_from(certificate.not_after_unix()).unwrap_or(i64::MAX);
        self.store
            .append(Issued {
                device: device.id.clone(),
                serial: *certificate.serial(),
                csr_sha256: *csr.fingerprint(),
                at: moment.now,
                not_after: Timestamp::from_unix(not_after).unwrap_or(Timestamp::MAX),
                chain_pem: chain_pem.clone(),
            })
            .await?;
        let serial = *certificate.serial();
        self.audit.record(&Event::Issued {
            device: &device.id,
            serial,
            renewal,
        });
        Ok(text(200, PEM, chain_pem))
    }

    /// The device's newest certificate.
    pub(super) async fn certificate(
        &self,
        asked: &Authenticated<'_>,
    ) -> Result<Response<S::Image>, StoreError> {
        let issued = self.store.issued(&asked.device().id).await?;
        let newest: Option<&Arc<Issued>> = issued.last();
        Ok(newest.map_or_else(
            || Problem::NotFound.response(),
            |newest| text(200, PEM, newest.chain_pem.clone()),
        ))
    }
}

/// An error and what it was caused by, in one line.
fn with_causes(error: &dyn core::error::Error) -> String {
    let causes = core::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |line, cause| format!("{line}: {cause}"))
}

/// What deployed and standard clients call PKCS#10; nothing said is taken as that, too.
fn is_csr_type(content_type: Option<&str>) -> bool {
    let Some(content_type) = content_type else {
        return true;
    };
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    ["text/plain", "application/pkcs10", PEM]
        .iter()
        .any(|accepted| essence.eq_ignore_ascii_case(accepted))
}

/// Which lock a device has: FNV-1a over its id, which only has to spread.
fn shard(device: &DeviceId, locks: usize) -> usize {
    let hash = device
        .as_str()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    let locks = u64::try_from(locks).unwrap_or(1).max(1);
    usize::try_from(hash.checked_rem(locks).unwrap_or(0)).unwrap_or(0)
}
