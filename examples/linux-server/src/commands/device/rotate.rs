//! `device rotate-secret`: a new secret, which the device fetches itself or is given by hand.

use clap::Args;
use providore_server_core::{Dialect, json_files::DeviceEdit};
use providore_wire::DeviceId;
use serde_json::json;

use super::handover::{HandoverArgs, Secret};
use crate::{
    Common,
    commands::{
        arguments,
        print::{note, say, say_json},
        records,
    },
    data::DataFolder,
    failure::{Failure, Outcome},
};

/// Which device gets a new secret, and how.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  providore-server device rotate-secret kitchen-lamp
  providore-server device rotate-secret kitchen-lamp --now --nvs lamp.nvs.csv
  providore-server device rotate-secret kitchen-lamp --cancel

A device of the signed dialect fetches its new secret itself, encrypted; nobody is shown it. The old
one is accepted until the device has used the new one.

Whoever has the old secret can read the new one off the wire. After a theft or a loss use --now: the
old secret is refused at once, and the device is given the new one by hand. A device that may speak
the original dialect cannot be told a secret over the network: for it, --now is what is always done.")]
pub(crate) struct RotateArgs {
    /// The name of the device.
    #[arg(value_parser = arguments::device)]
    id: DeviceId,
    /// Replace the secret at once and print the new one, this once: for one that was lost or stolen.
    #[arg(long)]
    now: bool,
    /// Take back a new secret that the device has not used yet.
    #[arg(long, conflicts_with_all = ["now", "secret", "nvs", "qr"])]
    cancel: bool,
    #[command(flatten)]
    handover: HandoverArgs,
}

pub(super) fn run(common: &Common, args: &RotateArgs) -> Outcome {
    let folder = common.folder();
    folder.require()?;
    let device = records::find(&folder.store()?, &args.id)?;
    match device.dialect {
        _ if args.cancel => cancel(common, &folder, &args.id),
        Dialect::Original => {
            replace(common, &folder, args, device.dialect)?;
            note(
                "The device may speak the original dialect and is refused until it has been given \
                 this secret by hand.",
            );
            Ok(())
        }
        dialect if args.now => replace(common, &folder, args, dialect),
        _ if args.handover.is_wanted() => Err(Failure::new(format!(
            "{} fetches its new secret itself: nobody hands it over",
            args.id
        ))
        .hint("leave out --secret, --nvs and --qr, or replace the secret at once with --now")),
        _ => announce(common, &folder, &args.id),
    }
}

/// The old secret is void at once, and so is one that waited.
fn replace(common: &Common, folder: &DataFolder, args: &RotateArgs, dialect: Dialect) -> Outcome {
    let secret = args.handover.secret(dialect)?;
    args.handover.prepare()?;
    folder.store()?.edit(|entries: &mut DeviceEdit| {
        let entry = records::entry(entries, &args.id)?;
        entry.insert("secretKey".into(), secret.expose().into());
        entry.shift_remove("nextSecretKey");
        Outcome::Ok(())
    })?;
    args.handover.hand_over(common, &args.id, &secret)
}

/// The device learns its next secret when it asks.
fn announce(common: &Common, folder: &DataFolder, id: &DeviceId) -> Outcome {
    let secret = Secret::generate();
    let waited = folder.store()?.edit(|entries: &mut DeviceEdit| {
        let entry = records::entry(entries, id)?;
        let waited = entry.insert("nextSecretKey".into(), secret.expose().into());
        Outcome::Ok(waited.is_some())
    })?;
    if common.json {
        return say_waiting(id, true);
    }
    let void = if waited {
        "The one that waited before is void. "
    } else {
        ""
    };
    say(&format!(
        "A new secret waits for {id}, which fetches it itself, encrypted. {void}The old one dies when\n\
         the device has used the new one. Whether it has: providore-server device show {id}\n"
    ))
}

fn cancel(common: &Common, folder: &DataFolder, id: &DeviceId) -> Outcome {
    let waited = folder.store()?.edit(|entries: &mut DeviceEdit| {
        let entry = records::entry(entries, id)?;
        Outcome::Ok(entry.shift_remove("nextSecretKey").is_some())
    })?;
    if common.json {
        return say_waiting(id, false);
    }
    if waited {
        return say(&format!("{id} keeps its secret; the new one is void.\n"));
    }
    say(&format!("No new secret waits for {id}.\n"))
}

fn say_waiting(id: &DeviceId, waits: bool) -> Outcome {
    say_json(&json!({"id": id.as_str(), "next_secret_waits": waits}))
}
