//! The devices of an original installation, one finding for each.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use futures_lite::future::block_on;
use providore_pki::Certificate;
use providore_server_core::{
    ConfigStore as _, Device, DeviceStore as _, Dialect, FirmwareStore as _, Release,
    json_files::{DeviceEdit, JsonStore, Layout, LoadError, device_entries, named},
};
use serde_json::Value;
use tempfile::TempDir;

use super::{copy::Copied, source::Source};
use crate::{
    commands::{configs, files::read_bounded, records},
    data::DataFolder,
    failure::{Failure, OrFail as _, Outcome},
};

/// The longest devices file in bytes, as in the store.
const MAX_DEVICES_FILE: usize = 256 * 1024 * 1024;

/// The longest certificate file in bytes.
const MAX_CERTIFICATE: usize = 64 * 1024;

/// What is done with a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is new here.
    Imported,
    /// The same record is here.
    Same,
    /// Another record was here; `--force`.
    Replaced,
    /// Another record is here and stays.
    Conflict,
    /// It cannot be used, and why.
    Refused(String),
}

/// A device and what is to be said of it.
pub(super) struct Candidate {
    /// Its name in the file.
    pub(super) id: String,
    /// What is done with it.
    pub(super) fate: Fate,
    /// What is missing or wrong, each with what to do.
    pub(super) problems: Vec<String>,
}

/// All devices of the original.
pub(super) struct Candidates {
    /// In the order of the file.
    pub(super) all: Vec<Candidate>,
    entries: DeviceEdit,
    /// The usable records, with the original's configurations and images; its own log and devices
    /// file are elsewhere, so that nothing of the source is written to.
    scratch: JsonStore,
    _scratch_folder: TempDir,
}

/// Reads the devices file and tells the usable entries from the others.
pub(super) fn read(source: &Source) -> Outcome<Candidates> {
    let shown = source.devices.display();
    let bytes = read_bounded(&source.devices, MAX_DEVICES_FILE).or_fail(format!("read {shown}"))?;
    let mut entries = device_entries(&bytes)
        .or_fail(format!("use {shown} as a devices file"))
        .map_err(|failure| {
            failure.hint("it is to be one JSON object: device id, then its entry")
        })?;
    entries.values_mut().for_each(records::spell_out);
    let folder = TempDir::new().or_fail("make a temporary folder")?;
    let layout = Layout {
        devices: folder.path().join("devices.json"),
        config: or_nowhere(source.configs.as_ref(), &folder),
        firmware: or_nowhere(source.firmware.as_ref(), &folder),
        certificates: folder.path().join("certificates"),
        failures: folder.path().join("failures"),
    };
    let scratch = JsonStore::open(layout)?;
    let refused = settle(&scratch, &entries)?;
    let candidate = |id: &String| Candidate {
        id: id.clone(),
        fate: match refused.get(id) {
            Some(what) => Fate::Refused(what.clone()),
            None => Fate::Imported,
        },
        problems: Vec::new(),
    };
    Ok(Candidates {
        all: entries.keys().map(candidate).collect(),
        entries,
        scratch,
        _scratch_folder: folder,
    })
}

fn or_nowhere(path: Option<&PathBuf>, folder: &TempDir) -> PathBuf {
    path.cloned()
        .unwrap_or_else(|| folder.path().join("nowhere"))
}

/// Loads what can be loaded, and says of each other entry why not. The store names one bad entry
/// at a time.
fn settle(scratch: &JsonStore, entries: &DeviceEdit) -> Outcome<HashMap<String, String>> {
    let mut refused = HashMap::new();
    let mut usable = entries.clone();
    loop {
        let loaded = scratch.edit(|all: &mut DeviceEdit| {
            all.clone_from(&usable);
            Ok::<(), LoadError>(())
        });
        match loaded {
            Ok(()) => return Ok(refused),
            Err(LoadError::Device { id, what }) if usable.remove(&id).is_some() => {
                refused.insert(id, what);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

impl Candidate {
    fn copy_files(&mut self, source: &Source, ours: &Layout, copied: &mut Copied) {
        if let Some(configs) = &source.configs {
            let (from, to) = (configs.join(&self.id), named(&ours.config, &self.id));
            copied.tree(&from, &to, &ours.config);
        }
        let Some(certificates) = &source.certificates else {
            return;
        };
        let file = format!("{}.cert.pem", self.id);
        let path = certificates.join(&file);
        match check_certificate(&path) {
            Some(Ok(())) => {
                copied.file(&path, &ours.certificates.join(file), &ours.certificates);
            }
            Some(Err(problem)) => self.problems.push(problem),
            None => {}
        }
    }
}

impl Candidates {
    /// Finds out which devices are here already. Reads the file and nothing else: a dry run leaves
    /// no trace.
    pub(super) fn compare(&mut self, folder: &DataFolder, force: bool) -> Outcome {
        let path = &folder.layout.devices;
        let mut here = if path.exists() {
            let bytes =
                read_bounded(path, MAX_DEVICES_FILE).or_fail(format!("read {}", path.display()))?;
            device_entries(&bytes)
                .or_fail(format!("use {}", path.display()))
                .map_err(|failure| failure.hint("mend the file; nothing was changed"))?
        } else {
            DeviceEdit::new()
        };
        here.values_mut().for_each(records::spell_out);
        for candidate in &mut self.all {
            if matches!(candidate.fate, Fate::Refused(_)) {
                continue;
            }
            candidate.fate = match (here.get(&candidate.id), self.entries.get(&candidate.id)) {
                (None, _) => Fate::Imported,
                (Some(ours), Some(theirs)) if ours == theirs => Fate::Same,
                (Some(_), _) if force => Fate::Replaced,
                (Some(_), _) => Fate::Conflict,
            };
            let is_signed = |entry: &Value| {
                let dialect = entry.get("dialect").and_then(Value::as_str);
                dialect == Some(Dialect::Signed.as_str())
            };
            if candidate.fate == Fate::Replaced
                && here.get(&candidate.id).is_some_and(is_signed)
                && !self.entries.get(&candidate.id).is_some_and(is_signed)
            {
                let id = &candidate.id;
                candidate.problems.push(format!(
                    "it was held to the signed dialect and may speak the original one again: if it \
                     need not, device dialect {id} signed"
                ));
            }
        }
        Ok(())
    }

    /// Copies images, and what belongs to the devices that are imported; notes what is missing.
    pub(super) fn copy_files(&mut self, source: &Source, ours: &DataFolder, copied: &mut Copied) {
        if let Some(firmware) = &source.firmware {
            let store = &ours.layout.firmware;
            copied.tree(firmware, store, store);
        }
        for candidate in &mut self.all {
            if matches!(candidate.fate, Fate::Conflict | Fate::Refused(_)) {
                continue;
            }
            let Ok(id) = candidate.id.parse() else {
                continue;
            };
            if let Err(failure) = configs::check_folder_name(&ours.layout, &id) {
                candidate.fate = Fate::Refused(failure.to_string());
                continue;
            }
            if let Ok(Some(device)) = block_on(self.scratch.device(&id)) {
                candidate.problems.extend(missing(&self.scratch, &device));
            }
            candidate.copy_files(source, &ours.layout, copied);
        }
    }

    /// Writes the devices down. What came to be here meanwhile counts as a conflict, too.
    pub(super) fn merge(&mut self, folder: &DataFolder) -> Outcome {
        let (all, theirs) = (&mut self.all, &self.entries);
        let wanted = |fate: &Fate| matches!(fate, Fate::Imported | Fate::Replaced);
        if !all.iter().any(|candidate| wanted(&candidate.fate)) {
            return Ok(());
        }
        folder.store()?.edit(|entries: &mut DeviceEdit| {
            for candidate in all.iter_mut().filter(|candidate| wanted(&candidate.fate)) {
                let Some(entry) = theirs.get(&candidate.id) else {
                    continue;
                };
                if candidate.fate == Fate::Imported && entries.contains_key(&candidate.id) {
                    candidate.fate = Fate::Conflict;
                    continue;
                }
                entries.insert(candidate.id.clone(), Value::clone(entry));
            }
            Ok::<(), Failure>(())
        })
    }
}

/// What the original would not have found either.
fn missing(scratch: &JsonStore, device: &Device) -> Vec<String> {
    let mut problems = Vec::new();
    for release in &device.releases {
        let image = block_on(scratch.image(release));
        if !matches!(image, Ok(Some(_))) {
            problems.push(missing_image(release));
        }
        let config = block_on(scratch.config(device, Some(release)));
        if release.config.is_some() && !matches!(config, Ok(Some(_))) {
            let name = release.config.as_ref().map_or("", |name| name.as_str());
            problems.push(format!(
                "version {}: its configuration {name} is not there: set it with device config",
                release.version
            ));
        }
    }
    problems
}

fn missing_image(release: &Release) -> String {
    let (hardware, version) = (&release.hardware, &release.version);
    let file = release.file.as_ref().map_or("", |name| name.as_str());
    format!(
        "version {version}: its image {hardware}/{version}/{file} is not there: add it with \
         firmware add"
    )
}

/// Whether there is a certificate, and whether it can be handed out.
fn check_certificate(path: &Path) -> Option<Result<(), String>> {
    if fs::symlink_metadata(path).is_err() {
        return None;
    }
    let shown = path.display();
    let again = "the device gets a new one";
    let read = read_bounded(path, MAX_CERTIFICATE)
        .map_err(|error| format!("its certificate {shown} cannot be read ({error}): {again}"))
        .and_then(|bytes| {
            let text = String::from_utf8_lossy(&bytes);
            Certificate::from_pem(&text)
                .map(drop)
                .map_err(|error| format!("its certificate {shown} is none ({error}): {again}"))
        });
    Some(read)
}
