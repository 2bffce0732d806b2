//! All stores in memory: for tests, simulations and a server that keeps nothing.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    vec::Vec,
};

use async_lock::Mutex;
use bytes::Bytes;
use providore_pki::{SerialNumber, crl::Revocation};
use providore_wire::{DeviceId, Dialect, FirmwareVersion, Timestamp};

use crate::{
    CertificateLog, ConfigStore, Device, DeviceStore, Document, Failure, FirmwareStore, Image,
    Issued, ListRules, Release, StoreError, key_sha256, not_revoked, revoked_at,
};

/// Devices, configurations, images and certificates in memory.
///
/// ```
/// use providore_server_core::{Device, Dialect, DeviceStore, MemoryStore};
///
/// let store = MemoryStore::default();
/// let device = Device::new("dev1".parse()?, b"a secret", Dialect::Original)?;
/// # futures_lite::future::block_on(async {
/// store.put_device(device).await;
/// store.put_config("dev1".parse()?, None, br#"{"interval":60}"#.to_vec()).await;
/// assert!(store.device(&"dev1".parse()?).await?.is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct MemoryStore {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    devices: BTreeMap<DeviceId, Arc<Device>>,
    configs: BTreeMap<(DeviceId, Option<FirmwareVersion>), Document>,
    images: BTreeMap<(FirmwareVersion, FirmwareVersion), MemoryImage>,
    manifests: BTreeMap<(FirmwareVersion, FirmwareVersion), Bytes>,
    failures: BTreeMap<DeviceId, BTreeMap<FirmwareVersion, Failure>>,
    issued: BTreeMap<DeviceId, Vec<Arc<Issued>>>,
    serials: BTreeSet<SerialNumber>,
    revoked: Vec<Revocation>,
}

impl MemoryStore {
    /// Adds or replaces a device.
    pub async fn put_device(&self, device: Device) {
        self.inner
            .lock()
            .await
            .devices
            .insert(device.id.clone(), Arc::new(device));
    }

    /// Adds or replaces the configuration of a device for a version, or (`None`) for all that have
    /// none of their own.
    pub async fn put_config(
        &self,
        device: DeviceId,
        version: Option<FirmwareVersion>,
        config: impl Into<Bytes>,
    ) {
        let document = Document::new(config.into());
        self.inner
            .lock()
            .await
            .configs
            .insert((device, version), document);
    }

    /// Adds or replaces the image of a version for a type of hardware.
    pub async fn put_image(
        &self,
        hardware: FirmwareVersion,
        version: FirmwareVersion,
        image: impl Into<Bytes>,
    ) {
        let document = Document::new(image.into());
        let image = MemoryImage(document);
        self.inner
            .lock()
            .await
            .images
            .insert((hardware, version), image);
    }

    /// Adds or replaces the manifest of a version for a type of hardware.
    pub async fn put_manifest(
        &self,
        hardware: FirmwareVersion,
        version: FirmwareVersion,
        manifest: impl Into<Bytes>,
    ) {
        let manifests = &mut self.inner.lock().await.manifests;
        manifests.insert((hardware, version), manifest.into());
    }
}

impl DeviceStore for MemoryStore {
    async fn device(&self, id: &DeviceId) -> Result<Option<Arc<Device>>, StoreError> {
        Ok(self.inner.lock().await.devices.get(id).cloned())
    }

    async fn pin_dialect(&self, id: &DeviceId, dialect: Dialect) -> Result<(), StoreError> {
        if let Some(device) = self.inner.lock().await.devices.get_mut(id)
            && device.dialect < dialect
        {
            Arc::make_mut(device).dialect = dialect;
        }
        Ok(())
    }

    async fn promote_secret(&self, id: &DeviceId, check: [u8; 8]) -> Result<(), StoreError> {
        let mut inner = self.inner.lock().await;
        let device = inner.devices.get_mut(id);
        let device = device.ok_or_else(|| StoreError::message("device is not known"))?;
        if device.key_check() == check {
            return Ok(());
        }
        if device.next_key_check() != Some(check) {
            return Err(StoreError::message("no such secret waits"));
        }
        *device = Arc::new(Device::clone(device).promoted());
        Ok(())
    }
}

impl ConfigStore for MemoryStore {
    async fn config(
        &self,
        device: &Device,
        release: Option<&Release>,
    ) -> Result<Option<Document>, StoreError> {
        let configs = &self.inner.lock().await.configs;
        let version = release.map(|release| release.version.clone());
        let own = configs.get(&(device.id.clone(), version));
        Ok(own
            .or_else(|| configs.get(&(device.id.clone(), None)))
            .cloned())
    }
}

impl FirmwareStore for MemoryStore {
    type Image = MemoryImage;

    async fn image(&self, release: &Release) -> Result<Option<MemoryImage>, StoreError> {
        let name = (release.hardware.clone(), release.version.clone());
        Ok(self.inner.lock().await.images.get(&name).cloned())
    }

    async fn has_image(&self, release: &Release) -> Result<bool, StoreError> {
        Ok(self.image(release).await?.is_some())
    }

    async fn manifest(&self, release: &Release) -> Result<Option<Bytes>, StoreError> {
        let name = (release.hardware.clone(), release.version.clone());
        Ok(self.inner.lock().await.manifests.get(&name).cloned())
    }

    async fn failures(&self, device: &DeviceId) -> Result<Vec<Failure>, StoreError> {
        let inner = self.inner.lock().await;
        let failures = inner.failures.get(device).into_iter();
        Ok(failures.flat_map(BTreeMap::values).cloned().collect())
    }

    async fn note_failure(&self, device: &DeviceId, failure: &Failure) -> Result<(), StoreError> {
        let failures = &mut self.inner.lock().await.failures;
        let failures = failures.entry(device.clone()).or_default();
        let known = failures.entry(failure.version.clone());
        known.or_insert_with(|| failure.clone());
        Ok(())
    }

    async fn forget_failure(
        &self,
        device: &DeviceId,
        version: &FirmwareVersion,
    ) -> Result<(), StoreError> {
        if let Some(failures) = self.inner.lock().await.failures.get_mut(device) {
            failures.remove(version);
        }
        Ok(())
    }
}

/// An image in memory.
#[derive(Debug, Clone)]
pub struct MemoryImage(Document);

impl Image for MemoryImage {
    fn size(&self) -> u64 {
        self.0.bytes().len() as u64
    }

    fn sha256(&self) -> [u8; 32] {
        *self.0.sha256()
    }

    async fn read(&self, offset: u64, length: usize) -> Result<Bytes, StoreError> {
        let bytes = self.0.bytes();
        let start = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        let end = start.saturating_add(length).min(bytes.len());
        Ok(bytes.slice(start..end))
    }
}

impl CertificateLog for MemoryStore {
    async fn append(&self, entry: Issued) -> Result<(), StoreError> {
        let inner = &mut *self.inner.lock().await;
        if !inner.serials.insert(entry.serial) {
            return Err(StoreError::message("serial number is taken"));
        }
        inner
            .issued
            .entry(entry.device.clone())
            .or_default()
            .push(Arc::new(entry));
        Ok(())
    }

    async fn issued(&self, device: &DeviceId) -> Result<Vec<Arc<Issued>>, StoreError> {
        let inner = self.inner.lock().await;
        let issued = inner.issued.get(device).map_or(&[][..], Vec::as_slice);
        let is_revoked =
            |serial: &SerialNumber| inner.revoked.iter().any(|known| known.serial() == serial);
        Ok(not_revoked(issued, is_revoked).to_vec())
    }

    async fn revoke(&self, revocation: Revocation) -> Result<(), StoreError> {
        let revoked = &mut self.inner.lock().await.revoked;
        let mut known = revoked.iter_mut();
        match known.find(|known| known.serial() == revocation.serial()) {
            Some(known) if revocation.forbids_key() => *known = known.with_forbidden_key(),
            Some(_) => {}
            None => revoked.push(revocation),
        }
        Ok(())
    }

    async fn revocations(
        &self,
        now: Timestamp,
        rules: &ListRules,
    ) -> Result<Vec<Revocation>, StoreError> {
        let inner = self.inner.lock().await;
        let issued = inner.issued.values().map(Vec::as_slice);
        Ok(revoked_at(issued, &inner.revoked, now, rules))
    }

    async fn is_key_forbidden(&self, key: &[u8; 32]) -> Result<bool, StoreError> {
        let inner = self.inner.lock().await;
        let forbidding = |serial: &SerialNumber| {
            let mut revoked = inner.revoked.iter();
            revoked.any(|known| known.serial() == serial && known.forbids_key())
        };
        let mut issued = inner.issued.values().flatten();
        Ok(issued.any(|entry| forbidding(&entry.serial) && key_sha256(entry) == Some(*key)))
    }
}
