//! Our certificates at the real mosquitto and the real nginx: a broker with a certificate from `cert
//! issue`, devices with theirs, and the revocation lists of `crl.pem`.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::std_instead_of_core,
    reason = "tests of a program for Linux, with helpers that clippy.toml does not exempt"
)]

#[path = "serve/running.rs"]
#[expect(
    dead_code,
    reason = "shared with the other tests of a server that runs"
)]
mod running;

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use running::{Running, Site};

/// A program that runs until it is dropped.
struct Peer(Child);

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that nobody has now.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn start(mut command: Command, port: u16) -> Peer {
    let process = command.stdin(Stdio::null()).spawn();
    let process = process.unwrap_or_else(|error| panic!("{error}: bash .ci/run brokers"));
    let peer = Peer(process);
    let began = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "it does not listen"
        );
        thread::sleep(Duration::from_millis(20));
    }
    peer
}

/// Keys and certificates of a broker and of `dev1`, in a folder.
struct Papers {
    site: Site,
    server: Running,
    folder: PathBuf,
}

impl Papers {
    fn new() -> Self {
        let site = Site::new();
        let server = site.serve(&[]);
        let folder = site.path("papers");
        fs::create_dir(&folder).unwrap();
        let papers = Self {
            site,
            server,
            folder,
        };
        papers.request("dev1");
        papers.request("localhost");
        let csr = fs::read(papers.path("dev1.csr")).unwrap();
        let answer = papers
            .server
            .ask("POST", "/certificates/request", "1.0.0", &csr);
        assert_eq!(answer.status, 200, "{}", answer.text());
        fs::write(papers.path("dev1.chain"), &answer.body).unwrap();
        let csr = papers.path("localhost.csr");
        let issued = papers.run(&[
            "cert",
            "issue",
            "localhost",
            "--name",
            "localhost",
            "--csr",
            csr.to_str().unwrap(),
        ]);
        fs::write(papers.path("localhost.chain"), issued.stdout).unwrap();
        papers.fetch("ca.pem");
        papers.fetch("crl.pem");
        papers
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn run(&self, args: &[&str]) -> Output {
        let output = self.site.command().args(args).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args:?}: {error}");
        output
    }

    /// A key and a request.
    fn request(&self, name: &str) {
        let args = format!(
            "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key -subj \
             /CN={name} -out {name}.csr"
        );
        let mut command = Command::new("openssl");
        command
            .args(args.split_whitespace())
            .current_dir(&self.folder);
        assert!(command.output().unwrap().status.success());
    }

    fn fetch(&self, name: &str) {
        let request = format!("GET /certificates/{name} HTTP/1.1\r\nhost: x\r\n\r\n");
        let answer = self.server.raw(request);
        assert_eq!(answer.status, 200, "{name}");
        fs::write(self.path(name), answer.body).unwrap();
    }

    /// Revokes the certificate of `dev1` and waits for the list.
    fn revoke(&self) {
        self.run(&["cert", "revoke", "--device", "dev1"]);
        thread::sleep(Duration::from_millis(2500));
        self.fetch("crl.pem");
    }

    fn mosquitto(&self, port: u16) -> Peer {
        let folder = self.folder.display();
        let text = format!(
            "listener {port} 127.0.0.1\ncafile {folder}/ca.pem\ncertfile {folder}/localhost.chain\n\
             keyfile {folder}/localhost.key\ncrlfile {folder}/crl.pem\nrequire_certificate true\n\
             use_identity_as_username true\nallow_anonymous false\nuser root\n"
        );
        fs::write(self.path("mosquitto.conf"), text).unwrap();
        let mut command = Command::new("mosquitto");
        command.arg("-c").arg(self.path("mosquitto.conf"));
        start(command, port)
    }

    /// Whether `dev1` can publish.
    fn publishes(&self, port: u16) -> bool {
        let path = |name: &str| self.path(name).to_str().unwrap().to_owned();
        let mut command = Command::new("mosquitto_pub");
        command.args(["-h", "localhost", "-p", &port.to_string(), "-q", "1"]);
        command.args(["-t", "topic", "-m", "message", "--cafile", &path("ca.pem")]);
        command.args(["--cert", &path("dev1.chain"), "--key", &path("dev1.key")]);
        command.output().unwrap().status.success()
    }

    fn nginx(&self, port: u16) -> Peer {
        let folder = self.folder.display();
        let own = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {folder}/{kind};"))
            .concat();
        let text = format!(
            "master_process off; events {{}} http {{ access_log off; {own} server {{ \
             listen 127.0.0.1:{port} ssl; ssl_certificate {folder}/localhost.chain; \
             ssl_certificate_key {folder}/localhost.key; ssl_client_certificate {folder}/ca.pem; \
             ssl_verify_client on; ssl_verify_depth 2; ssl_crl {folder}/crl.pem; \
             location / {{ return 200 \"welcome $ssl_client_s_dn\"; }} }} }}"
        );
        fs::write(self.path("nginx.conf"), text).unwrap();
        let mut command = Command::new("nginx");
        let globals = format!("daemon off; pid {folder}/nginx.pid; error_log stderr warn;");
        command.args(["-e", "stderr", "-g", &globals, "-c"]);
        command.arg(self.path("nginx.conf"));
        start(command, port)
    }

    /// What nginx says to `dev1`, over OpenSSL.
    fn visits(&self, port: u16) -> String {
        let script = format!(
            "printf 'GET / HTTP/1.1\\r\\nhost: localhost\\r\\nconnection: close\\r\\n\\r\\n' | openssl \
             s_client -quiet -connect 127.0.0.1:{port} -servername localhost -CAfile ca.pem \
             -verify_return_error -cert dev1.chain -cert_chain dev1.chain -key dev1.key 2>&1"
        );
        let output = shell(&script, &self.folder);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

fn shell(script: &str, folder: &Path) -> Output {
    let mut command = Command::new("sh");
    command
        .args(["-c", script])
        .current_dir(folder)
        .output()
        .unwrap()
}

#[test]
#[ignore = "starts mosquitto: bash .ci/run brokers"]
fn mosquitto_lets_a_device_in_until_its_certificate_is_revoked() {
    let papers = Papers::new();
    let port = free_port();
    let broker = papers.mosquitto(port);
    assert!(papers.publishes(port));
    drop(broker);
    papers.revoke();
    let _broker = papers.mosquitto(port);
    assert!(!papers.publishes(port));
}

#[test]
#[ignore = "starts nginx: bash .ci/run brokers"]
fn nginx_with_ssl_crl_lets_a_device_in_until_its_certificate_is_revoked() {
    let papers = Papers::new();
    let port = free_port();
    let web = papers.nginx(port);
    let said = papers.visits(port);
    assert!(said.contains("welcome CN=dev1"), "{said}");
    drop(web);
    papers.revoke();
    let _web = papers.nginx(port);
    let said = papers.visits(port);
    assert!(!said.contains("welcome"), "{said}");
}
