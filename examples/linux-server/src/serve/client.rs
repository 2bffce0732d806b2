//! Whose request it is: the address at the other end of the connection or, if a proxy that we trust
//! is there, the one that the proxy names.
//!
//! `Forwarded` (RFC 7239) and `X-Forwarded-For` are lists to which each proxy appends whom it has
//! heard. So they are read from the end, and no further than to the first address that is no proxy of
//! ours: what stands before it, a client may have written itself.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, header};

use crate::settings::Network;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Client {
    /// What limits count and the log names.
    pub(super) address: IpAddr,
    /// Whether that is known to be where the request began. Otherwise it is nobody local.
    pub(super) is_origin: bool,
}

/// The two fields name different clients: one of them was written by the client itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Contradiction;

impl Client {
    pub(super) fn of(
        peer: IpAddr,
        fields: &HeaderMap,
        trusted: &[Network],
    ) -> Result<Self, Contradiction> {
        let peer = peer.to_canonical();
        if !is_trusted(peer, trusted) {
            let is_origin = !fields
                .keys()
                .any(|name| name == header::FORWARDED || name.as_str().starts_with("x-forwarded-"));
            return Ok(Self {
                address: peer,
                is_origin,
            });
        }
        let forwarded = elements(fields, "forwarded").map(|list| {
            let named = list.iter().rev().map(|element| for_of(element));
            first_stranger(peer, named, trusted)
        });
        let x_forwarded = elements(fields, "x-forwarded-for").map(|list| {
            let named = list.iter().rev().map(|element| node(element));
            first_stranger(peer, named, trusted)
        });
        match (forwarded, x_forwarded) {
            (Some(one), Some(other)) if one != other => Err(Contradiction),
            (Some(client), _) | (None, Some(client)) => Ok(client),
            // A proxy that does not say for whom it asks.
            (None, None) => Ok(Self {
                address: peer,
                is_origin: false,
            }),
        }
    }
}

pub(super) fn is_trusted(peer: IpAddr, trusted: &[Network]) -> bool {
    trusted.iter().any(|network| network.contains(peer))
}

/// The first address, from the end, that is no proxy of ours. Where one cannot be read, the proxy
/// before it is all that is known.
fn first_stranger(
    peer: IpAddr,
    named: impl Iterator<Item = Option<IpAddr>>,
    trusted: &[Network],
) -> Client {
    let mut address = peer;
    for next in named {
        let Some(next) = next else {
            return Client {
                address,
                is_origin: false,
            };
        };
        address = next;
        if !is_trusted(next, trusted) {
            break;
        }
    }
    Client {
        address,
        is_origin: true,
    }
}

/// The elements of a list that may be spread over several lines; `None` if there is none.
fn elements<'a>(fields: &'a HeaderMap, name: &str) -> Option<Vec<&'a str>> {
    let mut all = Vec::new();
    for line in fields.get_all(name) {
        // What is no text names nobody.
        let line = line.to_str().unwrap_or("?");
        all.extend(split(line, ','));
    }
    (!all.is_empty()).then_some(all)
}

/// Splits where `by` stands outside of quotes.
fn split(text: &str, by: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    let outside = move |c: char| {
        let is_escaped = std::mem::take(&mut escaped);
        match c {
            '\\' if quoted && !is_escaped => escaped = true,
            '"' if !is_escaped => quoted = !quoted,
            c => return c == by && !quoted,
        }
        false
    };
    let parts = text.split(outside).map(str::trim);
    parts.filter(|part| !part.is_empty())
}

/// The `for` of an element of `Forwarded`.
fn for_of(element: &str) -> Option<IpAddr> {
    let mut nodes = split(element, ';').filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then_some(value)
    });
    let value = nodes.next()?.trim();
    let unquoted = value.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    node(unquoted.unwrap_or(value)).filter(|_| nodes.next().is_none())
}

/// An address with or without a port; `unknown` and hidden names are none.
fn node(text: &str) -> Option<IpAddr> {
    let bracketed = text.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    let address = match bracketed.unwrap_or(text).parse::<IpAddr>() {
        Ok(address) => address,
        Err(_) => text.parse::<SocketAddr>().ok()?.ip(),
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From a proxy at 10.0.0.1, where 10.0.0.0/8 is trusted.
    fn check(fields: &[(&'static str, &str)], expected: Result<(&str, bool), Contradiction>) {
        check_from("10.0.0.1", fields, expected);
    }

    fn check_from(
        peer: &str,
        fields: &[(&'static str, &str)],
        expected: Result<(&str, bool), Contradiction>,
    ) {
        let fields: HeaderMap = fields
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .fold(HeaderMap::new(), |mut map, (name, value)| {
                let name: http::HeaderName = name;
                map.append(name, value);
                map
            });
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::1".parse().unwrap()];
        let expected = expected.map(|(address, is_origin)| Client {
            address: address.parse().unwrap(),
            is_origin,
        });
        let client = Client::of(peer.parse().unwrap(), &fields, &trusted);
        assert_eq!(client, expected, "{fields:?}");
    }

    #[test]
    fn a_stranger_speaks_for_nobody_and_is_not_local_if_it_passes_something_on() {
        check_from("203.0.113.1", &[], Ok(("203.0.113.1", true)));
        for name in ["forwarded", "x-forwarded-for", "x-forwarded-proto"] {
            let fields = [(name, "for=127.0.0.1")];
            check_from("127.0.0.1", &fields, Ok(("127.0.0.1", false)));
        }
    }

    #[test]
    fn a_trusted_proxy_names_its_client() {
        check(
            &[("x-forwarded-for", "203.0.113.9")],
            Ok(("203.0.113.9", true)),
        );
        check(
            &[("x-forwarded-for", "203.0.113.9:80")],
            Ok(("203.0.113.9", true)),
        );
        check(
            &[("x-forwarded-for", "2001:db8::1")],
            Ok(("2001:db8::1", true)),
        );
        check(
            &[("forwarded", "for=203.0.113.9;proto=https")],
            Ok(("203.0.113.9", true)),
        );
        check(
            &[(
                "forwarded",
                "By=x;FOR=\"[2001:db8::1]:4711\";host=\"a,b;c\"",
            )],
            Ok(("2001:db8::1", true)),
        );
        check(
            &[("x-forwarded-for", "::ffff:192.168.0.9")],
            Ok(("192.168.0.9", true)),
        );
        check_from(
            "::ffff:10.1.2.3",
            &[("x-forwarded-for", "192.0.2.1")],
            Ok(("192.0.2.1", true)),
        );
    }

    #[test]
    fn what_a_client_wrote_itself_does_not_count() {
        let spoofed = "127.0.0.1, 203.0.113.9, 10.0.0.2";
        check(&[("x-forwarded-for", spoofed)], Ok(("203.0.113.9", true)));
        let spoofed = "for=127.0.0.1, for=203.0.113.9, for=10.0.0.2";
        check(&[("forwarded", spoofed)], Ok(("203.0.113.9", true)));
        let lines = [
            ("x-forwarded-for", "127.0.0.1"),
            ("x-forwarded-for", "203.0.113.9"),
        ];
        check(&lines, Ok(("203.0.113.9", true)));
    }

    #[test]
    fn who_is_not_named_is_nobody_local() {
        check(&[], Ok(("10.0.0.1", false)));
        for hidden in [
            "unknown",
            "_hidden",
            "for",
            "for=",
            "\"",
            "for=1.2.3.4;for=127.0.0.1",
            "\\",
        ] {
            check(&[("forwarded", hidden)], Ok(("10.0.0.1", false)));
        }
        check(
            &[("forwarded", "for=unknown, for=10.0.0.2")],
            Ok(("10.0.0.2", false)),
        );
        check(
            &[("x-forwarded-for", "127.0.0.1, x")],
            Ok(("10.0.0.1", false)),
        );
    }

    #[test]
    fn two_fields_that_contradict_each_other_are_refused() {
        let ours = ("x-forwarded-for", "203.0.113.9");
        check(&[ours, ("forwarded", "for=127.0.0.1")], Err(Contradiction));
        check(
            &[ours, ("forwarded", "for=203.0.113.9")],
            Ok(("203.0.113.9", true)),
        );
    }

    #[test]
    fn a_chain_of_our_own_proxies_begins_with_the_client() {
        check(
            &[("x-forwarded-for", "10.9.9.9, fd00::1")],
            Ok(("10.9.9.9", true)),
        );
    }
}
