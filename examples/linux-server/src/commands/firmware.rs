//! `firmware`.

use clap::Subcommand;

use crate::{Common, failure::Outcome};

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum FirmwareCommand {
    /// List.
    List,
}

pub(crate) fn run(_common: &Common, _command: FirmwareCommand) -> Outcome {
    Ok(())
}
