//! Where a server is.

use core::{fmt, str::FromStr};

use providore_wire::Text;

/// Scheme, host and port of a server: `http://10.0.0.7:3000`, `https://provision.example`.
///
/// Held inline, at most [`ServerAddress::MAX_LEN`] bytes. No path, query or user: the path of a
/// request is signed, so that nothing may stand before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerAddress(Text<{ Self::MAX_LEN }>);

/// Not a server address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// Neither `http://` nor `https://`.
    #[error("address must begin with http:// or https://")]
    Scheme,
    /// No host, or a byte that no host and port can have.
    #[error("address has no valid host")]
    Host,
    /// A path, a query or a fragment after host and port.
    #[error("address must end after host and port")]
    Path,
    /// Longer than [`ServerAddress::MAX_LEN`].
    #[error("address is too long")]
    TooLong,
}

impl ServerAddress {
    /// The longest address in bytes: a DNS name of 253, a scheme and a port.
    pub const MAX_LEN: usize = 268;

    /// The address without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether the connection is to be encrypted.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.as_str().starts_with(HTTPS)
    }

    /// Host and port, as a `host` header field carries them.
    #[must_use]
    pub fn authority(&self) -> &str {
        let scheme = if self.is_https() { HTTPS } else { HTTP };
        self.as_str().strip_prefix(scheme).unwrap_or_default()
    }
}

const HTTP: &str = "http://";
const HTTPS: &str = "https://";

impl FromStr for ServerAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let split = |scheme| Some((scheme, text.strip_prefix(scheme)?));
        let (scheme, authority) = split(HTTP)
            .or_else(|| split(HTTPS))
            .ok_or(AddressError::Scheme)?;
        let text = authority.strip_suffix('/').unwrap_or(authority);
        let authority = text.as_bytes();
        let mut before = b'/';
        for &byte in authority {
            match byte {
                b':' if before == b'/' => return Err(AddressError::Host),
                b'/' | b'?' | b'#' => return Err(AddressError::Path),
                b'-' | b'.' | b'_' | b':' | b'[' | b']' | b'%' => {}
                byte if byte.is_ascii_alphanumeric() => {}
                _ => return Err(AddressError::Host),
            }
            before = byte;
        }
        if authority.is_empty() {
            return Err(AddressError::Host);
        }
        let mut address = Text::new();
        for part in [scheme, text] {
            address.push_str(part).map_err(|_| AddressError::TooLong)?;
        }
        Ok(Self(address))
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, AddressError>) {
        let outcome = text.parse::<ServerAddress>();
        assert_eq!(
            outcome.as_ref().map(ServerAddress::as_str).map_err(|e| *e),
            expected,
            "{text:?}"
        );
    }

    #[test]
    fn a_server_is_a_scheme_a_host_and_a_port() {
        check("http://127.0.0.1:3300", Ok("http://127.0.0.1:3300"));
        check("https://p.example/", Ok("https://p.example"));
        check(
            "http://[fe80::1%25eth0]:80",
            Ok("http://[fe80::1%25eth0]:80"),
        );
    }

    #[test]
    fn what_could_send_a_request_elsewhere_is_refused() {
        check("ftp://x", Err(AddressError::Scheme));
        check("x:3000", Err(AddressError::Scheme));
        check("http://", Err(AddressError::Host));
        check("http://:80", Err(AddressError::Host));
        check("http://good@evil", Err(AddressError::Host));
        check("http://a b", Err(AddressError::Host));
        check("http://a\r\nx", Err(AddressError::Host));
        check("http://a/b", Err(AddressError::Path));
        check("http://a?b", Err(AddressError::Path));
    }
}
