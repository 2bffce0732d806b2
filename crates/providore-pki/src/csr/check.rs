//! Checking a request: whose it is, what key it names, and that the sender has that key.

use alloc::{borrow::Cow, vec::Vec};
use core::fmt;

use providore_wire::DeviceId;
use sha2::{Digest, Sha256};

use super::parse::ParsedCsr;
use crate::{
    elements::Malformed,
    peer_key::{KeyAlgorithm, KeyPolicyError, PeerKey, SignatureError},
    pem,
};

/// The longest accepted request in bytes, PEM or DER: RSA-4096 with a long subject takes 2 KiB.
pub const MAX_LEN: usize = 8 * 1024;

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CsrError {
    /// More than [`MAX_LEN`] bytes.
    #[error("the request is longer than 8 KiB")]
    TooLong,
    /// Neither DER nor one PEM block with nothing after it but blanks and NUL bytes.
    #[error("the request is neither DER nor one PEM block")]
    NotPem,
    /// The PEM block is something else.
    #[error("the PEM block is not a certificate request")]
    UnexpectedLabel,
    /// Not the DER of a PKCS#10 request, or bytes follow it.
    #[error("the request is malformed")]
    Malformed,
    /// Not version 1 (0 on the wire).
    #[error("the version of the request is not supported")]
    UnsupportedVersion,
    /// The subject has no common name.
    #[error("the subject has no common name")]
    NoCommonName,
    /// The subject has more than one common name.
    #[error("the subject has several common names")]
    SeveralCommonNames,
    /// A part of the subject has more than one value.
    #[error("a part of the subject has several values")]
    MultiValuedSubject,
    /// The common name is not ASCII, or in a string type of wider characters.
    #[error("the common name is not ASCII text")]
    CommonNameEncoding,
    /// The common name is not the device that sent the request.
    #[error("the common name is not the device")]
    OtherDevice,
    /// More than [`MAX_SUBJECT_PARTS`](super::MAX_SUBJECT_PARTS).
    #[error("the subject has too many parts")]
    TooManySubjectParts,
    /// More than [`MAX_ATTRIBUTES`](super::MAX_ATTRIBUTES).
    #[error("the request has too many attributes")]
    TooManyAttributes,
    /// More than [`MAX_EXTENSIONS`](super::MAX_EXTENSIONS).
    #[error("the request asks for too many extensions")]
    TooManyExtensions,
    /// The key is too weak, too long or of another kind.
    #[error("the key is not accepted")]
    Key(#[from] KeyPolicyError),
    /// The signature's algorithm does not fit the key or is not supported, such as SHA-1.
    #[error("the signature algorithm is not supported")]
    UnsupportedSignature,
    /// The signature is wrong: the sender does not have the private key.
    #[error("the signature is wrong")]
    InvalidSignature,
}

impl From<Malformed> for CsrError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// Proof that a device asked for a certificate on a key that it has.
///
/// [`VerifiedCsr::check`] is the only way to get one:
///
/// ```compile_fail
/// use providore_pki::VerifiedCsr;
/// fn forge(real: VerifiedCsr) -> VerifiedCsr {
///     VerifiedCsr { device: "admin".parse().unwrap(), ..real }
/// }
/// ```
///
/// Of the request only the key is used: the certificate's subject, names and usages come from
/// the server's own record of the device.
///
/// ```
/// use providore_pki::{SoftwareKey, VerifiedCsr, csr};
/// use providore_wire::DeviceId;
///
/// let device: DeviceId = "esp32-0001".parse()?;
/// let mut key = SoftwareKey::from_scalar(&[7; 32])?;
/// let mut buffer = [0; csr::MAX_PEM_LEN];
/// let request = csr::write_pem(&mut key, &device, &mut buffer)?;
///
/// let verified = VerifiedCsr::check(request.as_bytes(), &device)?;
/// assert_eq!(verified.device(), &device);
/// assert_eq!(verified.public_key_spki_der(), key.public_key().to_spki_der());
///
/// let other: DeviceId = "admin".parse()?;
/// let refused = VerifiedCsr::check(request.as_bytes(), &other);
/// assert_eq!(refused.err(), Some(csr::CsrError::OtherDevice));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[must_use]
pub struct VerifiedCsr {
    device: DeviceId,
    algorithm: KeyAlgorithm,
    public_key: Vec<u8>,
    fingerprint: [u8; 32],
}

impl VerifiedCsr {
    /// Checks a request that `device`, already authenticated by other means, has sent.
    ///
    /// `bytes` is DER, or one PEM block labelled `CERTIFICATE REQUEST` or
    /// `NEW CERTIFICATE REQUEST` (RFC 7468, 7) with LF or CRLF line ends. Text before the block
    /// (RFC 7468, 5.2), blanks after it and the NUL that ends a C string are ignored.
    ///
    /// # Errors
    /// A [`CsrError`] says which rule the request breaks. The cheap rules come first, the
    /// signature last.
    pub fn check(bytes: &[u8], device: &DeviceId) -> Result<Self, CsrError> {
        if bytes.len() > MAX_LEN {
            return Err(CsrError::TooLong);
        }
        let der = to_der(bytes)?;
        let request = ParsedCsr::parse(&der)?;
        if request.common_name != device.as_str() {
            return Err(CsrError::OtherDevice);
        }
        let key = PeerKey::from_spki_der(request.public_key)?;
        let parts = &request.parts;
        key.verify(parts.algorithm, parts.body, parts.signature)
            .map_err(|error| match error {
                SignatureError::UnsupportedAlgorithm => CsrError::UnsupportedSignature,
                SignatureError::Invalid => CsrError::InvalidSignature,
            })?;
        Ok(Self {
            device: device.clone(),
            algorithm: key.algorithm,
            public_key: request.public_key.to_vec(),
            fingerprint: Sha256::digest(&der).into(),
        })
    }

    /// The device that the certificate will name.
    #[must_use]
    pub fn device(&self) -> &DeviceId {
        &self.device
    }

    /// The kind of the key.
    #[must_use]
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// The key as DER `SubjectPublicKeyInfo`.
    #[must_use]
    pub fn public_key_spki_der(&self) -> &[u8] {
        &self.public_key
    }

    /// SHA-256 of the key's `SubjectPublicKeyInfo`, which names the key whatever request or
    /// certificate it is in.
    #[must_use]
    pub fn key_fingerprint(&self) -> [u8; 32] {
        Sha256::digest(&self.public_key).into()
    }

    /// SHA-256 of the request's DER: the same whether it came as PEM or DER. A device that asks
    /// again because the answer was lost sends the same request and is given the same certificate.
    #[must_use]
    pub fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }
}

impl fmt::Debug for VerifiedCsr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedCsr")
            .field("device", &self.device)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

fn to_der(bytes: &[u8]) -> Result<Cow<'_, [u8]>, CsrError> {
    // A request is longer than 127 bytes, so that its length begins with a byte that is not ASCII.
    if let [SEQUENCE, 0x80..=0xff, ..] = bytes {
        return Ok(Cow::Borrowed(bytes));
    }
    match pem::decode(pem_block(bytes)).ok_or(CsrError::NotPem)? {
        (pem::REQUEST | "NEW CERTIFICATE REQUEST", der) => Ok(Cow::Owned(der)),
        _ => Err(CsrError::UnexpectedLabel),
    }
}

/// What is left without the text before a block and the NUL bytes and blanks after it.
fn pem_block(bytes: &[u8]) -> &[u8] {
    const BEGIN: &[u8] = b"-----BEGIN ";
    let is_begin = |window: &[u8]| window == BEGIN;
    let start = bytes.windows(BEGIN.len()).position(is_begin);
    let block = start.and_then(|start| bytes.get(start..)).unwrap_or(bytes);
    let is_padding = |byte: &u8| *byte == 0 || byte.is_ascii_whitespace();
    let end = block.iter().rposition(|byte| !is_padding(byte));
    end.and_then(|end| block.get(..=end)).unwrap_or_default()
}

const SEQUENCE: u8 = 0x30;
