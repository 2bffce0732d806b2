//! A hook is told of each change until it ends well.

use crate::{
    home::{Home, is_there},
    server::{Reply, honest, start},
};

fn calls(home: &Home) -> usize {
    home.read("hook.log").lines().count()
}

#[test]
fn a_hook_that_failed_is_told_again_until_it_ends_well() {
    for (command, name) in [
        ("config", "untold-config"),
        ("certificate", "untold-certificate"),
    ] {
        let home = Home::new(honest());
        for count in 1..=2 {
            let hook = home.hook(1);
            home.check(&["--hook", &hook, command], 5);
            assert_eq!(calls(&home), count, "{command}");
            assert!(is_there(&home.path("state").join(name)));
        }
        let hook = home.hook(0);
        home.check(&["--hook", &hook, command], 0);
        home.check(&["--hook", &hook, command], 0);
        assert_eq!(calls(&home), 3, "{command}");
        assert!(!is_there(&home.path("state").join(name)));
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "another process is waited for")]
fn run_tells_what_was_left_untold_though_no_server_answers() {
    let home = Home::new(honest());
    let hook = home.hook(1);
    home.check(&["--hook", &hook, "config"], 5);
    let hook = home.hook(0);
    let gone = start(|_| Reply::unsigned(503, b""));
    let arguments = ["--server", &gone, "--interval", "1", "--hook", &hook, "run"];
    let mut child = home.command(&arguments).spawn().unwrap();
    for _ in 0..300 {
        if !is_there(&home.path("state/untold-config")) {
            break;
        }
        std::thread::sleep(core::time::Duration::from_millis(100));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(calls(&home), 2);
    assert!(!is_there(&home.path("state/untold-config")));
}

#[test]
fn without_a_hook_nothing_is_left_to_tell() {
    let home = Home::new(honest());
    home.check(&["config"], 0);
    assert!(!is_there(&home.path("state/untold-config")));
}
