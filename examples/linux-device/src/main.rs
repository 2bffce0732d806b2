//! `providore-device`: keeps this machine's configuration, firmware and certificate current.
//!
//! The successor of the first Providore's Go client: its YAML file and its flags work as they are;
//! against a server of a first Providore with `--dialect original`.
//! Everything that needs a clock, a file, a random number or the environment is here; what to ask
//! and what to believe is `providore-client`'s.

extern crate alloc;

mod advice;
mod author;
mod cli;
mod clock;
mod commands;
mod exit;
mod files;
mod hook;
mod keys;
mod notices;
mod output;
mod random;
mod room;
mod settings;
mod slot;
mod store;
mod whereabouts;
mod yaml;

use std::process::ExitCode;

use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use tracing_subscriber::{filter::LevelFilter, fmt};

use crate::{exit::Failure, output::Output, settings::Settings};

fn main() -> ExitCode {
    // No core dump has the secret in it, and no other process of this user reads it.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let cli = cli::Cli::read();
    fmt()
        .with_writer(std::io::stderr)
        .with_ansi(output::is_coloured())
        .with_target(false)
        .with_max_level(LevelFilter::INFO)
        .without_time()
        // It would print to standard error, and panic if that is what is broken.
        .log_internal_errors(false)
        .init();
    let output = Output::new(cli.options.json);
    match run(cli, output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            failure.code()
        }
    }
}

fn run(cli: cli::Cli, output: Output) -> Result<(), Failure> {
    let command = cli
        .command
        .unwrap_or(cli::Command::Certificate { renew: false });
    if let cli::Command::Firmware(cli::FirmwareArgs {
        action: Some(action),
    }) = command
    {
        return author::run(action, output);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::local("the runtime does not start", error))?;
    if let cli::Command::Find { seconds } = command {
        return runtime.block_on(commands::find(seconds, &cli.options.interface, output));
    }
    let settings = Settings::gather(cli.options)?;
    runtime.block_on(commands::run(command, &settings, output))
}
