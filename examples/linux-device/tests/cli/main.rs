//! `providore-device` as a user runs it, against a server on 127.0.0.1.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

extern crate alloc;

mod advice;
mod certificate;
mod config;
mod exit_codes;
mod firmware;
mod home;
mod limits;
mod manifest;
mod notices;
mod replaced;
mod secrets;
mod server;
mod signed;
mod told;
