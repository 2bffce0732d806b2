//! `import`.

use clap::Args;

use crate::{Common, failure::Outcome};

/// What to import.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {}

pub(crate) fn run(_common: &Common, _args: ImportArgs) -> Outcome {
    Ok(())
}
