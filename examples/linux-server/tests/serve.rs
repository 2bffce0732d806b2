//! The server as a process: real sockets, real signals, raw bytes as deployed clients send them.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::string_slice,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::std_instead_of_core,
    reason = "tests of a program for Linux, with helpers that clippy.toml does not exempt"
)]

mod serve {
    mod running;

    mod abuse;
    mod announce;
    mod authority;
    mod deployed;
    mod locks;
    mod logs;
    mod microcontroller;
    mod operation;
    mod poor_files;
    mod quickstart;
    mod resources;
}
