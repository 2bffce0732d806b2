//! What the server needs to look up and write down: four small async traits.
//!
//! Implementations are shared between requests and take `&self`. Each look-up sees a consistent
//! state; each write is durable before its future is ready.

use alloc::{boxed::Box, string::String, sync::Arc, vec::Vec};
use core::{fmt, future::Future};

use bytes::Bytes;
use providore_pki::{
    Certificate, SerialNumber,
    crl::{Revocation, RevocationReason, prune},
};
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

    /// Whether [`image`](Self::image) would find one. Asked before a release is offered, so it should
    /// not read the image.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be told.
    fn has_image(&self, release: &Release)
    -> impl Future<Output = Result<bool, StoreError>> + Send;

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
    /// Writes down a certificate, durably, before it is handed out.
    ///
    /// A serial number is taken once: an entry whose number is there already, for whichever device, is
    /// an error and changes nothing, even if the two entries are equal. Dropping the future leaves
    /// the entry whole: written or not.
    ///
    /// # Errors
    /// [`StoreError`] if the serial number is taken or the entry is not written: the certificate must
    /// not be handed out.
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

    /// Writes down a revocation. One that is there already is left as it is, but for its key, which a
    /// later one can forbid as well.
    ///
    /// # Errors
    /// [`StoreError`]: the certificate is not revoked.
    fn revoke(&self, revocation: Revocation)
    -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The certificates that a revocation list of `now` names: those revoked by hand, and those that
    /// were superseded if `rules` say so. See [`revoked_at`].
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be told.
    fn revocations(
        &self,
        now: Timestamp,
        rules: &ListRules,
    ) -> impl Future<Output = Result<Vec<Revocation>, StoreError>> + Send;

    /// Whether a certificate on this key was revoked in a way that forbids the key
    /// ([`Revocation::forbids_key`]), for whichever device. The key is named by the SHA-256 of its
    /// `SubjectPublicKeyInfo` ([`VerifiedCsr::key_fingerprint`](providore_pki::VerifiedCsr::key_fingerprint)).
    ///
    /// # Security
    /// Whoever stole a key must not get another certificate for it. An implementation that several
    /// processes write to answers with what they have written until now, not until a while ago.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be told.
    fn is_key_forbidden(
        &self,
        key_sha256: &[u8; 32],
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

/// Which certificates a revocation list names beside those that were revoked by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "settings are written as literals"
)]
pub struct ListRules {
    /// A certificate is listed as superseded so many seconds after its successor was issued; `None`:
    /// never.
    pub superseded_after_s: Option<u32>,
    /// A certificate that has expired is listed for so many seconds more. With the lifetime of a
    /// list it stands on at least one list that was issued after it expired (RFC 5280, 3.3).
    pub keep_expired_s: u32,
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
    /// The longest configuration in bytes, as the protocol has it.
    pub const MAX_LEN: usize = providore_wire::MAX_CONFIG_LEN;

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
/// A certificate that was followed by another of the same device counts as superseded when the
/// overlap of `rules` is over: make before break.
pub fn revoked_at<'a>(
    issued_per_device: impl IntoIterator<Item = &'a [Arc<Issued>]>,
    by_hand: impl IntoIterator<Item = &'a Revocation>,
    now: Timestamp,
    rules: &ListRules,
) -> Vec<Revocation> {
    use alloc::collections::BTreeMap;

    let mut revoked: BTreeMap<SerialNumber, Revocation> = BTreeMap::new();
    if let Some(overlap_s) = rules.superseded_after_s {
        let pairs = issued_per_device
            .into_iter()
            .flat_map(|issued| issued.windows(2));
        revoked.extend(pairs.filter_map(|pair| superseded(pair, now, overlap_s)));
    }
    revoked.extend(by_hand.into_iter().map(|entry| (*entry.serial(), *entry)));
    let mut revoked: Vec<_> = revoked.into_values().collect();
    let kept_s = i64::from(rules.keep_expired_s);
    prune(
        &mut revoked,
        unix(now.saturating_add(kept_s.saturating_neg())),
    );
    revoked
}

/// The revocation of the first of two certificates of one device that follow on each other.
fn superseded(
    pair: &[Arc<Issued>],
    now: Timestamp,
    overlap_s: u32,
) -> Option<(SerialNumber, Revocation)> {
    let [old, new] = pair else { return None };
    let at = new.at.saturating_add(i64::from(overlap_s));
    let reason = RevocationReason::Superseded;
    let revocation = Revocation::new(old.serial, unix(at), unix(old.not_after), reason);
    (at <= now).then_some((old.serial, revocation))
}

fn unix(at: Timestamp) -> u64 {
    u64::try_from(at.unix()).unwrap_or(0)
}

/// The key of a certificate as [`CertificateLog::is_key_forbidden`] names it; `None` if the entry
/// holds no certificate that can be read. For implementors of [`CertificateLog`].
#[must_use]
pub fn key_sha256(entry: &Issued) -> Option<[u8; 32]> {
    use sha2::Digest as _;
    let certificate = Certificate::first_of_pem(&entry.chain_pem).ok()?;
    Some(sha2::Sha256::digest(certificate.public_key_spki_der()).into())
}
