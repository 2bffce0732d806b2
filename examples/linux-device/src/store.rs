//! Records as files.

use std::path::{Path, PathBuf};

use providore_client::{Record, Storage, StoreError};

use zeroize::Zeroizing;

use crate::{files, settings::Settings};

/// Each record in a file of its own, whole or not there.
#[derive(Debug, Clone)]
pub(crate) struct FileStorage {
    config: PathBuf,
    certificate: PathBuf,
    state: PathBuf,
    /// Where it is noted what a hook has still to be told, if there is a hook.
    untold: Option<Untold>,
    /// Stands in for the pinned CA until one is pinned.
    ca: Option<PathBuf>,
}

impl FileStorage {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            config: settings.config_path.clone(),
            certificate: settings.cert_path.clone(),
            state: settings.state_dir.clone(),
            untold: settings.hook.as_ref().map(|_| Untold::of(settings)),
            ca: settings.ca.clone(),
        }
    }

    fn path(&self, record: Record) -> PathBuf {
        match record {
            Record::Config => self.config.clone(),
            Record::Certificate => self.certificate.clone(),
            Record::PreviousCertificate => files::beside(&self.certificate, ".old"),
            other => self.state.join(other.name()),
        }
    }
}

impl Storage for FileStorage {
    async fn load<'b>(
        &mut self,
        record: Record,
        buffer: &'b mut [u8],
    ) -> Result<Option<&'b [u8]>, StoreError> {
        let limit = buffer.len() as u64;
        let path = self.path(record);
        let content = files::read(&path, limit).map_err(|error| classify(&error, &path))?;
        let mut content = content.map(Zeroizing::new);
        if record == Record::Authority
            && content.is_none()
            && let Some(ca) = &self.ca
        {
            // A bundle of the whole system may stand here: it is of no use, and no error.
            content = files::read(ca, limit).unwrap_or(None).map(Zeroizing::new);
        }
        let Some(content) = content else {
            return Ok(None);
        };
        let place = buffer.get_mut(..content.len()).ok_or(StoreError::full())?;
        place.copy_from_slice(&content);
        Ok(Some(place))
    }

    async fn store(&mut self, record: Record, content: &[u8]) -> Result<(), StoreError> {
        let path = self.path(record);
        if let (Some(untold), Some(event)) = (&self.untold, event_of(record)) {
            // Before the file: a power cut between the two costs one call too many, never one too few.
            let noted = untold.note(event);
            noted.map_err(|error| classify(&error, &untold.path(event)))?;
        }
        files::replace(&path, content).map_err(|error| classify(&error, &path))
    }

    async fn remove(&mut self, record: Record) -> Result<(), StoreError> {
        let path = self.path(record);
        files::remove(&path).map_err(|error| classify(&error, &path))
    }
}

/// What a hook is told when a record is replaced.
const fn event_of(record: Record) -> Option<&'static str> {
    match record {
        Record::Config => Some(CONFIG),
        Record::Certificate => Some(CERTIFICATE),
        _ => None,
    }
}

/// The changes of which no hook has ended well yet: one file for each in the state folder, so that they
/// outlast restarts and power cuts.
#[derive(Debug, Clone)]
pub(crate) struct Untold(PathBuf);

impl Untold {
    pub(crate) fn of(settings: &Settings) -> Self {
        Self(settings.state_dir.clone())
    }

    pub(crate) fn is_noted(&self, event: &str) -> bool {
        self.path(event).exists()
    }

    /// The hook has ended well.
    pub(crate) fn clear(&self, event: &str) -> std::io::Result<()> {
        files::remove(&self.path(event))?;
        files::sync_folder(&self.0)
    }

    fn note(&self, event: &str) -> std::io::Result<()> {
        files::replace(&self.path(event), b"")
    }

    fn path(&self, event: &str) -> PathBuf {
        self.0.join(format!("untold-{event}"))
    }
}

/// The events of a hook for which a mark is kept; that of firmware is the trial.
pub(crate) const CONFIG: &str = "config";
pub(crate) const CERTIFICATE: &str = "certificate";

/// With the path: the error of the system does not have it.
fn classify(error: &std::io::Error, path: &Path) -> StoreError {
    let kind = match error.kind() {
        std::io::ErrorKind::FileTooLarge | std::io::ErrorKind::StorageFull => StoreError::full(),
        _ => StoreError::failed(),
    };
    kind.with_source(std::io::Error::new(
        error.kind(),
        format!("{}: {error}", path.display()),
    ))
}
