//! `serve`.

use clap::Args;

use crate::{Common, failure::Outcome};

/// What to import.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {}

pub(crate) fn run(_common: &Common, _args: ServeArgs) -> Outcome {
    Ok(())
}
