//! Finding a server: packets of multicast DNS, and the search that they are for.

use std::net::{Ipv4Addr, SocketAddr};

use providore_client::{Search, SearchStep};
use providore_wire::dns_sd::{
    Announcement, Fingerprint, MAX_ADDRESSES, MAX_INSTANCES, MAX_PACKET, PORT, Query, Response,
};

/// Packets: what is read of one can be written, and is then read again as it was; nothing that is cut
/// is a packet. A question is read as it is written.
pub fn announcement(data: &[u8]) {
    if let Ok(Some(query)) = Query::parse(data) {
        assert_eq!(Query::parse(&query.to_bytes()), Ok(Some(query)));
        assert!(Response::parse(data).is_err());
    }
    if let Ok(fingerprint) = Fingerprint::parse(data) {
        assert_eq!(fingerprint.to_hex().as_str().as_bytes(), data);
    }
    let Ok(response) = Response::parse(data) else {
        return;
    };
    assert!(data.len() <= MAX_PACKET);
    assert_eq!(Query::parse(data), Ok(None));
    for length in [data.len() - 1, data.len() / 2] {
        assert!(Response::parse(&data[..length]).is_err());
    }
    let mut count = 0;
    for found in response.announcements() {
        count += 1;
        match found {
            Ok(found) => assert_plain(&found),
            Err(error) => assert!(error.offset() <= data.len()),
        }
    }
    assert!(count <= MAX_INSTANCES);
}

fn assert_plain(found: &Announcement<'_>) {
    assert!(found.port() > 0 && found.addresses().len() <= MAX_ADDRESSES);
    assert!(found.path().starts_with('/') && !found.path().contains("//"));
    assert!(!found.path().contains("/.") && found.path().is_ascii());
    assert!(!found.instance().contains(char::is_control));
    let mut buffer = [0; 512];
    let packet = found.write(&mut buffer).expect("there is room");
    let again = Response::parse(packet).expect("our own").announcements();
    assert_eq!(again.collect::<Vec<_>>(), [Ok(found.clone())]);
}

/// A search, and what happens to it: a byte that says what, and one that says how much.
///
/// Whatever happens, a round ends and tries few addresses. Questions are a second or more apart.
pub fn search(data: &[u8]) {
    let mut state = 1_u32;
    let mut entropy = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state
    };
    let fallback = "http://fallback:1".parse().expect("an address");
    let mut search = Search::new(&mut entropy).with_fallback(fallback);
    let mut events = data.chunks_exact(2);
    let (mut tried, mut now_ms, mut asked_ms) = (Vec::new(), 0_u64, None);
    for steps in 0.. {
        assert!(steps < 100 + 4 * data.len(), "does not end");
        match search.step() {
            SearchStep::Try(address) => tried.push(address),
            SearchStep::RoundEnded => {
                assert!(tried.len() <= Search::CANDIDATES + 2);
                if events.len() == 0 {
                    return;
                }
                tried.clear();
            }
            SearchStep::Ask { .. } => {
                assert!(asked_ms.is_none_or(|before| now_ms - before >= 1_000));
                asked_ms = Some(now_ms);
                search.asked();
            }
            SearchStep::Listen { within_ms } => {
                assert!(within_ms > 0);
                let Some([what, much]) = events.next() else {
                    now_ms += within_ms;
                    search.passed(within_ms);
                    continue;
                };
                match what % 8 {
                    0 => search.deaf(),
                    1 => {
                        search.restart(&mut entropy);
                        tried.clear();
                        asked_ms = None;
                    }
                    2 => {
                        search.confirm(&address(*much));
                        tried.clear();
                    }
                    3 => search.recall(&address(*much)),
                    4 => {
                        let passed_ms = within_ms.min(u64::from(*much) * 10);
                        now_ms += passed_ms;
                        search.passed(passed_ms);
                    }
                    _ => {
                        // A flood takes no time, and is charged for a millisecond each.
                        now_ms += 1;
                        let source = Ipv4Addr::new(10, 0, *what % 3, *much);
                        let source = SocketAddr::from((source, PORT));
                        search.heard(&announced(*what, *much), source, 0, &mut entropy);
                    }
                }
            }
        }
    }
}

fn address(number: u8) -> providore_client::ServerAddress {
    let text = match number {
        0 => String::from("http://fallback:1"),
        _ => format!("http://10.0.0.{number}:3000"),
    };
    text.parse().expect("an address")
}

fn announced(what: u8, number: u8) -> Vec<u8> {
    let address = Ipv4Addr::new(10, 0, what % 5, number).into();
    let announced = Announcement::new("i", "h", u16::from(number) + 1, &[address]);
    let fingerprint = Fingerprint::new([what; 32]);
    let announced = announced.expect("plain").with_fingerprint(fingerprint);
    announced
        .write(&mut [0; 512])
        .expect("there is room")
        .to_vec()
}
