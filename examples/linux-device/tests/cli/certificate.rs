//! What the Go client did, and where it failed.

use crate::{
    home::{Home, finish, is_there},
    server::{Reply, SECRET, authority, honest, start},
};

#[test]
fn the_first_run_gets_a_certificate_and_the_second_has_nothing_to_do() {
    let home = Home::new(honest());
    let hook = home.hook(0);
    let (out, _) = home.check(&["--hook", &hook], 0);
    assert_eq!(out, "New Certificate created!\n");
    for name in ["state/cert.pem", "state/key.pem", "state/authority"] {
        assert_eq!(home.mode(name), 0o600, "{name}");
    }
    assert_eq!(home.mode("state"), 0o700);
    assert!(
        home.read("state/cert.pem")
            .starts_with("-----BEGIN CERTIFICATE-----")
    );
    assert!(
        home.read("state/key.pem")
            .starts_with("-----BEGIN PRIVATE KEY-----")
    );
    let path = home.path("state/cert.pem");
    let expected = format!("word certificate {}", path.display());
    assert_eq!(home.read("hook.log").trim_end(), expected);

    let (out, _) = home.check(&["--hook", &hook], 0);
    assert_eq!(out, "Certificate does not need renewing\n");
    assert_eq!(home.read("hook.log").lines().count(), 1);
}

#[test]
fn a_settings_file_of_the_go_client_works_as_it_is() {
    let home = Home::new(String::new());
    let server = honest();
    let file = home.write(
        ".config/providore-client/config.yaml",
        &format!(
            "server: {server}/\ndevice-id: d8fa0180\nsecret: {SECRET}\nca: /does/not/exist.pem\n\
             cert-path: {0}/certs/cert.pem\nkey-path: {0}/certs/key.pem\ninsecure: false\n\
             csr:\n  country: NZ\n  organization: Example\n",
            home.path("").display()
        ),
    );
    let (out, log) = finish(home.bare().args(["--dialect", "original"]), 0);
    assert_eq!(out, "New Certificate created!\n");
    assert!(log.contains("csr: in"), "{log}");
    assert!(!log.contains("can be read by others"), "{log}");
    assert_eq!(home.mode("certs/key.pem"), 0o600);

    // Named, readable by all, with a typing error, and a flag over it.
    let text = home.read(".config/providore-client/config.yaml") + "servre: x\n";
    let named = home.write("other.yaml", &text.replace("d8fa0180", "unknown"));
    std::process::Command::new("chmod")
        .args(["644", &named])
        .status()
        .unwrap();
    let arguments = ["-c", &named, "--device-id", "d8fa0180"];
    let command = &mut home.bare();
    let (out, log) = finish(command.args(arguments).args(["--dialect", "original"]), 0);
    assert_eq!(out, "Certificate does not need renewing\n");
    assert!(log.contains("can be read by others"), "{log}");
    assert!(log.contains("\"servre\""), "{log}");
    assert!(is_there(std::path::Path::new(&file)));
}

#[test]
fn an_rsa_key_of_the_go_client_stays_until_the_new_one_has_a_certificate() {
    const RSA: &str = "-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----\n";
    let home = Home::new(start(|_| Reply::unsigned(503, b"")));
    home.write("state/key.pem", RSA);
    home.write("state/cert.pem", "the old chain");
    let (_, log) = home.check(&[], 1);
    assert!(log.contains("RSA key of the Go client"), "{log}");
    assert_eq!(home.read("state/key.pem"), RSA);
    let next = home.read("state/key.pem.next");

    let server = honest();
    let (out, _) = home.check(&["--server", &server], 0);
    assert_eq!(out, "New Certificate created!\n");
    assert_eq!(home.read("state/key.pem"), next);
    assert_eq!(home.read("state/key.pem.old"), RSA);
    assert_eq!(home.read("state/cert.pem.old"), "the old chain");
    assert!(!is_there(&home.path("state/key.pem.next")));
}

#[test]
fn a_cut_between_certificate_and_key_is_made_good() {
    let home = Home::new(honest());
    home.check(&[], 0);
    let key = home.read("state/key.pem");
    home.write("state/key.pem.next", &key);
    home.write("state/key.pem", "the old key");
    let (out, _) = home.check(&[], 0);
    assert_eq!(out, "Certificate does not need renewing\n");
    assert_eq!(home.read("state/key.pem"), key);
    assert_eq!(home.read("state/key.pem.old"), "the old key");
}

#[test]
fn files_that_are_damaged_are_no_reason_to_panic() {
    for content in [
        "",
        "x",
        "-----BEGIN CERTIFICATE-----\n",
        "-----BEGIN PRIVATE KEY-----\n",
    ] {
        let home = Home::new(honest());
        home.write("state/key.pem", content);
        home.write("state/cert.pem", content);
        let (out, _) = home.check(&[], 0);
        assert_eq!(out, "New Certificate created!\n", "{content:?}");
    }
}

#[test]
fn a_forged_ca_or_answer_is_not_stored() {
    let (ca, _) = authority();
    let real = (ca, String::from("-----BEGIN CERTIFICATE-----\nMA==\n"));
    let servers = [
        start(|_| Reply::unsigned(200, b"not a certificate")),
        start(|_| Reply::unsigned(200, b"x").with("signature", "AAAA")),
        start(|_| Reply::signed(200, b"not a certificate")),
        start(move |request| crate::server::answer(&real, request)),
    ];
    for server in servers {
        let home = Home::new(server);
        home.check(&[], 4);
        assert!(!is_there(&home.path("state/cert.pem")));
        assert!(!is_there(&home.path("state/authority")));
    }
}
