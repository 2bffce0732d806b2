//! A certificate as it was read: nothing about it is verified.

use alloc::{string::String, vec::Vec};
use core::fmt;

use der::{Decode, Tag, Tagged};
use x509_cert::{
    TbsCertificate,
    ext::pkix::{BasicConstraints, KeyUsage, SubjectKeyIdentifier},
    name::Name,
};

use crate::{
    Validity,
    elements::{Elements, Malformed, SignedParts},
    pem,
    serial::SerialNumber,
    time,
};

/// A parsed certificate. It may be anybody's: [`VerifiedChain`](super::VerifiedChain) is the proof.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    serial: SerialNumber,
    validity: Validity,
    common_name: Option<String>,
    public_key: Vec<u8>,
}

/// Why a certificate cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// Not exactly one `CERTIFICATE` block.
    #[error("not one PEM certificate")]
    NotPem,
    /// Not an X.509 certificate (RFC 5280, 4.1), or bytes follow it.
    #[error("the certificate is malformed")]
    Malformed,
}

impl From<Malformed> for CertificateError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl Certificate {
    /// Reads DER.
    ///
    /// # Errors
    /// [`CertificateError::Malformed`].
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        Ok(CertificateParts::parse(der)?.certificate)
    }

    /// Reads one PEM block; text around it, as `openssl ca` writes it, is skipped.
    ///
    /// # Errors
    /// [`CertificateError::NotPem`], [`CertificateError::Malformed`].
    pub fn from_pem(text: &str) -> Result<Self, CertificateError> {
        let blocks = pem::decode_certificates(text, 1).ok_or(CertificateError::NotPem)?;
        Self::from_der(blocks.first().ok_or(CertificateError::NotPem)?)
    }

    /// Reads the first PEM block of a chain and skips the rest.
    ///
    /// # Errors
    /// [`CertificateError::NotPem`], [`CertificateError::Malformed`].
    pub fn first_of_pem(chain: &str) -> Result<Self, CertificateError> {
        let first = chain.split_inclusive(pem::END_CERTIFICATE).next();
        Self::from_pem(first.unwrap_or_default())
    }

    /// The certificate itself.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The certificate as a PEM block.
    #[must_use]
    pub fn to_pem(&self) -> String {
        // Encoding fails only for lengths that overflow an address.
        pem::encode(pem::CERTIFICATE, &self.der).unwrap_or_default()
    }

    /// Its number, unique within its issuer.
    #[must_use]
    pub fn serial(&self) -> &SerialNumber {
        &self.serial
    }

    /// The first second of its validity.
    #[must_use]
    pub fn not_before_unix(&self) -> u64 {
        self.validity.not_before_unix()
    }

    /// The last second of its validity.
    #[must_use]
    pub fn not_after_unix(&self) -> u64 {
        self.validity.not_after_unix()
    }

    /// The common name of the subject, if it has exactly one and that is text.
    #[must_use]
    pub fn common_name(&self) -> Option<&str> {
        self.common_name.as_deref()
    }

    /// The key as DER `SubjectPublicKeyInfo`.
    #[must_use]
    pub fn public_key_spki_der(&self) -> &[u8] {
        &self.public_key
    }

    pub(crate) fn validity(&self) -> &Validity {
        &self.validity
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("common_name", &self.common_name)
            .field("serial", &self.serial)
            .field("validity", &self.validity)
            .finish_non_exhaustive()
    }
}

/// What only the issuing side and the chain check look at.
pub(crate) struct CertificateParts {
    pub(crate) certificate: Certificate,
    /// DER `Name`s, byte for byte.
    pub(crate) subject: Vec<u8>,
    pub(crate) issuer: Vec<u8>,
    pub(crate) is_ca: bool,
    pub(crate) path_len: Option<u8>,
    /// `None` if the extension is absent, which permits everything (RFC 5280, 4.2.1.3).
    pub(crate) key_usage: Option<KeyUsage>,
    pub(crate) subject_key_id: Option<Vec<u8>>,
}

impl CertificateParts {
    pub(crate) fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        let body = SignedParts::parse(der)?.body;
        let tbs = TbsCertificate::from_der(body).map_err(|_| Malformed)?;
        let [issuer, subject, public_key] = raw_fields(body)?;
        let validity = Validity::new(
            time::from_x509(tbs.validity().not_before),
            time::from_x509(tbs.validity().not_after),
        );
        let constraints = tbs
            .get_extension::<BasicConstraints>()
            .map_err(|_| Malformed)?;
        let key_usage = tbs.get_extension::<KeyUsage>().map_err(|_| Malformed)?;
        let key_id = tbs
            .get_extension::<SubjectKeyIdentifier>()
            .map_err(|_| Malformed)?;
        Ok(Self {
            certificate: Certificate {
                der: der.to_vec(),
                serial: SerialNumber::from_be_bytes(tbs.serial_number().as_bytes())
                    .ok_or(Malformed)?,
                validity: validity.map_err(|_| Malformed)?,
                common_name: common_name(tbs.subject()),
                public_key: public_key.to_vec(),
            },
            subject: subject.to_vec(),
            issuer: issuer.to_vec(),
            is_ca: constraints.as_ref().is_some_and(|(_, found)| found.ca),
            path_len: constraints.and_then(|(_, found)| found.path_len_constraint),
            key_usage: key_usage.map(|(_, usage)| usage),
            subject_key_id: key_id.map(|(_, id)| id.0.as_bytes().to_vec()),
        })
    }

    /// A certificate that may sign others (RFC 5280, 4.2.1.3 and 4.2.1.9).
    pub(crate) fn may_issue(&self) -> bool {
        self.is_ca && self.key_usage.is_none_or(|usage| usage.key_cert_sign())
    }
}

/// Issuer, subject and key of a `TBSCertificate`, with their tags.
fn raw_fields(body: &[u8]) -> Result<[&[u8]; 3], Malformed> {
    let mut fields = Elements::of_sequence(body)?;
    let first = fields.raw()?;
    if first.first() == Some(&VERSION_TAG) {
        fields.raw()?; // the serial number
    }
    fields.content(Tag::Sequence)?; // the signature algorithm
    let issuer = fields.raw()?;
    fields.content(Tag::Sequence)?; // the validity
    let subject = fields.raw()?;
    Ok([issuer, subject, fields.raw()?])
}

fn common_name(subject: &Name) -> Option<String> {
    let mut names = subject
        .iter()
        .filter(|attribute| attribute.oid == ID_AT_COMMON_NAME);
    let name = names.next().filter(|_| names.next().is_none())?;
    match name.value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String => {
            core::str::from_utf8(name.value.value())
                .ok()
                .map(Into::into)
        }
        _ => None,
    }
}

const VERSION_TAG: u8 = 0xa0;
const ID_AT_COMMON_NAME: der::asn1::ObjectIdentifier =
    der::asn1::ObjectIdentifier::new_unwrap("2.5.4.3");
