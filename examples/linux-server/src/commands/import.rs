//! `import`: takes over an installation of the first Providore. Its files are only read.
//!
//! Images, configurations and certificates come first, the devices last: a server that runs
//! meanwhile finds everything that a device it knows asks for. An import that was interrupted is
//! simply run again; what is there already is left as it is.

mod copy;
mod devices;
mod report;
mod source;

use std::path::PathBuf;

use clap::Args;

use crate::{
    Common,
    commands::print::{say, say_json},
    failure::{Failure, Outcome},
};

/// What to import.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  providore-server import /etc/providore --dry-run
  providore-server import /etc/providore/config.json
  providore-server import ./backup --firmware-store ./images --force

FROM is the config.json of the original, or a folder with that file or with the folders
configStore, firmwareStore and certificateStore. In a container the paths in config.json mean
nothing outside: name the folders with the options.")]
pub(crate) struct ImportArgs {
    /// The original's config.json, or the folder of its installation.
    from: PathBuf,
    /// The original's config.json, if it is not in FROM.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The original's devices file.
    #[arg(long, value_name = "FILE")]
    devices: Option<PathBuf>,
    /// The original's folder of configurations.
    #[arg(long, value_name = "DIR")]
    config_store: Option<PathBuf>,
    /// The original's folder of images.
    #[arg(long, value_name = "DIR")]
    firmware_store: Option<PathBuf>,
    /// The original's folder of certificates.
    #[arg(long, value_name = "DIR")]
    certificate_store: Option<PathBuf>,
    /// Overwrite what is here and differs.
    #[arg(long)]
    force: bool,
    /// Change nothing; say what would be done.
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(common: &Common, args: ImportArgs) -> Outcome {
    let folder = common.folder();
    let (force, dry_run) = (args.force, args.dry_run);
    let source = source::find(args)?;
    let mut candidates = devices::read(&source)?;
    candidates.compare(&folder, force)?;
    let mut copied = copy::Copied::new(force, dry_run);
    candidates.copy_files(&source, &folder, &mut copied);
    if !dry_run {
        candidates.merge(&folder)?;
    }
    let report = report::Report {
        source: &source,
        folder: &folder,
        candidates: &candidates,
        copied: &copied,
        dry_run,
    };
    if common.json {
        say_json(&report.to_json())?;
    } else {
        say(&report.to_string())?;
    }
    let left = report.left_out();
    if left == 0 {
        return Ok(());
    }
    Err(
        Failure::new(format!("{left} of the things above were not imported"))
            .hint("everything else was; mend what is named above and run the import again"),
    )
}
