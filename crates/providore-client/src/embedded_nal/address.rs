//! From a server's address to a socket's.

use core::net::{IpAddr, Ipv6Addr, SocketAddr};

use embedded_nal_async::{AddrType, Dns};

use crate::{ServerAddress, TransportError};

/// Resolves no name: for servers that are known by their addresses.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing to it")]
pub struct NoNames;

impl Dns for NoNames {
    type Error = ();

    async fn get_host_by_name(&self, _: &str, _: AddrType) -> Result<IpAddr, ()> {
        Err(())
    }

    async fn get_host_by_address(&self, _: IpAddr, _: &mut [u8]) -> Result<usize, ()> {
        Err(())
    }
}

/// Looks a name up; an address needs no looking up.
pub(super) async fn resolve(
    names: &impl Dns,
    server: &ServerAddress,
    ipv6: bool,
) -> Result<SocketAddr, TransportError> {
    let (host, port) = parts(server.authority()).ok_or(TransportError::request())?;
    let ip = match host {
        Host::Address(ip) => ip,
        Host::Name(name) => {
            let kind = if ipv6 {
                AddrType::Either
            } else {
                AddrType::IPv4
            };
            let found = names.get_host_by_name(name, kind).await;
            found.map_err(|_| TransportError::unreachable())?
        }
    };
    if ip.is_ipv6() && !ipv6 {
        return Err(TransportError::unreachable());
    }
    Ok(SocketAddr::new(ip, port))
}

#[derive(Debug, PartialEq, Eq)]
enum Host<'a> {
    Address(IpAddr),
    Name(&'a str),
}

/// `uri-host [ ":" port ]` (RFC 9110, section 7.2), without zones of IPv6.
fn parts(authority: &str) -> Option<(Host<'_>, u16)> {
    if let Some(literal) = authority.strip_prefix('[') {
        let (literal, suffix) = literal.split_once(']')?;
        let ip: Ipv6Addr = literal.parse().ok()?;
        return Some((Host::Address(IpAddr::V6(ip)), port(suffix)?));
    }
    let end = authority.find(':').unwrap_or(authority.len());
    let (host, suffix) = authority.split_at_checked(end)?;
    let host = match host.parse() {
        Ok(ip) => Host::Address(IpAddr::V4(ip)),
        Err(_) => Host::Name(host),
    };
    Some((host, port(suffix)?))
}

/// The port behind a colon, or that of HTTP.
fn port(suffix: &str) -> Option<u16> {
    if matches!(suffix, "" | ":") {
        return Some(80);
    }
    let digits = suffix.strip_prefix(':')?;
    // `parse` would take a sign.
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(authority: &str, expected: Option<(&str, u16)>) {
        let found = parts(authority);
        let expected = expected.map(|(host, port)| {
            let address = host.parse().map(Host::Address);
            (address.unwrap_or(Host::Name(host)), port)
        });
        assert_eq!(found, expected, "{authority}");
    }

    #[test]
    fn a_host_is_a_name_or_an_address() {
        check("10.0.0.7:3000", Some(("10.0.0.7", 3000)));
        check("10.0.0.7", Some(("10.0.0.7", 80)));
        check("server.local:8080", Some(("server.local", 8080)));
        check("server.local", Some(("server.local", 80)));
        check("[fe80::1]:3000", Some(("fe80::1", 3000)));
        check("[fe80::1]", Some(("fe80::1", 80)));
        check("10.0.0.7:", Some(("10.0.0.7", 80)));
    }

    #[test]
    fn what_is_neither_is_refused() {
        check("10.0.0.7:65536", None);
        check("10.0.0.7:+80", None);
        check("fe80::1", None);
        check("[fe80::1%25eth0]:80", None);
        check("[fe80::1", None);
        check("[fe80::1]3000", None);
        check("[10.0.0.7]:80", None);
    }
}
