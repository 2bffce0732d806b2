//! Settings: flags win over the environment, that over the file, that over the defaults.
//!
//! The file is TOML of our own, or the `config.json` of a first Providore as it stands.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    str::FromStr,
};

use ipnet::IpNet;

use providore_server_core::json_files::Layout;
use serde::Deserialize;

use crate::{
    data::DataFolder,
    failure::{Failure, OrFail as _, Outcome},
};

/// Everything `serve` can be told in a file. All of it has a default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct File {
    /// Where to listen for HTTP.
    pub(crate) http: Option<SocketAddr>,
    /// Where to listen for HTTPS.
    pub(crate) https: Option<SocketAddr>,
    /// What HTTPS shows.
    pub(crate) tls: Tls,
    /// Whether devices find the server by themselves.
    pub(crate) announce: Announce,
    /// How much is too much.
    pub(crate) limits: Limits,
    /// Where to log, and how.
    pub(crate) log: Log,
    /// What requests of the `Original` dialect are accepted.
    pub(crate) original: Original,
    /// Days and hours of certificates.
    pub(crate) certificates: Certificates,
    /// Who may read `/metrics`.
    pub(crate) metrics: MetricsAudience,
    /// Proxies that say truthfully for whom they ask.
    pub(crate) trusted_proxies: Vec<Network>,
    /// Folders other than those in the data folder.
    pub(crate) folders: Folders,
    /// What a first Providore's file says that has no effect here; warned about at the start.
    #[serde(skip)]
    pub(crate) notes: Vec<String>,
}

/// What HTTPS shows: files of yours, or a certificate from this server's own CA.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Tls {
    /// A certificate chain in PEM.
    pub(crate) certificate: Option<PathBuf>,
    /// Its key in PEM.
    pub(crate) key: Option<PathBuf>,
    /// Names and addresses for a certificate from our own CA.
    pub(crate) names: Vec<String>,
}

/// Whether devices find the server by themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Announce {
    /// When it is announced on the local network.
    pub(crate) when: Announced,
    /// As what; the name of the machine.
    pub(crate) name: Option<String>,
}

/// When a server is announced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Announced {
    /// When others can reach it.
    #[default]
    Reachable,
    /// Also when only this machine can.
    Always,
    /// Never.
    Never,
}

/// How much is too much.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Limits {
    /// Requests of one device in a minute; as many again at once.
    pub(crate) device_per_minute: u32,
    /// Requests from one address (of IPv6, one /64 network) in a second; ten times as many at once.
    pub(crate) address_per_second: u32,
    /// Connections at once.
    pub(crate) connections: usize,
    /// Connections at once from one address.
    pub(crate) address_connections: usize,
    /// Seconds for a request to arrive, head and body each.
    pub(crate) request_timeout_s: u64,
    /// Seconds that a peer may refuse to take more of an answer.
    pub(crate) stall_timeout_s: u64,
    /// Seconds that requests in hand have to end when the server is told to stop.
    pub(crate) shutdown_grace_s: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // A device that polls once a second is a mistake; one that starts up asks five times.
            device_per_minute: 60,
            // A hundred devices behind one router may wake at once after a power cut.
            address_per_second: 50,
            connections: 4096,
            address_connections: 512,
            request_timeout_s: 15,
            stall_timeout_s: 60,
            shutdown_grace_s: 10,
        }
    }
}

/// Where to log, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Log {
    /// `info`, or a filter as `tracing-subscriber` reads it.
    pub(crate) level: Option<String>,
    /// Text for people or JSON for programs.
    pub(crate) format: LogFormat,
    /// A file to append to, in place of standard error.
    pub(crate) file: Option<PathBuf>,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// Text for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What requests of the `Original` dialect are accepted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Original {
    /// The longest validity window, in seconds.
    pub(crate) max_window_s: u32,
    /// How far a device's clock may be off, in seconds.
    pub(crate) max_skew_s: u32,
    /// Accept requests signed without the firmware version, as documented in 2021.
    pub(crate) allow_unversioned: bool,
}

impl Default for Original {
    fn default() -> Self {
        let freshness = providore_sign::Freshness::DEFAULT;
        Self {
            max_window_s: freshness.max_window_s,
            max_skew_s: freshness.max_skew_s,
            allow_unversioned: false,
        }
    }
}

/// Days and hours of certificates.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Certificates {
    /// Seconds that a certificate stays good after its successor was issued.
    pub(crate) overlap_s: u32,
    /// Seconds that a revocation list counts.
    pub(crate) crl_lifetime_s: u32,
    /// Whether superseded certificates are listed when their overlap is over.
    pub(crate) crl_superseded: bool,
    /// Where devices and others find the revocation list; written into certificates.
    pub(crate) crl_url: Option<String>,
}

impl Default for Certificates {
    fn default() -> Self {
        let settings = providore_server_core::Settings::DEFAULT;
        Self {
            overlap_s: settings.overlap_s,
            crl_lifetime_s: settings.crl_lifetime_s,
            crl_superseded: settings.list_superseded,
            crl_url: None,
        }
    }
}

/// Who may read `/metrics`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MetricsAudience {
    /// Loopback and private networks.
    #[default]
    Local,
    /// Everybody.
    Everyone,
    /// Nobody.
    Off,
}

impl MetricsAudience {
    /// Whether a request from here may read.
    pub(crate) fn admits(self, peer: IpAddr) -> bool {
        match (self, peer.to_canonical()) {
            (Self::Everyone, _) => true,
            (Self::Off, _) => false,
            (Self::Local, IpAddr::V4(peer)) => {
                peer.is_loopback() || peer.is_private() || peer.is_link_local()
            }
            (Self::Local, IpAddr::V6(peer)) => {
                peer.is_loopback() || peer.is_unique_local() || peer.is_unicast_link_local()
            }
        }
    }
}

/// One address, or a network such as `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Network(IpNet);

impl Network {
    /// Whether the address is one of these.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let network = match text.parse::<IpAddr>() {
            Ok(address) => Ok(IpNet::from(address.to_canonical())),
            Err(_) => text.parse(),
        };
        let network = network.map_err(|_| {
            format!("{text:?} is neither an address nor a network such as 10.0.0.0/8")
        })?;
        Ok(Self(network))
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// Folders other than those in the data folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Folders {
    /// Configurations, a folder for each device.
    pub(crate) config: Option<PathBuf>,
    /// The devices file.
    pub(crate) devices: Option<PathBuf>,
    /// Images.
    pub(crate) firmware: Option<PathBuf>,
    /// Certificates and their log.
    pub(crate) certificates: Option<PathBuf>,
    /// What failed on which device.
    pub(crate) failures: Option<PathBuf>,
}

impl File {
    /// Reads a settings file; relative paths in it are relative to its folder.
    pub(crate) fn read(path: &Path) -> Outcome<Self> {
        let text = fs::read_to_string(path)
            .or_fail(format!("read the settings file {}", path.display()))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let json = path
            .extension()
            .is_some_and(|extension| extension == "json");
        let parsed: Result<Self, Failure> = if json {
            serde_json::from_str::<FirstProvidore>(text)
                .or_fail("read it as the config.json of a first Providore")
                .and_then(FirstProvidore::into_settings)
        } else {
            toml::from_str(text).or_fail("read it as TOML")
        };
        let mut file = parsed.map_err(|failure| {
            Failure::new(format!("settings file {}: {failure}", path.display()))
        })?;
        let folder = path.parent().unwrap_or(Path::new("."));
        for path in file.paths() {
            *path = folder.join(&*path);
        }
        Ok(file)
    }

    fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let Self {
            tls, log, folders, ..
        } = self;
        let Folders {
            config,
            devices,
            firmware,
            certificates,
            failures,
        } = folders;
        [
            &mut tls.certificate,
            &mut tls.key,
            &mut log.file,
            config,
            devices,
            firmware,
            certificates,
            failures,
        ]
        .into_iter()
        .flatten()
    }

    /// The folders to use: those of the data folder, unless the file names others.
    pub(crate) fn folders(&self, data: &DataFolder) -> DataFolder {
        let or = |chosen: &Option<PathBuf>, default: &Path| {
            chosen.clone().unwrap_or_else(|| default.to_path_buf())
        };
        let Folders {
            config,
            devices,
            firmware,
            certificates,
            failures,
        } = &self.folders;
        // In an original installation the devices file may be named, or lie in a folder that is
        // named, or lie among the configurations.
        let devices = match (devices, config) {
            (Some(named), _) if named.is_dir() => named.join("devices.json"),
            (Some(named), _) => named.clone(),
            (None, Some(config)) => config.join("devices.json"),
            (None, None) => data.layout.devices.clone(),
        };
        DataFolder {
            layout: Layout {
                devices,
                config: or(config, &data.layout.config),
                firmware: or(firmware, &data.layout.firmware),
                certificates: or(certificates, &data.layout.certificates),
                failures: or(failures, &data.layout.failures),
            },
            ca: data.ca.clone(),
            presence: data.presence.clone(),
            authors: data.authors.clone(),
        }
    }
}

/// The `config.json` of a first Providore, as far as it means something here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FirstProvidore {
    webserver: Webserver,
    config_store: PathBuf,
    device_store: Option<PathBuf>,
    firmware_store: Option<PathBuf>,
    certificate_store: Option<PathBuf>,
    #[serde(default)]
    logging: Logging,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Webserver {
    user: Option<String>,
    protocol: String,
    bind: String,
    port: u16,
    ssl_cert_path: Option<PathBuf>,
    ssl_key_path: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
struct Logging {
    file: Option<LoggingFile>,
}

#[derive(Debug, Deserialize)]
struct LoggingFile {
    filename: Option<PathBuf>,
    dirname: Option<PathBuf>,
}

impl FirstProvidore {
    fn into_settings(self) -> Outcome<File> {
        let mut notes = Vec::new();
        let Webserver {
            user,
            protocol,
            bind,
            port,
            ssl_cert_path,
            ssl_key_path,
        } = self.webserver;
        if let Some(user) = user.filter(|user| !user.is_empty()) {
            notes.push(format!(
                "webserver.user {user:?} is not used: the server runs as the user who starts it. Start \
                 it as {user}, such as with User= in a systemd unit"
            ));
        }
        let bind: IpAddr = match bind.as_str() {
            "localhost" => [127, 0, 0, 1].into(),
            bind => bind
                .parse()
                .or_fail(format!("read webserver.bind {bind:?} as an address"))?,
        };
        let address = Some(SocketAddr::new(bind, port));
        let (http, https) = match protocol.as_str() {
            "http" => (address, None),
            "https" => (None, address),
            other => {
                return Err(
                    Failure::new(format!("webserver.protocol {other:?} is not known"))
                        .hint("use \"http\" or \"https\""),
                );
            }
        };
        let log_file = self.logging.file.and_then(|file| {
            let name = file.filename?;
            Some(
                file.dirname
                    .map_or_else(|| name.clone(), |folder| folder.join(&name)),
            )
        });
        Ok(File {
            http,
            https,
            tls: Tls {
                certificate: ssl_cert_path,
                key: ssl_key_path,
                names: Vec::new(),
            },
            log: Log {
                file: log_file,
                ..Log::default()
            },
            folders: Folders {
                config: Some(self.config_store),
                devices: self.device_store,
                firmware: self.firmware_store,
                certificates: self.certificate_store,
                failures: None,
            },
            notes,
            ..File::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, text: &str, expected: Result<fn(&File) -> bool, &str>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        match (File::read(&path), expected) {
            (Ok(file), Ok(holds)) => assert!(holds(&file), "{file:?}"),
            (Err(failure), Err(part)) => {
                assert!(failure.to_string().contains(part), "{failure}");
            }
            (outcome, _) => panic!("{outcome:?}"),
        }
    }

    const ORIGINAL: &str = r#"{
        "webserver": {"user": "http", "protocol": "https", "bind": "0.0.0.0", "port": 3001,
                      "sslCertPath": "tls/cert.pem", "sslKeyPath": "/etc/key.pem"},
        "configStore": "config", "firmwareStore": "fw",
        "openSSL": {"bin": "/usr/bin/openssl"}, "logging": {"console": {}}
    }"#;

    #[test]
    fn an_original_config_json_is_read_relative_to_its_folder() {
        check(
            "config.json",
            ORIGINAL,
            Ok(|file| {
                let data = DataFolder::at(Path::new("data"));
                let layout = file.folders(&data).layout;
                file.https == "0.0.0.0:3001".parse().ok()
                    && file.http.is_none()
                    && layout.devices.is_absolute()
                    && layout.devices.ends_with("config/devices.json")
                    && layout.certificates == data.layout.certificates
                    && file.tls.key == Some("/etc/key.pem".into())
            }),
        );
    }

    #[test]
    fn a_setting_that_is_not_known_is_an_error_with_its_name() {
        check(
            "s.toml",
            "[limits]\ndevice_per_minut = 3",
            Err("device_per_minut"),
        );
        check("s.toml", "http = \"nowhere\"", Err("http"));
        check("config.json", "{\"webserver\": {}}", Err("protocol"));
        check(
            "config.json",
            &ORIGINAL.replace("https", "gopher"),
            Err("gopher"),
        );
    }

    #[test]
    fn a_toml_file_sets_what_it_names() {
        let text = "http = \"127.0.0.1:1\"\nmetrics = \"off\"\n[original]\nmax_window_s = 60";
        check(
            "s.toml",
            text,
            Ok(|file| {
                file.original.max_window_s == 60
                    && file.original.max_skew_s == 30
                    && file.metrics == MetricsAudience::Off
                    && file.limits == Limits::default()
            }),
        );
    }

    #[test]
    fn a_byte_order_mark_in_front_is_ignored() {
        let is_off: Result<fn(&File) -> bool, &str> =
            Ok(|file| file.metrics == MetricsAudience::Off);
        check("s.toml", "\u{feff}metrics = \"off\"\r\n", is_off);
        check("config.json", &format!("\u{feff}{ORIGINAL}"), Ok(|_| true));
    }

    #[test]
    fn the_documented_file_is_read() {
        let page = include_str!("../../../docs/SERVER.md");
        let example = page
            .split("```toml\n")
            .nth(1)
            .unwrap()
            .split("```")
            .next()
            .unwrap();
        check(
            "s.toml",
            example,
            Ok(|file| {
                file.limits == Limits::default()
                    && file.original == Original::default()
                    && file.metrics == MetricsAudience::default()
                    && file.certificates.crl_url.is_some()
            }),
        );
    }
}
