//! Two programs that nobody told of each other: `providore-server` announces itself on loopback, and
//! `providore-device` finds it, with somebody else's announcement in its way.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of a test"
)]

extern crate alloc;

use alloc::sync::Arc;
use core::{
    net::Ipv4Addr,
    sync::atomic::{AtomicUsize, Ordering},
};
use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
};

use providore_client::{Multicast as _, TokioMulticast};
use providore_wire::dns_sd::{Announcement, Fingerprint, MAX_PACKET, Query};

/// A server process on loopback, announced there; ended with the test.
struct Server {
    process: Child,
    folder: tempfile::TempDir,
    secret: String,
    url: String,
}

fn server_program() -> PathBuf {
    let beside = Path::new(env!("CARGO_BIN_EXE_providore-device"));
    let program = beside.with_file_name("providore-server");
    assert!(
        program.exists(),
        "not there: `cargo build --bin providore-server`"
    );
    program
}

impl Server {
    /// With the device `lamp` and its configuration.
    fn start(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let command = |arguments: &[&str]| {
            let mut command = Command::new(server_program());
            command.env("PROVIDORE_DATA", folder.path()).args(arguments);
            command
        };
        let added = command(&["device", "add", "lamp"]).output().unwrap();
        let added = String::from_utf8(added.stdout).unwrap();
        let secret = added.lines().find_map(|line| line.strip_prefix("secret  "));
        let secret = String::from(secret.unwrap());
        let config = folder.path().join("config.json");
        fs::write(&config, r#"{"of":"the server"}"#).unwrap();
        let config = ["device", "config", "lamp", config.to_str().unwrap()];
        assert!(command(&config).status().unwrap().success());
        let mut process = command(&["serve", "--log-format", "json", "--http", "127.0.0.1:0"])
            .args(["--announce-loopback", "--announce-name", name])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
        let line = log
            .find(|line| line.as_ref().unwrap().contains("\"serving\""))
            .unwrap();
        let line: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        thread::spawn(move || log.for_each(drop));
        Self {
            url: format!("http://{}", line["http"].as_str().unwrap()),
            process,
            folder,
            secret,
        }
    }

    /// The fingerprint that `openssl` would print, without its colons.
    fn fingerprint(&self) -> String {
        let chain = fs::read_to_string(self.folder.path().join("ca/chain.pem")).unwrap();
        let root = chain.split_inclusive("-----END CERTIFICATE-----\n").last();
        let root = providore_pki::Certificate::from_pem(root.unwrap()).unwrap();
        let digest = <sha2::Sha256 as sha2::Digest>::digest(root.der());
        Fingerprint::new(digest.into()).to_string()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Somebody on the network who answers every question with an announcement of himself, in the name
/// of the server and with its fingerprint, and every request with a configuration of his own.
fn stranger(fingerprint: &str) -> Arc<AtomicUsize> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            counter.fetch_add(1, Ordering::Relaxed);
            let _ = stream.read(&mut [0; 4096]);
            let body = r#"{"of":"a stranger"}"#;
            let length = body.len();
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}"
            );
        }
    });
    let fingerprint = Fingerprint::parse(fingerprint.as_bytes()).unwrap();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut multicast = TokioMulticast::bind(&[Ipv4Addr::LOCALHOST]).unwrap();
            let address = [Ipv4Addr::LOCALHOST.into()];
            let announced = Announcement::new("A stranger", "h", port, &address).unwrap();
            let announced = announced.with_fingerprint(fingerprint);
            let (mut buffer, mut packet) = ([0; MAX_PACKET], [0; 512]);
            let packet = announced.write(&mut packet).unwrap();
            loop {
                let heard = multicast.receive(&mut buffer, 60_000).await.unwrap();
                let length = heard.map_or(0, |heard| heard.length);
                if let Ok(Some(_)) = Query::parse(&buffer[..length]) {
                    multicast.send(packet).await.unwrap();
                }
            }
        });
    });
    asked
}

fn device(home: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_providore-device"))
        .env_clear()
        .env("HOME", home)
        .args(["--interface", "127.0.0.1"])
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
#[ignore = "needs `cargo build --bin providore-server`"]
fn a_device_finds_its_server_and_leaves_a_stranger() {
    let name = format!("Test {}", std::process::id());
    let server = Server::start(&name);
    let fingerprint = server.fingerprint();
    let asked = stranger(&fingerprint);
    let home = tempfile::tempdir().unwrap();

    let listed = device(home.path(), &["find", "--json", "--seconds", "3"]);
    let listed = String::from_utf8(listed.stdout).unwrap();
    let lines = listed
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let found = lines.into_iter().find(|found| found["name"] == *name);
    let found = found.unwrap_or_else(|| panic!("{name} in {listed}"));
    assert_eq!(found["url"], *server.url);
    assert_eq!(found["fingerprint"], *fingerprint);
    assert_eq!(found["usable"], true);
    assert!(listed.contains("A stranger"));

    let secret = home.path().join("secret");
    fs::write(&secret, &server.secret).unwrap();
    let secret = ["--secret-file", secret.to_str().unwrap()];
    let config = [&secret[..], &["--device-id", "lamp", "config"]].concat();
    let state = home.path().join(".local/state/providore-client");
    // Whom of the two it asks first is chance; in the end it is always the server.
    for _ in 0..6 {
        let _ = fs::remove_dir_all(&state);
        let said = device(home.path(), &config);
        assert!(said.status.success(), "{said:?}");
        let stored = fs::read_to_string(state.join("config.json")).unwrap();
        assert_eq!(stored, r#"{"of":"the server"}"#);
        let remembered = fs::read_to_string(state.join("server")).unwrap();
        assert_eq!(remembered, server.url);
    }
    assert!(
        asked.load(Ordering::Relaxed) > 0,
        "the stranger was never in the way"
    );
    // What was good last is asked first: the stranger is not asked any more.
    let before = asked.load(Ordering::Relaxed);
    assert!(device(home.path(), &config).status.success());
    assert_eq!(asked.load(Ordering::Relaxed), before);
}

#[test]
#[ignore = "needs a network namespace: `unshare --map-root-user --net`"]
fn where_nobody_is_found_the_device_says_what_to_do() {
    let program = env!("CARGO_BIN_EXE_providore-device");
    let alone = format!("ip link set lo up && exec '{program}' find --seconds 1");
    let said = Command::new("unshare")
        .args(["--map-root-user", "--net", "sh", "-c", &alone])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&said.stderr);
    assert_eq!(said.status.code(), Some(1), "{text}");
    for advice in ["5353", "--server", "--http 0.0.0.0:3000"] {
        assert!(text.contains(advice), "{text}");
    }
}

#[test]
#[ignore = "needs a network namespace, and `cargo build --bin providore-server`"]
fn a_server_that_starts_before_its_network_is_found() {
    let (server, device) = (server_program(), env!("CARGO_BIN_EXE_providore-device"));
    let folder = tempfile::tempdir().unwrap();
    // A cable that nobody has plugged in at the other end.
    let story = format!(
        "ip link set lo up && ip link add here type veth peer name there &&
         ip addr add 10.88.0.1/24 dev here && ip link set here up || exit 9
         '{server}' --data '{data}' serve --http 10.88.0.1:3000 2>/dev/null & server=$!
         sleep 2; ip link set there up
         '{device}' --interface 10.88.0.1 find --seconds 12; found=$?
         kill $server; exit $found",
        server = server.display(),
        data = folder.path().display(),
    );
    let said = Command::new("unshare")
        .args(["--map-root-user", "--net", "sh", "-c", &story])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&said.stdout);
    assert!(said.status.success(), "{said:?}");
    assert!(text.contains("http://10.88.0.1:3000"), "{text}");
}

#[test]
#[ignore = "needs a network namespace, and `cargo build --bin providore-server`"]
fn a_server_in_a_network_of_ipv6_alone_is_found_and_asked() {
    let (server, device) = (server_program(), env!("CARGO_BIN_EXE_providore-device"));
    let folder = tempfile::tempdir().unwrap();
    // The two ends of a cable in two networks; the server hands its secret over in a file.
    let story = format!(
        "set -e; export PROVIDORE_DATA='{data}/d'
         '{server}' device add lamp --no-qr --json | sed 's/.*\"secret\":\"\\([^\"]*\\)\".*/\\1/' > '{data}/s'
         chmod 600 '{data}/s'; echo '{{\"over\":6}}' | '{server}' device config lamp -
         ip link set lo up; ip link add here type veth peer name there
         unshare --net sleep 60 & other=$!; sleep 0.5
         ip link set there netns $other
         nsenter --net=/proc/$other/ns/net ip link set lo up
         nsenter --net=/proc/$other/ns/net ip -6 addr add fe80::2/64 dev there nodad
         nsenter --net=/proc/$other/ns/net ip link set there up
         ip -6 addr add fe80::1/64 dev here nodad; ip link set here up; sleep 2
         '{server}' serve --http '[::]:3000' 2>'{data}/log' & serving=$!
         sleep 3
         nsenter --net=/proc/$other/ns/net '{device}' --device-id lamp --secret-file '{data}/s' --state-dir '{data}/st' config || found=$?
         kill $serving $other; cat '{data}/st/config.json'; exit ${{found-0}}",
        server = server.display(),
        data = folder.path().display(),
    );
    let said = Command::new("unshare")
        .args(["--map-root-user", "--net", "sh", "-c", &story])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&said.stdout);
    assert!(said.status.success(), "{said:?}");
    assert!(text.contains("{\"over\":6}"), "{text}");
}
