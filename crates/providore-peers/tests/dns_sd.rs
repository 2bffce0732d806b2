//! Packets of multicast DNS, against the crate `simple-dns`: it reads what we write, and we what it
//! writes, with its compression and without.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use core::net::IpAddr;

use proptest::prelude::*;
use providore_wire::dns_sd::{Announcement, Fingerprint, Query, Response, SERVICE};
use simple_dns::{
    CLASS, Label, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, ResourceRecord, TYPE,
    rdata::{A, AAAA, PTR, RData, SRV, TXT},
};

/// What is announced, in plain values.
#[derive(Debug, Clone)]
struct Server {
    instance: String,
    host: String,
    port: u16,
    addresses: Vec<IpAddr>,
    path: String,
    version: u16,
    fingerprint: Option<[u8; 32]>,
}

impl Server {
    fn announcement(&self) -> Announcement<'_> {
        let it = Announcement::new(&self.instance, &self.host, self.port, &self.addresses);
        let it = it.unwrap().with_path(&self.path).unwrap();
        let it = it.with_version(self.version).unwrap();
        match self.fingerprint {
            Some(fingerprint) => it.with_fingerprint(Fingerprint::new(fingerprint)),
            None => it,
        }
    }

    fn attributes(&self) -> Vec<String> {
        let mut all = vec![format!("v={}", self.version), format!("path={}", self.path)];
        all.extend(
            self.fingerprint
                .map(|it| format!("fp={}", Fingerprint::new(it))),
        );
        all
    }

    fn instance_name(&self) -> Name<'_> {
        named(&[&self.instance, "_providore", "_tcp", "local"])
    }

    fn host_name(&self) -> Name<'_> {
        named(&[&self.host, "local"])
    }

    /// Name, lifetime, whether it is the only one, and content of each record.
    fn records(&self) -> Vec<ResourceRecord<'_>> {
        let own = |name, lifetime_s, content| {
            ResourceRecord::new(name, CLASS::IN, lifetime_s, content).with_cache_flush(true)
        };
        let pointer = RData::PTR(PTR(self.instance_name()));
        let location = RData::SRV(SRV {
            priority: 0,
            weight: 0,
            port: self.port,
            target: self.host_name(),
        });
        let mut text = TXT::new();
        for attribute in self.attributes() {
            let string = simple_dns::CharacterString::new(attribute.as_bytes());
            text.add_char_string(string.unwrap().into_owned());
        }
        let service = Name::new(SERVICE).unwrap();
        let mut records = vec![
            ResourceRecord::new(service, CLASS::IN, 4_500, pointer),
            own(self.instance_name(), 120, location),
            own(self.instance_name(), 4_500, RData::TXT(text)),
        ];
        records.extend(self.addresses.iter().map(|address| {
            let content = match address {
                IpAddr::V4(v4) => RData::A(A::from(*v4)),
                IpAddr::V6(v6) => RData::AAAA(AAAA::from(*v6)),
            };
            own(self.host_name(), 120, content)
        }));
        records
    }
}

/// The peer's own check knows host names alone, and a name for people is none.
fn named<'a>(labels: &[&'a str]) -> Name<'a> {
    let label = |text: &&'a str| Label::new_unchecked(text.as_bytes());
    Name::new_with_labels(&labels.iter().map(label).collect::<Vec<_>>())
}

fn server() -> impl Strategy<Value = Server> {
    (
        "[^\\p{Cc}]{1,15}",
        "[a-zA-Z0-9-]{1,63}",
        1..=u16::MAX,
        prop::collection::btree_set(any::<IpAddr>(), 0..=4),
        "/([a-z0-9~_-]{1,9}/){0,5}",
        1..=u16::MAX,
        any::<Option<[u8; 32]>>(),
    )
        .prop_map(
            |(instance, host, port, addresses, path, version, fingerprint)| Server {
                instance,
                host,
                port,
                addresses: addresses.into_iter().collect(),
                path,
                version,
                fingerprint,
            },
        )
}

proptest! {
    #[test]
    fn the_peer_reads_what_we_write(server in server()) {
        let mut buffer = [0; 512];
        let packet = server.announcement().write(&mut buffer).unwrap().to_vec();
        let read = Packet::parse(&packet).unwrap();
        prop_assert_eq!(read.id(), 0);
        prop_assert!(read.has_flags(PacketFlag::RESPONSE | PacketFlag::AUTHORITATIVE_ANSWER));
        prop_assert_eq!((read.questions.len(), read.name_servers.len()), (0, 0));
        let expected = server.records();
        prop_assert_eq!(&read.answers[..], &expected[..1]);
        prop_assert_eq!(&read.additional_records[..], &expected[1..]);
    }

    #[test]
    fn we_read_what_the_peer_writes(servers in prop::collection::vec(server(), 1..4), asked: bool) {
        let mut packet = Packet::new_reply(0);
        if asked {
            packet.questions.push(question(false));
        }
        for server in &servers {
            let mut records = server.records().into_iter();
            packet.answers.extend(records.next());
            packet.additional_records.extend(records);
        }
        // Two of one name are one to whoever puts records together by name.
        let mut names: Vec<_> = servers.iter().map(|s| s.instance.to_ascii_lowercase()).collect();
        names.extend(servers.iter().map(|s| s.host.to_ascii_lowercase()));
        names.sort();
        prop_assume!(names.windows(2).all(|pair| pair[0] != pair[1]));
        for bytes in [packet.build_bytes_vec(), packet.build_bytes_vec_compressed()] {
            let bytes = bytes.unwrap();
            let read: Vec<_> = Response::parse(&bytes).unwrap().announcements().collect();
            let expected: Vec<_> = servers.iter().map(|server| Ok(server.announcement())).collect();
            prop_assert_eq!(read, expected);
        }
    }

    #[test]
    fn what_both_read_is_the_same(server in server(), at: prop::sample::Index, byte: u8) {
        let mut buffer = [0; 512];
        let mut packet = server.announcement().write(&mut buffer).unwrap().to_vec();
        let at = at.index(packet.len());
        packet[at] = byte;
        // The peer refuses classes and types that it does not know.
        if let (Ok(response), Ok(read)) = (Response::parse(&packet), Packet::parse(&packet)) {
            for found in response.announcements().flatten() {
                let all = read.answers.iter().chain(&read.additional_records);
                let mut ports = all.filter_map(|record| match &record.rdata {
                    RData::SRV(location) => Some(location.port),
                    _ => None,
                });
                prop_assert!(ports.any(|port| port == found.port()));
            }
        }
    }
}

fn question<'a>(unicast: bool) -> Question<'a> {
    let (name, kind) = (Name::new(SERVICE).unwrap(), QTYPE::TYPE(TYPE::PTR));
    Question::new(name, kind, QCLASS::CLASS(CLASS::IN), unicast)
}

#[test]
fn questions_are_read_both_ways() {
    for query in [Query::multicast(), Query::unicast()] {
        let mut packet = Packet::new_query(0);
        packet.questions.push(question(query.wants_unicast()));
        let bytes = packet.build_bytes_vec_compressed().unwrap();
        assert_eq!(bytes, query.to_bytes());
        assert_eq!(Query::parse(&bytes), Ok(Some(query)));
        let bytes = query.to_bytes();
        let read = Packet::parse(&bytes).unwrap();
        assert_eq!(read.questions.len(), 1);
        let asked = read.questions.first().unwrap();
        assert_eq!(asked.qname.to_string(), SERVICE);
        assert_eq!(asked.unicast_response, query.wants_unicast());
    }
}
