//! A CA whose key is in memory: a root that is kept offline and an issuing intermediate, or
//! whatever P-256 CA the operator already has.

use alloc::{
    format,
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
use crate::chain::CertificateParts;
use crate::{
    Validity,
    chain::{Certificate, MAX_CERTIFICATES},
    crl::{Revocation, RevocationList, RevocationTerms},
    csr::VerifiedCsr,
    elements::SignedParts,
    key::SoftwareKey,
    peer_key::PeerKey,
    pem,
    serial::SerialNumber,
    time,
};

/// A CA that signs with a P-256 key in memory.
///
/// The module's example shows its life: [`LocalCa::create`] once, [`LocalCa::open`] at every
/// start, [`CertificateAuthority::issue`] for every request.
pub struct LocalCa {
    key: SoftwareKey,
    /// DER `Name`.
    subject: Vec<u8>,
    key_id: Vec<u8>,
    validity: Validity,
    may_sign_lists: bool,
    /// From the issuing certificate upward, without the root.
    issuers_pem: String,
    root_pem: Option<String>,
    crl_url: Option<String>,
}

impl LocalCa {
    /// Bytes that [`LocalCa::create`] needs: two keys of 32 and two serial numbers of 16.
    pub const ENTROPY_LEN: usize = 96;

    /// Makes a root and an intermediate that issues.
    ///
    /// The entropy is as secret as the keys, which are parts of it.
    ///
    /// # Errors
    /// [`CaError::Key`] if 32 of the bytes are no key (one in 2^32: draw again),
    /// [`CaError::Entropy`], [`CaError::Validity`].
    pub fn create(
        entropy: &[u8; Self::ENTROPY_LEN],
        settings: &CaSettings,
        now_unix: u64,
    ) -> Result<NewCa, CaError> {
        let (root_key, rest) = entropy.split_first_chunk().ok_or(CaError::Entropy)?;
        let (issuer_key, rest) = rest.split_first_chunk().ok_or(CaError::Entropy)?;
        let (root_serial, rest) = rest.split_first_chunk().ok_or(CaError::Entropy)?;
        let (issuer_serial, _) = rest.split_first_chunk().ok_or(CaError::Entropy)?;
        let root_key = SoftwareKey::from_scalar(root_key)?;
        let issuer_key = SoftwareKey::from_scalar(issuer_key)?;

        let root_name = build::name(&format!("{} Root CA", settings.name))?;
        let root_validity = Validity::starting_at(now_unix, settings.root_lifetime_s)?;
        let root = ca_certificate(
            (&root_key, &root_name),
            (&root_key, &root_name),
            (root_serial, &root_validity),
            1,
        )?;
        let issuer_name = build::name(&format!("{} Issuing CA", settings.name))?;
        let issuer_validity = Validity::starting_at(now_unix, settings.issuer_lifetime_s)?;
        let issuer = ca_certificate(
            (&issuer_key, &issuer_name),
            (&root_key, &root_name),
            (issuer_serial, &issuer_validity.clamped_to(&root_validity)?),
            0,
        )?;

        let root_pem = root.to_pem();
        let mut chain_pem = issuer.to_pem();
        chain_pem.push_str(&root_pem);
        Ok(NewCa {
            ca: Self::open(issuer_key.clone(), &chain_pem, now_unix)?,
            root_key,
            issuer_key,
            root_pem,
            chain_pem,
        })
    }

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
        for (index, link) in chain.iter().enumerate() {
            check_link(link, chain.get(index.saturating_add(1)), now_unix)?;
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
            return Err(CaError::NotACa);
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
}

impl fmt::Debug for LocalCa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalCa")
            .field("validity", &self.validity)
            .finish_non_exhaustive()
    }
}

/// How a new CA is to be called and how long it is to last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaSettings {
    name: String,
    root_lifetime_s: u64,
    issuer_lifetime_s: u64,
}

impl CaSettings {
    /// The root will be called `<name> Root CA` and last twenty years, the intermediate
    /// `<name> Issuing CA` and last ten.
    ///
    /// # Errors
    /// [`CaError::Name`] if it is empty, longer than 48 bytes (common names end at 64), or has
    /// control characters.
    pub fn new(name: &str) -> Result<Self, CaError> {
        if name.is_empty() || name.len() > 48 || name.chars().any(char::is_control) {
            return Err(CaError::Name);
        }
        Ok(Self {
            name: name.to_string(),
            root_lifetime_s: 20 * YEAR_S,
            issuer_lifetime_s: 10 * YEAR_S,
        })
    }

    /// Replaces both lifetimes; the intermediate ends no later than the root.
    #[must_use]
    pub fn with_lifetimes(mut self, root_s: u64, issuer_s: u64) -> Self {
        self.root_lifetime_s = root_s;
        self.issuer_lifetime_s = issuer_s;
        self
    }
}

/// A CA that has just been made, with what the caller is to store.
#[derive(Debug)]
#[must_use]
pub struct NewCa {
    ca: LocalCa,
    root_key: SoftwareKey,
    issuer_key: SoftwareKey,
    root_pem: String,
    chain_pem: String,
}

impl NewCa {
    /// The root's key: needed again only to replace the intermediate, so kept offline.
    #[must_use]
    pub fn root_key(&self) -> &SoftwareKey {
        &self.root_key
    }

    /// The issuing key, for [`LocalCa::open`].
    #[must_use]
    pub fn issuer_key(&self) -> &SoftwareKey {
        &self.issuer_key
    }

    /// The certificate that devices are to trust.
    #[must_use]
    pub fn root_pem(&self) -> &str {
        &self.root_pem
    }

    /// The intermediate and the root, for [`LocalCa::open`].
    #[must_use]
    pub fn chain_pem(&self) -> &str {
        &self.chain_pem
    }

    /// The CA itself, ready to issue.
    #[must_use]
    pub fn into_ca(self) -> LocalCa {
        self.ca
    }
}

fn ca_certificate(
    (key, name): (&SoftwareKey, &[u8]),
    (signer, issuer): (&SoftwareKey, &[u8]),
    (serial, validity): (&[u8; 16], &Validity),
    path_len: u8,
) -> Result<Certificate, CaError> {
    let public_key = key.public_key().to_spki_der();
    let key_id = build::key_id(&public_key)?;
    let authority_key_id = build::key_id(&signer.public_key().to_spki_der())?;
    let der = build::certificate(
        CertificateFields {
            serial: &SerialNumber::from_entropy(serial).ok_or(CaError::Entropy)?,
            issuer,
            subject: name,
            validity,
            public_key: &public_key,
            extensions: build::ca_extensions(&key_id, &authority_key_id, path_len)?,
        },
        signer,
    )?;
    Ok(Certificate::from_der(&der)?)
}

fn read_chain(chain_pem: &str) -> Result<Vec<CertificateParts>, CaError> {
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

const YEAR_S: u64 = 365 * 86_400;
