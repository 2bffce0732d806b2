//! Runs the project's vectors on this machine and prints a digest and a verdict for each.
//!
//! On Xtensa, the instruction set of the ESP32-S2, and on the host it has to print the same: `run`
//! builds both and compares them.
#![cfg_attr(target_os = "none", no_std, no_main)]

mod arithmetic;
mod client;
#[cfg(target_arch = "xtensa")]
mod machine;
mod manifest;
mod message;
mod original;
mod signed;
mod transcript;

use core::fmt::Write;

/// Whether every check succeeded.
fn run(out: &mut dyn Write) -> bool {
    let mut report = transcript::Report::new(out);
    report.check("RFC 4231", "test case 1", |transcript| {
        let done = signed::rfc4231(transcript);
        transcript.require("a step", done.is_some());
    });
    arithmetic::run(&mut report);
    signed::run(&mut report);
    original::run(&mut report);
    client::run(&mut report);
    manifest::run(&mut report);
    report.finish()
}

#[cfg(not(target_os = "none"))]
fn main() -> std::process::ExitCode {
    let mut text = String::new();
    let succeeded = run(&mut text);
    print!("{text}");
    if succeeded {
        std::process::ExitCode::SUCCESS
    } else {
        std::process::ExitCode::FAILURE
    }
}
