//! A store that several servers share and that can be told to fail.

use alloc::sync::Arc;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use providore_pki::crl::Revocation;
use providore_server_core::{
    CertificateLog, ConfigStore, Device, DeviceStore, Document, Failure, FirmwareStore, Image,
    Issued, ListRules, Release, StoreError,
};
use providore_wire::{DeviceId, Dialect, FirmwareVersion, Timestamp};

/// A store that several servers share, one after the other or at once: a clone is the same store.
///
/// Whatever is named in [`fail`](Self::fail) fails until [`heal`](Self::heal): `device`,
/// `pin_dialect`, `promote_secret`, `config`, `image`, `has_image`, `read` (of an image), `tear` (an image reads
/// as zeros), `manifest`, `failures`, `note_failure`, `forget_failure`, `append`, `issued`, `revoke`,
/// `revocations`, `is_key_forbidden`.
#[derive(Debug)]
pub struct SharedStore<S> {
    inner: Arc<S>,
    faults: Faults,
}

#[derive(Debug, Clone, Default)]
struct Faults(Arc<Mutex<Vec<&'static str>>>);

impl Faults {
    fn check(&self, what: &str) -> Result<(), StoreError> {
        let faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if faults.contains(&what) {
            return Err(StoreError::message(format!("told to fail: {what}")));
        }
        Ok(())
    }
}

impl<S> SharedStore<S> {
    /// Shares a store.
    #[must_use]
    pub fn new(store: S) -> Self {
        Self {
            inner: Arc::new(store),
            faults: Faults::default(),
        }
    }

    /// From now on, `what` fails.
    pub fn fail(&self, what: &'static str) {
        let mut faults = self.faults.0.lock().unwrap_or_else(PoisonError::into_inner);
        faults.push(what);
    }

    /// Nothing fails any more.
    pub fn heal(&self) {
        let mut faults = self.faults.0.lock().unwrap_or_else(PoisonError::into_inner);
        faults.clear();
    }
}

impl<S> Clone for SharedStore<S> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            faults: self.faults.clone(),
        }
    }
}

impl<S> core::ops::Deref for SharedStore<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.inner
    }
}

impl<S: DeviceStore> DeviceStore for SharedStore<S> {
    async fn device(&self, id: &DeviceId) -> Result<Option<Arc<Device>>, StoreError> {
        self.faults.check("device")?;
        self.inner.device(id).await
    }

    async fn pin_dialect(&self, id: &DeviceId, dialect: Dialect) -> Result<(), StoreError> {
        self.faults.check("pin_dialect")?;
        self.inner.pin_dialect(id, dialect).await
    }

    async fn promote_secret(&self, id: &DeviceId, check: [u8; 8]) -> Result<(), StoreError> {
        self.faults.check("promote_secret")?;
        self.inner.promote_secret(id, check).await
    }
}

impl<S: ConfigStore> ConfigStore for SharedStore<S> {
    async fn config(
        &self,
        device: &Device,
        release: Option<&Release>,
    ) -> Result<Option<Document>, StoreError> {
        self.faults.check("config")?;
        self.inner.config(device, release).await
    }
}

impl<S: FirmwareStore> FirmwareStore for SharedStore<S> {
    type Image = SharedImage<S::Image>;

    async fn image(&self, release: &Release) -> Result<Option<Self::Image>, StoreError> {
        self.faults.check("image")?;
        let image = self.inner.image(release).await?;
        let faults = self.faults.clone();
        Ok(image.map(|inner| SharedImage { inner, faults }))
    }

    async fn has_image(&self, release: &Release) -> Result<bool, StoreError> {
        self.faults.check("has_image")?;
        self.inner.has_image(release).await
    }

    async fn manifest(&self, release: &Release) -> Result<Option<Bytes>, StoreError> {
        self.faults.check("manifest")?;
        self.inner.manifest(release).await
    }

    async fn failures(&self, device: &DeviceId) -> Result<Vec<Failure>, StoreError> {
        self.faults.check("failures")?;
        self.inner.failures(device).await
    }

    async fn note_failure(&self, device: &DeviceId, failure: &Failure) -> Result<(), StoreError> {
        self.faults.check("note_failure")?;
        self.inner.note_failure(device, failure).await
    }

    async fn forget_failure(
        &self,
        device: &DeviceId,
        version: &FirmwareVersion,
    ) -> Result<(), StoreError> {
        self.faults.check("forget_failure")?;
        self.inner.forget_failure(device, version).await
    }
}

/// An image of a [`SharedStore`].
#[derive(Debug, Clone)]
pub struct SharedImage<I> {
    inner: I,
    faults: Faults,
}

impl<I: Image> Image for SharedImage<I> {
    fn size(&self) -> u64 {
        self.inner.size()
    }

    fn sha256(&self) -> [u8; 32] {
        self.inner.sha256()
    }

    async fn read(&self, offset: u64, length: usize) -> Result<Bytes, StoreError> {
        self.faults.check("read")?;
        let bytes = self.inner.read(offset, length).await?;
        Ok(match self.faults.check("tear") {
            Ok(()) => bytes,
            Err(_) => vec![0; bytes.len()].into(),
        })
    }
}

impl<S: CertificateLog> CertificateLog for SharedStore<S> {
    async fn append(&self, entry: Issued) -> Result<(), StoreError> {
        self.faults.check("append")?;
        self.inner.append(entry).await
    }

    async fn issued(&self, device: &DeviceId) -> Result<Vec<Arc<Issued>>, StoreError> {
        self.faults.check("issued")?;
        self.inner.issued(device).await
    }

    async fn revoke(&self, revocation: Revocation) -> Result<(), StoreError> {
        self.faults.check("revoke")?;
        self.inner.revoke(revocation).await
    }

    async fn revocations(
        &self,
        now: Timestamp,
        rules: &ListRules,
    ) -> Result<Vec<Revocation>, StoreError> {
        self.faults.check("revocations")?;
        self.inner.revocations(now, rules).await
    }

    async fn is_key_forbidden(&self, key_sha256: &[u8; 32]) -> Result<bool, StoreError> {
        self.faults.check("is_key_forbidden")?;
        self.inner.is_key_forbidden(key_sha256).await
    }
}
