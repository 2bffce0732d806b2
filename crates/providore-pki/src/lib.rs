#![no_std]
//! Certificates for devices: signing requests, a local CA, chains, renewal advice, revocation lists.
//!
//! It does not open sockets or files, read a clock, draw random numbers, decide who may have a
//! certificate, or keep a record of what was issued: times and entropy are arguments, and the
//! policy and the log live in `providore-server-core`.
//!
//! A device writes its request into a buffer of its own, without an allocator:
//!
//! ```
//! use providore_pki::{SoftwareKey, csr};
//! use providore_wire::DeviceId;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let device: DeviceId = "esp32-0001".parse()?;
//! // Fresh bytes of the hardware's random generator, kept as the device's identity from now on.
//! let random = [7; 32];
//! let mut key = SoftwareKey::from_scalar(&random)?;
//!
//! let mut buffer = [0; csr::MAX_PEM_LEN];
//! let request = csr::write_pem(&mut key, &device, &mut buffer)?;
//! assert!(request.starts_with("-----BEGIN CERTIFICATE REQUEST-----\n"));
//! # Ok(())
//! # }
//! ```
//!
//! # Modules
//!
//! | module | holds |
//! |---|---|
//! | [`key`] | the [`DeviceKey`] trait, [`SoftwareKey`], public keys and signatures |
//! | [`csr`] | writing a PKCS#10 request; with `alloc` checking one: `VerifiedCsr` |
//! | [`renewal`] | when to ask for the next certificate |
//! | [`serial`] | serial numbers |
//! | `ca` | `alloc`: the `CertificateAuthority` trait, what is issued, `LocalCa` |
//! | `profile` | `alloc`: client and server certificates, alternative names |
//! | `chain` | `alloc`: reading a certificate, checking a chain |
//! | `crl` | `alloc`: revocation lists |
//! | `manifest` | `manifest`: what the author of firmware signs; with `alloc` signing it |
//!
//! # Features
//!
//! No feature is on by default, and none brings `std`.
//!
//! | feature | adds |
//! |---|---|
//! | `alloc` | checking requests, the local CA, chains, revocation lists, PKCS#8 key files |
//! | `p384` | P-384 keys in requests, P-384 issuers in chains |
//! | `rsa` | RSA-2048 to RSA-4096 keys in requests, RSA issuers in chains (verifying only, by aws-lc-rs) |
//! | `encrypted-keys` | key files under a password (PKCS#8, PBES2) |
//! | `manifest` | firmware manifests (COSE): checking without an allocator, signing with `alloc` |
//!
//! Where a program is built with `--cfg=sha2_backend_soft="compact"`, as small devices are, signatures
//! are verified in 17 KB less flash than by `p256`, by a slower implementation of our own.

#[cfg(feature = "alloc")]
extern crate alloc;

#[cfg(feature = "alloc")]
pub mod ca;
#[cfg(feature = "alloc")]
pub mod chain;
#[cfg(feature = "alloc")]
pub mod crl;
pub mod csr;
#[cfg(feature = "alloc")]
mod elements;
pub mod key;
#[cfg(feature = "manifest")]
pub mod manifest;
#[cfg(feature = "alloc")]
mod peer_key;
mod pem;
#[cfg(feature = "alloc")]
pub mod profile;
pub mod renewal;
pub mod serial;
#[cfg(feature = "alloc")]
mod time;
mod tlv;

#[doc(no_inline)]
pub use providore_wire;
#[doc(no_inline)]
pub use zeroize;

#[cfg(feature = "alloc")]
pub use ca::{CertificateAuthority, IssuedCertificate, LocalCa};
#[cfg(feature = "alloc")]
pub use chain::{Certificate, DeviceCertificate, VerifiedChain};
#[cfg(feature = "alloc")]
pub use csr::VerifiedCsr;
pub use key::{DeviceKey, KeyError, PublicKey, Signature, SoftwareKey};
#[cfg(feature = "alloc")]
pub use peer_key::{KeyAlgorithm, KeyPolicyError};
#[cfg(feature = "alloc")]
pub use profile::Profile;
pub use serial::SerialNumber;
#[cfg(feature = "alloc")]
pub use time::{Validity, ValidityError};
