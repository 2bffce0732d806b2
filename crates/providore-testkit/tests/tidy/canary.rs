//! The program without std contains every crate that a device builds.

use crate::workspace::{assert_none, published, read, root};

/// These need an allocator or `std`, and run on a server.
const NOT_FOR_DEVICES: [&str; 1] = ["providore-server-core"];

#[test]
fn every_device_crate_is_in_the_canary() {
    let folder = root().join(".ci/canary");
    let manifest = read(&folder.join("Cargo.toml"));
    let source = read(&folder.join("src/lib.rs"));
    let mut missing = Vec::new();
    for member in published() {
        if NOT_FOR_DEVICES.contains(&member.name.as_str()) {
            continue;
        }
        let line = format!("\n{} = {{ path = ", member.name);
        if !manifest.contains(&line) {
            missing.push(format!("{} in .ci/canary/Cargo.toml", member.name));
        }
        let line = format!("extern crate {} as _;", member.name.replace('-', "_"));
        if !source.contains(&line) {
            missing.push(format!("{} in .ci/canary/src/lib.rs", member.name));
        }
    }
    assert_none("add to the canary", &missing);
}
