//! Certificate signing requests (PKCS#10, RFC 2986): a device writes one, a server checks it.

#[cfg(feature = "alloc")]
mod check;
#[cfg(feature = "alloc")]
mod parse;
mod write;

#[cfg(feature = "alloc")]
pub use check::{CsrError, MAX_LEN, VerifiedCsr};
#[cfg(feature = "alloc")]
pub use parse::{MAX_ATTRIBUTES, MAX_EXTENSIONS, MAX_SUBJECT_PARTS};
pub use write::{CsrWriteError, MAX_DER_LEN, MAX_PEM_LEN, write_der, write_pem};
#[cfg(feature = "alloc")]
pub(crate) use write::{ECDSA_WITH_SHA256, write_common_name, write_signed};
