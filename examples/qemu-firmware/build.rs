//! Tells the linker where each program lies in memory, and makes the ballast.

use std::{env, fs, io, path::PathBuf};

#[expect(
    clippy::disallowed_methods,
    reason = "how cargo tells a build script its folder"
)]
fn main() -> io::Result<()> {
    let layout = concat!(env!("CARGO_MANIFEST_DIR"), "/layout");
    println!("cargo:rerun-if-changed={layout}");
    for (program, script) in [
        ("bootloader", "bootloader.x"),
        ("firmware", "firmware.x"),
        ("bench", "bootloader.x"),
    ] {
        println!("cargo:rustc-link-arg-bin={program}=-T{layout}/{script}");
        println!("cargo:rustc-link-arg-bin={program}=-Tlink.x");
    }
    let folder = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    fs::write(folder.join("ballast"), ballast())
}

/// Half a megabyte that cannot be guessed from what is before it. A product has fonts, sounds and web
/// pages; without them a download would be over before anything could happen to it.
fn ballast() -> Vec<u8> {
    let mut state = 0x2545_F491_u32;
    let mut word = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()
    };
    (0..128 * 1024).flat_map(|_| word()).collect()
}
