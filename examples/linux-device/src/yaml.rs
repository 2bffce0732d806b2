//! The settings file of the Go client, with what was added since.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;
use tracing::{info, warn};

use crate::{exit::Failure, files};

/// The keys of the file. The first eight are the Go client's.
#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct SettingsFile {
    pub(crate) server: Option<String>,
    pub(crate) device_id: Option<String>,
    pub(crate) secret: Option<String>,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) cert_path: Option<PathBuf>,
    pub(crate) key_path: Option<PathBuf>,
    pub(crate) insecure: Option<bool>,
    csr: Option<IgnoredAny>,
    pub(crate) secret_file: Option<PathBuf>,
    pub(crate) config_path: Option<PathBuf>,
    pub(crate) firmware_dir: Option<PathBuf>,
    pub(crate) firmware_version: Option<String>,
    pub(crate) author_key: Option<Vec<PathBuf>>,
    pub(crate) hardware: Option<String>,
    pub(crate) firmware_sequence: Option<u64>,
    pub(crate) state_dir: Option<PathBuf>,
    pub(crate) hook: Option<String>,
    pub(crate) dialect: Option<String>,
    pub(crate) first_providore: Option<bool>,
    pub(crate) interval: Option<u32>,
    pub(crate) notices: Option<u16>,
}

impl SettingsFile {
    /// Reads the file that was named, or the first that is found; none is fine.
    pub(crate) fn find(named: Option<&Path>, home: Option<&Path>) -> Result<Self, Failure> {
        match named {
            Some(path) => Self::read(path),
            None => match search(home) {
                Some(path) => Self::read(&path),
                None => Ok(Self::default()),
            },
        }
    }

    fn read(path: &Path) -> Result<Self, Failure> {
        let place = path.display();
        let unusable = |error: &dyn core::fmt::Display| {
            Failure::usage(format!("settings file {place}: {error}"))
        };
        let content = files::read(path, MAX_LEN).map_err(|error| unusable(&error))?;
        let content = content.ok_or_else(|| unusable(&"not there"))?;
        let text = String::from_utf8(content).map_err(|error| unusable(&error))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let settings = Self::parse(text).map_err(|error| unusable(&error))?;
        if settings.secret.is_some() && files::is_wide(path) {
            warn!("{place} holds the secret and can be read by others: chmod 600 {place}");
        }
        if settings.csr.is_some() {
            info!("csr: in {place} is ignored, since the server writes the subject");
        }
        for key in unknown_keys(text) {
            warn!("{place}: unknown key {key:?} is ignored");
        }
        Ok(settings)
    }

    fn parse(text: &str) -> Result<Self, serde_saphyr::Error> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        serde_saphyr::from_str(text)
    }
}

/// The first `config*` in the folders of the Go client.
fn search(home: Option<&Path>) -> Option<PathBuf> {
    let system = PathBuf::from("/etc/providore-client");
    let own = home.map(|home| home.join(".config/providore-client"));
    [Some(system), own]
        .into_iter()
        .flatten()
        .find_map(|folder| {
            let mut found: Vec<PathBuf> = fs::read_dir(folder)
                .ok()?
                .filter_map(|entry| Some(entry.ok()?.path()))
                .filter(|path| is_settings_file(path))
                .collect();
            found.sort();
            found.into_iter().next()
        })
}

/// `config`, `config.yaml`, `config.yml`, `config.json` (JSON is YAML), not `config.yaml~`.
fn is_settings_file(path: &Path) -> bool {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    let kind = path.extension().and_then(|kind| kind.to_str());
    stem.is_some_and(|stem| stem.starts_with("config"))
        && matches!(kind, None | Some("yaml" | "yml" | "json"))
        && path.is_file()
}

fn unknown_keys(text: &str) -> Vec<String> {
    let all: HashMap<String, Value> = serde_saphyr::from_str(text).unwrap_or_default();
    let known = |key: &String| KEYS.contains(&key.as_str());
    all.into_keys().filter(|key| !known(key)).collect()
}

// A settings file has some 20 lines.
const MAX_LEN: u64 = 64 * 1024;

const KEYS: [&str; 21] = [
    "server",
    "device-id",
    "secret",
    "ca",
    "cert-path",
    "key-path",
    "insecure",
    "csr",
    "secret-file",
    "config-path",
    "firmware-dir",
    "firmware-version",
    "author-key",
    "hardware",
    "firmware-sequence",
    "state-dir",
    "hook",
    "dialect",
    "first-providore",
    "interval",
    "notices",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_the_go_client_is_read_as_it_is() {
        let text = "server: https://p.example\ndevice-id: 0042\nsecret: \"a b\"\n\
                    ca: /etc/ca.pem\ncert-path: ./cert.pem\nkey-path: ./key.pem\n\
                    insecure: true\ncsr:\n  country: NZ\n  organization: [a, b]\n";
        let settings = SettingsFile::parse(text).unwrap();
        assert_eq!(settings.server.as_deref(), Some("https://p.example"));
        assert_eq!(settings.device_id.as_deref(), Some("0042"));
        assert_eq!(settings.secret.as_deref(), Some("a b"));
        assert_eq!(settings.insecure, Some(true));
        assert!(settings.csr.is_some());
        assert!(unknown_keys(text).is_empty());
    }

    #[test]
    fn what_is_no_settings_file_is_an_error_and_not_a_panic() {
        for text in [
            "- a",
            "server: [x]",
            "a: &a [*a, *a]",
            "\"",
            "insecure: perhaps",
            "{",
        ] {
            assert!(SettingsFile::parse(text).is_err(), "{text:?}");
        }
        assert!(SettingsFile::parse("").is_ok());
        assert_eq!(unknown_keys("servre: x\nserver: y"), ["servre"]);
    }
}
