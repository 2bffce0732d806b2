//! Finding a server on the local network: the few packets of multicast DNS that it takes.
//!
//! Service discovery (RFC 6763) over multicast DNS (RFC 6762), cut down to one service,
//! `_providore._tcp.local`. A device asks with a [`Query`], reads a [`Response`] and finds
//! [`Announcement`]s in it. All of it is anybody's word: an address to try, and no more.
//!
//! ```
//! use providore_wire::dns_sd::{Announcement, Query, Response};
//!
//! let question = Query::multicast().to_bytes(); // to GROUP, port PORT
//! assert_eq!(Query::parse(&question)?, Some(Query::multicast()));
//!
//! let addresses = ["192.0.2.7".parse().unwrap()];
//! let announced = Announcement::new("Workshop", "server", 3000, &addresses)?;
//! let mut buffer = [0; 512];
//! let packet = announced.write(&mut buffer)?;
//! let heard = Response::parse(packet)?.announcements().next();
//! assert_eq!(heard, Some(Ok(announced)));
//! # Ok::<(), providore_wire::ParseError>(())
//! ```
//!
//! Reading is strict and bounded: names point backwards only and [`MAX_JUMPS`] times at most, a
//! packet has at most [`MAX_PACKET`] bytes and [`MAX_RECORDS`] questions and records, and ends with
//! the last of them. Records of other services are stepped over. Nothing is copied but addresses.

mod announcement;
mod attributes;
mod cursor;
mod fingerprint;
mod name;
mod query;
mod response;
#[cfg(test)]
mod tests;
mod writer;

use core::net::{Ipv4Addr, Ipv6Addr};

pub use announcement::{Addresses, Announcement};
pub use fingerprint::Fingerprint;
pub use query::Query;
pub use response::{Announcements, Response};

/// The service's name in full (RFC 6763 section 4.1), without a dot at its end.
pub const SERVICE: &str = "_providore._tcp.local";

/// Where multicast DNS is spoken over IPv4 (RFC 6762 section 3).
pub const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);

/// Where multicast DNS is spoken over IPv6 (RFC 6762 section 3).
pub const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xFF02, 0, 0, 0, 0, 0, 0, 0xFB);

/// The UDP port of multicast DNS (RFC 6762 section 3).
pub const PORT: u16 = 5353;

/// The longest packet in bytes that is read (RFC 6762 section 17, less the headers of IP and UDP).
pub const MAX_PACKET: usize = 8_952;

/// The most questions and records in a packet that is read.
pub const MAX_RECORDS: usize = 128;

/// How often one name may continue elsewhere (RFC 1035 section 4.1.4).
pub const MAX_JUMPS: usize = 16;

/// The most announcements that are taken from one packet.
pub const MAX_INSTANCES: usize = 8;

/// The most addresses that are taken for one announcement.
pub const MAX_ADDRESSES: usize = 4;

/// The labels of [`SERVICE`].
const SERVICE_LABELS: [&[u8]; 3] = [b"_providore", b"_tcp", b"local"];
const LOCAL: &[u8] = b"local";

const CLASS_IN: u16 = 1;
const ANY: u16 = 255;
/// In a question "answer by unicast, please", in a record "forget what you knew"
/// (RFC 6762 sections 5.4 and 10.2).
const TOP_BIT: u16 = 0x8000;

const TYPE_A: u16 = 1;
const TYPE_PTR: u16 = 12;
const TYPE_TXT: u16 = 16;
const TYPE_AAAA: u16 = 28;
const TYPE_SRV: u16 = 33;
