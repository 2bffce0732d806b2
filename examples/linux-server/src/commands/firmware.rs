//! `firmware`: add, list and withdraw releases; whose signature counts.

mod add;
mod authors;
mod fit;
mod list;
mod offer;
mod published;
mod withdraw;

use clap::Subcommand;

pub(crate) use published::Published;

use crate::{Common, failure::Outcome};

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum FirmwareCommand {
    /// Add an image and offer it to devices.
    Add(Box<add::AddArgs>),
    /// List the images and how many devices each is meant for.
    #[command(after_help = "Example: providore-server firmware list --json")]
    List,
    /// Offer a release no more.
    Withdraw(withdraw::WithdrawArgs),
    /// Trust an author: from the first one on, manifests of others are refused.
    Trust(authors::TrustArgs),
    /// List the authors that are trusted.
    #[command(after_help = "Example: providore-server firmware authors --json")]
    Authors,
    /// Trust an author no more.
    Distrust(authors::DistrustArgs),
}

pub(crate) fn run(common: &Common, command: FirmwareCommand) -> Outcome {
    match command {
        FirmwareCommand::Add(args) => add::run(common, &args),
        FirmwareCommand::List => list::run(common),
        FirmwareCommand::Withdraw(args) => withdraw::run(common, &args),
        FirmwareCommand::Trust(args) => authors::trust(common, &args),
        FirmwareCommand::Authors => authors::list(common),
        FirmwareCommand::Distrust(args) => authors::distrust(common, &args),
    }
}
