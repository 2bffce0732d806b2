//! `firmware`: add and list images.

mod add;
mod list;

use clap::Subcommand;

use crate::{Common, failure::Outcome};

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum FirmwareCommand {
    /// Add an image and offer it to devices.
    Add(Box<add::AddArgs>),
    /// List the images and how many devices each is meant for.
    #[command(after_help = "Example: providore-server firmware list --json")]
    List,
}

pub(crate) fn run(common: &Common, command: FirmwareCommand) -> Outcome {
    match command {
        FirmwareCommand::Add(args) => add::run(common, &args),
        FirmwareCommand::List => list::run(common),
    }
}
