//! Writing a request without an allocator.
//!
//! ```text
//! CertificationRequest ::= SEQUENCE { CertificationRequestInfo, AlgorithmIdentifier, BIT STRING }
//! CertificationRequestInfo ::= SEQUENCE {
//!     version       INTEGER { v1(0) },
//!     subject       Name,
//!     subjectPKInfo SubjectPublicKeyInfo,
//!     attributes    [0] Attributes }
//! ```
//!
//! (RFC 2986, 4.1 and 4.2.) The subject is the device id as only common name, and there are no
//! attributes: the server writes the certificate's subject and names itself.

use providore_wire::DeviceId;

use crate::{
    key::{DeviceKey, KeyError, PublicKey, Signature},
    pem,
    tlv::{self, BackWriter, Full},
};

/// The longest request in bytes: a device id of 64 bytes, a signature of 72.
pub const MAX_DER_LEN: usize = 267;

/// The longest request as PEM with its line ends.
pub const MAX_PEM_LEN: usize = 432;

/// Why a request was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CsrWriteError {
    /// The key did not give its public half or did not sign.
    #[error("the device key cannot be used")]
    Key(#[from] KeyError),
    /// [`MAX_DER_LEN`] or [`MAX_PEM_LEN`] bytes are always enough.
    #[error("the buffer is too small for the request")]
    BufferTooSmall,
}

impl From<Full> for CsrWriteError {
    fn from(_: Full) -> Self {
        Self::BufferTooSmall
    }
}

/// Writes a request for `device` as DER into the tail of `buffer` and returns that part.
///
/// ```
/// use providore_pki::{SoftwareKey, csr};
///
/// let mut key = SoftwareKey::from_scalar(&[7; 32])?;
/// let mut buffer = [0; csr::MAX_DER_LEN];
/// let request = csr::write_der(&mut key, &"esp32-0001".parse()?, &mut buffer)?;
/// assert_eq!(request.first(), Some(&0x30));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`CsrWriteError::Key`], [`CsrWriteError::BufferTooSmall`].
pub fn write_der<'a>(
    key: &mut dyn DeviceKey,
    device: &DeviceId,
    buffer: &'a mut [u8],
) -> Result<&'a [u8], CsrWriteError> {
    let mut info_buffer = [0; MAX_INFO_LEN];
    let info = write_info(&key.public_key()?, device, &mut info_buffer)?;
    let signature = key.sign(info)?;

    Ok(write_signed(info, &signature, buffer)?)
}

/// Writes a request for `device` as PEM (RFC 7468, 7; lines end in LF) to the front of `buffer`.
///
/// # Errors
/// [`CsrWriteError::Key`], [`CsrWriteError::BufferTooSmall`].
pub fn write_pem<'a>(
    key: &mut dyn DeviceKey,
    device: &DeviceId,
    buffer: &'a mut [u8],
) -> Result<&'a str, CsrWriteError> {
    let mut der = [0; MAX_DER_LEN];
    let der = write_der(key, device, &mut der)?;
    pem::write(pem::REQUEST, der, buffer).ok_or(CsrWriteError::BufferTooSmall)
}

/// `SEQUENCE { body, AlgorithmIdentifier, signature BIT STRING }`: the shape of requests,
/// certificates and revocation lists alike.
pub(crate) fn write_signed<'a>(
    body: &[u8],
    signature: &Signature,
    buffer: &'a mut [u8],
) -> Result<&'a [u8], Full> {
    let mut writer = BackWriter::new(buffer);
    let end = writer.end();
    signature.write(&mut writer)?;
    writer.bytes(&[0])?; // no unused bits
    writer.enclose(tlv::BIT_STRING, end)?;
    writer.bytes(&ECDSA_WITH_SHA256)?;
    writer.bytes(body)?;
    writer.enclose(tlv::SEQUENCE, end)?;
    Ok(writer.finish())
}

fn write_info<'a>(
    key: &PublicKey,
    device: &DeviceId,
    buffer: &'a mut [u8],
) -> Result<&'a [u8], Full> {
    let mut writer = BackWriter::new(buffer);
    let end = writer.end();
    writer.bytes(&[0xa0, 0])?; // no attributes
    writer.bytes(&key.to_spki_der())?;
    write_common_name(device.as_str(), &mut writer)?;
    writer.unsigned(&[0])?; // v1
    writer.enclose(tlv::SEQUENCE, end)?;
    Ok(writer.finish())
}

/// A `Name` of one common name, as `UTF8String` (RFC 5280, 4.1.2.4).
pub(crate) fn write_common_name(name: &str, writer: &mut BackWriter<'_>) -> Result<(), Full> {
    let end = writer.end();
    writer.element(tlv::UTF8_STRING, name.as_bytes())?;
    writer.element(tlv::OBJECT_IDENTIFIER, &ID_AT_COMMON_NAME)?;
    writer.enclose(tlv::SEQUENCE, end)?;
    writer.enclose(tlv::SET, end)?;
    writer.enclose(tlv::SEQUENCE, end)
}

const MAX_INFO_LEN: usize = 176;

// 2.5.4.3
const ID_AT_COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];

// AlgorithmIdentifier of ecdsa-with-SHA256, 1.2.840.10045.4.3.2, parameters absent (RFC 5758, 3.2)
pub(crate) const ECDSA_WITH_SHA256: [u8; 12] = [
    0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SoftwareKey;

    /// A key whose signatures take the longest form.
    #[derive(Debug)]
    struct LongSignatures(SoftwareKey);

    impl DeviceKey for LongSignatures {
        fn public_key(&mut self) -> Result<PublicKey, KeyError> {
            Ok(self.0.public_key())
        }

        fn sign(&mut self, _: &[u8]) -> Result<Signature, KeyError> {
            Signature::from_fixed(&[0x80; 64])
        }
    }

    fn long_request() -> (LongSignatures, DeviceId) {
        let key = SoftwareKey::from_scalar(&[1; 32]).unwrap();
        let device = core::str::from_utf8(&[b'i'; 64]).unwrap().parse().unwrap();
        (LongSignatures(key), device)
    }

    #[test]
    fn the_longest_request_fills_the_buffers_exactly() {
        let (mut key, device) = long_request();
        let mut buffer = [0; MAX_DER_LEN];
        let der = write_der(&mut key, &device, &mut buffer).unwrap();
        assert_eq!(der.len(), MAX_DER_LEN);

        let mut buffer = [0; MAX_PEM_LEN];
        let pem = write_pem(&mut key, &device, &mut buffer).unwrap();
        assert_eq!(pem.len(), MAX_PEM_LEN);
    }

    #[test]
    fn a_short_buffer_is_an_error() {
        let (mut key, device) = long_request();
        for length in 0..MAX_DER_LEN {
            let outcome = write_der(&mut key, &device, &mut [0; MAX_DER_LEN][..length]).err();
            assert_eq!(outcome, Some(CsrWriteError::BufferTooSmall));
        }
        let outcome = write_pem(&mut key, &device, &mut [0; MAX_PEM_LEN - 1]).err();
        assert_eq!(outcome, Some(CsrWriteError::BufferTooSmall));
    }
}
