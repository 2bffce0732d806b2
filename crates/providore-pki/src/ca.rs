//! The authority that turns a checked request into a certificate.
//!
//! ```
//! use providore_pki::{
//!     CertificateAuthority, LocalCa, Profile, SerialNumber, SoftwareKey, Validity, VerifiedChain,
//!     VerifiedCsr, ca::{CaSettings, CertificateTerms}, csr,
//! };
//!
//! # let (fresh_entropy, fresh_serial) = (core::array::from_fn(|i| i as u8 + 1), [0x5a; 16]);
//! let now_unix = 1_767_323_045;
//! // Once: make the CA and store what it consists of.
//! let made = LocalCa::create(&fresh_entropy, &CaSettings::new("Example")?, now_unix)?;
//! let (key_pem, chain_pem) = (made.issuer_key().to_pkcs8_pem()?, made.chain_pem());
//!
//! // At every start of the server: open it.
//! let ca = LocalCa::open(SoftwareKey::from_pkcs8_pem(&key_pem)?, chain_pem, now_unix)?;
//!
//! // For every request: check, then issue.
//! let device = "esp32-0001".parse()?;
//! # let mut device_key = SoftwareKey::from_scalar(&[7; 32])?;
//! # let mut buffer = [0; csr::MAX_PEM_LEN];
//! # let request = csr::write_pem(&mut device_key, &device, &mut buffer)?.as_bytes();
//! let csr = VerifiedCsr::check(request, &device)?;
//! let serial = SerialNumber::from_entropy(&fresh_serial).ok_or("a broken generator")?;
//! let validity = Validity::starting_at(now_unix, 90 * 86_400)?;
//! let issued = ca.issue(&csr, &CertificateTerms::new(Profile::Client, serial, validity))?;
//!
//! // On the device: check the answer before the old certificate is replaced.
//! VerifiedChain::verify(issued.chain_pem(), made.root_pem(), Profile::Client, now_unix)?
//!     .belonging_to(&device, &device_key.public_key())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod build;
mod create;
mod local;

use alloc::{string::String, vec::Vec};
use core::fmt;

pub use create::{CaSettings, NewCa, RenewedIssuer};
pub use local::LocalCa;

use crate::{
    Validity, ValidityError,
    chain::{Certificate, CertificateError},
    crl::{RevocationList, RevocationTerms},
    csr::VerifiedCsr,
    elements::Malformed,
    key::KeyError,
    profile::{AltName, Profile},
    serial::SerialNumber,
    tlv::Full,
};

/// Issues certificates and signs revocation lists.
///
/// Takes `&self` and holds no counter: two requests at once need no lock and never share a
/// serial number, since that is random and an argument. [`LocalCa`] signs with a key in memory.
///
/// # Security
///
/// An implementation writes subject and names itself; of the request it uses the device and the
/// key. What it issues wrongly stays trusted until it expires or is revoked; what it refuses
/// wrongly the device asks for again.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a certificate authority",
    note = "use `LocalCa`, or implement `CertificateAuthority` for the service that signs"
)]
pub trait CertificateAuthority: fmt::Debug + Send + Sync {
    /// Issues a certificate for the device and key of `csr`.
    ///
    /// The validity is cut to that of the CA.
    ///
    /// # Errors
    /// A [`CaError`], after which nothing has been issued.
    fn issue(
        &self,
        csr: &VerifiedCsr,
        terms: &CertificateTerms,
    ) -> Result<IssuedCertificate, CaError>;

    /// Signs a list of revoked certificates.
    ///
    /// # Errors
    /// A [`CaError`], after which the previous list stands.
    fn sign_revocation_list(&self, terms: &RevocationTerms) -> Result<RevocationList, CaError>;

    /// The root that devices are to trust, as PEM, if the CA has been told.
    fn trust_anchor_pem(&self) -> Option<&str>;

    /// The revocation lists of the CAs above the one that issues, as far as they are known. They
    /// live longer than those of [`sign_revocation_list`](Self::sign_revocation_list) and are signed
    /// elsewhere.
    fn issuers_lists(&self) -> &[RevocationList] {
        &[]
    }
}

impl<C: CertificateAuthority + ?Sized> CertificateAuthority for &C {
    fn issue(
        &self,
        csr: &VerifiedCsr,
        terms: &CertificateTerms,
    ) -> Result<IssuedCertificate, CaError> {
        (**self).issue(csr, terms)
    }

    fn sign_revocation_list(&self, terms: &RevocationTerms) -> Result<RevocationList, CaError> {
        (**self).sign_revocation_list(terms)
    }

    fn trust_anchor_pem(&self) -> Option<&str> {
        (**self).trust_anchor_pem()
    }

    fn issuers_lists(&self) -> &[RevocationList] {
        (**self).issuers_lists()
    }
}

/// What a certificate is to say beside device and key; none of it comes from the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateTerms {
    profile: Profile,
    serial: SerialNumber,
    validity: Validity,
    alt_names: Vec<AltName>,
}

impl CertificateTerms {
    /// Terms without other names: the certificate will carry the device id as its alternative
    /// name, as a DNS name if it can be one, else as `urn:providore:device:<id>`.
    #[must_use]
    pub fn new(profile: Profile, serial: SerialNumber, validity: Validity) -> Self {
        Self {
            profile,
            serial,
            validity,
            alt_names: Vec::new(),
        }
    }

    /// Replaces the alternative names, from the server's record of the device.
    #[must_use]
    pub fn with_alt_names(mut self, alt_names: Vec<AltName>) -> Self {
        self.alt_names = alt_names;
        self
    }

    /// What the certificate is for.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// The number it will have.
    #[must_use]
    pub fn serial(&self) -> &SerialNumber {
        &self.serial
    }

    /// The validity that is wanted.
    #[must_use]
    pub fn validity(&self) -> &Validity {
        &self.validity
    }

    /// The alternative names; empty for that of the device id.
    #[must_use]
    pub fn alt_names(&self) -> &[AltName] {
        &self.alt_names
    }
}

/// A certificate that has just been issued, with what leads to the root.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct IssuedCertificate {
    certificate: Certificate,
    chain_pem: String,
}

impl IssuedCertificate {
    /// For implementations of [`CertificateAuthority`]: the DER that was signed, and the PEM of
    /// its issuers without the root.
    ///
    /// # Errors
    /// [`CaError::Malformed`], if `der` is not a certificate.
    pub fn new(der: &[u8], issuers_pem: &str) -> Result<Self, CaError> {
        let certificate = Certificate::from_der(der)?;
        let mut chain_pem = certificate.to_pem();
        chain_pem.push_str(issuers_pem);
        Ok(Self {
            certificate,
            chain_pem,
        })
    }

    /// The certificate: DER, serial number, validity.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// What the device is sent: the certificate, then its issuers without the root.
    #[must_use]
    pub fn chain_pem(&self) -> &str {
        &self.chain_pem
    }
}

/// Why a CA cannot be made or opened, or does not issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CaError {
    /// The key cannot be used, or the entropy is no key.
    #[error("the key of the CA cannot be used")]
    Key(#[from] KeyError),
    /// The entropy has a serial number of zero: the generator is broken.
    #[error("the entropy is all zero")]
    Entropy,
    /// Empty, longer than 48 bytes, or with control characters.
    #[error("the name of the CA is empty, too long or has control characters")]
    Name,
    /// The revocation list's address is not an ASCII `http:` or `https:` URL without blanks.
    #[error("the address of the revocation list is not an http URL")]
    CrlUrl,
    /// The certificates of the CA are not one to four PEM blocks.
    #[error("the chain of the CA is not one to four PEM certificates")]
    NotPem,
    /// A certificate or a name cannot be read or written.
    #[error("a certificate is malformed")]
    Malformed,
    /// The first certificate is on another key.
    #[error("the key does not fit the certificate of the CA")]
    OtherKey,
    /// A certificate of the CA is none of a CA, or may not sign certificates.
    #[error("the certificate is not that of a CA")]
    NotACa,
    /// A certificate of the CA is not signed by the one after it, or stands too far below it.
    #[error("the certificates of the CA do not form a chain")]
    BrokenChain,
    /// The CA's certificate lets it sign certificates but no revocation lists.
    #[error("the CA may not sign revocation lists")]
    MayNotSignLists,
    /// A revocation list is not signed by a CA above the issuing one.
    #[error("a revocation list is not signed by a CA above the issuing one")]
    ForeignList,
    /// The issuing certificate is signed by its own key: there is nothing above it that could renew
    /// it.
    #[error("the issuing CA is its own root")]
    OwnRoot,
    /// The CA has expired: it needs a new certificate before it can issue.
    #[error("the certificate of the CA has expired")]
    Expired,
    /// A validity is empty, too late, or lies outside that of the CA.
    #[error("the validity is not possible")]
    Validity(#[from] ValidityError),
}

impl From<CertificateError> for CaError {
    fn from(_: CertificateError) -> Self {
        Self::Malformed
    }
}

impl From<Malformed> for CaError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl From<Full> for CaError {
    fn from(_: Full) -> Self {
        Self::Malformed
    }
}
