//! Firmware manifests, from the author's key to the check of an image.

use std::process::Command;

use crate::home::{Home, finish, is_there};

const PASSWORD: &str = "only the author knows";

/// A folder with two key pairs and an image of 3000 bytes.
fn desk() -> Home {
    let home = Home::new(String::new());
    home.write("app.bin", &"firmware".repeat(375));
    for name in ["author.pem", "second.pem"] {
        finish(in_folder(&home).args(["firmware", "keygen", "-o", name]), 0);
    }
    home
}

fn in_folder(home: &Home) -> Command {
    let mut command = home.bare();
    command.current_dir(home.path("."));
    command
}

fn check(home: &Home, arguments: &str, code: i32) -> (String, String) {
    finish(in_folder(home).args(arguments.split(' ')), code)
}

const SIGN: &str = "firmware sign app.bin --key author.pem --type esp32-s3 --version 2.0.1 \
                    --sequence 7 --chunk-size 1KiB";
const VERIFY: &str = "firmware verify app.bin app.bin.manifest";

#[test]
fn what_is_signed_is_verified_and_shown() {
    let home = desk();
    let (out, _) = check(&home, SIGN, 0);
    assert!(out.starts_with("Manifest in app.bin.manifest"), "{out}");
    assert_eq!(home.mode("author.pem"), 0o600);
    assert_eq!(home.mode("app.bin.manifest"), 0o644);
    let authors = format!("{VERIFY} --author second.pub.pem --author author.pub.pem");
    let (out, _) = check(&home, &authors, 0);
    assert!(
        out.contains("firmware 2.0.1 (release 7) for esp32-s3"),
        "{out}"
    );
    let (out, _) = check(&home, "firmware inspect app.bin.manifest", 0);
    assert!(
        out.contains("chunks        3 of 1024 bytes") && out.contains("not verified"),
        "{out}"
    );
    let (out, _) = check(&home, "firmware inspect app.bin.manifest --json", 0);
    for member in [
        "\"verified\":false",
        "\"sequence\":7",
        "\"size\":3000",
        "\"min_sequence\":0",
    ] {
        assert!(out.contains(member), "{out}");
    }
}

#[test]
fn an_image_that_was_changed_is_refused_at_its_chunk() {
    let home = desk();
    check(&home, SIGN, 0);
    let verify = format!("{VERIFY} --author author.pub.pem");
    let image = "firmware".repeat(375);
    for (changed, why) in [
        (
            image.replacen("firm", "hard", 1),
            "chunk 0 has another digest",
        ),
        (
            image.trim_end_matches('e').into(),
            "chunk 2 has another length",
        ),
        (image.clone() + "x", "longer than the manifest says"),
    ] {
        home.write("app.bin", &changed);
        let (_, log) = check(&home, &verify, 4);
        assert!(log.contains(why), "{log}");
    }
}

#[test]
fn a_manifest_of_a_stranger_or_a_revoked_key_is_refused() {
    let home = desk();
    check(&home, SIGN, 0);
    let (_, log) = check(&home, &format!("{VERIFY} --author second.pub.pem"), 4);
    assert!(log.contains("not that of a trusted author"), "{log}");
    home.write("app.bin.manifest", "not a manifest");
    check(&home, &format!("{VERIFY} --author author.pub.pem"), 4);
    check(&home, "firmware inspect app.bin.manifest", 4);
}

#[test]
fn no_manifest_and_no_key_is_overwritten_by_mistake() {
    let home = desk();
    home.write("app.bin.manifest", "there");
    let (_, log) = check(&home, SIGN, 2);
    assert!(log.contains("--force"), "{log}");
    assert_eq!(home.read("app.bin.manifest"), "there");
    check(&home, &format!("{SIGN} --force"), 0);
    let key = home.read("author.pem");
    check(&home, "firmware keygen -o author.pem", 2);
    assert_eq!(home.read("author.pem"), key);
}

#[test]
fn an_encrypted_key_needs_its_password() {
    let home = desk();
    let with = |arguments: &str, password: &str, code| {
        let mut command = in_folder(&home);
        command.env("PROVIDORE_AUTHOR_PASSWORD", password);
        finish(command.args(arguments.split(' ')), code)
    };
    with("firmware keygen -o locked.pem", PASSWORD, 0);
    assert!(home.read("locked.pem").contains("ENCRYPTED PRIVATE KEY"));
    let sign = SIGN.replace("author.pem", "locked.pem");
    let (_, log) = check(&home, &sign, 2);
    assert!(log.contains("PROVIDORE_AUTHOR_PASSWORD"), "{log}");
    with(&sign, "a guess", 5);
    assert!(!is_there(&home.path("app.bin.manifest")));
    let (out, log) = with(&sign, PASSWORD, 0);
    assert!(!out.contains(PASSWORD) && !log.contains(PASSWORD));
    check(&home, &format!("{VERIFY} --author locked.pub.pem"), 0);
}

#[test]
fn what_no_device_would_take_is_not_signed() {
    let home = desk();
    check(&home, &SIGN.replace("1KiB", "3KiB"), 2);
    check(&home, &SIGN.replace("esp32-s3", "../up"), 2);
    let (_, log) = check(&home, &format!("{SIGN} --min-sequence 7"), 5);
    assert!(log.contains("not below the release's own"), "{log}");
    home.write("app.bin", "");
    check(&home, SIGN, 5);
    assert!(!is_there(&home.path("app.bin.manifest")));
}

#[test]
fn every_help_for_authors_shows_an_example() {
    let home = Home::new(String::new());
    for command in ["keygen", "sign", "verify", "inspect"] {
        let (out, _) = finish(home.bare().args(["firmware", command, "--help"]), 0);
        assert!(out.contains("Example:"), "{command}: {out}");
    }
}
