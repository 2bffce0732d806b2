//! A fuzz target for every parser and every state machine of providore.
//!
//! A target is a function over bytes that asserts what must hold for any input: not only that
//! nothing panics, but that what is read can be written and read again, and that a naive model
//! agrees. `fuzz_targets/` hands the functions to libFuzzer; `tests/replay.rs` runs them over
//! `corpus/`, and over every small change of each file there, without it.
#![forbid(unsafe_code)]

pub mod certificates;
pub mod client;
pub mod coding;
mod fields;
pub mod firmware;
pub mod flash;
pub mod machines;
pub mod messages;
pub mod notices;
pub mod server;
pub mod server_signed;
pub mod signed_exchange;
pub mod signed_heads;
pub mod structured;
mod tampering;
pub mod transport;
pub mod updates;
pub mod values;

/// A fuzz target.
pub type Target = fn(&[u8]);

macro_rules! targets {
    ($($module:ident::$name:ident,)*) => {
        /// Every target: its name in `fuzz_targets/` and `corpus/`, and what it does.
        pub const TARGETS: &[(&str, Target)] = &[$((stringify!($name), $module::$name)),*];
    };
}

targets! {
    certificates::alt_name,
    certificates::certificate,
    certificates::chain,
    certificates::csr,
    certificates::csr_round_trip,
    certificates::key_file,
    certificates::public_key,
    certificates::revocation_list,
    client::entity_tag,
    client::exchange,
    client::server_address,
    coding::content_decoder,
    coding::decode_in_place,
    firmware::manifest,
    flash::boot_record,
    flash::flash_records,
    machines::replay_guard,
    machines::response_verifier,
    messages::request_head,
    messages::request_round_trip,
    messages::response_head,
    notices::notice,
    notices::notices,
    server::devices_json,
    server::file_name,
    server::server_handle,
    server_signed::server_signed,
    signed_exchange::signed_exchange,
    signed_heads::signed_request_head,
    signed_heads::signed_response_head,
    structured::content_digest,
    structured::signature_base,
    structured::signature_input,
    structured::structured_dictionary,
    structured::structured_vs_sfv,
    transport::http_response,
    updates::update_agent,
    updates::update_state,
    values::authorization,
    values::challenge,
    values::device_id,
    values::nonce,
    values::signature,
    values::target,
    values::timestamp,
}

/// Runs one target over one input.
///
/// # Panics
/// If there is no such target, or if the input breaks an invariant.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    target.expect("a target of this name").1(data);
}
