//! Where an original installation has its files.
//!
//! | `config.json` has | it means |
//! |---|---|
//! | `configStore` | `devices.json` and a folder of configurations for each device |
//! | `deviceStore` | early: the devices file, or the folder that it is in |
//! | `firmwareStore`, `certificateStore` | images, certificates; may be absent |
//! | `openSSL.configFile` | its folder is that of the CA |
//!
//! Paths were resolved in two ways: against the folder that the server was started in, and as if
//! the *file* `config.json` were a folder, so that `../images` lies beside it. Here they are
//! resolved against the folder of the file; what is not there is tried in the old way.

use std::path::{Component, Path, PathBuf};

use providore_wire::written;
use serde_json::Value;

use super::ImportArgs;
use crate::{
    commands::files::read_bounded,
    failure::{Failure, OrFail as _, Outcome},
};

/// The longest `config.json` in bytes.
const MAX_CONFIG: usize = 1024 * 1024;

/// Where the files are.
#[derive(Debug)]
pub(super) struct Source {
    /// The devices file.
    pub(super) devices: PathBuf,
    /// The configurations.
    pub(super) configs: Option<PathBuf>,
    /// The images.
    pub(super) firmware: Option<PathBuf>,
    /// The certificates.
    pub(super) certificates: Option<PathBuf>,
    /// The CA, if `config.json` names it.
    pub(super) ca: Option<PathBuf>,
}

/// Finds everything that there is; the devices file must be there.
pub(super) fn find(args: ImportArgs) -> Outcome<Source> {
    let from = args.from;
    if !from.exists() {
        return Err(Failure::new(format!("there is no {}", from.display())));
    }
    let folder = if from.is_dir() {
        from.clone()
    } else {
        from.parent().unwrap_or(&from).to_path_buf()
    };
    let config = match &args.config {
        Some(path) => Some(OriginalConfig::read(path)?),
        None if from.is_file() => Some(OriginalConfig::read(&from)?),
        None => {
            let path = from.join("config.json");
            let there = path.is_file();
            there.then(|| OriginalConfig::read(&path)).transpose()?
        }
    };
    let store = |given: &Option<PathBuf>, key: &str| match (given, &config) {
        (Some(path), _) => existing(path).map(Some),
        (None, Some(config)) => config.path(key),
        (None, None) => Ok(Some(folder.join(key)).filter(|path| path.is_dir())),
    };
    let configs = store(&args.config_store, "configStore")?;
    let devices = match (&args.devices, &config) {
        (Some(path), _) => existing(path)?,
        (None, config) => devices_file(&folder, configs.as_deref(), config.as_ref())?,
    };
    Ok(Source {
        devices,
        configs,
        firmware: store(&args.firmware_store, "firmwareStore")?,
        certificates: store(&args.certificate_store, "certificateStore")?,
        ca: config.as_ref().and_then(OriginalConfig::ca),
    })
}

/// The devices file: where the later servers had it, then where the earlier ones had it.
fn devices_file(
    folder: &Path,
    configs: Option<&Path>,
    config: Option<&OriginalConfig>,
) -> Outcome<PathBuf> {
    let early = config.and_then(|config| config.path("deviceStore").ok().flatten());
    let mut places: Vec<PathBuf> = Vec::new();
    places.extend(configs.map(|store| store.join("devices.json")));
    places.extend(early.iter().map(|store| store.join("devices.json")));
    places.extend(early);
    places.push(folder.join("devices.json"));
    places.push(folder.join("devices/list.json"));
    let found = places.iter().find(|path| path.is_file()).cloned();
    found.ok_or_else(|| {
        let tried: Vec<String> = places
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        Failure::new(format!(
            "there is no devices file; tried {}",
            tried.join(", ")
        ))
        .hint("name it with --devices FILE")
    })
}

fn existing(path: &Path) -> Outcome<PathBuf> {
    if path.exists() {
        return Ok(path.to_path_buf());
    }
    Err(Failure::new(format!("there is no {}", path.display())))
}

/// The original's settings.
struct OriginalConfig {
    path: PathBuf,
    settings: Value,
}

impl OriginalConfig {
    fn read(path: &Path) -> Outcome<Self> {
        let shown = path.display();
        let bytes = read_bounded(path, MAX_CONFIG).or_fail(format!("read {shown}"))?;
        let settings = serde_json::from_slice(written::without_bom(&bytes))
            .or_fail(format!("use {shown}"))
            .map_err(|failure| failure.hint("it is to be the config.json of the original"))?;
        let path = path.to_path_buf();
        Ok(Self { path, settings })
    }

    /// The file or folder of a setting; `None` where it is not set.
    fn path(&self, key: &str) -> Outcome<Option<PathBuf>> {
        let Some(text) = self.settings.get(key).and_then(Value::as_str) else {
            return Ok(None);
        };
        let found = self.resolve(text).map(Some);
        found.ok_or_else(|| {
            let config = self.path.display();
            Failure::new(format!("{config} has {key} {text:?}, which is not there")).hint(
                "name the files with --devices, --config-store, --firmware-store and \
                 --certificate-store",
            )
        })
    }

    fn ca(&self) -> Option<PathBuf> {
        let settings = self.settings.get("openSSL")?;
        let file = self.resolve(settings.get("configFile")?.as_str()?)?;
        file.parent().map(Path::to_path_buf)
    }

    fn resolve(&self, text: &str) -> Option<PathBuf> {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        let as_original = without_dots(&self.path.join(text));
        let places = [folder.join(text), as_original, PathBuf::from(text)];
        let found = places.iter().find(|path| path.exists())?;
        // Without the `.` that many write in front.
        Some(found.components().collect())
    }
}

/// The path with `..` taken back by name: a file is no folder for the system to go up from.
fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if plain.file_name().is_some() => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}
