//! Files that are replaced stay whose they are, where they are, and readable by whom they were.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink},
    process::Command,
};

use crate::{home::Home, server::honest};

/// Owner, group and mode of a file.
fn access(home: &Home, name: &str) -> (u32, u32, u32) {
    let found = fs::metadata(home.path(name)).unwrap();
    (found.uid(), found.gid(), found.mode() & 0o777)
}

/// Gives a file away, which only root can; the mode is set in any case.
fn give(home: &Home, name: &str, owner: u32, mode: u32) -> (u32, u32, u32) {
    let path = home.path(name);
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    let _ = chown(&path, Some(owner), Some(owner));
    access(home, name)
}

#[test]
fn a_renewed_certificate_and_key_keep_owner_and_mode() {
    let home = Home::new(honest());
    let (cert, key) = (home.path("client.crt"), home.path("client.key"));
    let paths = [
        "--cert-path",
        cert.to_str().unwrap(),
        "--key-path",
        key.to_str().unwrap(),
    ];
    home.check(&paths, 0);
    let (cert, key) = (
        give(&home, "client.crt", 999, 0o640),
        give(&home, "client.key", 999, 0o640),
    );
    // Another CA: what it has is good for nothing.
    fs::remove_file(home.path("state/authority")).unwrap();
    fs::write(home.path("client.crt"), "damaged").unwrap();
    home.check(&paths, 0);
    assert!(
        home.read("client.crt")
            .starts_with("-----BEGIN CERTIFICATE-----")
    );
    assert_eq!(access(&home, "client.crt"), cert);
    assert_eq!(access(&home, "client.key"), key);
}

#[test]
fn a_link_stays_a_link_and_its_target_is_replaced() {
    let home = Home::new(honest());
    home.write("elsewhere/real.json", "old");
    let link = home.path("config.json");
    symlink("elsewhere/real.json", &link).unwrap();
    let mode = give(&home, "elsewhere/real.json", 999, 0o644);
    // The owner of the link has to be the owner of what it leads to.
    let owner = fs::metadata(home.path("elsewhere/real.json"))
        .unwrap()
        .uid();
    let _ = std::os::unix::fs::lchown(&link, Some(owner), Some(owner));
    let path = link.to_str().unwrap();
    home.check(&["--config-path", path, "config"], 0);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_ne!(home.read("elsewhere/real.json"), "old");
    assert_eq!(access(&home, "elsewhere/real.json"), mode);
}

#[test]
fn a_link_to_what_is_not_there_yet_is_followed() {
    let home = Home::new(honest());
    fs::create_dir(home.path("elsewhere")).unwrap();
    let link = home.path("config.json");
    symlink("elsewhere/new.json", &link).unwrap();
    home.check(&["--config-path", link.to_str().unwrap(), "config"], 0);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(home.path("elsewhere/new.json").exists());
}

#[test]
fn a_file_that_is_mounted_by_itself_is_named_with_what_to_do() {
    let home = Home::new(honest());
    home.write("config.json", "old");
    home.write("source.json", "old");
    let program = env!("CARGO_BIN_EXE_providore-device");
    let (config, source) = (home.path("config.json"), home.path("source.json"));
    // In a mount namespace of its own, as a container does it.
    let script = format!(
        "mount --bind {} {} && exec {program} \"$@\"",
        source.display(),
        config.display()
    );
    let inner = home.command(&["--config-path", config.to_str().unwrap(), "config"]);
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "sh", "-c", &script, "sh"]);
    command.args(inner.get_args());
    command.env_clear().envs(
        inner
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("config.json is mounted by itself"), "{said}");
    assert!(said.contains("mount its folder"), "{said}");
    assert_eq!(fs::read_to_string(&source).unwrap(), "old");
}
