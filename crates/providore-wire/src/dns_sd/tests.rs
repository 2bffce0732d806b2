//! Packets at their edges: RFC 1035 section 4.1, RFC 6762 section 18, RFC 6763 section 6.

extern crate alloc;
use alloc::{format, string::String, vec::Vec};
use core::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::{ParseError, ParseErrorKind};

/// A packet of records in plain spelling, without pointers.
#[derive(Clone)]
struct Packet {
    flags: u16,
    questions: u16,
    records: u16,
    body: Vec<u8>,
}

impl Packet {
    fn new() -> Self {
        Self {
            flags: 0x8400,
            questions: 0,
            records: 0,
            body: Vec::new(),
        }
    }

    fn record(mut self, name: &[u8], kind: u16, content: &[u8]) -> Self {
        self.records = self.records.saturating_add(1);
        self.body.extend_from_slice(name);
        self.body.extend_from_slice(&kind.to_be_bytes());
        self.body.extend_from_slice(&[0x80, 1, 0, 0, 0, 120]);
        let length = u16::try_from(content.len()).unwrap();
        self.body.extend_from_slice(&length.to_be_bytes());
        self.body.extend_from_slice(content);
        self
    }

    /// A server `i` on the host `h`, with this TXT record.
    fn server(self, txt: &[u8]) -> Self {
        let (instance, host) = (name(&instance()), name(&["h", "local"]));
        let location = [&[0, 0, 0, 0, 0x0B, 0xB8], host.as_slice()].concat();
        self.record(&name(&SERVICE_NAME), TYPE_PTR, &instance)
            .record(&instance, TYPE_SRV, &location)
            .record(&instance, TYPE_TXT, txt)
            .record(&host, TYPE_A, &[192, 0, 2, 7])
    }

    fn bytes(&self) -> Vec<u8> {
        let numbers = [0, self.flags, self.questions, self.records, 0, 0];
        let mut bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_be_bytes()).collect();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

const SERVICE_NAME: [&str; 3] = ["_providore", "_tcp", "local"];

fn instance() -> [&'static str; 4] {
    ["i", "_Providore", "_TCP", "local"]
}

fn name(labels: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in labels {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

/// What is found in a packet: each announcement in a line, or why it is none.
fn check(packet: &[u8], expected: Result<&[&str], ParseErrorKind>) {
    let found = Response::parse(packet).map(|response| {
        let lines = response.announcements().map(|found| match found {
            Ok(it) => format!(
                "{} {} {} {:?} {} {}{}",
                it.instance(),
                it.host(),
                it.port(),
                it.addresses(),
                it.path(),
                it.version(),
                it.fingerprint()
                    .map(|fp| format!(" {fp}"))
                    .unwrap_or_default(),
            ),
            Err(error) => format!("{:?}", error.kind()),
        });
        lines.collect::<Vec<String>>()
    });
    let found = found.as_ref().map_err(ParseError::kind);
    assert_eq!(
        found.map(|lines| lines.iter().map(String::as_str).collect()),
        expected.map(Vec::from)
    );
}

const PLAIN: &str = "i h 3000 [192.0.2.7] / 2";

#[test]
fn a_server_is_found_in_any_case_of_letters() {
    check(&Packet::new().server(b"\x03v=2").bytes(), Ok(&[PLAIN]));
}

#[test]
fn records_of_others_are_stepped_over() {
    let printer = name(&["_ipp", "_tcp", "local"]);
    let packet = Packet::new()
        .record(&printer, TYPE_PTR, &name(&["p", "_ipp", "_tcp", "local"]))
        .server(b"\x03v=2")
        .record(&name(&["h", "local"]), 47, b"\xC0\xFF\xFF")
        .record(&name(&["h", "local"]), TYPE_AAAA, &[1; 16]);
    let with_both = "i h 3000 [192.0.2.7, 101:101:101:101:101:101:101:101] / 2";
    check(&packet.bytes(), Ok(&[with_both]));
    let printer_alone = Packet::new().record(&printer, TYPE_PTR, &name(&["p"]));
    check(&printer_alone.bytes(), Ok(&[]));
}

#[test]
fn attributes_are_read_once_and_in_any_order() {
    let fp = "a5".repeat(32);
    let text = |entries: &[&str]| -> Vec<u8> {
        let entries = entries.iter();
        let entries =
            entries.flat_map(|e| [&[u8::try_from(e.len()).unwrap()], e.as_bytes()].concat());
        entries.collect()
    };
    let check = |entries: &[&str], expected: &str| {
        check(
            &Packet::new().server(&text(entries)).bytes(),
            Ok(&[expected]),
        );
    };
    let all = format!("i h 3000 [192.0.2.7] /a/b 2 {fp}");
    check(
        &[
            "PATH=/a/b",
            "",
            "other",
            "=x",
            &format!("fp={fp}"),
            "V=2",
            "v=3",
        ],
        &all,
    );
    check(&["path=/"], "Missing");
    check(&["v="], "UnexpectedByte");
    check(&["v=0"], "UnexpectedByte");
    check(&["v=02"], "UnexpectedByte");
    check(&["v=65536"], "UnexpectedByte");
    check(&["v=2", "fp=a5"], "InvalidBytes");
    check(
        &["v=2", &format!("fp={}", "A5".repeat(32))],
        "UnexpectedByte",
    );
    for (path, expected) in [
        ("", "Empty"),
        ("a", "UnexpectedByte"),
        ("//evil.example", "PathLike"),
        ("/../a", "PathLike"),
        ("/a?b", "UnexpectedByte"),
        ("/%2e", "UnexpectedByte"),
        ("/a\r\nx: y", "UnexpectedByte"),
        (&"/".repeat(65), "TooLong"),
    ] {
        check(&["v=2", &format!("path={path}")], expected);
    }
}

#[test]
fn what_is_missing_or_broken_is_an_error_for_that_instance_alone() {
    let service = name(&SERVICE_NAME);
    let alone = Packet::new().record(&service, TYPE_PTR, &name(&instance()));
    check(&alone.bytes(), Ok(&["Missing"]));
    check(
        &alone.clone().server(b"\x03v=2").bytes(),
        Ok(&[PLAIN, PLAIN]),
    );
    let nested = name(&["a", "b", "_providore", "_tcp", "local"]);
    let nested = Packet::new().record(&service, TYPE_PTR, &nested);
    check(&nested.server(b"\x03v=2").bytes(), Ok(&["Unknown", PLAIN]));
    let cut_text = Packet::new().server(b"\x04v=2");
    check(&cut_text.bytes(), Ok(&["UnexpectedEnd"]));
    let short = Packet::new().server(b"\x03v=2");
    let short = short.record(&name(&["h", "local"]), TYPE_A, &[1, 2, 3]);
    check(&short.bytes(), Ok(&["UnexpectedEnd"]));
}

#[test]
fn a_goodbye_announces_nothing() {
    let mut packet = Packet::new().server(b"\x03v=2").bytes();
    let lifetime = HEADER + name(&SERVICE_NAME).len() + 4;
    packet[lifetime..lifetime + 4].fill(0);
    check(&packet, Ok(&[]));
}

#[test]
fn a_packet_announces_eight_servers_at_most() {
    let mut packet = Packet::new();
    for _ in 0..20 {
        packet = packet.server(b"\x03v=2");
    }
    check(&packet.bytes(), Ok(&[PLAIN; MAX_INSTANCES]));
}

#[test]
fn addresses_beyond_the_fourth_are_left_out() {
    let addresses: Vec<IpAddr> = (1..9).map(|n| [192, 0, 2, n].into()).collect();
    let announced = Announcement::new("i", "h", 1, &addresses).unwrap();
    assert_eq!(announced.addresses(), &addresses[..MAX_ADDRESSES]);
}

#[test]
fn names_that_lead_round_and_round_are_refused() {
    let with_name = |name: &[u8]| Packet::new().record(name, TYPE_PTR, b"").bytes();
    let out_of_range = Err(ParseErrorKind::OutOfRange);
    check(&with_name(&[0xC0, 12]), out_of_range);
    check(&with_name(&[1, b'a', 0xC0, 12]), out_of_range);
    check(&with_name(&[0xC0, 14, 0xC0, 12]), out_of_range);
    check(&with_name(&[0xC0, 0]), out_of_range);
    check(&with_name(&[0xFF, 0xFF]), out_of_range);
    check(&with_name(&[0x40, 1]), Err(ParseErrorKind::UnexpectedByte));
    check(&with_name(&[0x80, 1]), Err(ParseErrorKind::UnexpectedByte));
}

#[test]
fn names_that_grow_by_pointing_are_bounded() {
    // Each name is a label and a pointer to the one before.
    let chain = |links: u16, label: &str| {
        let mut packet = Packet::new().record(&[1, b'x', 0], 99, b"");
        let mut before = HEADER;
        for _ in 0..links {
            let at = HEADER + packet.body.len();
            let pointer = 0xC000_u16 | u16::try_from(before).unwrap();
            let label = name(&[label]);
            let name = [&label[..label.len() - 1], &pointer.to_be_bytes()].concat();
            packet = packet.record(&name, 99, b"");
            before = at;
        }
        packet.bytes()
    };
    check(&chain(16, "a"), Ok(&[]));
    check(&chain(17, "a"), Err(ParseErrorKind::TooLong));
    check(&chain(3, &"l".repeat(63)), Ok(&[]));
    check(&chain(4, &"l".repeat(63)), Err(ParseErrorKind::TooLong));
}

#[test]
fn packets_over_the_limits_are_refused() {
    check(&[0; MAX_PACKET + 1], Err(ParseErrorKind::TooLong));
    let mut many = Packet::new();
    for _ in 0..=MAX_RECORDS {
        many = many.record(&[0], 99, b"");
    }
    check(&many.bytes(), Err(ParseErrorKind::TooMany));
    let mut counted = Packet::new();
    (counted.questions, counted.records) = (u16::MAX, u16::MAX);
    check(&counted.bytes(), Err(ParseErrorKind::TooMany));
    let mut left_over = Packet::new().server(b"\x03v=2").bytes();
    left_over.push(0);
    check(&left_over, Err(ParseErrorKind::UnexpectedByte));
}

#[test]
fn only_a_response_of_multicast_dns_is_read() {
    let with_flags = |flags: u16| {
        let mut packet = Packet::new().server(b"\x03v=2");
        packet.flags = flags;
        packet.bytes()
    };
    check(&with_flags(0x0000), Err(ParseErrorKind::Missing));
    check(&with_flags(0x8403), Err(ParseErrorKind::Unknown));
    check(&with_flags(0xC400), Err(ParseErrorKind::Unknown));
    check(&with_flags(0x8780), Ok(&[PLAIN]));
}

#[test]
fn an_answer_may_repeat_the_question() {
    let mut packet = Packet::new();
    packet.questions = 1;
    packet.body = Query::multicast().to_bytes()[HEADER..].to_vec();
    check(&packet.server(b"\x03v=2").bytes(), Ok(&[PLAIN]));
}

#[test]
fn what_cannot_be_announced_is_refused() {
    let check = |instance: &str, host: &str, port, expected| {
        let outcome = Announcement::new(instance, host, port, &[]);
        assert_eq!(outcome.map(|_| ()).map_err(|e| e.kind()), expected);
    };
    check("Werkstatt Nr. 5: \u{fc}ber", "a-1", 80, Ok(()));
    check("", "h", 80, Err(ParseErrorKind::Empty));
    check(&"i".repeat(64), "h", 80, Err(ParseErrorKind::TooLong));
    check("\u{1b}[2J", "h", 80, Err(ParseErrorKind::UnexpectedByte));
    check("i", "h.example", 80, Err(ParseErrorKind::UnexpectedByte));
    check("i", "h@evil", 80, Err(ParseErrorKind::UnexpectedByte));
    check("i", "h", 0, Err(ParseErrorKind::OutOfRange));
}

const HEADER: usize = cursor::HEADER_LEN;

fn check_query(packet: &[u8], expected: Result<Option<Query>, ParseErrorKind>) {
    assert_eq!(Query::parse(packet).map_err(|e| e.kind()), expected);
}

#[test]
fn the_question_is_read_as_it_is_written() {
    for query in [Query::multicast(), Query::unicast()] {
        let packet = query.to_bytes();
        check_query(&packet, Ok(Some(query)));
        for length in 0..packet.len() {
            check_query(&packet[..length], Err(ParseErrorKind::UnexpectedEnd));
        }
    }
    let printers = b"\0\0\0\0\0\x01\0\0\0\0\0\0\x04_ipp\x04_tcp\x05local\0\0\x0c\0\x01";
    check_query(printers, Ok(None));
    check_query(&Packet::new().server(b"\x03v=2").bytes(), Ok(None));
}

fn announced() -> impl Strategy<
    Value = (
        String,
        String,
        u16,
        Vec<IpAddr>,
        String,
        u16,
        Option<[u8; 32]>,
    ),
> {
    (
        "[^\\p{Cc}]{1,15}",
        "[a-zA-Z0-9-]{1,63}",
        1..=u16::MAX,
        prop::collection::btree_set(any::<IpAddr>(), 0..=MAX_ADDRESSES),
        "/([a-z0-9~_-]{1,9}/){0,5}",
        1..=u16::MAX,
        any::<Option<[u8; 32]>>(),
    )
        .prop_map(|(a, b, c, d, e, f, g)| (a, b, c, d.into_iter().collect(), e, f, g))
}

proptest! {
    #[test]
    fn what_is_written_is_read((instance, host, port, addresses, path, version, fp) in announced(), cut: prop::sample::Index) {
        let mut it = Announcement::new(&instance, &host, port, &addresses).unwrap();
        it = it.with_path(&path).unwrap().with_version(version).unwrap();
        if let Some(fp) = fp {
            it = it.with_fingerprint(Fingerprint::new(fp));
        }
        let mut buffer = [0; 512];
        let packet = it.write(&mut buffer).unwrap();
        let found: Vec<_> = Response::parse(packet).unwrap().announcements().collect();
        prop_assert_eq!(&found, &[Ok(it.clone())]);
        // No part of it is a packet, nor is there room for it in less.
        let length = cut.index(packet.len());
        prop_assert!(Response::parse(&packet[..length]).is_err());
        prop_assert!(it.write(&mut [0; 512][..length]).is_err());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = Query::parse(&bytes);
        if let Ok(response) = Response::parse(&bytes) {
            prop_assert!(response.announcements().count() <= MAX_INSTANCES);
        }
    }

    #[test]
    fn a_changed_packet_is_read_or_refused(at: prop::sample::Index, byte: u8, cut in 0..200_usize) {
        let mut packet = Packet::new().server(b"\x03v=2\x06path=/").bytes();
        let at = at.index(packet.len());
        packet[at] = byte;
        packet.truncate(packet.len().saturating_sub(cut / 10));
        if let Ok(response) = Response::parse(&packet) {
            for it in response.announcements().flatten() {
                let mut buffer = [0; 512];
                let written = it.write(&mut buffer).unwrap();
                let again = Response::parse(written).unwrap().announcements().next();
                prop_assert_eq!(again, Some(Ok(it)));
            }
        }
    }
}
