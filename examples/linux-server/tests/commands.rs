//! The management commands, driven as a person or a script drives them: the built program in an
//! empty folder.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "tests of a program for Linux, with helpers that clippy.toml does not exempt"
)]

mod commands {
    pub(crate) mod program;

    mod certs;
    mod devices;
    mod durability;
    mod firmware;
    mod import;
    mod manifests;
    mod notices;
    mod records;
    mod secrets;
}
