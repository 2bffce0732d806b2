//! Getting and renewing the certificate: make before break.

use alloc::{borrow::ToOwned, string::String, vec::Vec};

use providore_pki::{
    Certificate, DeviceCertificate, DeviceKey, KeyError, Profile, PublicKey, VerifiedChain,
    chain::ChainError,
    csr::{self, CsrWriteError},
    renewal::{Renewal, advise},
};
use providore_sign::MacKey;
use providore_wire::{Route, Timestamp};
use sha2::{Digest as _, Sha256};

use super::CertificateStep;
use crate::{
    Agent, AgentError, Body as _, CertificateRequest, Clock as _, CurrentCertificate, Device,
    Error, Event, Head as _, Locator as _, Parts, Record, Request, Storage as _, Transport as _,
    agent::ask::{Approached, Line, Pending},
    certificate::CERTIFICATE,
    head::retry_after,
};

/// The key that the certificate is for, and whom to trust to issue it.
#[derive(Debug)]
pub struct Identity<'b> {
    key: &'b mut dyn DeviceKey,
    roots_pem: Option<&'b str>,
}

impl<'b> Identity<'b> {
    /// An identity whose CA is trusted on first use.
    ///
    /// The CA's certificates are fetched from the server without a signature, but pinned only
    /// after the chain in a *signed* answer leads to them: who has not the device's secret cannot
    /// have another CA pinned. When a later chain does not lead to the pinned CA, the server's
    /// present one is looked at under the same condition.
    pub const fn new(key: &'b mut dyn DeviceKey) -> Self {
        Self {
            key,
            roots_pem: None,
        }
    }

    /// Trusts these roots (PEM) and no other.
    #[must_use]
    pub const fn with_roots(mut self, roots_pem: &'b str) -> Self {
        self.roots_pem = Some(roots_pem);
        self
    }
}

/// Why a genuine answer does not give a usable certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateFault {
    /// The device's private key could not be used.
    #[error("the private key could not be used")]
    Key(#[from] KeyError),
    /// The signing request was not written.
    #[error("no signing request could be written")]
    Request(#[from] CsrWriteError),
    /// The chain does not lead to a trusted CA, or is not for this device and key.
    #[error("the chain is not for this device")]
    Chain(#[from] ChainError),
    /// What the server shows as its CA is not PEM, or longer than the document buffer.
    #[error("what the server shows as its CA is not PEM")]
    NoAuthority,
    /// The agent was given no [`Identity`].
    #[error("no identity to keep a certificate for")]
    NoIdentity,
}

impl<'b, K: MacKey, P: Parts> Agent<'b, K, P> {
    /// Keeps a certificate for this identity from now on.
    #[must_use]
    pub fn with_identity(mut self, identity: Identity<'b>) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Looks at the stored certificate; asks for one if there is none for this key and name, if it is
    /// not valid yet, or if two thirds of its life are over. In the `Signed` dialect the time is the
    /// server's, and is asked for if no answer has told it yet; and a certificate that the server no
    /// longer hands out, because it was revoked, is replaced.
    ///
    /// The new chain is stored under [`Record::Certificate`] after it was found to lead to the CA
    /// and to fit key and name; before that the old one goes to [`Record::PreviousCertificate`].
    ///
    /// # Errors
    /// [`AgentError`]; the stored certificate stays.
    pub async fn check_certificate(&mut self) -> Result<CertificateStep, AgentError> {
        let key = self.public_key()?;
        let stored = self.stored_certificate(&key).await?;
        let now_unix = unix(self.known_time().await?);
        if let Some(kept) = &stored
            && let Renewal::NotYet { at_unix } = advice(&self.device, kept, now_unix)
            && self.is_vouched_for(kept).await
        {
            self.say(&Event::CertificateKept {
                renew_at_unix: at_unix,
            });
            return Ok(CertificateStep::Kept {
                renew_at_unix: at_unix,
            });
        }
        self.replace_certificate(&key).await
    }

    /// Asks for a certificate whatever the stored one is like.
    ///
    /// # Errors
    /// [`AgentError`]; the stored certificate stays.
    pub async fn renew_certificate(&mut self) -> Result<CertificateStep, AgentError> {
        let key = self.public_key()?;
        self.known_time().await?;
        self.replace_certificate(&key).await
    }

    async fn replace_certificate(
        &mut self,
        key: &PublicKey,
    ) -> Result<CertificateStep, AgentError> {
        self.say(&Event::CertificateDue);
        let server = self.approach().await?;
        let outcome = self.renew(&server, key).await;
        let certificate = match self.settle(outcome).await {
            Err(AgentError::Answer(Error::Declined {
                status: KEY_REVOKED,
                ..
            })) => return Ok(CertificateStep::KeyRevoked),
            outcome => outcome?,
        };
        let not_after_unix = certificate.certificate().not_after_unix();
        self.say(&Event::CertificateStored { not_after_unix });
        Ok(CertificateStep::Stored { not_after_unix })
    }

    /// Whether the server still hands out this certificate: it does not after it was revoked. A server
    /// that cannot be asked revokes nothing.
    ///
    /// A first Providore forgets certificates without having revoked them, so it is not asked.
    async fn is_vouched_for(&mut self, kept: &Certificate) -> bool {
        if self.device.session().is_none() {
            return true;
        }
        let Ok(server) = self.approach().await else {
            return true;
        };
        match self.ask(&server, CurrentCertificate::new()).await {
            Ok(current) => Certificate::from_pem(leaf_of(current.text()))
                .is_ok_and(|current| !supersedes(&current, kept)),
            Err(AgentError::Answer(Error::Declined { status: 404, .. })) => false,
            Err(_) => true,
        }
    }

    fn public_key(&mut self) -> Result<PublicKey, CertificateFault> {
        let identity = self.identity.as_mut().ok_or(CertificateFault::NoIdentity)?;
        Ok(identity.key.public_key()?)
    }

    /// What is stored, if it is for this key and this name. Anything else is as good as nothing.
    async fn stored_certificate(
        &mut self,
        key: &PublicKey,
    ) -> Result<Option<Certificate>, AgentError> {
        let Some(pem) = self.load_text(Record::Certificate).await? else {
            return Ok(None);
        };
        let certificate = Certificate::from_pem(leaf_of(&pem)).ok();
        Ok(certificate.filter(|certificate| {
            certificate.public_key_spki_der() == key.to_spki_der()
                && certificate.common_name() == Some(self.device.id().as_str())
        }))
    }

    async fn renew(
        &mut self,
        server: &Approached,
        key: &PublicKey,
    ) -> Result<DeviceCertificate, AgentError> {
        let chain_pem = self.request_chain(server).await?;
        let certificate = self.verify_chain(server, &chain_pem, key).await?;
        let previous = self.load_text(Record::Certificate).await?;
        let storage = &mut self.platform.parts().storage;
        if let Some(previous) = previous {
            let stored = storage.store(Record::PreviousCertificate, previous.as_bytes());
            stored.await.map_err(AgentError::Storage)?;
        }
        let stored = storage.store(Record::Certificate, certificate.chain_pem().as_bytes());
        stored.await.map_err(AgentError::Storage)?;
        Ok(certificate)
    }

    async fn request_chain(&mut self, _: &Approached) -> Result<String, AgentError> {
        let mut buffer = [0; csr::MAX_PEM_LEN];
        let identity = self.identity.as_mut().ok_or(CertificateFault::NoIdentity)?;
        let request = csr::write_pem(identity.key, self.device.id(), &mut buffer)
            .map_err(CertificateFault::from)?;
        let operation = CertificateRequest::new(request);
        let line = Line {
            device: &mut self.device,
            platform: &mut self.platform,
        };
        let (chunk, document) = (&mut *self.buffers.chunk, &mut *self.buffers.document);
        let mut pending = Pending::of(operation);
        line.ask(&mut pending, chunk, document).await?;
        Ok(pending.outcome()?.text().to_owned())
    }

    /// Checks a chain against the given roots; without any, against the pinned CA, then against
    /// the one that the server shows, which is pinned if the chain leads to it.
    async fn verify_chain(
        &mut self,
        server: &Approached,
        chain_pem: &str,
        key: &PublicKey,
    ) -> Result<DeviceCertificate, AgentError> {
        let now_unix = unix(self.time()?);
        let id = self.device.id().clone();
        let verify = |roots: &str| {
            // What it is for is the server's record to decide.
            VerifiedChain::verify(chain_pem, roots, Profile::Client, now_unix)
                .or_else(|error| match error {
                    ChainError::WrongPurpose => {
                        VerifiedChain::verify(chain_pem, roots, Profile::Server, now_unix)
                    }
                    other => Err(other),
                })
                .and_then(|chain| chain.belonging_to(&id, key))
                .map_err(CertificateFault::from)
        };
        if let Some(roots) = self.identity.as_ref().and_then(|known| known.roots_pem) {
            return Ok(verify(roots)?);
        }
        if let Some(pinned) = self.load_text(Record::Authority).await?
            && let Ok(certificate) = verify(&pinned)
        {
            return Ok(certificate);
        }
        let shown = self.fetch_authority(server).await?;
        let certificate = verify(&shown)?;
        let storage = &mut self.platform.parts().storage;
        let stored = storage.store(Record::Authority, shown.as_bytes()).await;
        stored.map_err(AgentError::Storage)?;
        Ok(certificate)
    }

    /// What anybody could have sent; it proves nothing by itself.
    async fn fetch_authority(&mut self, _: &Approached) -> Result<String, AgentError> {
        let request = Request::public(Route::CaPem.path());
        let parts = self.platform.parts();
        let server = parts.locator.current().ok_or(AgentError::NoServer)?;
        let mut answer = parts.transport.send(server, &request).await?;
        if answer.head.status() != 200 {
            let now = self.device.server_time().now(parts.clock.now());
            return Err(AgentError::Answer(Error::Unsigned {
                status: answer.head.status(),
                retry_after_s: retry_after(answer.head.field("retry-after"), now),
                challenged: false,
            }));
        }
        let mut pem = Vec::new();
        loop {
            let length = answer.body.read(self.buffers.chunk).await?;
            match self.buffers.chunk.get(..length) {
                Some(chunk) if length > 0 => pem.extend_from_slice(chunk),
                _ => break,
            }
            if pem.len() > self.buffers.document.len() {
                return Err(CertificateFault::NoAuthority.into());
            }
        }
        let text = String::from_utf8(pem).map_err(|_| CertificateFault::NoAuthority)?;
        if !text.starts_with(CERTIFICATE) {
            return Err(CertificateFault::NoAuthority.into());
        }
        Ok(text)
    }

    async fn load_text(&mut self, record: Record) -> Result<Option<String>, AgentError> {
        let storage = &mut self.platform.parts().storage;
        let content = storage.load(record, self.buffers.document).await;
        let content = content.map_err(AgentError::Storage)?;
        Ok(content
            .and_then(|bytes| core::str::from_utf8(bytes).ok())
            .map(ToOwned::to_owned))
    }
}

/// When to renew: the same date at every look, another one for each device and certificate.
fn advice<K: MacKey>(device: &Device<K>, kept: &Certificate, now_unix: u64) -> Renewal {
    let mut digest = Sha256::new();
    digest.update(device.id().as_str());
    digest.update(kept.serial().as_be_bytes());
    let digest: [u8; 32] = digest.finalize().into();
    let [a, b, c, d, ..] = digest;
    let entropy = u32::from_be_bytes([a, b, c, d]);
    advise(
        kept.not_before_unix(),
        kept.not_after_unix(),
        now_unix,
        entropy,
    )
}

/// Conflict (RFC 9110, 15.5.10): the key of the request was revoked.
const KEY_REVOKED: u16 = 409;

/// Whether the certificate that the server hands out shows that the kept one does not count any more.
///
/// A newer one for another key does not: it is that of another holder of this id, and two who took
/// turns would have certificates issued for ever.
fn supersedes(current: &Certificate, kept: &Certificate) -> bool {
    let is_own = current.public_key_spki_der() == kept.public_key_spki_der();
    let is_older = current.not_before_unix() < kept.not_before_unix();
    current.serial() != kept.serial() && (is_own || is_older)
}

/// The first certificate of a chain.
fn leaf_of(pem: &str) -> &str {
    const END: &str = "-----END CERTIFICATE-----";
    pem.split_inclusive(END).next().unwrap_or(pem)
}

/// A device's clock before 1970 is as wrong as one in 1970.
fn unix(now: Timestamp) -> u64 {
    u64::try_from(now.unix()).unwrap_or(0)
}
