//! `quickstart`.

use clap::Args;

use crate::{Common, failure::Outcome};

/// What to import.
#[derive(Debug, Args)]
pub(crate) struct QuickstartArgs {}

pub(crate) fn run(_common: &Common, _args: QuickstartArgs) -> Outcome {
    Ok(())
}
