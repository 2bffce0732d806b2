//! The commands, with an `espefuse` and an `espflash` that only write down what they are asked to do.
//!
//! There is no chip here: that the real tools take these words is their documentation's word.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use esp32_parts::provisioning::{Provisioning, Secret};
use providore_pki::SoftwareKey;

const SECRET: &str = "0123456789abcdefghijklmnopqrstuv";

/// A folder with both tools, the secret, a password, and the keys of two authors.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for tool in ["espefuse", "espflash"] {
        // Writes its words, and the file that it is given.
        let script = "#!/bin/sh\necho \"${0##*/} $*\" >>\"${0%/*}/log\"\n\
                      for word; do [ ! -f \"$word\" ] || cat \"$word\" >>\"${0%/*}/key\"; done\n";
        fs::write(at(tool), script).unwrap();
        fs::set_permissions(at(tool), fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::write(at("secret"), format!("{SECRET}\n")).unwrap();
    fs::write(at("password"), "correct horse\n").unwrap();
    for number in [1, 2] {
        let key = SoftwareKey::from_scalar(&[number; 32])
            .unwrap()
            .public_key();
        fs::write(at(&format!("{number}.pem")), key.to_spki_pem().unwrap()).unwrap();
    }
    folder
}

fn provision(folder: &Path, words: &str, input: &str) -> Output {
    let path = format!("{}:/usr/bin:/bin", folder.display());
    let mut child = Command::new(env!("CARGO_BIN_EXE_provision"))
        .args(words.split(' '))
        .current_dir(folder)
        .env("PATH", path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may be gone without having read.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn log(folder: &Path) -> Option<String> {
    fs::read_to_string(folder.join("log")).ok()
}

const BURN: &str = "burn --id lamp --secret-file secret --fuse-block 3 --port /dev/null";

/// Nothing was burned, and this was said.
fn check_refused(words: &str, input: &str, said: &str) {
    let folder = folder();
    let output = provision(folder.path(), words, input);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{words}");
    assert!(error.contains(said), "{words}: {error}");
    assert_eq!(log(folder.path()), None, "{words}");
}

#[test]
fn without_burn_the_command_is_printed_and_nothing_happens() {
    let folder = folder();
    let output = provision(folder.path(), BURN, "lamp\nlamp\n");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success());
    assert!(said.contains("burn-key BLOCK_KEY3"), "{said}");
    assert!(!said.contains(SECRET));
    assert_eq!(log(folder.path()), None);
}

#[test]
fn the_name_has_to_be_typed_twice() {
    let burn = &format!("{BURN} --burn --without-terminal");
    let refused = |input| check_refused(burn, input, "that is not its name: nothing was burned");
    refused("");
    refused("lamp\n");
    refused("lamp\nlamb\n");
    refused("lamb\nlamp\n");
    refused("y\ny\n");
    refused("lamp lamp\n");
}

#[test]
fn a_pipe_has_to_be_meant() {
    check_refused(&format!("{BURN} --burn"), "lamp\nlamp\n", "no terminal");
    check_refused(
        &format!("{BURN} --without-terminal"),
        "lamp\nlamp\n",
        "--burn",
    );
}

#[test]
fn a_secret_of_another_length_is_not_burned() {
    let words = "burn --id lamp --secret-file password --fuse-block 0 --burn --without-terminal";
    check_refused(words, "lamp\nlamp\n", "13 bytes");
    let words = "burn --id lamp --secret-file secret --fuse-block 6 --burn --without-terminal";
    check_refused(words, "lamp\nlamp\n", "6 is not in 0..=5");
}

#[test]
fn what_is_burned_is_the_secret_as_a_key_for_hmac() {
    let folder = folder();
    let words = format!("{BURN} --chip esp32c3 --burn --without-terminal");
    let output = provision(folder.path(), &words, "lamp\nlamp\n");
    assert!(output.status.success(), "{output:?}");
    let log = log(folder.path()).unwrap();
    let words: Vec<_> = log.trim_end().split(' ').collect();
    let [tool @ .., file, purpose] = &words[..] else {
        panic!("{log}")
    };
    let expected = "espefuse --chip esp32c3 --port /dev/null --do-not-confirm burn-key BLOCK_KEY3";
    assert_eq!((tool.join(" ").as_str(), *purpose), (expected, "HMAC_UP"));
    assert!(!Path::new(file).exists(), "the key was left in {file}");
    assert_eq!(
        fs::read_to_string(folder.path().join("key")).unwrap(),
        SECRET
    );
}

const IMAGE: &str = "image --id lamp --hardware esp32-s2 --wifi-name kitchen \
                     --wifi-password-file password --author 1.pem --author 2.pem";

#[test]
fn an_image_tells_the_firmware_what_was_typed() {
    let folder = folder();
    let words = format!("{IMAGE} --secret-file secret --server http://192.0.2.1:3000 --run");
    let output = provision(folder.path(), &words, "");
    assert!(output.status.success(), "{output:?}");
    let path = folder.path().join("provision.bin");
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let bytes = fs::read(path).unwrap();
    let told = Provisioning::parse(&bytes).unwrap();
    assert_eq!(
        (told.id.as_str(), told.hardware.as_str()),
        ("lamp", "esp32-s2")
    );
    assert_eq!(
        (told.wifi_name, told.wifi_password),
        ("kitchen", "correct horse")
    );
    assert_eq!(told.secret, Secret::Stored(SECRET.as_bytes()));
    assert_eq!(told.authors.iter().count(), 2);
    assert_eq!(told.server, Some("http://192.0.2.1:3000"));
    let written = "espflash write-bin --chip esp32s2 0x9000 provision.bin\n";
    assert_eq!(log(folder.path()).as_deref(), Some(written));
    // It may be another device's.
    let again = provision(folder.path(), &words, "");
    assert!(!again.status.success());
}

#[test]
fn a_secret_in_fuses_is_not_in_the_image() {
    let folder = folder();
    let output = provision(folder.path(), &format!("{IMAGE} --fuse-block 3"), "");
    assert!(output.status.success(), "{output:?}");
    let bytes = fs::read(folder.path().join("provision.bin")).unwrap();
    assert_eq!(
        Provisioning::parse(&bytes).unwrap().secret,
        Secret::Fuses(3)
    );
    assert_eq!(log(folder.path()), None);
}

#[test]
fn what_does_not_fit_together_is_refused() {
    check_refused(IMAGE, "", "--secret-file");
    check_refused(
        &format!("{IMAGE} --fuse-block 3 --secret-file secret"),
        "",
        "cannot be used",
    );
    check_refused(
        &format!("{IMAGE} --author 1.pem --fuse-block 3"),
        "",
        "twice",
    );
    check_refused(
        &format!("{IMAGE} --fuse-block 3 --ca-fingerprint 00"),
        "",
        "--ca-fingerprint",
    );
}

#[test]
fn secrets_are_of_a_length_that_fits_and_never_the_same() {
    let folder = folder();
    let secret = || provision(folder.path(), "secret", "").stdout;
    let (one, other) = (secret(), secret());
    assert_eq!((one.len(), other.len()), (33, 33));
    assert_ne!(one, other);
}
