//! `firmware withdraw`: a release is offered no more.

use clap::Args;
use providore_server_core::json_files::DeviceEdit;
use providore_wire::{DeviceId, FirmwareVersion};
use serde_json::{Value, json};

use crate::{
    Common,
    commands::{
        arguments,
        print::{say, say_json},
        records,
    },
    failure::{Failure, Outcome},
};

/// Which release to withdraw.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  providore-server firmware withdraw lamp 1.4.0
  providore-server firmware withdraw lamp 1.4.0 --device kitchen-lamp --device hall-lamp

The image stays, and can be offered again with `firmware add`. Devices that have installed the release
keep it: what they are offered next is what may follow on it.")]
pub(crate) struct WithdrawArgs {
    /// The hardware type.
    #[arg(value_parser = arguments::name)]
    r#type: FirmwareVersion,
    /// The version.
    #[arg(value_parser = arguments::name)]
    version: FirmwareVersion,
    /// Only for this device; may be given several times. Default: for all.
    #[arg(long = "device", value_name = "ID", value_parser = arguments::device)]
    devices: Vec<DeviceId>,
}

pub(super) fn run(common: &Common, args: &WithdrawArgs) -> Outcome {
    let folder = common.folder();
    folder.require()?;
    let withdrawn = folder.store()?.edit(|entries: &mut DeviceEdit| {
        let ids: Vec<DeviceId> = if args.devices.is_empty() {
            entries.keys().filter_map(|id| id.parse().ok()).collect()
        } else {
            args.devices.clone()
        };
        let mut withdrawn = Vec::new();
        for id in ids {
            // An entry that has no such release stays as it is, of whatever generation.
            if !offers(entries.get(id.as_str()), args) {
                continue;
            }
            let releases = records::releases(records::entry(entries, &id)?, &id)?;
            remove(releases, args);
            withdrawn.push(id.to_string());
        }
        Outcome::Ok(withdrawn)
    })?;
    if withdrawn.is_empty() {
        let (hardware, version) = (&args.r#type, &args.version);
        return Err(
            Failure::new(format!("{hardware} {version} is offered to no such device"))
                .hint("see what is offered: providore-server firmware list"),
        );
    }
    if common.json {
        return say_json(&json!({"withdrawn": withdrawn}));
    }
    let (hardware, version) = (&args.r#type, &args.version);
    say(&format!(
        "{hardware} {version} is no longer offered to {} devices\n",
        withdrawn.len()
    ))
}

fn offers(entry: Option<&Value>, args: &WithdrawArgs) -> bool {
    let firmware = entry.and_then(|entry| entry.get("firmware"));
    match firmware {
        Some(Value::Array(releases)) => releases.iter().any(|release| is_it(release, args)),
        Some(release) => is_it(release, args),
        None => false,
    }
}

fn is_it(release: &Value, args: &WithdrawArgs) -> bool {
    let is = |name: &str, value: &FirmwareVersion| {
        release.get(name).and_then(Value::as_str) == Some(value.as_str())
    };
    is("type", &args.r#type) && is("version", &args.version)
}

/// Takes the release out, and links the one before it to the one behind it.
fn remove(releases: &mut Vec<Value>, args: &WithdrawArgs) {
    let Some(index) = releases.iter().position(|release| is_it(release, args)) else {
        return;
    };
    let next = releases.remove(index).get("next").cloned();
    for release in releases.iter_mut().filter_map(Value::as_object_mut) {
        if release.get("next").and_then(Value::as_str) == Some(args.version.as_str()) {
            match &next {
                Some(next) => release.insert("next".into(), next.clone()),
                None => release.shift_remove("next"),
            };
        }
    }
}
