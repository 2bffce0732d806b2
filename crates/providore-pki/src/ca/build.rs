//! The bytes of certificates and revocation lists (RFC 5280, 4.1 and 5.1).

use alloc::{vec, vec::Vec};

use der::{
    Decode, Encode, Sequence,
    asn1::{Any, Ia5String, ObjectIdentifier, OctetString},
    oid::AssociatedOid,
};
use sha2::{Digest, Sha256};
use x509_cert::{
    Version,
    crl::RevokedCert,
    ext::{
        Extension, Extensions,
        pkix::{
            AuthorityKeyIdentifier, BasicConstraints, CrlDistributionPoints, ExtendedKeyUsage,
            KeyUsage, KeyUsages, SubjectAltName, SubjectKeyIdentifier,
            crl::dp::DistributionPoint,
            name::{DistributionPointName, GeneralName},
        },
    },
    time::{Time, Validity as X509Validity},
};

use super::{CaError, CertificateTerms};
use crate::{
    Validity,
    csr::{self, VerifiedCsr},
    key::{Signature, SoftwareKey},
    peer_key::{KeyAlgorithm, PeerKey},
    profile::{self, Profile},
    serial::SerialNumber,
    time,
    tlv::BackWriter,
};

/// The fields of a certificate that differ from one to the next.
pub(super) struct CertificateFields<'a> {
    pub(super) serial: &'a SerialNumber,
    /// DER `Name`s.
    pub(super) issuer: &'a [u8],
    pub(super) subject: &'a [u8],
    pub(super) validity: &'a Validity,
    pub(super) public_key: &'a [u8],
    pub(super) extensions: Extensions,
}

/// Names and key are kept as the bytes they came in: a `Name` written anew could differ.
#[derive(Sequence)]
struct TbsCertificate {
    #[asn1(context_specific = "0")]
    version: Version,
    serial_number: x509_cert::serial_number::SerialNumber,
    signature: Any,
    issuer: Any,
    validity: X509Validity,
    subject: Any,
    public_key: Any,
    #[asn1(context_specific = "3")]
    extensions: Extensions,
}

#[derive(Sequence)]
struct TbsRevocationList {
    version: Version,
    signature: Any,
    issuer: Any,
    this_update: Time,
    next_update: Time,
    #[asn1(optional = "true")]
    revoked: Option<Vec<RevokedCert>>,
    #[asn1(context_specific = "0")]
    extensions: Extensions,
}

pub(super) fn certificate(
    fields: CertificateFields<'_>,
    signer: &SoftwareKey,
) -> Result<Vec<u8>, CaError> {
    let body = der_of(|| {
        TbsCertificate {
            version: Version::V3,
            serial_number: x509_serial(fields.serial)?,
            signature: Any::from_der(&csr::ECDSA_WITH_SHA256)?,
            issuer: Any::from_der(fields.issuer)?,
            validity: X509Validity::new(
                time::to_x509(fields.validity.not_before_unix())?,
                time::to_x509(fields.validity.not_after_unix())?,
            ),
            subject: Any::from_der(fields.subject)?,
            public_key: Any::from_der(fields.public_key)?,
            extensions: fields.extensions,
        }
        .to_der()
    })?;
    sign(&body, signer)
}

/// A list with these dates, entries (`None` for none: an empty SEQUENCE is forbidden, 5.1.2.6)
/// and extensions.
pub(super) fn revocation_list(
    issuer: &[u8],
    (this_update, next_update): (u64, u64),
    revoked: Option<Vec<RevokedCert>>,
    extensions: Extensions,
    signer: &SoftwareKey,
) -> Result<Vec<u8>, CaError> {
    let body = der_of(|| {
        TbsRevocationList {
            version: Version::V2,
            signature: Any::from_der(&csr::ECDSA_WITH_SHA256)?,
            issuer: Any::from_der(issuer)?,
            this_update: time::to_x509(this_update)?,
            next_update: time::to_x509(next_update)?,
            revoked,
            extensions,
        }
        .to_der()
    })?;
    sign(&body, signer)
}

/// The extensions of a device's certificate (RFC 5280, 4.2.1).
pub(super) fn device_extensions(
    csr: &VerifiedCsr,
    terms: &CertificateTerms,
    authority_key_id: &[u8],
    crl_url: Option<&str>,
) -> Result<Extensions, CaError> {
    let mut usages = KeyUsages::DigitalSignature.into();
    if csr.algorithm() == KeyAlgorithm::Rsa {
        // RSA key exchange of TLS 1.2, which some of the deployed peers still use.
        usages |= KeyUsages::KeyEncipherment;
    }
    let purposes = match terms.profile() {
        Profile::Client => vec![ID_KP_CLIENT_AUTH],
        Profile::Server => vec![ID_KP_SERVER_AUTH],
        Profile::Both => vec![ID_KP_CLIENT_AUTH, ID_KP_SERVER_AUTH],
    };
    let key_id = key_id(csr.public_key_spki_der())?;
    der_of(|| {
        let mut extensions = vec![
            critical(&BasicConstraints {
                ca: false,
                path_len_constraint: None,
            })?,
            critical(&KeyUsage(usages))?,
            plain(&ExtendedKeyUsage(purposes))?,
            plain(&SubjectKeyIdentifier(OctetString::new(key_id)?))?,
            plain(&authority(authority_key_id)?)?,
            plain(&SubjectAltName(alt_names(csr, terms)?))?,
        ];
        if let Some(url) = crl_url {
            extensions.push(plain(&distribution_point(url)?)?);
        }
        Ok(extensions)
    })
}

/// The extensions of a CA's certificate; the root's own key id stands for its authority.
pub(super) fn ca_extensions(
    key_id: &[u8],
    authority_key_id: &[u8],
    path_len: u8,
) -> Result<Extensions, CaError> {
    der_of(|| {
        Ok(vec![
            critical(&BasicConstraints {
                ca: true,
                path_len_constraint: Some(path_len),
            })?,
            critical(&KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign))?,
            plain(&SubjectKeyIdentifier(OctetString::new(key_id)?))?,
            plain(&authority(authority_key_id)?)?,
        ])
    })
}

/// The leftmost 160 bits of the SHA-256 of the key (RFC 7093, 2, method 1).
pub(super) fn key_id(spki: &[u8]) -> Result<Vec<u8>, CaError> {
    let key = PeerKey::from_spki_der(spki).map_err(|_| CaError::Malformed)?;
    Ok(Sha256::digest(key.key).iter().take(20).copied().collect())
}

/// A DER `Name` of one common name.
pub(super) fn name(common_name: &str) -> Result<Vec<u8>, CaError> {
    let mut buffer = [0; 96];
    let mut writer = BackWriter::new(&mut buffer);
    csr::write_common_name(common_name, &mut writer)?;
    Ok(writer.finish().to_vec())
}

pub(super) fn authority(key_id: &[u8]) -> der::Result<AuthorityKeyIdentifier> {
    Ok(AuthorityKeyIdentifier {
        key_identifier: Some(OctetString::new(key_id)?),
        ..AuthorityKeyIdentifier::default()
    })
}

pub(super) fn plain<E: Encode + AssociatedOid>(value: &E) -> der::Result<Extension> {
    extension(value, false)
}

pub(super) fn x509_serial(
    serial: &SerialNumber,
) -> der::Result<x509_cert::serial_number::SerialNumber> {
    x509_cert::serial_number::SerialNumber::new(serial.as_be_bytes())
}

/// Runs what can only fail for values that cannot be encoded.
pub(super) fn der_of<T>(encode: impl FnOnce() -> der::Result<T>) -> Result<T, CaError> {
    encode().map_err(|_| CaError::Malformed)
}

fn critical<E: Encode + AssociatedOid>(value: &E) -> der::Result<Extension> {
    extension(value, true)
}

fn extension<E: Encode + AssociatedOid>(value: &E, critical: bool) -> der::Result<Extension> {
    Ok(Extension {
        extn_id: E::OID,
        critical,
        extn_value: OctetString::new(value.to_der()?)?,
    })
}

fn alt_names(csr: &VerifiedCsr, terms: &CertificateTerms) -> der::Result<Vec<GeneralName>> {
    if terms.alt_names().is_empty() {
        return Ok(vec![profile::device_name(csr.device())?]);
    }
    let names = terms.alt_names().iter();
    names.map(profile::AltName::to_general_name).collect()
}

fn distribution_point(url: &str) -> der::Result<CrlDistributionPoints> {
    let name = GeneralName::UniformResourceIdentifier(Ia5String::new(url)?);
    Ok(CrlDistributionPoints(vec![DistributionPoint {
        distribution_point: Some(DistributionPointName::FullName(vec![name])),
        reasons: None,
        crl_issuer: None,
    }]))
}

fn sign(body: &[u8], signer: &SoftwareKey) -> Result<Vec<u8>, CaError> {
    let signature = signer.sign(body)?;
    // Tags, lengths and the algorithm beside body and signature take less than 32 bytes.
    let room = Signature::MAX_DER_LEN.saturating_add(32);
    let mut buffer = vec![0; body.len().saturating_add(room)];
    Ok(csr::write_signed(body, &signature, &mut buffer)?.to_vec())
}

// RFC 5280, 4.2.1.12
const ID_KP_SERVER_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
const ID_KP_CLIENT_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");
