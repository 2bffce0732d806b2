//! Firmware in two slots.

use std::path::Path;

use crate::{
    home::{Home, is_there},
    server::{IMAGE, Reply, answer, authority, honest, start},
};

fn link(home: &Home) -> String {
    let target = std::fs::read_link(home.path("firmware/current"));
    target.map_or_else(|_| String::new(), |path| path.to_str().unwrap().to_owned())
}

fn check(home: &Home, hook: &str, code: i32, expected: &str) {
    let folder = home.path("firmware");
    let mut arguments = vec!["firmware", "--firmware-dir", folder.to_str().unwrap()];
    if !hook.is_empty() {
        arguments.extend(["--hook", hook]);
    }
    let (out, _) = home.check(&arguments, code);
    assert!(out.starts_with(expected), "{out}");
}

#[test]
fn firmware_is_installed_once_and_remembered() {
    let home = Home::new(honest());
    check(&home, "", 0, "Firmware 2.0 installed in ");
    assert_eq!(link(&home), "slot-a");
    assert_eq!(std::fs::read(home.path("firmware/current")).unwrap(), IMAGE);
    assert_eq!(home.mode("firmware/slot-a"), 0o600);
    check(&home, "", 0, "Firmware is current\n");
}

#[test]
fn a_hook_that_fails_puts_the_previous_back_for_good() {
    let home = Home::new(honest());
    home.write("firmware/slot-b", "the old image");
    home.write("firmware/slot-b.version", "1.9");
    std::os::unix::fs::symlink("slot-b", home.path("firmware/current")).unwrap();
    check(&home, &home.hook(1), 5, "");
    assert_eq!(link(&home), "slot-b");
    assert_eq!(home.read("firmware/current"), "the old image");
    assert!(!is_there(&home.path("firmware/trial")));
    assert_eq!(home.read("hook.log").lines().count(), 2);

    check(&home, &home.hook(0), 0, "Firmware is current\n");
    assert_eq!(link(&home), "slot-b");
}

#[test]
fn a_trial_that_nobody_judged_is_judged_at_the_next_start() {
    for (code, slot) in [(0, "slot-a"), (1, "slot-b")] {
        let home = Home::new(honest());
        home.write("firmware/slot-a", "the new image");
        home.write("firmware/slot-a.version", "2.0");
        home.write("firmware/slot-b", "the old image");
        home.write("firmware/slot-b.version", "1.9");
        home.write("firmware/trial", "slot-a");
        std::os::unix::fs::symlink("slot-a", home.path("firmware/current")).unwrap();
        check(&home, &home.hook(code), 0, "Firmware is current\n");
        assert_eq!(link(&home), slot);
        assert!(home.read("hook.log").contains(" 2.0"));
        assert!(!is_there(&home.path("firmware/trial")));
    }
}

#[test]
fn a_cut_at_any_step_of_the_switch_leaves_what_ran() {
    // What is there after each step of an installation into slot-a that went no further.
    let steps: [&[(&str, &str)]; 4] = [
        &[("download", "half an image")],
        &[("slot-a.version", "2.0"), ("download", "the image")],
        &[("slot-a.version", "2.0"), ("slot-a", "the image")],
        &[
            ("slot-a.version", "2.0"),
            ("slot-a", "the image"),
            ("trial", "slot-a"),
        ],
    ];
    for files in steps {
        let home = Home::new(honest());
        home.write("firmware/slot-b", "the old image");
        home.write("firmware/slot-b.version", "1.9");
        std::os::unix::fs::symlink("slot-b", home.path("firmware/current")).unwrap();
        for (name, content) in files {
            home.write(&format!("firmware/{name}"), content);
        }
        assert_eq!(home.read("firmware/current"), "the old image");
        // The next start does not take it for a trial, and installs anew.
        check(&home, "", 0, "Firmware 2.0 installed in ");
        assert_eq!(std::fs::read(home.path("firmware/current")).unwrap(), IMAGE);
        assert_eq!(home.read("firmware/slot-b"), "the old image");
    }
}

#[test]
fn an_image_that_is_cut_off_or_forged_changes_nothing() {
    let changes: [fn(&mut Reply); 3] = [
        |reply| reply.body.truncate(5),
        |reply| reply.body[0] ^= 1,
        |reply| reply.fields.clear(),
    ];
    for change in changes {
        let ca = authority();
        let home = Home::new(start(move |request| {
            let mut reply = answer(&ca, request);
            if request.target.starts_with("/firmware?") {
                change(&mut reply);
            }
            reply
        }));
        home.write("firmware/slot-b", "the old image");
        std::os::unix::fs::symlink("slot-b", home.path("firmware/current")).unwrap();
        check(&home, "", 4, "");
        assert_eq!(link(&home), "slot-b");
        assert!(!is_there(&home.path("firmware/download")));
        assert!(!is_there(&home.path("firmware/slot-a")));
    }
}

#[test]
fn firmware_needs_a_folder() {
    let home = Home::new(honest());
    home.check(&["firmware"], 2);
    assert!(!is_there(Path::new("slot-a")));
}

#[test]
fn a_long_download_is_counted_on_a_terminal_and_in_no_log() {
    let mut image = b"\x7FELF".to_vec();
    image.resize(3 * 1024 * 1024 + 5, 7);
    let server = start(move |request| {
        if request.target.starts_with("/firmware?") {
            return Reply::signed(200, &image);
        }
        answer(&authority(), request)
    });
    let counts = ["\r1 MiB", "\r2 MiB", "\r3 MiB\r\n"];
    for on_terminal in [true, false] {
        let home = Home::new(server.clone());
        let secret = home.write("secret", crate::server::SECRET);
        let line = format!(
            "{} firmware --dialect original --server {server} --device-id {} --secret-file {secret} \
             --firmware-dir {} --state-dir {}",
            env!("CARGO_BIN_EXE_providore-device"),
            crate::server::DEVICE,
            home.path("firmware").display(),
            home.path("state").display(),
        );
        // A terminal of its own for the program, or a pipe.
        let mut command = if on_terminal {
            let mut terminal = std::process::Command::new("script");
            terminal.args(["-qec", &line, "/dev/null"]);
            terminal
        } else {
            let mut shell = std::process::Command::new("sh");
            shell.args(["-c", &format!("{line} 2>&1")]);
            shell
        };
        let output = command.env("HOME", home.path("")).output().unwrap();
        let shown = String::from_utf8_lossy(&output.stdout);
        assert!(shown.contains("installed"), "{shown}");
        for count in counts {
            assert_eq!(shown.contains(count), on_terminal, "{count:?} in {shown:?}");
        }
    }
}
