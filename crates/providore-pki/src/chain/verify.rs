//! Checking a chain (RFC 5280, 6): webpki walks the path, the signatures are ours.

use alloc::{string::String, vec::Vec};
use core::time::Duration;

use providore_wire::DeviceId;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use super::certificate::{Certificate, CertificateError, CertificateParts};
use crate::{key::PublicKey, peer_key, pem, profile::Profile};

/// Most certificates in a chain, and most roots: a device's chain has two.
pub const MAX_CERTIFICATES: usize = 4;

/// Why a chain is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// No PEM certificate in the chain, or a damaged one, or more than [`MAX_CERTIFICATES`].
    #[error("the chain is not one to four PEM certificates")]
    ChainNotPem,
    /// No PEM certificate among the roots, or a damaged one, or more than [`MAX_CERTIFICATES`].
    #[error("the roots are not one to four PEM certificates")]
    RootsNotPem,
    /// One of the certificates is not X.509, or an extension of it cannot be read.
    #[error("a certificate is malformed")]
    Malformed,
    /// No path of matching names and good signatures leads to a root.
    #[error("the chain does not lead to a trusted root")]
    UnknownIssuer,
    /// A certificate of the path has ended.
    #[error("a certificate has expired")]
    Expired,
    /// A certificate of the path has not begun; the clock may be wrong.
    #[error("a certificate is not valid yet")]
    NotYetValid,
    /// The leaf is for another purpose.
    #[error("the certificate is for another purpose")]
    WrongPurpose,
    /// The leaf is a CA, or an issuer is none or may not sign certificates.
    #[error("a certificate is used as what it is not")]
    WrongRole,
    /// A signature of the path is of a kind that is not supported.
    #[error("the signature algorithm of a certificate is not supported")]
    UnsupportedAlgorithm,
    /// Another rule for paths: length, name constraints, critical extensions.
    #[error("the chain breaks a rule for certificate paths")]
    PathRule,
    /// The certificate names another device.
    #[error("the certificate is for another device")]
    OtherDevice,
    /// The certificate is on another key.
    #[error("the certificate is for another key")]
    OtherKey,
}

impl From<CertificateError> for ChainError {
    fn from(_: CertificateError) -> Self {
        Self::Malformed
    }
}

/// Proof that a certificate leads to a trusted root: names chain, signatures are good, all are
/// valid now, issuers may issue, the path is not too long, and the leaf is for this purpose.
///
/// [`VerifiedChain::verify`] is the only way to get one:
///
/// ```compile_fail
/// use providore_pki::{Certificate, VerifiedChain};
/// fn forge(leaf: Certificate) -> VerifiedChain {
///     VerifiedChain { leaf, pem: String::new() }
/// }
/// ```
///
/// Revocation is not looked at; devices that hold a list can compare
/// [`Certificate::serial`] with it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct VerifiedChain {
    leaf: Certificate,
    pem: String,
}

impl VerifiedChain {
    /// Checks `chain_pem` (the leaf first, then its issuers; a root in it is ignored) against
    /// `roots_pem`, which are trusted as they are: their own dates are not looked at.
    ///
    /// # Errors
    /// A [`ChainError`] says which rule is broken.
    pub fn verify(
        chain_pem: &str,
        roots_pem: &str,
        profile: Profile,
        now_unix: u64,
    ) -> Result<Self, ChainError> {
        let chain = certificates(chain_pem).ok_or(ChainError::ChainNotPem)?;
        let roots = certificates(roots_pem).ok_or(ChainError::RootsNotPem)?;
        let anchors = anchors(&roots)?;
        let (leaf, issuers) = chain.split_first().ok_or(ChainError::ChainNotPem)?;
        verify_path(leaf, issuers, &anchors, (profile, now_unix))?;

        let leaf = Certificate::from_der(leaf)?;
        let mut pem = leaf.to_pem();
        for issuer in issuers {
            pem.push_str(&pem::encode(pem::CERTIFICATE, issuer).ok_or(ChainError::Malformed)?);
        }
        Ok(Self { leaf, pem })
    }

    /// The certificate at the front.
    #[must_use]
    pub fn leaf(&self) -> &Certificate {
        &self.leaf
    }

    /// Checks that the leaf names this device and is on this key: what a device asks about a
    /// certificate that it has been given, before it replaces the old one.
    ///
    /// # Errors
    /// [`ChainError::OtherDevice`], [`ChainError::OtherKey`].
    pub fn belonging_to(
        self,
        device: &DeviceId,
        key: &PublicKey,
    ) -> Result<DeviceCertificate, ChainError> {
        self.belonging_to_spki(device, &key.to_spki_der())
    }

    /// Like [`VerifiedChain::belonging_to`], for a key of any kind as DER `SubjectPublicKeyInfo`.
    ///
    /// # Errors
    /// [`ChainError::OtherDevice`], [`ChainError::OtherKey`].
    pub fn belonging_to_spki(
        self,
        device: &DeviceId,
        spki_der: &[u8],
    ) -> Result<DeviceCertificate, ChainError> {
        if self.leaf.common_name() != Some(device.as_str()) {
            return Err(ChainError::OtherDevice);
        }
        if self.leaf.public_key_spki_der() != spki_der {
            return Err(ChainError::OtherKey);
        }
        Ok(DeviceCertificate(self))
    }
}

/// Proof that a chain is good and that its leaf is this device's, on this device's key.
///
/// [`VerifiedChain::belonging_to`] is the only way to get one:
///
/// ```compile_fail
/// use providore_pki::{DeviceCertificate, VerifiedChain};
/// fn forge(chain: VerifiedChain) -> DeviceCertificate {
///     DeviceCertificate(chain)
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct DeviceCertificate(VerifiedChain);

impl DeviceCertificate {
    /// The device's certificate.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.0.leaf
    }

    /// The chain as it was checked, in fresh PEM: the device's certificate first.
    #[must_use]
    pub fn chain_pem(&self) -> &str {
        &self.0.pem
    }
}

fn certificates(text: &str) -> Option<Vec<CertificateDer<'static>>> {
    let blocks = pem::decode_certificates(text, MAX_CERTIFICATES)?;
    if blocks.is_empty() {
        return None;
    }
    Some(blocks.into_iter().map(CertificateDer::from).collect())
}

fn anchors<'a>(roots: &'a [CertificateDer<'a>]) -> Result<Vec<TrustAnchor<'a>>, ChainError> {
    roots
        .iter()
        .map(|root| anchor_from_trusted_cert(root).map_err(|_| ChainError::Malformed))
        .collect()
}

fn verify_path(
    leaf: &CertificateDer<'_>,
    issuers: &[CertificateDer<'_>],
    anchors: &[TrustAnchor<'_>],
    (profile, now_unix): (Profile, u64),
) -> Result<(), ChainError> {
    let usage = match profile {
        Profile::Client => KeyUsage::client_auth(),
        Profile::Server => KeyUsage::server_auth(),
        Profile::Both => {
            verify_path(leaf, issuers, anchors, (Profile::Client, now_unix))?;
            KeyUsage::server_auth()
        }
    };
    let leaf = EndEntityCert::try_from(leaf).map_err(|error| reason(&error))?;
    let path = leaf
        .verify_for_usage(
            peer_key::SCHEMES,
            anchors,
            issuers,
            UnixTime::since_unix_epoch(Duration::from_secs(now_unix)),
            usage,
            None,
            None,
        )
        .map_err(|error| reason(&error))?;
    // webpki reads basicConstraints of an issuer but not its keyUsage.
    for issuer in path.intermediate_certificates() {
        if !CertificateParts::parse(&issuer.der())?.may_issue() {
            return Err(ChainError::WrongRole);
        }
    }
    Ok(())
}

fn reason(error: &webpki::Error) -> ChainError {
    use webpki::Error;
    match error {
        Error::BadDer
        | Error::BadDerTime
        | Error::ExtensionValueInvalid
        | Error::InvalidCertValidity
        | Error::InvalidSerialNumber
        | Error::MalformedExtensions
        | Error::TrailingData(_)
        | Error::UnsupportedCertVersion => ChainError::Malformed,
        Error::CertExpired { .. } => ChainError::Expired,
        Error::CertNotValidYet { .. } => ChainError::NotYetValid,
        Error::CaUsedAsEndEntity | Error::EndEntityUsedAsCa => ChainError::WrongRole,
        Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => ChainError::WrongPurpose,
        Error::UnknownIssuer | Error::InvalidSignatureForPublicKey => ChainError::UnknownIssuer,
        Error::SignatureAlgorithmMismatch
        | Error::UnsupportedSignatureAlgorithmContext(_)
        | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
            ChainError::UnsupportedAlgorithm
        }
        _ => ChainError::PathRule,
    }
}
