//! The store itself: where things lie, what is held in memory, and when it is read again.

use alloc::{format, string::String, sync::Arc, vec::Vec};
use core::{
    num::NonZeroUsize,
    sync::atomic::{AtomicU64, Ordering},
};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use lru::LruCache;
use providore_pki::{Certificate, crl::Revocation};
use providore_wire::{DeviceId, Dialect, FirmwareVersion, Timestamp};

use super::{
    changes::{Change, Changes},
    devices::{DeviceEdit, LoadError},
    failures,
    files::{Stamp, absent, beneath, read_bounded},
    image::{Digests, FileImage},
    log::{Log, LogRepair},
    manifest::{MANIFEST_FILE, Manifests},
    names::named,
    records::Records,
};
use crate::{
    CertificateLog, ConfigStore, Device, DeviceStore, Document, Failure, FirmwareStore, Issued,
    ListRules, Release, StoreError,
};

/// Configurations held in memory, and how long one may be to be held: 16 MiB in all.
const HELD_CONFIGS: NonZeroUsize = NonZeroUsize::new(1024).unwrap();
const HELD_CONFIG_LEN: usize = 16 * 1024;

/// Digests of images held in memory.
const HELD_DIGESTS: NonZeroUsize = NonZeroUsize::new(1024).unwrap();

/// The longest certificate file of an original server, in bytes.
const MAX_CERTIFICATE: usize = 64 * 1024;

/// Where the files lie.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "settings are written as literals"
)]
pub struct Layout {
    /// The devices file.
    pub devices: PathBuf,
    /// The folder with a folder of configurations for each device.
    pub config: PathBuf,
    /// The folder with images by type and version.
    pub firmware: PathBuf,
    /// The folder with the certificate log.
    pub certificates: PathBuf,
    /// The folder with a folder for each device on which firmware failed.
    pub failures: PathBuf,
}

impl Layout {
    /// The layout below one folder, with the names of the first Providore.
    #[must_use]
    pub fn below(folder: &Path) -> Self {
        Self {
            devices: folder.join("configStore/devices.json"),
            config: folder.join("configStore"),
            firmware: folder.join("firmwareStore"),
            certificates: folder.join("certificateStore"),
            failures: folder.join("failureStore"),
        }
    }

    /// The folder of a device's configurations.
    #[must_use]
    pub fn config_folder(&self, device: &DeviceId) -> PathBuf {
        named(&self.config, device.as_str())
    }

    /// The folder of a release: its image and its manifest.
    #[must_use]
    pub fn release_folder(&self, hardware: &FirmwareVersion, version: &FirmwareVersion) -> PathBuf {
        release_folder(&self.firmware, hardware, version)
    }

    /// The folder of what failed on a device.
    #[must_use]
    pub fn failure_folder(&self, device: &DeviceId) -> PathBuf {
        named(&self.failures, device.as_str())
    }

    /// The file of the certificate log.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.certificates.join("issued.jsonl")
    }
}

/// A configuration in memory: which file it was, and when that was looked at.
struct Held {
    stamp: Stamp,
    config: Document,
    epoch: u64,
}

/// Devices, configurations, images and certificates in files.
pub struct JsonStore {
    layout: Layout,
    records: Arc<Records>,
    changes: Changes,
    configs: Mutex<LruCache<PathBuf, Held>>,
    /// Counts [`JsonStore::refresh`]: between two of them a file is looked at once.
    epoch: AtomicU64,
    digests: Arc<Digests>,
    manifests: Arc<Manifests>,
    log: Log,
}

impl JsonStore {
    /// Opens a store; what is missing is an empty store, and folders are made when needed.
    ///
    /// # Errors
    /// [`LoadError`] if the devices file is there and cannot be used;
    /// [`LoadError::Log`] if the certificate log is damaged.
    pub fn open(layout: Layout) -> Result<Self, LoadError> {
        let records = Arc::new(Records::open(layout.devices.clone())?);
        let log = Log::open(&layout.log()).map_err(LoadError::Log)?;
        let changes = Changes::begin(Arc::clone(&records)).map_err(LoadError::Write)?;
        Ok(Self {
            layout,
            records,
            changes,
            configs: Mutex::new(LruCache::new(HELD_CONFIGS)),
            epoch: AtomicU64::new(0),
            digests: Arc::new(Digests::new(HELD_DIGESTS)),
            manifests: Arc::new(Manifests::new()),
            log,
        })
    }

    /// Where the files lie.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Reads the devices file and the log again, if they changed, and lets configurations be looked
    /// at again. Call it every second or so, off the threads that answer requests.
    ///
    /// Returns whether there are new devices records.
    ///
    /// # Errors
    /// [`LoadError`], once for each state of each file: the last good records stay in use. Each time
    /// [`LoadError::Ended`], after which the store should be opened anew.
    pub fn refresh(&self) -> Result<bool, LoadError> {
        self.epoch.fetch_add(1, Ordering::Relaxed);
        if !self.changes.is_alive() {
            return Err(LoadError::Ended("devices file"));
        }
        if !self.log.is_alive() {
            return Err(LoadError::Ended("certificate log"));
        }
        self.log.refresh().map_err(LoadError::Log)?;
        self.records.refresh()
    }

    /// Members of the devices file that look like a slip of one of ours, in words, since this was last
    /// asked. They have no effect. Tell the operator.
    pub fn take_doubts(&self) -> Vec<String> {
        self.records.take_doubts()
    }

    /// What had to be repaired in the certificate log since this was last asked: a process that died
    /// while it wrote leaves half a line. Tell the operator.
    pub fn take_repairs(&self) -> Vec<LogRepair> {
        self.log.take_repairs()
    }

    /// Changes the devices file: reads it under a lock, lets `edit` work on its entries, and
    /// replaces it if every entry can be used. It is on disk, and in use here, when this returns.
    ///
    /// # Errors
    /// What `edit` returns, or [`LoadError`]; the file is then as it was.
    pub fn edit<T, E: From<LoadError>>(
        &self,
        edit: impl FnOnce(&mut DeviceEdit) -> Result<T, E>,
    ) -> Result<T, E> {
        self.records.edit(edit)
    }

    /// All devices, in the order of their names.
    pub fn devices(&self) -> Vec<Arc<Device>> {
        let mut devices: Vec<_> = self.records.all().values().cloned().collect();
        devices.sort_by(|a, b| a.id.cmp(&b.id));
        devices
    }

    /// Whether there is a record of this name.
    #[must_use]
    pub fn knows(&self, id: &str) -> bool {
        let id = id.parse::<DeviceId>();
        id.is_ok_and(|id| self.records.find(&id).is_some())
    }

    /// All certificates in the log, each with its revocation by hand, in the order in which they were
    /// issued. What is newest that order says, not the dates: a clock may have been wrong.
    pub fn certificates(&self) -> Vec<(Arc<Issued>, Option<Revocation>)> {
        self.log.all()
    }
}

impl DeviceStore for JsonStore {
    async fn device(&self, id: &DeviceId) -> Result<Option<Arc<Device>>, StoreError> {
        self.records.look().await;
        Ok(self.records.find(id))
    }

    async fn pin_dialect(&self, id: &DeviceId, dialect: Dialect) -> Result<(), StoreError> {
        match self.records.find(id) {
            Some(device) if device.dialect < dialect => {
                self.changes.make(id, Change::Pin(dialect)).await
            }
            _ => Ok(()),
        }
    }

    async fn promote_secret(&self, id: &DeviceId, check: [u8; 8]) -> Result<(), StoreError> {
        match self.records.find(id) {
            Some(device) if device.key_check() == check => Ok(()),
            _ => self.changes.make(id, Change::Promote(check)).await,
        }
    }
}

impl ConfigStore for JsonStore {
    async fn config(
        &self,
        device: &Device,
        release: Option<&Release>,
    ) -> Result<Option<Document>, StoreError> {
        let file = release.and_then(|release| release.config.as_ref());
        let file = file.map_or("config.json", |file| file.as_str());
        let fault = |error| StoreError::new(format!("config of {}: {file}", device.id), error);
        let name = self.layout.config_folder(&device.id).join(file);
        let epoch = self.epoch.load(Ordering::Relaxed);
        if let Some(held) = self.held_configs().get(&name)
            && held.epoch == epoch
        {
            return Ok(Some(held.config.clone()));
        }
        let stamp = match fs::metadata(&name) {
            Ok(metadata) => Stamp::of(&metadata),
            Err(error) => return absent(error).map_err(fault),
        };
        if let Some(held) = self.held_configs().get_mut(&name)
            && held.stamp == stamp
        {
            held.epoch = epoch;
            return Ok(Some(held.config.clone()));
        }
        let (layout, path) = (self.layout.clone(), name.clone());
        let bytes = blocking::unblock(move || {
            let Some(path) = beneath(&layout.config, &path)? else {
                return Ok(None);
            };
            // Devices may share a file by a link, and this one lies in the same folder.
            if layout
                .devices
                .canonicalize()
                .is_ok_and(|devices| devices == path)
            {
                return Ok(None);
            }
            let read = read_bounded(&path, Document::MAX_LEN);
            read.map(Some).map_err(|error| match error.kind() {
                io::ErrorKind::FileTooLarge => {
                    let (path, most) = (path.display(), Document::MAX_LEN);
                    let what = format!("{path}: a configuration has at most {most} bytes");
                    io::Error::new(io::ErrorKind::FileTooLarge, what)
                }
                _ => error,
            })
        })
        .await
        .map_err(fault)?;
        let Some(bytes) = bytes else { return Ok(None) };
        let config = Document::new(Bytes::from(bytes));
        if config.bytes().len() <= HELD_CONFIG_LEN {
            let held = Held {
                stamp,
                config: config.clone(),
                epoch,
            };
            self.held_configs().put(name, held);
        }
        Ok(Some(config))
    }
}

impl JsonStore {
    fn held_configs(&self) -> std::sync::MutexGuard<'_, LruCache<PathBuf, Held>> {
        self.configs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the image of a release lies, whether or not it is there.
    #[must_use]
    pub fn image_folder(&self, hardware: &FirmwareVersion, version: &FirmwareVersion) -> PathBuf {
        self.layout.release_folder(hardware, version)
    }
}

impl FirmwareStore for JsonStore {
    type Image = FileImage;

    async fn image(&self, release: &Release) -> Result<Option<FileImage>, StoreError> {
        let (root, release) = (self.layout.firmware.clone(), release.clone());
        let name = format!("image of {} {}", release.hardware, release.version);
        let opened = self.digests.open(move || image_path(&root, &release)).await;
        opened.map_err(|error| StoreError::new(name, error))
    }

    async fn has_image(&self, release: &Release) -> Result<bool, StoreError> {
        let (root, release) = (self.layout.firmware.clone(), release.clone());
        let name = format!("image of {} {}", release.hardware, release.version);
        blocking::unblock(move || {
            let path = image_path(&root, &release)?;
            Ok(path.is_some_and(|path| path.is_file()))
        })
        .await
        .map_err(|error: io::Error| StoreError::new(name, error))
    }

    async fn manifest(&self, release: &Release) -> Result<Option<Bytes>, StoreError> {
        let (root, manifests) = (self.layout.firmware.clone(), Arc::clone(&self.manifests));
        let (hardware, version) = (release.hardware.clone(), release.version.clone());
        let name = format!("manifest of {hardware} {version}");
        let open = move || manifests.open(&root, &release_folder(&root, &hardware, &version));
        blocking::unblock(open)
            .await
            .map_err(|error| StoreError::new(name, error))
    }

    async fn failures(&self, device: &DeviceId) -> Result<Vec<Failure>, StoreError> {
        let folder = self.layout.failure_folder(device);
        // Nearly always nothing failed, and to see that takes no thread.
        if !folder.exists() {
            return Ok(Vec::new());
        }
        blocking::unblock(move || failures::all(&folder))
            .await
            .map_err(|error| StoreError::new(format!("failures on {device}"), error))
    }

    async fn note_failure(&self, device: &DeviceId, failure: &Failure) -> Result<(), StoreError> {
        let folder = self.layout.failure_folder(device);
        let failure = failure.clone();
        blocking::unblock(move || failures::note(&folder, &failure))
            .await
            .map_err(|error| StoreError::new(format!("note a failure on {device}"), error))
    }

    async fn forget_failure(
        &self,
        device: &DeviceId,
        version: &FirmwareVersion,
    ) -> Result<(), StoreError> {
        let folder = self.layout.failure_folder(device);
        let version = version.clone();
        blocking::unblock(move || failures::forget(&folder, &version))
            .await
            .map_err(|error| StoreError::new(format!("forget a failure on {device}"), error))
    }
}

impl CertificateLog for JsonStore {
    async fn append(&self, entry: Issued) -> Result<(), StoreError> {
        if let Some(legacy) = self.legacy_certificate(&entry.device) {
            // It is superseded now, and the log is what knows of that.
            self.log.issue(legacy).await?;
        }
        self.log.issue(entry).await
    }

    async fn issued(&self, device: &DeviceId) -> Result<Vec<Arc<Issued>>, StoreError> {
        self.log.catch_up_if_possible().await;
        let issued = self.log.issued(device);
        if issued.is_empty()
            && let Some(legacy) = self.legacy_certificate(device)
        {
            return Ok([Arc::new(legacy)].into());
        }
        Ok(issued)
    }

    async fn revoke(&self, revocation: Revocation) -> Result<(), StoreError> {
        self.log.revoke(revocation).await
    }

    async fn revocations(
        &self,
        now: Timestamp,
        rules: &ListRules,
    ) -> Result<Vec<Revocation>, StoreError> {
        self.log.catch_up_if_possible().await;
        Ok(self.log.revocations(now, rules))
    }

    async fn is_key_forbidden(&self, key_sha256: &[u8; 32]) -> Result<bool, StoreError> {
        self.log.catch_up().await?;
        Ok(self.log.is_key_forbidden(key_sha256))
    }
}

impl JsonStore {
    /// The certificate that an original server left for a device, until the log knows better. One
    /// that cannot be read is as good as none: the device gets a new one.
    fn legacy_certificate(&self, device: &DeviceId) -> Option<Issued> {
        if self.log.has_issued(device) {
            return None;
        }
        let file = format!("{device}.cert.pem");
        let path = beneath(
            &self.layout.certificates,
            &self.layout.certificates.join(&file),
        )
        .ok()??;
        let pem = String::from_utf8(read_bounded(&path, MAX_CERTIFICATE).ok()?).ok()?;
        let certificate = Certificate::from_pem(&pem).ok()?;
        if self.log.knows(certificate.serial()) {
            return None;
        }
        let instant = |unix| i64::try_from(unix).ok().and_then(Timestamp::from_unix);
        Some(Issued {
            device: device.clone(),
            serial: *certificate.serial(),
            csr_sha256: [0; 32],
            at: instant(certificate.not_before_unix())?,
            not_after: instant(certificate.not_after_unix())?,
            chain_pem: pem,
        })
    }
}

impl core::fmt::Debug for JsonStore {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("JsonStore")
            .field("layout", &self.layout)
            .finish_non_exhaustive()
    }
}

fn release_folder(root: &Path, hardware: &FirmwareVersion, version: &FirmwareVersion) -> PathBuf {
    named(&named(root, hardware.as_str()), version.as_str())
}

/// The file of a release: the one it names, else the only one in its folder.
fn image_path(root: &Path, release: &Release) -> io::Result<Option<PathBuf>> {
    let folder = release_folder(root, &release.hardware, &release.version);
    if let Some(file) = &release.file {
        return beneath(root, &folder.join(file.as_str()));
    }
    let Some(folder) = beneath(root, &folder)? else {
        return Ok(None);
    };
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) => return absent(error),
    };
    let mut only = None;
    for entry in entries {
        let name = entry?.file_name();
        if name == MANIFEST_FILE {
            continue;
        }
        if only.replace(name).is_some() {
            return Ok(None);
        }
    }
    let name = only.as_deref().and_then(std::ffi::OsStr::to_str);
    name.map_or(Ok(None), |name| beneath(root, &folder.join(name)))
}
