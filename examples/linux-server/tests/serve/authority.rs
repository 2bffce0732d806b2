//! The certificate authority of a server that runs: never replaced by accident, its lists good for
//! verifiers of whole chains, its keys and end looked after.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output, Stdio},
    thread,
    time::Duration,
};

use super::running::{Running, Site};

/// Runs a command of the server's on the site's folder.
fn run(site: &Site, args: &[&str]) -> Output {
    site.command().args(args).output().unwrap()
}

fn ok(site: &Site, args: &[&str]) -> String {
    let output = run(site, args);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{args:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

fn fails(site: &Site, args: &[&str], what: &str) {
    let output = run(site, args);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{args:?}: {error}");
    assert!(error.contains(what), "{args:?}: {error}");
}

/// A start that must fail, and what it says.
fn start_fails(site: &Site, password: Option<&str>, what: &str) {
    let mut command = site.command();
    command.args(["serve", "--http", "127.0.0.1:0", "--no-announce"]);
    if let Some(password) = password {
        command.env("PROVIDORE_CA_PASSWORD", password);
    }
    let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
    for _ in 0..1200 {
        if process.try_wait().unwrap().is_some() {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    let _ = process.kill();
    let output = process.wait_with_output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains(what), "{error}");
}

fn openssl(folder: &Path, args: &str) -> (bool, String) {
    let output = Command::new("openssl")
        .args(args.split_whitespace())
        .current_dir(folder)
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    (output.status.success(), text)
}

fn must(folder: &Path, args: &str) -> String {
    let (success, text) = openssl(folder, args);
    assert!(success, "openssl {args}: {text}");
    text
}

/// Gets a certificate for `dev1` and keeps it, its key and what verifiers need in a folder.
fn enrol(server: &Running, folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    must(
        folder,
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -subj /CN=dev1 \
         -out csr.pem",
    );
    let csr = fs::read(folder.join("csr.pem")).unwrap();
    let answer = server.ask("POST", "/certificates/request", "1.0.0", &csr);
    assert_eq!(answer.status, 200, "{}", answer.text());
    fs::write(folder.join("chain.pem"), &answer.body).unwrap();
    for name in ["ca.pem", "crl.pem", "crl.der"] {
        fs::write(folder.join(name), get(server, name)).unwrap();
    }
}

fn get(server: &Running, name: &str) -> Vec<u8> {
    let request = format!("GET /certificates/{name} HTTP/1.1\r\nhost: x\r\n\r\n");
    let answer = server.raw(request);
    assert_eq!(answer.status, 200, "{name}");
    answer.body
}

const VERIFY: &str =
    "verify -crl_check_all -CAfile ca.pem -CRLfile crl.pem -untrusted chain.pem chain.pem";

#[test]
fn a_chain_that_is_missing_stops_the_start_and_no_key_is_overwritten() {
    for password in [None, Some("secret")] {
        let site = Site::new();
        let before = ["ca/issuer.key.pem", "ca/root.key.pem"].map(|name| site.path(name));
        site.serve(&[]).stop();
        let keys = before.clone().map(|path| fs::read(path).unwrap());
        fs::remove_file(site.path("ca/chain.pem")).unwrap();
        start_fails(&site, password, "there is no chain.pem");
        assert_eq!(before.map(|path| fs::read(path).unwrap()), keys);
        assert!(!site.path("ca/chain.pem").exists());
    }
}

#[test]
fn an_issuing_key_that_is_missing_stops_the_start() {
    let site = Site::new();
    site.serve(&[]).stop();
    fs::remove_file(site.path("ca/issuer.key.pem")).unwrap();
    start_fails(&site, None, "there is no issuer.key.pem");
}

#[test]
fn a_ca_that_is_gone_while_the_log_has_certificates_is_not_made_anew() {
    let site = Site::new();
    let server = site.serve(&[]);
    enrol(&server, &site.path("client"));
    server.stop();
    fs::rename(site.path("ca"), site.path("away")).unwrap();
    start_fails(&site, None, "1 certificates were issued");
    assert!(!site.path("ca").exists());
    // The operator may want a new one all the same.
    ok(&site, &["ca", "create"]);
    fails(&site, &["ca", "create"], "there is a CA in");
    site.serve(&[]).stop();
}

#[test]
fn a_new_ca_is_for_its_owner_alone_and_leaves_nothing_behind() {
    let site = Site::new();
    site.serve(&[]).stop();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&site.path("ca")), 0o700);
    let mut names: Vec<_> = fs::read_dir(site.path("ca"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .inspect(|entry| assert_eq!(mode(&entry.path()), 0o600))
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    let expected = [
        "chain.pem",
        "issuer.key.pem",
        "root.crl.pem",
        "root.key.pem",
    ];
    assert_eq!(names, expected);
    let left: Vec<_> = fs::read_dir(site.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(".tmp"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_ca_is_made_in_a_folder_that_is_there_and_empty() {
    let site = Site::new();
    fs::create_dir(site.path("ca")).unwrap();
    site.serve(&[]).stop();
    assert!(site.path("ca/chain.pem").exists());
}

#[test]
fn openssl_accepts_a_client_with_the_lists_of_all_cas() {
    let site = Site::new();
    let server = site.serve(&[]);
    let client = site.path("client");
    enrol(&server, &client);
    must(&client, VERIFY);
    // Distribution points want DER (RFC 5280, 4.2.1.13): one list for each CA.
    fs::write(client.join("root.der"), get(&server, "root-crl.der")).unwrap();
    let issuer = must(&client, "crl -inform DER -in crl.der -noout -issuer");
    let root = must(&client, "crl -inform DER -in root.der -noout -issuer");
    assert!(issuer.contains("providore Issuing CA") && root.contains("providore Root CA"));
    // Revoked by hand.
    ok(&site, &["cert", "revoke", "--device", "dev1"]);
    thread::sleep(Duration::from_millis(2500));
    fs::write(client.join("crl.pem"), get(&server, "crl.pem")).unwrap();
    let (success, text) = openssl(&client, VERIFY);
    assert!(!success && text.contains("certificate revoked"), "{text}");
}

#[test]
fn a_ca_from_before_is_warned_of_until_its_root_has_a_list() {
    let site = Site::new();
    site.serve(&[]).stop();
    fs::remove_file(site.path("ca/root.crl.pem")).unwrap();
    let server = site.serve_until(&[], "there is no revocation list of this CA");
    let client = site.path("client");
    enrol(&server, &client);
    let (success, text) = openssl(&client, VERIFY);
    assert!(
        !success && text.contains("unable to get certificate CRL"),
        "{text}"
    );
    server.stop();
    // The root's key is where an operator puts it.
    let away = site.path("away.key.pem");
    fs::rename(site.path("ca/root.key.pem"), &away).unwrap();
    fails(&site, &["ca", "crl"], "--root-key FILE");
    let issuer = site.path("ca/issuer.key.pem");
    fails(
        &site,
        &["ca", "crl", "--root-key", issuer.to_str().unwrap()],
        "not the key of a CA above",
    );
    ok(&site, &["ca", "crl", "--root-key", away.to_str().unwrap()]);
    let server = site.serve(&[]);
    fs::write(client.join("crl.pem"), get(&server, "crl.pem")).unwrap();
    must(&client, VERIFY);
}

#[test]
fn a_renewed_issuer_keeps_its_clients() {
    let site = Site::new();
    let server = site.serve(&[]);
    let client = site.path("client");
    enrol(&server, &client);
    server.stop();
    let shown = |name: &str| {
        let shown: serde_json::Value =
            serde_json::from_str(&ok(&site, &["ca", "show", "--json"])).unwrap();
        shown["certificates"][0][name].as_str().unwrap().to_owned()
    };
    // A short-lived one, so that the server warns of its end.
    ok(&site, &["ca", "renew", "--days", "30"]);
    let serial = shown("serial");
    let server = site.serve_until(&[], "the issuing certificate ends soon");
    assert!(metrics(&server).contains("providore_ca_not_after_timestamp_seconds 1"));
    server.stop();
    ok(&site, &["ca", "renew"]);
    assert_ne!(shown("serial"), serial);
    assert!(site.path(&format!("ca/chain-{serial}.pem")).exists());
    let server = site.serve(&[]);
    // The certificate from before, under the chain and the lists of now.
    fs::write(client.join("crl.pem"), get(&server, "crl.pem")).unwrap();
    fs::copy(site.path("ca/chain.pem"), client.join("now.pem")).unwrap();
    must(
        &client,
        "verify -crl_check_all -CAfile ca.pem -CRLfile crl.pem -untrusted now.pem chain.pem",
    );
    enrol(&server, &client);
    must(&client, VERIFY);
}

fn metrics(server: &Running) -> String {
    let answer = server.raw("GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n");
    String::from(answer.text())
}

#[test]
fn a_password_that_is_set_later_is_warned_of_until_the_keys_are_encrypted() {
    let site = Site::new();
    site.serve(&[]).stop();
    let with_password = |args: &[&str]| {
        let mut command = site.command();
        command
            .args(args)
            .env("PROVIDORE_CA_PASSWORD", "a password");
        command.output().unwrap()
    };
    fails(&site, &["ca", "encrypt"], "there is no password");
    let server = site.serve_with(&[], &[("PROVIDORE_CA_PASSWORD", "a password")]);
    server.wait_for_earlier("this key is not encrypted");
    server.stop();
    assert!(with_password(&["ca", "encrypt"]).status.success());
    for name in ["issuer.key.pem", "root.key.pem"] {
        let key = fs::read_to_string(site.path("ca").join(name)).unwrap();
        assert!(key.contains("ENCRYPTED"), "{name}");
    }
    let again = with_password(&["ca", "encrypt"]);
    assert!(String::from_utf8_lossy(&again.stdout).contains("is encrypted already"));
    start_fails(&site, None, "PROVIDORE_CA_PASSWORD");
    start_fails(&site, Some("another"), "the password of this key");
    site.serve_with(&[], &[("PROVIDORE_CA_PASSWORD", "a password")])
        .stop();
}

/// A root of the operator's own and a P-256 intermediate, as `ca import --help` shows it.
fn own_ca(folder: &Path, root_key: &str) {
    fs::create_dir_all(folder).unwrap();
    fs::write(
        folder.join("ca.ext"),
        "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n\
         subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n",
    )
    .unwrap();
    must(
        folder,
        &format!(
            "req -x509 -newkey {root_key} -nodes -keyout root.key -subj /CN=Old-Root -days 7300 -out root.pem"
        ),
    );
    must(
        folder,
        "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out issuer.key.pem",
    );
    must(
        folder,
        "req -new -key issuer.key.pem -subj /CN=Our-Issuing-CA -out issuer.csr",
    );
    must(
        folder,
        "x509 -req -in issuer.csr -CA root.pem -CAkey root.key -CAcreateserial -days 3650 -extfile \
         ca.ext -out issuer.pem",
    );
    let chain = ["issuer.pem", "root.pem"].map(|name| fs::read(folder.join(name)).unwrap());
    fs::write(folder.join("chain.pem"), chain.concat()).unwrap();
}

/// `--key` and `--chain` of a CA in a folder.
fn with_files<'a>(args: &[&'a str], paths: &'a [String; 2]) -> Vec<&'a str> {
    let files = ["--key", &paths[0], "--chain", &paths[1]];
    args.iter().copied().chain(files).collect()
}

fn paths(folder: &Path, key: &str) -> [String; 2] {
    [key, "chain.pem"].map(|name| folder.join(name).to_str().unwrap().to_owned())
}

#[test]
fn a_ca_of_the_operators_own_takes_the_place_of_ours() {
    let site = Site::new();
    let own = site.path("own");
    own_ca(&own, "rsa:2048");
    let files = paths(&own, "issuer.key.pem");
    ok(&site, &with_files(&["ca", "import"], &files));
    fails(&site, &with_files(&["ca", "import"], &files), "--replace");
    let shown = ok(&site, &["ca", "show"]);
    assert!(
        shown.contains("Our-Issuing-CA") && shown.contains("Old-Root"),
        "{shown}"
    );
    let server = site.serve(&[]);
    let client = site.path("client");
    enrol(&server, &client);
    must(
        &client,
        "verify -CAfile ca.pem -untrusted chain.pem chain.pem",
    );
    let issuer = must(&client, "x509 -in ca.pem -noout -subject");
    assert!(issuer.contains("Old-Root"), "{issuer}");
}

#[test]
fn keys_that_cannot_issue_are_refused_with_what_to_do() {
    let site = Site::new();
    let own = site.path("own");
    own_ca(&own, "ec -pkeyopt ec_paramgen_curve:P-256");
    must(&own, "genrsa -out rsa.pem 2048");
    must(
        &own,
        "ecparam -name prime256v1 -genkey -noout -out sec1.pem",
    );
    must(
        &own,
        "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out p384.pem",
    );
    must(
        &own,
        "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out other.pem",
    );
    for (key, what) in [
        ("rsa.pem", "P-256 keys alone"),
        ("p384.pem", "P-256 keys alone"),
        ("sec1.pem", "openssl pkcs8 -topk8"),
        ("root.pem", "give a private key"),
        ("other.pem", "starts with the certificate of --key"),
        ("none.pem", "No such file"),
    ] {
        fails(
            &site,
            &with_files(&["ca", "import"], &paths(&own, key)),
            what,
        );
        assert!(!site.path("ca").exists(), "{key}");
    }
}

#[test]
fn a_drill_says_which_devices_would_refuse_a_new_root() {
    let site = Site::new();
    let server = site.serve(&[]);
    enrol(&server, &site.path("client"));
    server.stop();
    ok(&site, &["device", "add", "fresh"]);
    let own = site.path("own");
    own_ca(&own, "ec -pkeyopt ec_paramgen_curve:P-256");
    let files = paths(&own, "issuer.key.pem");
    let drill = |files: &[String; 2]| {
        let said = ok(&site, &with_files(&["ca", "drill", "--json"], files));
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        said.as_array()
            .unwrap()
            .iter()
            .map(|line| format!("{} {}", line["device"], line["verdict"]).replace('"', ""))
            .collect::<Vec<_>>()
    };
    assert_eq!(drill(&files), ["dev1 refuses", "fresh no-certificate"]);
    fails(
        &site,
        &with_files(&["ca", "import", "--replace"], &files),
        "1 devices would refuse",
    );
    // The same root: nothing breaks.
    let ours = site.path("ca");
    assert_eq!(
        drill(&paths(&ours, "issuer.key.pem")),
        ["dev1 accepts", "fresh no-certificate"]
    );
    // The new issuing key, certified by the root that devices trust as well.
    must(
        &own,
        "req -new -key issuer.key.pem -subj /CN=Our-Issuing-CA -out cross.csr",
    );
    let (root, key) = (site.path("root-of-ours.pem"), ours.join("root.key.pem"));
    let chain = fs::read_to_string(ours.join("chain.pem")).unwrap();
    fs::write(&root, &chain[chain.rfind("-----BEGIN").unwrap()..]).unwrap();
    must(
        &own,
        &format!(
            "x509 -req -in cross.csr -CA {} -CAkey {} -CAcreateserial -days 3650 -extfile ca.ext -out \
             crossed.pem",
            root.display(),
            key.display()
        ),
    );
    let crossed = [own.join("crossed.pem"), root].map(|path| fs::read(path).unwrap());
    fs::write(own.join("chain.pem"), crossed.concat()).unwrap();
    assert_eq!(drill(&files), ["dev1 accepts", "fresh no-certificate"]);
    let import = with_files(&["ca", "import", "--replace"], &files);
    ok(&site, &import);
    assert!(site.path("ca-replaced-1/root.key.pem").exists());
    site.serve(&[]).stop();
}

#[test]
fn a_broker_gets_a_certificate_for_its_request() {
    let site = Site::new();
    let server = site.serve(&[]);
    let broker = site.path("broker");
    enrol(&server, &broker);
    must(
        &broker,
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -subj \
         /CN=broker.lan -out broker.csr",
    );
    let csr = broker.join("broker.csr");
    let csr = csr.to_str().unwrap();
    let issue = [
        "cert",
        "issue",
        "broker.lan",
        "--csr",
        csr,
        "--name",
        "broker.lan",
    ];
    fs::write(broker.join("chain.pem"), ok(&site, &issue)).unwrap();
    let purpose = "verify -purpose sslserver -verify_hostname broker.lan";
    must(&broker, &VERIFY.replacen("verify", purpose, 1));
    fails(
        &site,
        &["cert", "issue", "other.lan", "--csr", csr],
        "/CN=other.lan",
    );
    fails(
        &site,
        &["cert", "issue", "dev1", "--csr", csr],
        "is a device of this server",
    );
    assert!(ok(&site, &["cert", "list"]).contains("broker.lan"));
    ok(
        &site,
        &[
            "cert",
            "revoke",
            "--device",
            "broker.lan",
            "--reason",
            "key-compromise",
        ],
    );
    fails(&site, &issue, "the key of this request was revoked");
}

#[test]
fn a_first_providore_that_gets_a_new_ca_is_told_how_to_go_on_with_its_own() {
    let site = Site::new();
    site.write(
        "certificateStore/dev1.cert.pem",
        "a certificate of another CA",
    );
    let server = site.serve_until(&[], "ca import --help");
    server.stop();
    // It is new at the first start alone.
    let server = site.serve(&[]);
    assert!(!server.said_so_far().contains("ca import --help"));
}
