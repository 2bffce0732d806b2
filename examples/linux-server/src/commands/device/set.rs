//! `device set`: what a record says of hardware, names and certificate.

use clap::{ArgGroup, Args, value_parser};
use providore_pki::{Profile, profile::AltName};
use providore_server_core::json_files::DeviceEdit;
use providore_wire::{DeviceId, FirmwareVersion};
use serde_json::{Map, Value, json};

use super::add;
use crate::{
    Common,
    commands::{
        arguments,
        print::{say, say_json},
        records,
    },
    failure::Outcome,
};

/// What to change.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("what").required(true).multiple(true)
        .args(["version", "names", "no_names", "profile", "days"]),
    after_help = "\
Examples:
  providore-server device set kitchen-lamp --type esp32s3-lamp --version 1.2.0
  providore-server device set gate --name gate.lan --name 192.168.7.2 --profile server --days 30

--type and --version replace everything that is offered to the device by this one release. Names, profile
and days are in its next certificate."
)]
pub(crate) struct SetArgs {
    /// The name of the device.
    #[arg(value_parser = arguments::device)]
    id: DeviceId,
    /// The hardware type: its images lie in firmwareStore/TYPE.
    #[arg(long, value_name = "TYPE", requires = "version", value_parser = arguments::name)]
    r#type: Option<FirmwareVersion>,
    /// The firmware version that is meant for it.
    #[arg(long, value_name = "VERSION", requires = "type", value_parser = arguments::name)]
    version: Option<FirmwareVersion>,
    /// A DNS name or IP address for its certificate, in place of those it has; may be given several
    /// times.
    #[arg(long = "name", value_name = "DNS_OR_IP")]
    names: Vec<AltName>,
    /// No names but its id in its certificate.
    #[arg(long, conflicts_with = "names")]
    no_names: bool,
    /// What its certificate is for.
    #[arg(long)]
    profile: Option<Profile>,
    /// The life of its certificate in days.
    #[arg(long, value_parser = value_parser!(u16).range(1..=3650))]
    days: Option<u16>,
}

pub(super) fn run(common: &Common, args: &SetArgs) -> Outcome {
    let folder = common.folder();
    folder.require()?;
    let release = match (&args.r#type, &args.version) {
        (Some(hardware), Some(version)) => Some(add::release(&folder, hardware, version)?),
        _ => None,
    };
    folder.store()?.edit(|entries: &mut DeviceEdit| {
        let entry = records::entry(entries, &args.id)?;
        if let Some(release) = release {
            entry.insert("firmware".into(), json!([release]));
        }
        if args.no_names {
            entry.shift_remove("names");
        }
        add::write_names(entry, &args.names);
        set_certificate(entry, args);
        Outcome::Ok(())
    })?;
    if common.json {
        return say_json(&json!({"id": args.id.as_str(), "changed": true}));
    }
    say(&format!(
        "{} is changed: providore-server device show {}\n",
        args.id, args.id
    ))
}

/// Keeps what else an entry says of its certificate.
fn set_certificate(entry: &mut Map<String, Value>, args: &SetArgs) {
    let changes = add::certificate(args.profile, args.days);
    if changes.is_empty() {
        return;
    }
    let certificate = entry.entry("certificate").or_insert_with(|| json!({}));
    if let Some(certificate) = certificate.as_object_mut() {
        certificate.extend(changes);
    }
}
