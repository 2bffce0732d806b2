//! `device retry`: a release that failed on a device is offered to it again.

use clap::Args;
use futures_lite::future::block_on;
use providore_server_core::FirmwareStore as _;
use providore_wire::{DeviceId, FirmwareVersion};
use serde_json::json;

use crate::{
    Common,
    commands::{
        arguments,
        print::{say, say_json},
        records,
    },
    failure::{OrFail as _, Outcome},
};

/// What to offer again.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  providore-server device retry kitchen-lamp
  providore-server device retry kitchen-lamp 2.0.1

A release that a device reports as failed or rolled back is not offered to it again, until it is told
so here or the device has it after all. What failed and why: providore-server device show ID.")]
pub(crate) struct RetryArgs {
    /// The name of the device.
    #[arg(value_parser = arguments::device)]
    id: DeviceId,
    /// The version; without it, all that failed.
    #[arg(value_parser = arguments::name)]
    version: Option<FirmwareVersion>,
}

pub(super) fn run(common: &Common, args: &RetryArgs) -> Outcome {
    let folder = common.folder();
    folder.require()?;
    let store = folder.store()?;
    records::find(&store, &args.id)?;
    let failures = block_on(store.failures(&args.id)).or_fail("read what failed")?;
    let mut versions: Vec<_> = failures
        .into_iter()
        .map(|failure| failure.version)
        .filter(|version| args.version.as_ref().is_none_or(|only| only == version))
        .collect();
    versions.sort();
    for version in &versions {
        block_on(store.forget_failure(&args.id, version)).or_fail(format!("forget {version}"))?;
    }
    let versions: Vec<&str> = versions.iter().map(FirmwareVersion::as_str).collect();
    if common.json {
        return say_json(&json!({"id": args.id.as_str(), "versions": versions}));
    }
    let id = &args.id;
    match (versions.as_slice(), &args.version) {
        ([], None) => say(&format!("Nothing has failed on {id}.\n")),
        ([], Some(version)) => say(&format!("{version} has not failed on {id}.\n")),
        (versions, _) => say(&format!("{id} is offered {} again.\n", versions.join(", "))),
    }
}
