//! What anybody may fetch: the revocation list and the certificates of the CA.

use alloc::{string::String, vec::Vec};

use bytes::Bytes;
use providore_pki::{
    Certificate,
    crl::{Revocation, RevocationList, RevocationTerms},
};
use providore_wire::{Route, Timestamp};

use super::{Server, ca_fault, method_not_allowed, text};
use crate::{
    CertificateLog, ConfigStore, DeviceStore, FirmwareStore, ListRules, Response, StoreError,
    problem::Problem,
};

/// For how long the log is not asked again, in seconds: anybody may fetch the list, and going
/// through a large log for each of them would be an invitation.
const RECHECK_S: i64 = 2;

/// The list that is being served.
pub(super) struct CrlCache {
    list: RevocationList,
    revoked: Vec<Revocation>,
    pem: Bytes,
    der: Bytes,
    checked: Timestamp,
}

impl<S> Server<S>
where
    S: DeviceStore + ConfigStore + FirmwareStore + CertificateLog,
{
    /// Answers a route that needs no authentication.
    pub(super) async fn public(
        &self,
        route: Route,
        method: &str,
        now: Timestamp,
    ) -> Response<S::Image> {
        if !matches!(method, "GET" | "HEAD") {
            return method_not_allowed("GET, HEAD");
        }
        let answer = match route {
            Route::CaPem => Ok(self.ca_pem()),
            Route::RootCrlDer => Ok(self.root_list()),
            Route::CrlDer => self
                .revocation_list(now)
                .await
                .map(|(_, der)| text(200, "application/pkix-crl", der)),
            _ => self
                .revocation_list(now)
                .await
                .map(|(pem, _)| text(200, "application/x-pem-file", pem)),
        };
        match answer {
            Ok(answer) => answer.with("cache-control", "public, max-age=60"),
            Err(error) => self.fault(&error),
        }
    }

    fn ca_pem(&self) -> Response<S::Image> {
        self.authority.trust_anchor_pem().map_or_else(
            || Problem::NotFound.response(),
            |pem| text(200, "application/x-pem-file", String::from(pem)),
        )
    }

    /// The list of the root, if there is one.
    fn root_list(&self) -> Response<S::Image> {
        let root = self.authority.trust_anchor_pem();
        let root = root.and_then(|pem| Certificate::from_pem(pem).ok());
        let lists = &mut self.authority.issuers_lists().iter();
        let list = root.and_then(|root| lists.find(|list| list.is_signed_by(&root)));
        list.map_or_else(
            || Problem::NotFound.response(),
            |list| {
                text(
                    200,
                    "application/pkix-crl",
                    Bytes::copy_from_slice(list.der()),
                )
            },
        )
    }

    /// The current list: in PEM with those of the CAs above, in DER alone. It is made anew when
    /// something was revoked, half of its life is over, or the clock was set back before its
    /// beginning.
    pub(super) async fn revocation_list(
        &self,
        now: Timestamp,
    ) -> Result<(Bytes, Bytes), StoreError> {
        let mut cache = self.crl.lock().await;
        let now_unix = u64::try_from(now.unix()).unwrap_or(0);
        if let Some(cached) = cache.as_ref()
            && (0..RECHECK_S).contains(&now.seconds_since(cached.checked))
        {
            return Ok((cached.pem.clone(), cached.der.clone()));
        }
        let overlap_s = self.settings.overlap_s;
        let rules = ListRules {
            superseded_after_s: self.settings.list_superseded.then_some(overlap_s),
            keep_expired_s: self.settings.crl_lifetime_s,
        };
        let revoked = self.store.revocations(now, &rules).await?;
        if let Some(cached) = cache.as_mut()
            && cached.revoked == revoked
            && !cached.list.needs_reissue(now_unix)
            && cached.list.this_update_unix() <= now_unix
        {
            cached.checked = now;
            return Ok((cached.pem.clone(), cached.der.clone()));
        }
        // The number rises with the clock, so that it rises across restarts without being stored.
        let previous = cache.as_ref().map_or(0_u64, |cached| cached.list.number());
        let number = now_unix.max(previous.saturating_add(1));
        let lifetime_s = u64::from(self.settings.crl_lifetime_s);
        let terms = RevocationTerms::new(number, now_unix, lifetime_s, &revoked)
            .map_err(|error| StoreError::new("validity of a revocation list", error))?;
        let list = self
            .authority
            .sign_revocation_list(&terms)
            .map_err(ca_fault)?;
        let mut pem = list.to_pem();
        for above in self.authority.issuers_lists() {
            pem.push_str(&above.to_pem());
        }
        let (pem, der) = (Bytes::from(pem), Bytes::copy_from_slice(list.der()));
        *cache = Some(CrlCache {
            list,
            revoked,
            pem: pem.clone(),
            der: der.clone(),
            checked: now,
        });
        Ok((pem, der))
    }
}
