//! What the server needs to look up and write down: four small async traits.
//!
//! Implementations are shared between requests and take `&self`. Each look-up sees a consistent
//! state; each write is durable before its future is ready.

use alloc::{boxed::Box, string::String, sync::Arc, vec::Vec};
use core::{fmt, future::Future};

use bytes::Bytes;
use providore_pki::{SerialNumber, crl::Revocation};
use providore_wire::{DeviceId, Dialect, FirmwareVersion, Timestamp};

use crate::{Device, Failure, Release};

/// Finds devices, and keeps what became of their dialects and secrets.
///
/// The two changes are asked for by the server when a device has proved that it can do better.
/// Dropping their future leaves a change whole: made or not.
pub trait DeviceStore: Send + Sync {
    /// The record of a device, also of a disabled one; `None` for a stranger.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be told.
    fn device(
        &self,
        id: &DeviceId,
    ) -> impl Future<Output = Result<Option<Arc<Device>>, StoreError>> + Send;

    /// Raises the weakest dialect that is accepted from a device to `dialect`. One that is there
    /// already or is stronger stays; a stranger is left a stranger.
    ///
    /// [`device`](Self::device) shows it when this is ready, and it is durable then. All devices
    /// of a fleet may come at once.
    ///
    /// # Errors
    /// [`StoreError`]: the record is as it was.
    fn pin_dialect(
        &self,
        id: &DeviceId,
        dialect: Dialect,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Makes the next secret of a device its only one, if its [`Device::next_key_check`] is still
    /// `check`. If the [`Device::key_check`] of the present one is `check`, that was done before,
    /// and nothing changes.
    ///
    /// [`device`](Self::device) shows it when this is ready, and it is durable then.
    ///
    /// # Security
    /// The device forgets the old secret when it hears an answer that is signed with the new one:
    /// a promotion that is ready before it is durable lets a power cut lock the device out.
    ///
    /// # Errors
    /// [`StoreError`], also where no such secret waits (the operator may have replaced it
    /// meanwhile) or the device is not known: the record is as it was.
    fn promote_secret(
        &self,
        id: &DeviceId,
        check: [u8; 8],
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Finds configurations.
pub trait ConfigStore: Send + Sync {
    /// The configuration of a device for a release; `release` is `None` for a device that has
    /// none. `None` if there is no configuration.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be told.
    fn config(
        &self,
        device: &Device,
        release: Option<&Release>,
    ) -> impl Future<Output = Result<Option<Document>, StoreError>> + Send;
}

/// Finds firmware images and their manifests, and remembers which release failed on which device.
///
/// # Security
/// A [`note_failure`](Self::note_failure) that is ready before it is durable lets a power cut forget
/// it, and the device is led into the same failure again.
pub trait FirmwareStore: Send + Sync {
    /// An image that can be read in pieces.
    type Image: Image;

    /// The image of a release; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be told.
    fn image(
        &self,
        release: &Release,
    ) -> impl Future<Output = Result<Option<Self::Image>, StoreError>> + Send;

    /// The manifest of a release, as its author has signed it: at most
    /// [`Manifest::MAX_LEN`](providore_pki::manifest::Manifest::MAX_LEN) bytes. `None` if it was
    /// published without one.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be told.
    fn manifest(
        &self,
        release: &Release,
    ) -> impl Future<Output = Result<Option<Bytes>, StoreError>> + Send;

    /// The releases that failed on a device, in any order.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be told.
    fn failures(
        &self,
        device: &DeviceId,
    ) -> impl Future<Output = Result<Vec<Failure>, StoreError>> + Send;

    /// Writes down that a release failed on a device; of one that is there already the first
    /// failure stays.
    ///
    /// A server only notes releases in the device's record, so that there are never more of them
    /// than it has releases. All devices of a fleet may come at once.
    ///
    /// # Errors
    /// [`StoreError`]: it is not written down.
    fn note_failure(
        &self,
        device: &DeviceId,
        failure: &Failure,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Forgets that a release failed on a device, if it did; durable when this is ready.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is forgotten.
    fn forget_failure(
        &self,
        device: &DeviceId,
        version: &FirmwareVersion,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// An open firmware image. What it is does not change while it is open, whatever happens to its
/// name meanwhile.
pub trait Image: Clone + Send + Sync {
    /// The size in bytes.
    fn size(&self) -> u64;

    /// The SHA-256 of the whole image.
    fn sha256(&self) -> [u8; 32];

    /// Up to `length` bytes from `offset`, at least one unless `offset` is the end.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    fn read(
        &self,
        offset: u64,
        length: usize,
    ) -> impl Future<Output = Result<Bytes, StoreError>> + Send;
}

/// Remembers what was issued and what was revoked. It only grows; nothing acknowledged is lost.
///
/// # Security
/// An [`append`](Self::append) that is ready before the entry is durable lets a power cut forget a
/// certificate that is in use: it could never be revoked.
pub trait CertificateLog: Send + Sync {
    /// Writes down a certificate before it is handed out, unless its serial number is there already.
    ///
    /// Dropping the future leaves the entry whole: written or not.
    ///
    /// # Errors
    /// [`StoreError`]: the certificate must not be handed out.
    fn append(&self, entry: Issued) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// What was issued to a device, oldest first, after the last that was revoked by hand: neither
    /// that one nor what it superseded is ever handed out again. See [`not_revoked`].
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be told.
    fn issued(
        &self,
        device: &DeviceId,
    ) -> impl Future<Output = Result<Vec<Arc<Issued>>, StoreError>> + Send;

    /// Writes down a revocation; one that is there already is left as it is.
    ///
    /// # Errors
    /// [`StoreError`]: the certificate is not revoked.
    fn revoke(&self, revocation: Revocation)
    -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The certificates that are revoked at `now`, among them those that were superseded at least
    /// `overlap_s` seconds ago, less those that have expired.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be told.
    fn revocations(
        &self,
        now: Timestamp,
        overlap_s: u32,
    ) -> impl Future<Output = Result<Vec<Revocation>, StoreError>> + Send;
}

/// A certificate in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "stores write it as a literal")]
pub struct Issued {
    /// The device it was issued to.
    pub device: DeviceId,
    /// Its serial number.
    pub serial: SerialNumber,
    /// The SHA-256 of the CSR.
    pub csr_sha256: [u8; 32],
    /// When it was issued.
    pub at: Timestamp,
    /// When it ends.
    pub not_after: Timestamp,
    /// The certificate and its intermediates, in PEM, without the root.
    pub chain_pem: String,
}

/// A configuration in memory, with the digest that names it. It may hold passwords: `{:?}` shows
/// how long it is and nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    bytes: Bytes,
    sha256: [u8; 32],
}

impl Document {
    /// The longest configuration in bytes: what a server is willing to hold per device, and far
    /// more than a microcontroller can.
    pub const MAX_LEN: usize = 1024 * 1024;

    /// Takes the bytes and computes their digest.
    #[must_use]
    pub fn new(bytes: Bytes) -> Self {
        use sha2::Digest as _;
        let sha256 = sha2::Sha256::digest(&bytes).into();
        Self { bytes, sha256 }
    }

    /// The bytes; cloning is cheap.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The SHA-256 of the bytes.
    #[must_use]
    pub const fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Document({} bytes)", self.bytes.len())
    }
}

/// A store could not do what it was asked: what it tried, and why that failed.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct StoreError {
    what: String,
    #[source]
    source: Option<Box<dyn core::error::Error + Send + Sync>>,
}

impl StoreError {
    /// A fault with its cause.
    pub fn new(
        what: impl Into<String>,
        source: impl Into<Box<dyn core::error::Error + Send + Sync>>,
    ) -> Self {
        Self {
            what: what.into(),
            source: Some(source.into()),
        }
    }

    /// A fault that has no further cause.
    pub fn message(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            source: None,
        }
    }
}

/// What was issued to a device after the last certificate that was revoked by hand; for implementors
/// of [`CertificateLog`].
pub fn not_revoked(
    issued: &[Arc<Issued>],
    is_revoked: impl Fn(&SerialNumber) -> bool,
) -> &[Arc<Issued>] {
    issued
        .rsplit(|entry| is_revoked(&entry.serial))
        .next()
        .unwrap_or_default()
}

/// The revocations among what was issued and what was revoked by hand; for implementors of
/// [`CertificateLog`].
///
/// A certificate that was followed by another of the same device counts as superseded from then
/// on, and is revoked when the overlap is over: make before break.
pub fn revoked_at<'a>(
    issued_per_device: impl IntoIterator<Item = &'a [Arc<Issued>]>,
    by_hand: impl IntoIterator<Item = &'a Revocation>,
    now: Timestamp,
    overlap_s: u32,
) -> Vec<Revocation> {
    use alloc::collections::BTreeMap;
    use providore_pki::crl::RevocationReason;

    let unix = |at: Timestamp| u64::try_from(at.unix()).unwrap_or(0);
    let mut revoked: BTreeMap<SerialNumber, Revocation> = BTreeMap::new();
    for issued in issued_per_device {
        for pair in issued.windows(2) {
            let [old, new] = pair else { continue };
            let at = new.at.saturating_add(i64::from(overlap_s));
            if at <= now {
                let (at, end) = (unix(at), unix(old.not_after));
                let reason = RevocationReason::Superseded;
                revoked.insert(old.serial, Revocation::new(old.serial, at, end, reason));
            }
        }
    }
    revoked.extend(by_hand.into_iter().map(|entry| (*entry.serial(), *entry)));
    revoked
        .into_values()
        .filter(|entry| entry.expires_unix() >= unix(now))
        .collect()
}
