//! Records as files.

use std::path::PathBuf;

use providore_client::{Record, Storage, StoreError};

use zeroize::Zeroizing;

use crate::{files, settings::Settings};

/// Each record in a file of its own, whole or not there.
#[derive(Debug, Clone)]
pub(crate) struct FileStorage {
    config: PathBuf,
    certificate: PathBuf,
    state: PathBuf,
    /// Stands in for the pinned CA until one is pinned.
    ca: Option<PathBuf>,
}

impl FileStorage {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            config: settings.config_path.clone(),
            certificate: settings.cert_path.clone(),
            state: settings.state_dir.clone(),
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
        let content = files::read(&self.path(record), limit).map_err(classify)?;
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
        files::replace(&self.path(record), content).map_err(classify)
    }

    async fn remove(&mut self, record: Record) -> Result<(), StoreError> {
        let path = self.path(record);
        files::remove(&path).map_err(classify)
    }
}

fn classify(error: std::io::Error) -> StoreError {
    let kind = match error.kind() {
        std::io::ErrorKind::FileTooLarge | std::io::ErrorKind::StorageFull => StoreError::full(),
        _ => StoreError::failed(),
    };
    kind.with_source(error)
}
