//! The first thing that anybody runs.

use super::running::Site;

fn check(args: &[&str], expected: &[&str]) {
    let site = Site {
        folder: tempfile::TempDir::new().unwrap(),
    };
    // Twice: the second run finds the folder of the first.
    for _ in 0..2 {
        let said = site
            .command()
            .args(["quickstart", "--once"])
            .args(args)
            .output()
            .unwrap();
        let text = String::from_utf8(said.stdout).unwrap();
        let errors = String::from_utf8_lossy(&said.stderr);
        assert_eq!(said.status.code(), Some(0), "{text}{errors}");
        assert!(!errors.contains("WARN"), "{errors}");
        for part in expected {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}

#[test]
fn quickstart_provisions_a_device_from_nothing() {
    let steps = [
        "made  a certificate authority",
        "asked  GET /config, signed",
        "and a challenge to sign the question anew over",
        "content-encoding: aes128gcm",
        "asked  POST /certificates/request",
        "proved  the chain leads to the CA",
        "location: /firmware?version=2.0.0",
        "now running 2.0.0",
        "\"@method\": GET",
        "\"providore-challenge\": ",
        "got  HTTP/1.1 401",
        "a request counts once",
        "Done: configured, certified and up to date.",
    ];
    check(&["--http", "127.0.0.1:0"], &steps);
}

#[test]
fn quickstart_tells_programs_in_json() {
    check(&["--http", "127.0.0.1:0", "--json"], &["{\"done\":true}"]);
}
