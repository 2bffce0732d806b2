//! Reading a certificate, and checking a chain of them up to a root that the caller trusts.

mod certificate;
mod verify;

pub use certificate::{Certificate, CertificateError};
pub use verify::{ChainError, DeviceCertificate, MAX_CERTIFICATES, VerifiedChain};

pub(crate) use certificate::CertificateParts;
