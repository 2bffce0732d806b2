//! The server announces itself, here on loopback alone, and a search finds it.

use core::net::Ipv4Addr;
use std::time::Duration;

use providore_client::{DnsSd, Locator as _, Multicast as _, TokioMulticast};
use providore_wire::dns_sd::{Announcement, Fingerprint, MAX_PACKET, Query, Response};
use sha2::{Digest as _, Sha256};

use super::running::Site;

/// A name that no other test run beside this one announces.
fn name(of: &str) -> String {
    format!("{of} {}", std::process::id())
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(future)
}

/// The packets that hold this name within so many seconds, with a question each second or none.
async fn packets_of(name: &str, seconds: u32, ask: bool) -> Vec<Vec<u8>> {
    let mut multicast = TokioMulticast::bind(&[Ipv4Addr::LOCALHOST]).unwrap();
    let (mut buffer, mut found) = (vec![0; MAX_PACKET], Vec::new());
    for _ in 0..seconds {
        if ask {
            multicast
                .send(&Query::multicast().to_bytes())
                .await
                .unwrap();
        }
        let mut left_ms = 1_000;
        while let Some(heard) = multicast.receive(&mut buffer, left_ms).await.unwrap() {
            let packet = &buffer[..heard.length];
            if packet
                .windows(name.len())
                .any(|part| part == name.as_bytes())
            {
                found.push(packet.to_vec());
            }
            left_ms = left_ms.saturating_sub(heard.waited_ms.max(1));
        }
    }
    found
}

fn announced<'p>(packets: &'p [Vec<u8>], name: &str) -> Option<Announcement<'p>> {
    let responses = packets
        .iter()
        .filter_map(|packet| Response::parse(packet).ok());
    let mut all = responses.flat_map(|response| response.announcements().flatten());
    all.find(|it| it.instance() == name)
}

#[test]
fn a_server_is_found_until_it_says_goodbye() {
    let (site, name) = (Site::new(), name("Found"));
    let running = site.serve(&["--announce-loopback", "--announce-name", &name]);
    let address = running.http.unwrap();
    let packets = run(packets_of(&name, 3, true));
    let it = announced(&packets, &name).expect("an announcement");
    assert_eq!(
        (it.port(), it.path(), it.version()),
        (address.port(), "/", 2)
    );
    assert_eq!(it.addresses(), [address.ip()]);
    let chain = std::fs::read_to_string(site.path("ca/chain.pem")).unwrap();
    let root = chain
        .split_inclusive("-----END CERTIFICATE-----\n")
        .last()
        .unwrap();
    let root = providore_pki::Certificate::from_pem(root).unwrap();
    let expected = Fingerprint::new(Sha256::digest(root.der()).into());
    assert_eq!(it.fingerprint(), Some(&expected));

    let found = run(async {
        let multicast = TokioMulticast::bind(&[Ipv4Addr::LOCALHOST]).unwrap();
        let mut buffer = [0; 1500];
        let mut locator = DnsSd::new(multicast, || 7, &mut buffer).with_fingerprint(expected);
        locator.next().await.cloned()
    });
    assert_eq!(found.unwrap().to_string(), format!("http://{address}"));

    let packets = run(async {
        let stopping = tokio::task::spawn_blocking(|| {
            std::thread::sleep(Duration::from_millis(200));
            running.stop()
        });
        let packets = packets_of(&name, 2, false).await;
        assert_eq!(stopping.await.unwrap(), Some(0));
        packets
    });
    // A goodbye has a lifetime of zero, and announces nothing.
    assert!(!packets.is_empty(), "no goodbye");
    assert_eq!(announced(&packets, &name), None);
    assert_eq!(run(packets_of(&name, 2, true)), [[0; 0]; 0]);
}

#[test]
fn what_only_this_machine_can_reach_is_not_announced_unasked() {
    let (site, name) = (Site::new(), name("Quiet"));
    for quiet in [&[][..], &["--no-announce"]] {
        let running = site.serve(&[&["--announce-name", &name], quiet].concat());
        assert_eq!(run(packets_of(&name, 2, true)), [[0; 0]; 0]);
        assert_eq!(running.stop(), Some(0));
    }
}

#[test]
fn a_name_that_cannot_be_announced_is_refused_at_the_start() {
    let site = Site::new();
    for name in ["", "a\u{1b}[2J", &"n".repeat(64)] {
        let mut command = site.command();
        let said = command.args(["serve", "--http", "127.0.0.1:0", "--announce-name", name]);
        let said = said.output().unwrap();
        let text = String::from_utf8_lossy(&said.stderr);
        assert!(
            !said.status.success() && text.contains("1 to 63 bytes"),
            "{text}"
        );
    }
}
