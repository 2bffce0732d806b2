//! The exit codes that `--help` documents.

use crate::{
    home::{Home, finish},
    server::{Reply, honest, start},
};

fn check(server: String, arguments: &[&str], code: i32) {
    let home = Home::new(server);
    for command in ["config", "certificate"] {
        let arguments: Vec<_> = [command].iter().chain(arguments).copied().collect();
        home.check(&arguments, code);
    }
}

#[test]
fn what_may_pass_is_1() {
    check(String::from("http://127.0.0.1:1"), &[], 1);
    check(
        start(|_| Reply::unsigned(503, b"").with("retry-after", "9")),
        &[],
        1,
    );
    check(start(|_| Reply::unsigned(404, b"")), &[], 1);
    check(start(|_| Reply::signed(404, b"")), &[], 1);
    check(start(|_| Reply::unsigned(429, b"")), &[], 1);
}

#[test]
fn wrong_usage_is_2() {
    let server = "http://127.0.0.1:1";
    check(String::from("127.0.0.1:1"), &[], 2);
    check(format!("{server}/path"), &[], 2);
    check(String::from(server), &["--device-id", "../x"], 2);
    check(String::from(server), &["--unknown"], 2);
    check(String::from(server), &["-c", "/does/not/exist"], 2);
    check(
        String::from(server),
        &["--secret-file", "/does/not/exist"],
        2,
    );
    check(String::from(server), &["--dialect", "weakest"], 2);
    let both = ["--dialect", "signed", "--first-providore"];
    check(String::from(server), &both, 2);
    check(String::from(server), &["--firmware-version", "a/b"], 2);
    check(
        String::from("https://127.0.0.1:1"),
        &["--ca", "/does/not/exist"],
        2,
    );
    let home = Home::new(String::new());
    finish(&mut home.bare(), 2);
    // What is found has to prove itself by more than this dialect can.
    let found = ["--secret", "s", "--device-id", "d", "--dialect", "original"];
    finish(home.bare().args(found), 2);
    finish(
        home.bare().args(["-c", &home.write("a.yaml", "server: [")]),
        2,
    );
    finish(home.bare().args(["-c", &home.write("b.yaml", "- a\n")]), 2);
}

#[test]
fn a_device_that_is_not_accepted_is_3() {
    check(honest(), &["--device-id", "unknown"], 3);
    let home = Home::new(honest());
    let secret = home.write("secret", "a wrong secret\n");
    home.check(&["config", "--secret-file", &secret], 3);
}

#[test]
fn what_is_not_verified_is_4() {
    check(start(|_| Reply::unsigned(200, b"{}")), &[], 4);
    check(start(|_| Reply::unsigned(204, b"")), &[], 4);
    check(
        start(|_| Reply::unsigned(302, b"").with("location", "http://evil")),
        &[],
        4,
    );
    let problem = br#"{"type":"urn:providore:problem:gone"}"#;
    check(start(move |_| Reply::signed(200, problem)), &[], 4);
}

#[test]
fn trouble_on_this_machine_is_5() {
    let home = Home::new(honest());
    let blocked = home.write("a-file", "") + "/below";
    home.check(&["config", "--config-path", &blocked], 5);
    home.check(&["certificate", "--key-path", &blocked], 5);
    home.check(&["config", "--hook", "/does/not/exist"], 5);
}

#[test]
fn every_help_shows_an_example_and_the_version_is_there() {
    let home = Home::new(String::new());
    for command in ["", "config", "certificate", "firmware", "secret", "run"] {
        let words: Vec<_> = [command]
            .into_iter()
            .filter(|word| !word.is_empty())
            .collect();
        for flag in ["-h", "--help"] {
            let (out, _) = finish(home.bare().args(&words).arg(flag), 0);
            assert!(out.contains("Example:"), "{command} {flag}: {out}");
        }
    }
    for flag in ["-v", "--version"] {
        let (out, _) = finish(home.bare().arg(flag), 0);
        assert_eq!(
            out,
            concat!("providore-device ", env!("CARGO_PKG_VERSION"), "\n")
        );
    }
}

#[test]
fn a_secret_on_the_command_line_is_warned_of() {
    let home = Home::new(honest());
    let secret = ["config", "--secret", crate::server::SECRET];
    let (_, log) = home.check(&secret, 0);
    assert!(log.contains("visible in `ps`"), "{log}");
}

/// A log and a standard output that nobody can write are no reason to end in another way.
#[test]
fn streams_that_are_broken_change_no_exit_code() {
    let full = || {
        std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .unwrap()
    };
    for (server, code) in [(String::from("http://127.0.0.1:1"), 1), (honest(), 0)] {
        let home = Home::new(server);
        let mut command = home.command(&["config", "--json"]);
        let status = command.stdout(full()).stderr(full()).status().unwrap();
        assert_eq!(status.code(), Some(code));
    }
}

#[test]
fn the_help_of_a_command_does_not_repeat_the_settings() {
    let home = Home::new(String::new());
    let commands: [&[&str]; 4] = [&["config"], &["run"], &["firmware"], &["firmware", "sign"]];
    for words in commands {
        let (out, _) = finish(home.bare().args(words).arg("--help"), 0);
        assert!(!out.contains("--secret-file"), "{out}");
        assert!(out.contains("`providore-device --help` lists"), "{out}");
        assert!(out.lines().count() < 50, "{out}");
    }
    let (out, _) = finish(home.bare().arg("--help"), 0);
    assert!(out.contains("--secret-file"), "{out}");
}
