//! A CA whose key is in memory: one of `create`, or whatever P-256 CA the operator already has.

use alloc::{
    string::{String, ToString},
    vec,
    vec::Vec,
};
use core::fmt;

use x509_cert::{
    crl::RevokedCert,
    ext::{
        Extensions,
        pkix::{CrlNumber, CrlReason},
    },
};

use super::{
    CaError, CertificateAuthority, CertificateTerms, IssuedCertificate,
    build::{self, CertificateFields},
};
use crate::{
    Validity,
    chain::{CertificateParts, MAX_CERTIFICATES},
    crl::{Revocation, RevocationList, RevocationTerms},
    csr::VerifiedCsr,
    elements::SignedParts,
    key::SoftwareKey,
    peer_key::PeerKey,
    pem, time,
};

/// A CA that signs with a P-256 key in memory.
///
/// The module's example shows its life: [`LocalCa::create`] once, [`LocalCa::open`] at every
/// start, [`CertificateAuthority::issue`] for every request.
pub struct LocalCa {
    pub(super) key: SoftwareKey,
    /// DER `Name`.
    pub(super) subject: Vec<u8>,
    pub(super) key_id: Vec<u8>,
    pub(super) validity: Validity,
    may_sign_lists: bool,
    /// From the issuing certificate upward, without the root.
    issuers_pem: String,
    root_pem: Option<String>,
    crl_url: Option<String>,
    /// The CAs above the issuing one, as far as they are known.
    above: Vec<CertificateParts>,
    lists: Vec<RevocationList>,
}

impl LocalCa {
    /// Opens a CA from its key and its certificates: that of the key first, each followed by
    /// its issuer, as far as they are known. One self-signed certificate alone will do.
    ///
    /// # Errors
    /// [`CaError::NotPem`], [`CaError::Malformed`], [`CaError::OtherKey`] if key and certificate
    /// do not fit, [`CaError::NotACa`], [`CaError::BrokenChain`], [`CaError::Expired`].
    pub fn open(key: SoftwareKey, chain_pem: &str, now_unix: u64) -> Result<Self, CaError> {
        let chain = read_chain(chain_pem)?;
        let issuer = chain.first().ok_or(CaError::NotPem)?;
        if issuer.certificate.public_key_spki_der() != key.public_key().to_spki_der() {
            return Err(CaError::OtherKey);
        }
        for (below, link) in chain.iter().enumerate() {
            check_link(link, chain.get(below.saturating_add(1)), now_unix)?;
            // "the maximum number of non-self-issued intermediate certificates that may follow
            // this certificate in a valid certification path" (RFC 5280, 4.2.1.9)
            if link.path_len.is_some_and(|most| usize::from(most) < below) {
                return Err(CaError::BrokenChain);
            }
        }

        let (mut issuers_pem, mut root_pem) = (String::new(), None);
        for link in &chain {
            if link.subject == link.issuer {
                root_pem = Some(link.certificate.to_pem());
            } else {
                issuers_pem.push_str(&link.certificate.to_pem());
            }
        }
        Ok(Self {
            subject: issuer.subject.clone(),
            key_id: match &issuer.subject_key_id {
                Some(id) => id.clone(),
                None => build::key_id(issuer.certificate.public_key_spki_der())?,
            },
            validity: *issuer.certificate.validity(),
            may_sign_lists: issuer.key_usage.is_none_or(|usage| usage.crl_sign()),
            issuers_pem,
            root_pem,
            crl_url: None,
            above: chain.into_iter().skip(1).collect(),
            lists: Vec::new(),
            key,
        })
    }

    /// Writes into every certificate where the revocation list is to be found.
    ///
    /// # Errors
    /// [`CaError::CrlUrl`] if it is not an ASCII `http:` or `https:` URL without blanks.
    pub fn with_crl_url(mut self, url: &str) -> Result<Self, CaError> {
        let known_scheme = url.starts_with("http://") || url.starts_with("https://");
        if !known_scheme || !url.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(CaError::CrlUrl);
        }
        self.crl_url = Some(url.to_string());
        Ok(self)
    }

    /// Adds the revocation lists of the CAs above the issuing one, which a verifier of whole chains
    /// needs beside that of the issuing one ([`CertificateAuthority::issuers_lists`]).
    ///
    /// # Errors
    /// [`CaError::ForeignList`] if one is signed by none of them.
    pub fn with_issuers_lists(mut self, lists: Vec<RevocationList>) -> Result<Self, CaError> {
        let is_known = |list: &RevocationList| self.above.iter().any(|ca| list.is_of(ca));
        if !lists.iter().all(is_known) {
            return Err(CaError::ForeignList);
        }
        self.lists = lists;
        Ok(self)
    }

    /// The common names of the CAs above the issuing one that have no revocation list that is good
    /// at `now_unix`: verifiers of whole chains refuse every certificate.
    pub fn issuers_without_list(&self, now_unix: u64) -> impl Iterator<Item = &str> {
        let has_list = move |ca: &CertificateParts| {
            let good = |list: &&RevocationList| now_unix <= list.next_update_unix();
            self.lists.iter().filter(good).any(|list| list.is_of(ca))
        };
        let without = self.above.iter().filter(move |ca| !has_list(ca));
        without.map(|ca| ca.certificate.common_name().unwrap_or("?"))
    }

    /// The validity of the issuing certificate: nothing it issues lasts longer.
    #[must_use]
    pub fn validity(&self) -> &Validity {
        &self.validity
    }
}

impl CertificateAuthority for LocalCa {
    fn issue(
        &self,
        csr: &VerifiedCsr,
        terms: &CertificateTerms,
    ) -> Result<IssuedCertificate, CaError> {
        let extensions =
            build::device_extensions(csr, terms, &self.key_id, self.crl_url.as_deref())?;
        let der = build::certificate(
            CertificateFields {
                serial: terms.serial(),
                issuer: &self.subject,
                subject: &build::name(csr.device().as_str())?,
                validity: &terms.validity().clamped_to(&self.validity)?,
                public_key: csr.public_key_spki_der(),
                extensions,
            },
            &self.key,
        )?;
        IssuedCertificate::new(&der, &self.issuers_pem)
    }

    fn sign_revocation_list(&self, terms: &RevocationTerms) -> Result<RevocationList, CaError> {
        if !self.may_sign_lists {
            return Err(CaError::MayNotSignLists);
        }
        let entries = terms.revoked().iter().map(revoked_certificate);
        let entries: Vec<_> = build::der_of(|| entries.collect())?;
        let extensions = build::der_of(|| {
            Ok(vec![
                build::plain(&build::authority(&self.key_id)?)?,
                build::plain(&CrlNumber::try_from(terms.number())?)?,
            ])
        })?;
        let der = build::revocation_list(
            &self.subject,
            (terms.this_update_unix(), terms.next_update_unix()),
            Some(entries).filter(|entries| !entries.is_empty()),
            extensions,
            &self.key,
        )?;
        RevocationList::from_der(&der).map_err(|_| CaError::Malformed)
    }

    fn trust_anchor_pem(&self) -> Option<&str> {
        self.root_pem.as_deref()
    }

    fn issuers_lists(&self) -> &[RevocationList] {
        &self.lists
    }
}

impl fmt::Debug for LocalCa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalCa")
            .field("validity", &self.validity)
            .finish_non_exhaustive()
    }
}

pub(super) fn read_chain(chain_pem: &str) -> Result<Vec<CertificateParts>, CaError> {
    let blocks = pem::decode_certificates(chain_pem, MAX_CERTIFICATES).ok_or(CaError::NotPem)?;
    let parts = blocks.iter().map(|der| CertificateParts::parse(der));
    Ok(parts.collect::<Result<_, _>>()?)
}

/// A link may issue, has not expired, and is signed by the one above it, or by itself at the top.
fn check_link(
    link: &CertificateParts,
    above: Option<&CertificateParts>,
    now_unix: u64,
) -> Result<(), CaError> {
    if !link.may_issue() {
        return Err(CaError::NotACa);
    }
    if now_unix > link.certificate.not_after_unix() {
        return Err(CaError::Expired);
    }
    let signer = match above {
        Some(above) => above,
        None if link.subject == link.issuer => link,
        None => return Ok(()), // an intermediate whose root the operator did not give
    };
    if link.issuer != signer.subject {
        return Err(CaError::BrokenChain);
    }
    let parts = SignedParts::parse(link.certificate.der())?;
    PeerKey::from_spki_der(signer.certificate.public_key_spki_der())
        .map_err(|_| CaError::BrokenChain)?
        .verify(parts.algorithm, parts.body, parts.signature)
        .map_err(|_| CaError::BrokenChain)
}

fn revoked_certificate(revocation: &Revocation) -> der::Result<RevokedCert> {
    let reason = revocation.reason().code();
    Ok(RevokedCert {
        serial_number: build::x509_serial(revocation.serial())?,
        revocation_date: time::to_x509(revocation.at_unix())?,
        // "the reason code CRL entry extension SHOULD be absent instead of using the
        // unspecified (0) reasonCode value" (RFC 5280, 5.3.1)
        crl_entry_extensions: match reason {
            CrlReason::Unspecified => None,
            reason => Some(reason_extension(reason)?),
        },
    })
}

fn reason_extension(reason: CrlReason) -> der::Result<Extensions> {
    Ok(vec![build::plain(&reason)?])
}
