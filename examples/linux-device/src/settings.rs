//! Flags over environment over file over defaults.

use core::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use providore_client::{ReqwestTransport, ServerAddress};
use providore_pki::{PublicKey, manifest::AuthorKeys};
use providore_sign::SoftwareKey;
use providore_wire::{DeviceId, Dialect, FirmwareVersion, HardwareType, written};
use tracing::warn;
use zeroize::Zeroizing;

use crate::{
    author,
    cli::Options,
    exit::{Failure, story},
    files,
    yaml::SettingsFile,
};

/// Everything the commands go by.
pub(crate) struct Settings {
    /// Without one it is looked for.
    pub(crate) server: Option<ServerAddress>,
    /// Where it is looked for; everywhere, if there is none.
    pub(crate) interfaces: Vec<Ipv4Addr>,
    pub(crate) device: DeviceId,
    pub(crate) key: SoftwareKey,
    pub(crate) dialect: Dialect,
    pub(crate) first_providore: bool,
    pub(crate) insecure: bool,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) cert_path: PathBuf,
    pub(crate) key_path: PathBuf,
    pub(crate) config_path: PathBuf,
    pub(crate) firmware_dir: Option<PathBuf>,
    pub(crate) firmware_version: Option<FirmwareVersion>,
    pub(crate) initial_version: FirmwareVersion,
    pub(crate) authors: Option<Authors>,
    pub(crate) firmware_sequence: u64,
    pub(crate) state_dir: PathBuf,
    pub(crate) hook: Option<String>,
    pub(crate) interval_s: u32,
    pub(crate) notices: Option<u16>,
}

/// Whose firmware is installed, and for which hardware.
#[derive(Debug)]
pub(crate) struct Authors {
    pub(crate) keys: Vec<PublicKey>,
    pub(crate) hardware: HardwareType,
}

impl Settings {
    /// Puts flags, environment and file together and parses them.
    pub(crate) fn gather(mut options: Options) -> Result<Self, Failure> {
        let home = variable("HOME").map(PathBuf::from);
        let mut file = SettingsFile::find(options.config.as_deref(), home.as_deref())?;
        let secret = secret(&mut options, &mut file)?;
        let server = options.server.or(file.server);
        let device = required(options.device_id.or(file.device_id), "device-id")?;
        let state_dir = options.state_dir.or(file.state_dir);
        let state_dir = state_dir.unwrap_or_else(|| default_state_dir(home.as_deref()));
        let or_state = |flag: Option<PathBuf>, entry: Option<PathBuf>, name: &str| {
            flag.or(entry).unwrap_or_else(|| state_dir.join(name))
        };
        let insecure = options.insecure || file.insecure.unwrap_or(false);
        if insecure {
            warn!("--insecure: anybody on the way can read what is sent");
        }
        let first_providore = options.first_providore || file.first_providore.unwrap_or(false);
        let named = match (options.dialect, file.dialect) {
            (Some(dialect), _) => Some(dialect),
            (None, Some(name)) => Some(parse(&name, "dialect")?),
            (None, None) => None,
        };
        let dialect = dialect(named, first_providore)?;
        let key = key(&secret, dialect)?;
        if server.is_none() && dialect != Dialect::Signed {
            return Err(Failure::usage(
                "no server: set --server, or `server:` in the settings file; only servers of the \
                 dialect signed are found without it",
            ));
        }
        let paths = match (options.author_key, file.author_key) {
            (flags, Some(entries)) if flags.is_empty() => entries,
            (flags, _) => flags,
        };
        let hardware = options.own_hardware.or(file.hardware);
        Ok(Self {
            authors: authors(&paths, hardware, dialect)?,
            firmware_sequence: options
                .firmware_sequence
                .or(file.firmware_sequence)
                .unwrap_or(0),
            server: server.as_deref().map(address).transpose()?,
            interfaces: options.interface,
            device: parse(&device, "device-id")?,
            key,
            dialect,
            first_providore,
            insecure,
            ca: options.ca.or(file.ca),
            cert_path: or_state(options.cert_path, file.cert_path, "cert.pem"),
            key_path: or_state(options.key_path, file.key_path, "key.pem"),
            config_path: or_state(options.config_path, file.config_path, "config.json"),
            firmware_dir: options.firmware_dir.or(file.firmware_dir),
            firmware_version: options
                .firmware_version
                .map(|text| parse(&text, "firmware-version"))
                .transpose()?,
            // What every Go client sends.
            initial_version: parse(
                file.firmware_version.as_deref().unwrap_or("1.0"),
                "firmware-version",
            )?,
            hook: options.hook.or(file.hook),
            interval_s: options.interval.or(file.interval).unwrap_or(3_600).max(1),
            notices: options.notices.or(file.notices),
            state_dir,
        })
    }
}

/// An address that can be asked, now or when its interface is there.
fn address(text: &str) -> Result<ServerAddress, Failure> {
    let server = parse(text, "server")?;
    match ReqwestTransport::check_address(&server) {
        Err(error) if !error.is_unreachable() => Err(Failure::usage(format!(
            "server {text:?} cannot be an address: {}",
            story(&error)
        ))),
        _ => Ok(server),
    }
}

/// One without the other is a mistake that nobody may find out about later.
fn authors(
    paths: &[PathBuf],
    hardware: Option<String>,
    dialect: Dialect,
) -> Result<Option<Authors>, Failure> {
    if paths.is_empty() {
        return Ok(None);
    }
    if dialect < Dialect::Signed {
        return Err(Failure::usage(
            "author-key: a server that speaks the dialect original hands out no manifests",
        ));
    }
    let hardware = required(hardware, "hardware")?;
    let keys = paths.iter().map(|path| author::public_key(path));
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    AuthorKeys::new(&keys).map_err(|error| Failure::usage(format!("author-key: {error}")))?;
    Ok(Some(Authors {
        keys,
        hardware: parse(&hardware, "hardware")?,
    }))
}

/// The weaker dialect is never what nobody asked for.
fn dialect(named: Option<Dialect>, first_providore: bool) -> Result<Dialect, Failure> {
    match (named, first_providore) {
        (None | Some(Dialect::Original), true) => Ok(Dialect::Original),
        (Some(_), true) => Err(Failure::usage(
            "first-providore: a first Providore speaks no other dialect than original",
        )),
        (named, false) => Ok(named.unwrap_or_default()),
    }
}

/// The server takes no shorter secret for `signed`, so that asking it would only tell later.
fn key(secret: &str, dialect: Dialect) -> Result<SoftwareKey, Failure> {
    let (length, (least, most)) = (secret.len(), SIGNED_SECRET_LEN);
    if dialect == Dialect::Signed && !(least..=most).contains(&length) {
        return Err(Failure::usage(format!(
            "the secret has {length} bytes; the dialect signed takes {least} to {most}"
        )));
    }
    SoftwareKey::new(secret.as_bytes()).map_err(|error| Failure::usage(format!("secret: {error}")))
}

/// `--secret`, `--secret-file`, `PROVIDORE_SECRET`, then the file's `secret` or `secret-file`.
fn secret(options: &mut Options, file: &mut SettingsFile) -> Result<Zeroizing<String>, Failure> {
    if let Some(secret) = options.secret.take() {
        warn!("--secret is visible in `ps`: use --secret-file or PROVIDORE_SECRET");
        return exact_secret(secret, "--secret");
    }
    if let Some(path) = &options.secret_file {
        return secret_in(path);
    }
    if let Some(secret) = variable(SECRET_VARIABLE) {
        let secret = Zeroizing::new(secret);
        return written_secret(secret.as_bytes(), SECRET_VARIABLE);
    }
    match (file.secret.take(), &file.secret_file) {
        (Some(secret), _) => exact_secret(secret, "`secret:` in the settings file"),
        (None, Some(path)) => secret_in(path),
        (None, None) => Err(Failure::usage(
            "no secret: set --secret-file, PROVIDORE_SECRET, or `secret:` in the settings file",
        )),
    }
}

/// The secret in a file of its own.
fn secret_in(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let place = path.display();
    let unusable =
        |why: &dyn core::fmt::Display| Failure::usage(format!("secret file {place}: {why}"));
    if files::is_wide(path) {
        warn!("{place} holds the secret and can be read by others: chmod 600 {place}");
    }
    let content = files::read(path, SECRET_FILE_LEN).map_err(|error| unusable(&error))?;
    let content = Zeroizing::new(content.ok_or_else(|| unusable(&"not there"))?);
    written_secret(&content, &format!("secret file {place}"))
}

/// What an editor or a shell wrote, without what these add.
fn written_secret(text: &[u8], origin: &str) -> Result<Zeroizing<String>, Failure> {
    match written::secret(text) {
        Ok(secret) => Ok(Zeroizing::new(secret.to_owned())),
        Err(error) => Err(Failure::usage(format!("{origin}: {error}"))),
    }
}

fn exact_secret(secret: String, origin: &str) -> Result<Zeroizing<String>, Failure> {
    let secret = Zeroizing::new(secret);
    match written::exact_secret(secret.as_bytes()) {
        Ok(_) => Ok(secret),
        Err(error) => Err(Failure::usage(format!("{origin}: {error}"))),
    }
}

fn required(value: Option<String>, name: &str) -> Result<String, Failure> {
    value.ok_or_else(|| {
        Failure::usage(format!(
            "no {name}: set --{name}, or `{name}:` in the settings file"
        ))
    })
}

fn parse<T: core::str::FromStr<Err: core::fmt::Display>>(
    text: &str,
    name: &str,
) -> Result<T, Failure> {
    text.parse()
        .map_err(|error| Failure::usage(format!("{name} {text:?}: {error}")))
}

fn default_state_dir(home: Option<&Path>) -> PathBuf {
    // systemd may name several, with colons between them.
    let given = variable("STATE_DIRECTORY");
    if let Some(first) = given.as_deref().and_then(|all| all.split(':').next()) {
        return PathBuf::from(first);
    }
    match home {
        Some(home) if home != Path::new("/root") => home.join(".local/state/providore-client"),
        _ => PathBuf::from("/var/lib/providore-client"),
    }
}

/// A variable of the environment that is set and not empty.
pub(crate) fn variable(name: &str) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the application's one look at the environment"
    )]
    let value = std::env::var(name).ok();
    value.filter(|value| !value.is_empty())
}

/// The environment variable that may hold the secret; hooks do not get it.
pub(crate) const SECRET_VARIABLE: &str = "PROVIDORE_SECRET";

/// Four times the longest secret: room for blanks and line ends.
const SECRET_FILE_LEN: u64 = 1024;

/// Docs of the protocol, section 2: what the server accepts as well.
const SIGNED_SECRET_LEN: (usize, usize) = (16, 64);
