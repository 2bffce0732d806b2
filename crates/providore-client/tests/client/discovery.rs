//! Finding the server: what is asked when, who is tried, and what attackers can make of it.

use alloc::rc::Rc;
use core::{
    cell::{Cell, RefCell},
    net::{IpAddr, SocketAddr},
};

use proptest::prelude::*;
use providore_client::{
    Agent, Buffers, DnsSd, Locator as _, Multicast, Platform, Record, Search, SearchStep,
    Storage as _, TransportError,
    memory::{
        MemoryClock, MemoryDatagram, MemoryMulticast, MemorySlot, MemoryStorage, MemoryTransport,
    },
};
use providore_wire::{
    Timestamp,
    dns_sd::{Announcement, Fingerprint, Query},
};

use crate::{
    agent::{Handler, MemoryPlatform, answer, run, settings},
    signed_agent::{World, platform_in},
    signed_support::device,
    support::Reply,
};

type Network = MemoryMulticast<Box<dyn FnMut(&[u8]) -> Vec<MemoryDatagram>>>;

const HOME: Fingerprint = Fingerprint::new([1; 32]);
const ELSEWHERE: Fingerprint = Fingerprint::new([2; 32]);
const FALLBACK: &str = "http://fallback.example:3000";

/// A server at an address that announces itself 100 ms after each question.
#[derive(Clone)]
struct Server {
    addresses: Vec<IpAddr>,
    port: u16,
    path: &'static str,
    version: u16,
    fingerprint: Option<Fingerprint>,
    source: SocketAddr,
    after_ms: u64,
}

fn at(address: &str) -> Server {
    let address: IpAddr = address.parse().unwrap();
    Server {
        addresses: vec![address],
        port: 3000,
        path: "/",
        version: 2,
        fingerprint: None,
        source: SocketAddr::new(address, 5353),
        after_ms: 100,
    }
}

impl Server {
    fn with_fingerprint(mut self, fingerprint: Fingerprint) -> Self {
        self.fingerprint = Some(fingerprint);
        self
    }

    /// The announcement that somebody else sends.
    fn said_by(mut self, source: &str) -> Self {
        self.source = SocketAddr::new(source.parse().unwrap(), 5353);
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let announced = Announcement::new("Server", "server", self.port, &self.addresses);
        let announced = announced.unwrap().with_version(self.version).unwrap();
        let mut announced = announced.with_path(self.path).unwrap();
        if let Some(fingerprint) = self.fingerprint {
            announced = announced.with_fingerprint(fingerprint);
        }
        announced.write(&mut [0; 512]).unwrap().to_vec()
    }

    fn datagram(&self) -> MemoryDatagram {
        MemoryDatagram {
            after_ms: self.after_ms,
            source: self.source,
            bytes: self.bytes(),
        }
    }
}

fn network(servers: Vec<Server>) -> Network {
    MemoryMulticast::new(Box::new(move |question| {
        assert_eq!(Query::parse(question), Ok(Some(Query::multicast())));
        servers.iter().map(Server::datagram).collect()
    }))
}

fn datagrams(datagrams: Vec<MemoryDatagram>) -> Network {
    MemoryMulticast::new(Box::new(move |_| datagrams.clone()))
}

/// What a round tries, in this order.
fn round<M: Multicast>(locator: &mut DnsSd<'_, M, impl FnMut() -> u32>) -> Vec<String> {
    let mut tried = Vec::new();
    while let Some(address) = run(locator.next()) {
        tried.push(address.to_string());
        assert!(tried.len() < 20, "{tried:?}");
    }
    tried
}

/// Goes on until this one is tried, which then proves itself; whether to keep its address.
fn confirm<M: Multicast>(locator: &mut DnsSd<'_, M, impl FnMut() -> u32>, address: &str) -> bool {
    for _ in 0..20 {
        if run(locator.next()).is_some_and(|tried| tried.as_str() == address) {
            return locator.confirm();
        }
    }
    panic!("{address} is not tried");
}

fn locator(network: Network, buffer: &mut [u8]) -> DnsSd<'_, Network, fn() -> u32> {
    DnsSd::new(network, || 0, buffer)
}

fn check(network: Network, expected: &[&str]) {
    let mut buffer = [0; 1500];
    let mut locator = locator(network, &mut buffer);
    assert_eq!(round(&mut locator), expected);
}

#[test]
fn a_server_that_answers_is_tried() {
    check(
        network(vec![at("192.168.1.7")]),
        &["http://192.168.1.7:3000"],
    );
    check(network(vec![at("fd00::7")]), &["http://[fd00::7]:3000"]);
    check(network(vec![]), &[]);
}

#[test]
fn a_server_that_announces_itself_unasked_is_tried() {
    let mut network = network(vec![]);
    let mut server = at("192.168.1.7");
    server.after_ms = 5_000;
    network.announce(server.datagram());
    check(network, &["http://192.168.1.7:3000"]);
}

#[test]
fn questions_are_twice_as_far_apart_each_time_up_to_a_minute() {
    for (random, unit, first) in [(0, 1_000, 20), (u32::MAX, 1_249, 119)] {
        let mut buffer = [0; 64];
        let mut locator = DnsSd::new(network(vec![]), || random, &mut buffer);
        for _ in 0..7 {
            assert_eq!(round(&mut locator), [""; 0]);
        }
        let asked = locator.multicast_mut().asked_ms().to_vec();
        assert_eq!(asked[0], first);
        let intervals: Vec<u64> = asked.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let doubled: Vec<u64> = (0..intervals.len())
            .map(|n| (unit << n).min(60_000))
            .collect();
        assert_eq!(intervals, doubled);
        assert!(intervals.contains(&60_000));
    }
}

#[test]
fn a_server_that_proved_itself_makes_the_intervals_short_again() {
    let mut buffer = [0; 1500];
    let fallback = FALLBACK.parse().unwrap();
    let mut locator = locator(network(vec![]), &mut buffer).with_fallback(fallback);
    for _ in 0..3 {
        assert_eq!(round(&mut locator), [FALLBACK]);
    }
    assert!(confirm(&mut locator, FALLBACK));
    let before = locator.multicast_mut().asked_ms().len();
    assert_eq!(round(&mut locator), [FALLBACK]);
    let asked = locator.multicast_mut().asked_ms();
    assert_eq!(asked[before + 1] - asked[before], 1_000);
}

#[test]
fn the_likely_ones_are_tried_first_and_others_all_the_same() {
    let servers = vec![
        at("192.168.1.1").said_by("192.168.1.99"),
        at("192.168.1.2").with_fingerprint(ELSEWHERE),
        at("fd00::3").with_fingerprint(HOME),
        at("192.168.1.4").with_fingerprint(HOME),
    ];
    let mut buffer = [0; 1500];
    let mut locator = locator(network(servers), &mut buffer).with_fingerprint(HOME);
    assert_eq!(
        round(&mut locator),
        [
            "http://192.168.1.4:3000",
            "http://[fd00::3]:3000",
            "http://192.168.1.2:3000",
            "http://192.168.1.1:3000",
        ]
    );
}

#[test]
fn of_several_addresses_the_one_that_answered_is_tried_first() {
    let mut server = at("192.168.1.7");
    for other in ["172.17.0.1", "fd00::7"] {
        server.addresses.insert(0, other.parse().unwrap());
    }
    check(
        network(vec![server]),
        &[
            "http://192.168.1.7:3000",
            "http://172.17.0.1:3000",
            "http://[fd00::7]:3000",
        ],
    );
}

#[test]
fn what_was_good_last_is_tried_before_anybody_is_asked() {
    let mut buffer = [0; 1500];
    let mut locator = locator(network(vec![at("192.168.1.7")]), &mut buffer);
    locator.recall(&"http://192.168.1.5:3000".parse().unwrap());
    let first = run(locator.next()).unwrap();
    assert_eq!(first.as_str(), "http://192.168.1.5:3000");
    assert_eq!(locator.multicast_mut().asked_ms(), [0; 0]);
    assert_eq!(round(&mut locator), ["http://192.168.1.7:3000"]);
    // The next round begins with it again, and does not try it twice.
    assert!(confirm(&mut locator, "http://192.168.1.7:3000"));
    assert_eq!(round(&mut locator), ["http://192.168.1.7:3000"]);
}

#[test]
fn the_fallback_is_the_last_resort_and_the_first_once_it_was_good() {
    let fallback = FALLBACK.parse().unwrap();
    let mut buffer = [0; 1500];
    let servers = vec![at("192.168.1.7")];
    let mut locator = locator(network(servers), &mut buffer).with_fallback(fallback);
    assert_eq!(round(&mut locator), ["http://192.168.1.7:3000", FALLBACK]);
    assert!(confirm(&mut locator, FALLBACK));
    assert!(!locator.confirm());
    assert_eq!(round(&mut locator), [FALLBACK, "http://192.168.1.7:3000"]);
}

#[test]
fn an_address_that_was_configured_once_is_not_recalled() {
    let mut buffer = [0; 1500];
    let mut locator = locator(network(vec![]), &mut buffer);
    for former in [FALLBACK, "https://192.168.1.5:3000", "http://nowhere"] {
        locator.recall(&former.parse().unwrap());
        assert_eq!(round(&mut locator), [""; 0]);
    }
}

#[test]
fn without_a_network_the_fallback_is_tried_at_once() {
    let mut buffer = [0; 1500];
    let mut network = network(vec![at("192.168.1.7")]);
    network.set_down(true);
    let mut locator = locator(network, &mut buffer).with_fallback(FALLBACK.parse().unwrap());
    assert_eq!(round(&mut locator), [FALLBACK]);
    assert_eq!(locator.multicast_mut().listened_ms(), 0);
    locator.multicast_mut().set_down(false);
    locator.restart();
    assert_eq!(round(&mut locator), ["http://192.168.1.7:3000", FALLBACK]);
}

#[test]
fn addresses_that_no_server_here_can_have_are_not_tried() {
    let said = |address: &str| at(address).said_by("192.168.1.9");
    let servers = [
        "127.0.0.1",
        "::1",
        "0.0.0.0",
        "224.0.0.251",
        "255.255.255.255",
        "ff02::fb",
        "::",
        "fe80::7",
        "203.0.113.5", // somebody on the internet
        "2001:db8::5",
        "169.254.1.1", // a network without DHCP
    ];
    let heard = servers.map(said).to_vec();
    check(network(heard), &["http://169.254.1.1:3000"]);
    // Who speaks for himself may have any address.
    check(
        network(vec![at("203.0.113.5")]),
        &["http://203.0.113.5:3000"],
    );
    check(network(vec![at("127.0.0.1")]), &["http://127.0.0.1:3000"]);
}

#[test]
fn servers_below_a_path_or_of_another_version_are_not_tried() {
    let mut below = at("192.168.1.7");
    below.path = "/provisioning";
    let mut newer = at("192.168.1.8");
    newer.version = 3;
    check(network(vec![below, newer]), &[]);
}

#[test]
fn what_is_not_an_answer_is_not_heard() {
    let source = at("192.168.1.7").source;
    let datagram = |bytes: &[u8], source| MemoryDatagram {
        after_ms: 50,
        source,
        bytes: bytes.to_vec(),
    };
    let good = at("192.168.1.7").bytes();
    // The name of the first record points at itself; at its end; and in a circle of two.
    let mut loops = [good.clone(), good.clone(), good.clone()];
    loops[0][12..14].copy_from_slice(&[0xC0, 12]);
    loops[1][12..14].copy_from_slice(&[0xC0, 14]);
    loops[2][12..16].copy_from_slice(&[0xC0, 14, 0xC0, 12]);
    let another_port = SocketAddr::new(source.ip(), 40_000);
    let mut all: Vec<_> = loops
        .iter()
        .map(|packet| datagram(packet, source))
        .collect();
    all.push(datagram(&good, another_port));
    all.push(datagram(&Query::multicast().to_bytes(), source));
    all.push(datagram(&good[..good.len() - 1], source));
    all.push(datagram(&[], source));
    check(datagrams(all), &[]);
    check(
        datagrams(vec![datagram(&good, source)]),
        &["http://192.168.1.7:3000"],
    );
}

#[test]
fn an_answer_that_does_not_fit_the_buffer_is_not_heard() {
    let mut buffer = [0; 64];
    let mut locator = locator(network(vec![at("192.168.1.7")]), &mut buffer);
    assert_eq!(round(&mut locator), [""; 0]);
}

/// Forged announcements, as many as arrive in no time, each of another address.
fn flood(source: impl Fn(u8) -> String) -> Vec<Server> {
    let forged = |n: u8| {
        let mut forged = at(&format!("10.0.0.{n}")).with_fingerprint(HOME);
        forged.after_ms = 30;
        forged.said_by(&source(n))
    };
    (1..=200).map(forged).collect()
}

#[test]
fn a_flood_from_one_host_leaves_room_for_the_others() {
    let mut servers = flood(|_| String::from("10.0.0.66"));
    servers.push(at("192.168.1.7"));
    let mut buffer = [0; 1500];
    let mut locator = locator(network(servers), &mut buffer);
    let tried = round(&mut locator);
    assert!(tried.len() <= Search::CANDIDATES, "{tried:?}");
    assert!(tried.contains(&String::from("http://192.168.1.7:3000")));
}

#[test]
fn a_flood_from_everywhere_delays_and_does_not_hide() {
    let mut servers = flood(|n| format!("10.0.0.{n}"));
    servers.push(at("192.168.1.7"));
    let mut state = 1_u32;
    let random = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state
    };
    let mut buffer = [0; 1500];
    let mut locator = DnsSd::new(network(servers), random, &mut buffer);
    let found = (0..400).find(|_| {
        let tried = round(&mut locator);
        assert!(tried.len() <= Search::CANDIDATES, "{tried:?}");
        tried.contains(&String::from("http://192.168.1.7:3000"))
    });
    assert!(found.is_some(), "hidden");
}

#[test]
fn a_flood_cannot_make_a_round_longer() {
    let listened_ms = |servers: Vec<Server>| {
        let mut buffer = [0; 1500];
        let mut locator = locator(network(servers), &mut buffer);
        round(&mut locator);
        locator.multicast_mut().listened_ms()
    };
    assert!(listened_ms(flood(|n| format!("10.0.0.{n}"))) <= listened_ms(vec![]));
}

type Finding = Platform<
    MemoryTransport<Handler>,
    DnsSd<'static, Network, fn() -> u32>,
    MemorySlot,
    MemoryStorage,
    MemoryClock,
    Box<dyn FnMut() -> u32>,
>;

/// A device in a world where one address is the server's, and all others a stranger's.
fn finding(
    servers: Vec<Server>,
    genuine: &'static str,
    asked: &Rc<RefCell<Vec<String>>>,
) -> Finding {
    let (world, asked) = (World::new(), Rc::clone(asked));
    let MemoryPlatform {
        slot,
        storage,
        clock,
        entropy,
        ..
    } = platform_in(&world, MemoryClock::new(Timestamp::from_unix(0).unwrap()));
    let handler: Handler = Box::new(move |request| {
        asked.borrow_mut().push(request.server.to_string());
        if request.server.as_str() == genuine {
            return world.borrow_mut().deliver(request);
        }
        match asked.borrow().len() % 3 {
            0 => Err(TransportError::unreachable()),
            1 => Ok(answer(Reply::unsigned(200, b"{\"wifi\":\"evil\"}"))),
            _ => Ok(answer(Reply::unsigned(401, b"forget your secret"))),
        }
    });
    let buffer = Box::leak(Box::new([0; 1500]));
    Platform {
        transport: MemoryTransport::new(handler),
        locator: DnsSd::new(network(servers), || 0, buffer),
        slot,
        storage,
        clock,
        entropy,
    }
}

/// Asks for the configuration until it is there; returns the storage.
fn configure(platform: Finding) -> (MemoryStorage, u32) {
    let (mut chunk, mut document) = ([0; 512], [0; 256]);
    let buffers = Buffers {
        chunk: &mut chunk,
        document: &mut document,
    };
    let mut agent = Agent::new(device(), platform, settings(), buffers);
    let attempts = (1..20).find(|_| run(agent.check_config()).is_ok());
    let storage = core::mem::take(&mut agent.platform_mut().storage);
    (storage, attempts.unwrap())
}

#[test]
fn a_stranger_who_announces_himself_is_left_for_the_next_one() {
    let asked = Rc::default();
    let servers = vec![
        at("192.168.1.66"),
        at("192.168.1.67"),
        at("192.168.1.68"),
        at("192.168.1.7"),
    ];
    let genuine = "http://192.168.1.7:3000";
    let (storage, _) = configure(finding(servers, genuine, &asked));
    assert_eq!(storage.content(Record::Config), Some(&b"{\"a\":1}"[..]));
    assert_eq!(storage.content(Record::Server), Some(genuine.as_bytes()));
    for trust in [Record::Authority, Record::Secret, Record::NextSecret] {
        assert_eq!(storage.content(trust), None);
    }
    assert_eq!(asked.borrow().last().map(String::as_str), Some(genuine));
}

#[test]
fn after_a_restart_the_server_is_asked_without_a_search() {
    let asked = Rc::default();
    let genuine = "http://192.168.1.7:3000";
    let (storage, _) = configure(finding(vec![at("192.168.1.7")], genuine, &asked));
    asked.borrow_mut().clear();
    let mut platform = finding(vec![at("192.168.1.66")], genuine, &asked);
    platform.storage = storage;
    let (storage, attempts) = configure(platform);
    assert_eq!(attempts, 1);
    assert!(asked.borrow().iter().all(|address| address == genuine));
    assert_eq!(storage.content(Record::Server), Some(genuine.as_bytes()));
}

#[test]
fn a_server_that_moved_is_found_at_its_new_address() {
    let asked = Rc::default();
    let mut platform = finding(vec![at("192.168.1.8")], "http://192.168.1.8:3000", &asked);
    let record = b"http://192.168.1.7:3000";
    run(platform.storage.store(Record::Server, record)).unwrap();
    let (storage, attempts) = configure(platform);
    assert_eq!(attempts, 2);
    assert_eq!(
        storage.content(Record::Server),
        Some(&b"http://192.168.1.8:3000"[..])
    );
}

#[test]
fn a_server_record_that_is_none_costs_a_search() {
    for record in [&b"\xFF"[..], b"", b"ftp://x", &[b'h'; 200]] {
        let asked = Rc::default();
        let genuine = "http://192.168.1.7:3000";
        let mut platform = finding(vec![at("192.168.1.7")], genuine, &asked);
        run(platform.storage.store(Record::Server, record)).unwrap();
        assert_eq!(configure(platform).1, 1);
    }
}

/// What somebody does with a [`Search`].
#[derive(Debug, Clone)]
enum Event {
    Hear(Vec<u8>, IpAddr),
    Silence(u64),
    Deaf,
    Confirm(u8),
    Recall(u8),
    Restart,
}

fn event() -> impl Strategy<Value = Event> {
    let announced = (any::<[u8; 4]>(), 1..9_u8).prop_map(|(address, port)| {
        let mut server = at(&IpAddr::from(address).to_string());
        server.port = port.into();
        Event::Hear(server.bytes(), address.into())
    });
    prop_oneof![
        4 => announced,
        1 => (prop::collection::vec(any::<u8>(), 0..99), any::<IpAddr>())
            .prop_map(|(bytes, source)| Event::Hear(bytes, source)),
        4 => (0..3_000_u64).prop_map(Event::Silence),
        1 => Just(Event::Deaf),
        1 => any::<u8>().prop_map(Event::Confirm),
        1 => any::<u8>().prop_map(Event::Recall),
        1 => Just(Event::Restart),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_a_round_ends(events in prop::collection::vec(event(), 0..60), seed: u32) {
        let random = Cell::new(seed);
        let mut entropy = || {
            random.set(random.get().wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
            random.get()
        };
        let mut search = Search::new(&mut entropy).with_fallback(FALLBACK.parse().unwrap());
        let address = |n: u8| format!("http://10.0.0.{n}:3000").parse().unwrap();
        let mut events = events.into_iter();
        let (mut tried, mut steps) = (0, 0_u32);
        loop {
            steps = steps.saturating_add(1);
            // Every question is followed by a second of listening or more.
            prop_assert!(steps < 1_000, "does not end");
            match search.step() {
                SearchStep::Try(_) => tried = usize::saturating_add(tried, 1),
                SearchStep::RoundEnded => {
                    prop_assert!(tried <= Search::CANDIDATES + 2);
                    if events.len() == 0 {
                        break;
                    }
                    tried = 0;
                }
                SearchStep::Ask { .. } => search.asked(),
                SearchStep::Listen { within_ms } => match events.next() {
                    Some(Event::Hear(bytes, source)) => {
                        search.heard(&bytes, SocketAddr::new(source, 5353), 0, &mut entropy);
                    }
                    Some(Event::Silence(ms)) => search.passed(ms.min(within_ms)),
                    Some(Event::Deaf) => search.deaf(),
                    Some(Event::Confirm(n)) => {
                        search.confirm(&address(n));
                        tried = 0;
                    }
                    Some(Event::Recall(n)) => search.recall(&address(n)),
                    Some(Event::Restart) => {
                        search.restart(&mut entropy);
                        tried = 0;
                    }
                    None => search.passed(within_ms),
                },
            }
        }
    }
}
