//! What belongs to one server at a time, and what is waited for.

use std::{
    fs::{self, File},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::running::{SECRET, Site, metric, signed};

fn empty() -> Site {
    Site {
        folder: tempfile::TempDir::new().unwrap(),
    }
}

fn second(site: &Site, args: &[&str]) -> (Option<i32>, String) {
    let said = site.command().args(args).output().unwrap();
    let text = String::from_utf8(said.stderr).unwrap();
    (said.status.code(), text)
}

#[test]
fn a_second_server_on_a_folder_says_who_holds_it_and_ends() {
    let site = Site::new();
    let server = site.serve(&[]);
    let holder = format!("process {}", server.process.id());
    let check = |args: &[&str]| {
        let (code, text) = second(&site, args);
        assert_eq!(code, Some(1), "{text}");
        for part in [
            holder.as_str(),
            "--data",
            site.folder.path().to_str().unwrap(),
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    };
    check(&["serve", "--http", "127.0.0.1:0"]);
    check(&["quickstart", "--once", "--http", "127.0.0.1:0"]);
    // Another data folder, but the same devices.
    let settings = format!(
        "http = \"127.0.0.1:0\"\n[folders]\ndevices = \"{}\"\n",
        site.path("configStore/devices.json").display()
    );
    let other = empty();
    other.write("other.toml", settings);
    let settings = other.path("other.toml");
    let (code, text) = second(&other, &["serve", "--config", settings.to_str().unwrap()]);
    assert!(code == Some(1) && text.contains(&holder), "{text}");
    // Commands work beside it.
    let (code, text) = second(&site, &["device", "add", "lamp", "--no-qr"]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(server.ask("GET", "/config", "1.0.0", b"").status, 200);
    let pid = fs::read_to_string(site.path("server.lock")).unwrap();
    assert_eq!(pid.trim(), server.process.id().to_string());
    assert_eq!(server.stop(), Some(0));
    assert_eq!(site.serve(&[]).stop(), Some(0));
}

#[test]
fn a_server_that_was_killed_leaves_no_lock() {
    let site = Site::new();
    let mut server = site.serve(&[]);
    server.process.kill().unwrap();
    server.process.wait().unwrap();
    assert_eq!(site.serve(&[]).stop(), Some(0));
}

#[test]
fn of_two_first_starts_at_once_one_makes_the_ca_and_the_other_ends() {
    for _ in 0..8 {
        let site = empty();
        let start = || {
            let mut command = site.command();
            command.args(["serve", "--no-announce", "--http", "127.0.0.1:0"]);
            command.stderr(Stdio::piped()).spawn().unwrap()
        };
        let mut both: [Child; 2] = [start(), start()];
        let began = Instant::now();
        let ended = loop {
            let ended = both
                .iter_mut()
                .map(|process| process.try_wait().unwrap())
                .collect::<Vec<_>>();
            if ended.iter().any(Option::is_some) || began.elapsed() > Duration::from_secs(20) {
                break ended;
            }
            thread::sleep(Duration::from_millis(10));
        };
        let codes: Vec<_> = ended
            .iter()
            .flatten()
            .map(std::process::ExitStatus::code)
            .collect();
        assert_eq!(codes, [Some(1)]);
        while !site.path("ca/chain.pem").exists() {
            assert!(began.elapsed() < Duration::from_secs(20), "no CA");
            thread::sleep(Duration::from_millis(10));
        }
        for process in &mut both {
            let _ = process.kill();
            let _ = process.wait();
        }
        assert_eq!(site.serve(&[]).stop(), Some(0), "it starts again");
    }
}

/// Runs a command while this process holds these locks; how long that took, and what was said.
fn while_locked(site: &Site, files: &[&str], args: &[&str]) -> (Duration, Output) {
    let locks: Vec<File> = files
        .iter()
        .map(|file| {
            let file = File::options()
                .append(true)
                .create(true)
                .open(site.path(file));
            let file = file.unwrap();
            file.lock().unwrap();
            file
        })
        .collect();
    let began = Instant::now();
    let output = site.command().args(args).output().unwrap();
    drop(locks);
    (began.elapsed(), output)
}

const LOCKS: [&str; 3] = [
    "certificateStore/issued.jsonl",
    "configStore/devices.json.lock",
    "firmwareStore/.lock",
];

#[test]
fn what_only_reads_waits_for_no_lock() {
    let site = Site::new();
    assert_eq!(site.serve(&[]).stop(), Some(0));
    for args in [
        &["device", "list"][..],
        &["cert", "list"],
        &["firmware", "list"],
    ] {
        let (took, output) = while_locked(&site, &LOCKS, args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
        assert!(took < Duration::from_secs(5), "{args:?}: {took:?}");
    }
}

#[test]
fn what_changes_waits_ten_seconds_and_names_the_holder() {
    let site = Site::new();
    assert_eq!(site.serve(&[]).stop(), Some(0));
    site.write("image.bin", "an image");
    let image = site.path("image.bin");
    let add = [
        "firmware",
        "add",
        image.to_str().unwrap(),
        "--type",
        "t",
        "--version",
        "1",
    ];
    for args in [&["device", "disable", "dev1"][..], &add] {
        let (took, output) = while_locked(&site, &LOCKS, args);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {text}");
        let holder = format!("process {}", std::process::id());
        assert!(text.contains(&holder), "{args:?}: {text}");
        assert!(took < Duration::from_secs(20), "{args:?}: {took:?}");
    }
}

#[test]
fn sigterm_ends_a_server_whose_files_somebody_holds() {
    let site = Site::new();
    let server = site.serve(&[]);
    let locks = LOCKS.map(|file| {
        let file = File::options()
            .append(true)
            .create(true)
            .open(site.path(file));
        let file = file.unwrap();
        file.lock().unwrap();
        file
    });
    thread::sleep(Duration::from_millis(1200));
    let request = signed("dev1", SECRET, "GET", "/config", "1.0.0", b"");
    assert_eq!(server.raw(request).status, 200);
    assert_eq!(
        metric(server.http.unwrap(), "providore_reload_failures_total "),
        0
    );
    let began = Instant::now();
    assert_eq!(server.stop(), Some(0));
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    drop(locks);
}

#[test]
fn a_start_waits_for_no_lock_of_others() {
    let site = Site::new();
    assert_eq!(site.serve(&[]).stop(), Some(0));
    let path = site.path("certificateStore/issued.jsonl");
    let mut holder = Command::new("flock")
        .args(["-s", path.to_str().unwrap(), "sleep", "60"])
        .spawn()
        .unwrap();
    thread::sleep(Duration::from_millis(200));
    let server = site.serve(&[]);
    assert_eq!(server.ask("GET", "/config", "1.0.0", b"").status, 200);
    holder.kill().unwrap();
    holder.wait().unwrap();
}
