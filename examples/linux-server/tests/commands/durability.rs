//! Many at once, and killed at any moment: what was acknowledged is there.

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use super::program::Place;

#[test]
fn eight_processes_at_once_lose_no_device() {
    let place = Place::new();
    thread::scope(|scope| {
        for worker in 0..8 {
            let place = &place;
            scope.spawn(move || {
                for number in 0..4 {
                    place.ok(&["device", "add", &format!("d{worker}-{number}")]);
                }
            });
        }
    });
    assert_eq!(place.devices_json().as_object().unwrap().len(), 32);
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the moment of the kill is what the test varies"
)]
fn a_kill_loses_nothing_acknowledged() {
    let place = Place::new();
    let mut acknowledged = BTreeSet::new();
    for round in 0..12_u64 {
        // A shell that adds device after device; the whole group is killed.
        let script = format!(
            "i=0; while :; do i=$((i+1)); {} device add r{round}-$i --json || exit 1; done",
            env!("CARGO_BIN_EXE_providore-server")
        );
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &script])
            .env("PROVIDORE_DATA", place.path("data"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        std::os::unix::process::CommandExt::process_group(&mut shell, 0);
        let mut shell = shell.spawn().unwrap();
        let out = BufReader::new(shell.stdout.take().unwrap());
        thread::sleep(Duration::from_millis(120 + round * 17));
        let group = format!("-{}", shell.id());
        assert!(
            Command::new("kill")
                .args(["-9", "--", &group])
                .status()
                .unwrap()
                .success()
        );
        shell.wait().unwrap();
        for line in out.lines() {
            // The last line may be cut; that device was not acknowledged.
            if let Ok(answer) = serde_json::from_str::<serde_json::Value>(&line.unwrap()) {
                let text = |key: &str| answer[key].as_str().unwrap().to_owned();
                acknowledged.insert((text("id"), text("secret")));
            }
        }
    }
    assert!(!acknowledged.is_empty(), "nothing was added at all");
    let devices = place.devices_json();
    for (id, secret) in &acknowledged {
        assert_eq!(devices[id]["secretKey"], **secret, "{id}");
    }
    place.ok(&["device", "add", "afterwards"]);
}
