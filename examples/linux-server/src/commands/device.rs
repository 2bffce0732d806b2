//! `device`: the commands that look after devices, a file each.

mod add;
mod change;
mod dialect;
mod handover;
mod notify;
mod retry;
mod rotate;
mod set;
mod show;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use providore_wire::{DeviceId, FirmwareVersion};

use crate::{Common, commands::arguments, failure::Outcome};

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum DeviceCommand {
    /// Add a device and print its secret, this once.
    Add(Box<add::AddArgs>),
    /// List all devices.
    #[command(after_help = "Example: providore-server device list --json")]
    List,
    /// Show what is known of a device, without its secret.
    #[command(after_help = "Example: providore-server device show kitchen-lamp")]
    Show(Named),
    /// Refuse a device from now on, as if it were a stranger.
    ///
    /// Its certificate stays valid until it ends or is revoked: cert revoke --device ID.
    #[command(after_help = "Example: providore-server device disable kitchen-lamp")]
    Disable(Named),
    /// Let a disabled device in again.
    #[command(after_help = "Example: providore-server device enable kitchen-lamp")]
    Enable(Named),
    /// Show or set the weakest dialect that is accepted from a device.
    Dialect(dialect::DialectArgs),
    /// Give a device a new secret: it fetches it itself, or is given it by hand.
    RotateSecret(rotate::RotateArgs),
    /// Offer firmware again that failed on a device.
    Retry(retry::RetryArgs),
    /// Change what a record says: hardware, version, names, certificate.
    Set(set::SetArgs),
    /// Forget a device and its configurations.
    Remove(change::RemoveArgs),
    /// Set or show the configuration of a device; a running server hands it out from the next request
    /// on.
    #[command(after_help = "\
Examples:
  providore-server device config kitchen-lamp lamp.json
  generate | providore-server device config kitchen-lamp -
  providore-server device config kitchen-lamp              print the one that it has")]
    Config(ConfigArgs),
    /// Tell a device that something waits, so that it asks now.
    Notify(notify::NotifyArgs),
}

/// A device.
#[derive(Debug, Args)]
pub(crate) struct Named {
    /// The name of the device.
    #[arg(value_parser = arguments::device)]
    id: DeviceId,
}

/// Which configuration to set.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// The name of the device.
    #[arg(value_parser = arguments::device)]
    id: DeviceId,
    /// The configuration: a file with one JSON value, or - for standard input. Without it, the one
    /// that the device has is printed.
    file: Option<PathBuf>,
    /// The firmware version that it is for, where versions have configurations of their own; else
    /// the newest.
    #[arg(long, value_name = "VERSION", value_parser = arguments::name)]
    version: Option<FirmwareVersion>,
}

pub(crate) fn run(common: &Common, command: DeviceCommand) -> Outcome {
    match command {
        DeviceCommand::Add(args) => add::run(common, &args),
        DeviceCommand::List => show::list(common),
        DeviceCommand::Show(args) => show::show(common, &args.id),
        DeviceCommand::Disable(args) => change::set_enabled(common, &args.id, false),
        DeviceCommand::Enable(args) => change::set_enabled(common, &args.id, true),
        DeviceCommand::Dialect(args) => dialect::run(common, &args),
        DeviceCommand::RotateSecret(args) => rotate::run(common, &args),
        DeviceCommand::Retry(args) => retry::run(common, &args),
        DeviceCommand::Set(args) => set::run(common, &args),
        DeviceCommand::Remove(args) => change::remove(common, &args),
        DeviceCommand::Config(args) => change::configure(common, &args),
        DeviceCommand::Notify(args) => notify::run(common, &args),
    }
}
