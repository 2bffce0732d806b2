//! Prepares a board for its server: README.md, "Provision it".
//!
//! Nothing is written to a board unless it is asked for: without `--run` and `--burn` the commands are
//! printed.

mod burn;
mod image;
mod tool;

use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

#[derive(Parser)]
#[command(
    version,
    about = "Prepares an ESP32-S2 or ESP32-C3 for its providore server"
)]
struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Prints a new secret of 32 characters, which fits the fuses.
    Secret,
    /// Makes the partition that tells a board who it is, and prints how to write it.
    Image(image::Arguments),
    /// Burns a secret into the fuses of a board, for ever.
    Burn(burn::Arguments),
}

/// Which board, for espflash and espefuse.
#[derive(clap::Args)]
struct Board {
    /// The chip.
    #[arg(long, value_enum, default_value_t = Chip::Esp32s2)]
    chip: Chip,
    /// The serial port; without it the tools look for one.
    #[arg(long)]
    port: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Chip {
    Esp32s2,
    Esp32c3,
}

impl Chip {
    const fn name(self) -> &'static str {
        match self {
            Self::Esp32s2 => "esp32s2",
            Self::Esp32c3 => "esp32c3",
        }
    }
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().action {
        Action::Secret => image::secret().map(|secret| println!("{}", secret.as_str())),
        Action::Image(arguments) => image::run(&arguments),
        Action::Burn(arguments) => burn::run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}
