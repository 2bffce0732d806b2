//! `providore-server`: a provisioning server for devices in one binary.
//!
//! The service itself is `providore-server-core`; here are its sockets, its files, its settings and
//! its command line.
#![expect(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a program for Linux, where std is the name everybody knows"
)]

mod ca;
mod clock;
mod commands;
mod data;
mod failure;
mod logs;
mod presence;
mod quickstart;
mod resources;
mod serve;
mod server_lock;
mod settings;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

use crate::{data::DataFolder, failure::Outcome};

/// Takes devices from the box to trusted, configured, certified and up to date.
///
/// One binary and one folder: no database, no broker.
#[derive(Debug, Parser)]
#[command(
    version,
    name = "providore-server",
    after_help = "\
Examples:
  providore-server quickstart               see a device provisioned, on an empty folder
  providore-server device add kitchen-lamp  make a device and print its secret once
  providore-server serve --http 0.0.0.0:3000

Exit codes: 0 done, 1 failed, 2 wrong usage."
)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
struct Common {
    /// The data folder: devices, configurations, firmware, certificates, the CA.
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "PROVIDORE_DATA",
        default_value = "./providore-data"
    )]
    data: PathBuf,
    /// Print JSON for programs instead of text for people; an error is one line of it on standard
    /// error.
    #[arg(long, global = true)]
    json: bool,
}

impl Common {
    fn folder(&self) -> DataFolder {
        DataFolder::at(&self.data)
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer devices over HTTP and HTTPS.
    Serve(Box<serve::ServeArgs>),
    /// Make everything, provision a demo device against it, and keep serving.
    Quickstart(quickstart::QuickstartArgs),
    /// Add, list, show, disable or remove devices.
    #[command(subcommand)]
    Device(commands::device::DeviceCommand),
    /// Add or list firmware images.
    #[command(subcommand)]
    Firmware(commands::firmware::FirmwareCommand),
    /// List, issue or revoke certificates.
    #[command(subcommand)]
    Cert(commands::cert::CertCommand),
    /// Show, import, encrypt or renew the certificate authority.
    #[command(subcommand)]
    Ca(commands::ca::CaCommand),
    /// Take over the devices, configurations and firmware of a first Providore.
    Import(commands::import::ImportArgs),
}

fn main() -> ExitCode {
    resources::keep_secrets_in_memory();
    let cli = Cli::parse();
    let json = cli.common.json;
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            logs::last_words(if json {
                failure.to_json().to_string()
            } else {
                format!("providore-server: {failure}")
            });
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Outcome {
    let common = &cli.common;
    match cli.command {
        Command::Serve(args) => serve::run(common, *args),
        Command::Quickstart(args) => quickstart::run(common, &args),
        Command::Device(command) => commands::device::run(common, command),
        Command::Firmware(command) => commands::firmware::run(common, command),
        Command::Cert(command) => commands::cert::run(common, command),
        Command::Ca(command) => commands::ca::run(common, command),
        Command::Import(args) => commands::import::run(common, args),
    }
}
