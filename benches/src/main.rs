//! How fast providore is, each figure beside its ceiling of the same run.
//!
//! Machines differ and are noisy: what is compared with a limit is a ratio of two medians that were
//! measured in turns, wherever a ceiling exists.
#![expect(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a program for Linux, where std is the name everybody knows"
)]
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "figures are rounded, and filler bytes are taken as they come"
)]

mod certificates;
mod fleet;
mod http;
mod load;
mod measure;
mod report;
mod sign;
mod signed;

use std::process::ExitCode;

use clap::Parser;

use crate::report::Report;

/// Any failure ends the run.
type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Measures providore beside its ceilings. Build everything first:
/// `cargo build --release --workspace && cargo run --release -p providore-benches`
#[derive(Debug, Parser)]
struct Args {
    /// What to measure: sign, certificates, fleet, config, guard, signed, firmware; all of it by default.
    what: Vec<String>,
    /// Fail if a figure misses its limit.
    #[arg(long)]
    check: bool,
    /// For the benchmark itself: the plain server that is the ceiling of the HTTP figures.
    #[arg(long, hide = true, num_args = 2, value_names = ["FOLDER", "PORT"])]
    ceiling: Option<Vec<String>>,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("providore-benches: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Outcome<bool> {
    if let Some([folder, port]) = args.ceiling.as_deref() {
        return http::ceiling(folder, port.parse()?).map(|()| true);
    }
    let wanted = |name: &str| args.what.is_empty() || args.what.iter().any(|what| what == name);
    let mut report = Report::default();
    if wanted("sign") {
        sign::exchange(&mut report)?;
    }
    if wanted("certificates") {
        certificates::issue(&mut report)?;
        certificates::issue_durably(&mut report)?;
    }
    if wanted("fleet") {
        fleet::start_and_idle(&mut report)?;
    }
    if wanted("config") {
        http::config(&mut report)?;
    }
    if wanted("guard") {
        signed::guard(&mut report)?;
    }
    if wanted("signed") {
        signed::config(&mut report)?;
    }
    if wanted("firmware") {
        http::firmware(&mut report)?;
    }
    report.print();
    Ok(!args.check || report.holds())
}
