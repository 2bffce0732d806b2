//! `device add`.

use std::path::PathBuf;

use clap::{Args, value_parser};
use providore_pki::{Profile, profile::AltName};
use providore_server_core::{Dialect, json_files::DeviceEdit};
use providore_wire::{DeviceId, FirmwareVersion};
use serde_json::{Map, Value, json};

use super::{
    dialect,
    handover::{HandoverArgs, Secret},
};
use crate::{
    Common,
    commands::{
        arguments,
        configs::{self, Config},
        firmware::Published,
        print::note,
        records,
    },
    data::DataFolder,
    failure::{Failure, Outcome},
};

/// The device to add.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  providore-server device add kitchen-lamp
  providore-server device add kitchen-lamp --type esp32s3-lamp --version 1.0.0 --config lamp.json
  providore-server device add gate --profile server --name gate.lan --name 192.168.7.2 --json
  read -rs S; echo \"$S\" | providore-server device add old-lamp --dialect original --secret -

The secret is printed this once and is not shown again; a lost one is replaced with
rotate-secret --now. --json prints {\"id\":…,\"secret\":…} in one line and nothing else.")]
pub(crate) struct AddArgs {
    /// The name of the device: letters, digits and -._~:+@, at most 64.
    #[arg(value_parser = arguments::device)]
    id: DeviceId,
    /// The weakest dialect that is accepted from it.
    ///
    /// original is for a device of a first Providore: whoever listens on plain HTTP can read what
    /// it is sent, and give it an older answer for a newer one.
    #[arg(long, default_value = Dialect::Signed.as_str(), value_parser = dialect::names())]
    dialect: Dialect,
    #[command(flatten)]
    handover: HandoverArgs,
    /// The hardware type: its images lie in firmwareStore/TYPE.
    #[arg(long, value_name = "TYPE", requires = "version", value_parser = arguments::name)]
    r#type: Option<FirmwareVersion>,
    /// The firmware version that is meant for it.
    #[arg(long, value_name = "VERSION", requires = "type", value_parser = arguments::name)]
    version: Option<FirmwareVersion>,
    /// Its configuration: a file with one JSON value, which is copied.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A DNS name or IP address for its certificate; may be given several times.
    #[arg(long = "name", value_name = "DNS_OR_IP")]
    names: Vec<AltName>,
    /// What its certificate is for: client or server.
    #[arg(long)]
    profile: Option<Profile>,
    /// The life of its certificate in days.
    #[arg(long, value_parser = value_parser!(u16).range(1..=3650))]
    days: Option<u16>,
}

pub(super) fn run(common: &Common, args: &AddArgs) -> Outcome {
    let folder = common.folder();
    configs::check_folder_name(&folder.layout, &args.id)?;
    let config = args.config.as_deref().map(Config::read).transpose()?;
    let secret = args.handover.secret(args.dialect)?;
    args.handover.prepare()?;
    add(&folder, args, config.as_ref(), &secret)?;
    args.handover.hand_over(common, &args.id, &secret)
}

fn add(folder: &DataFolder, args: &AddArgs, config: Option<&Config>, secret: &Secret) -> Outcome {
    let record = record(folder, args, secret)?;
    let store = folder.store()?;
    store.edit(|entries: &mut DeviceEdit| {
        if entries.contains_key(args.id.as_str()) {
            return Err(exists(&args.id));
        }
        // The configuration comes first: a device that the server knows finds it.
        if let Some(config) = config {
            config.put(&folder.layout, &args.id, None)?;
        }
        entries.insert(args.id.as_str().into(), Value::Object(record));
        Ok(())
    })
}

/// The entry, with the names that the first Providore knew where it had them.
fn record(folder: &DataFolder, args: &AddArgs, secret: &Secret) -> Outcome<Map<String, Value>> {
    let mut record = Map::new();
    record.insert("secretKey".into(), secret.expose().into());
    record.insert("dialect".into(), args.dialect.as_str().into());
    if let (Some(hardware), Some(version)) = (&args.r#type, &args.version) {
        let release = release(folder, hardware, version)?;
        record.insert("firmware".into(), json!([release]));
    }
    let certificate = certificate(args.profile, args.days);
    if !certificate.is_empty() {
        record.insert("certificate".into(), certificate.into());
    }
    write_names(&mut record, &args.names);
    Ok(record)
}

/// The only release of a record, with its place if its author has signed it. Says so if it is not
/// published: the device may run it from the factory, and is not offered it before it is.
pub(super) fn release(
    folder: &DataFolder,
    hardware: &FirmwareVersion,
    version: &FirmwareVersion,
) -> Outcome<Map<String, Value>> {
    let place = folder.layout.release_folder(hardware, version);
    if !place.is_dir() {
        note(&format!(
            "{hardware} {version} is not published: it is not offered until `firmware add` has put it \
             into {}",
            place.display()
        ));
    }
    let order = Published::beside(&place)?.map(|published| published.order);
    let mut release = Map::new();
    release.insert("type".into(), hardware.as_str().into());
    release.insert("version".into(), version.as_str().into());
    records::write_order(&mut release, order);
    Ok(release)
}

/// What an entry says of its certificate.
pub(super) fn certificate(profile: Option<Profile>, days: Option<u16>) -> Map<String, Value> {
    let mut certificate = Map::new();
    if let Some(profile) = profile {
        let name = match profile {
            Profile::Server => "server_cert",
            Profile::Both => "both",
            _ => "usr_cert",
        };
        certificate.insert("extensions".into(), name.into());
    }
    if let Some(days) = days {
        certificate.insert("days".into(), days.into());
    }
    certificate
}

/// Writes the names for its certificate, if there are any.
pub(super) fn write_names(entry: &mut Map<String, Value>, names: &[AltName]) {
    if names.is_empty() {
        return;
    }
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    entry.insert("names".into(), names.into());
}

fn exists(id: &DeviceId) -> Failure {
    Failure::new(format!("there is a device {id} already")).hint(format!(
        "choose another name, or give it a new secret: providore-server device rotate-secret {id} --now"
    ))
}
