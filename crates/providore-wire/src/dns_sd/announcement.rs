//! What a server says about itself.

use core::net::IpAddr;

use super::{
    Fingerprint, MAX_ADDRESSES,
    attributes::{Attributes, plain_path},
    writer::Writer,
};
use crate::{ParseError, ParseErrorKind};

/// A server that announces itself, as somebody says.
///
/// Texts are borrowed from the packet, or from whoever composes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement<'a> {
    instance: &'a str,
    host: &'a str,
    port: u16,
    addresses: Addresses,
    attributes: Attributes<'a>,
}

impl<'a> Announcement<'a> {
    /// What `v` is: the number in the tag of the dialect `Signed`.
    pub const VERSION: u16 = 2;

    /// An announcement of the path `/`, version [`VERSION`](Self::VERSION), without a fingerprint.
    ///
    /// `instance` is a name for people, `host` the one label before `.local` (RFC 6762 section 3).
    /// Of the addresses the first [`MAX_ADDRESSES`] count.
    ///
    /// # Errors
    /// [`ParseErrorKind::Empty`] and [`ParseErrorKind::TooLong`] for names that are not 1 to 63 bytes
    /// long, [`ParseErrorKind::UnexpectedByte`] for control characters in them or for a host of more
    /// than letters, digits and hyphens, [`ParseErrorKind::OutOfRange`] for the port 0.
    pub fn new(
        instance: &'a str,
        host: &'a str,
        port: u16,
        addresses: &[IpAddr],
    ) -> Result<Self, ParseError> {
        let mut own = Addresses::default();
        for address in addresses {
            own.insert(*address);
        }
        let attributes = Attributes {
            path: "/",
            version: Self::VERSION,
            fingerprint: None,
        };
        Self::from_parts(instance, host, port, own, attributes)
    }

    pub(super) fn from_parts(
        instance: &'a str,
        host: &'a str,
        port: u16,
        addresses: Addresses,
        attributes: Attributes<'a>,
    ) -> Result<Self, ParseError> {
        label(instance, |c| !c.is_control())?;
        label(host, |c| c.is_ascii_alphanumeric() || c == '-')?;
        if port == 0 {
            return Err(ParseError::new(ParseErrorKind::OutOfRange, 0));
        }
        Ok(Self {
            instance,
            host,
            port,
            addresses,
            attributes,
        })
    }

    /// With the path below which the server answers: 1 to 64 of `A-Z a-z 0-9 - . _ ~ /`, a slash
    /// first, no two slashes in a row and no segment that begins with a dot.
    ///
    /// # Errors
    /// [`ParseErrorKind::Empty`], [`ParseErrorKind::TooLong`], [`ParseErrorKind::UnexpectedByte`],
    /// [`ParseErrorKind::PathLike`].
    pub fn with_path(mut self, path: &'a str) -> Result<Self, ParseError> {
        self.attributes.path = plain_path(path.as_bytes())?;
        Ok(self)
    }

    /// With the version of what the server speaks.
    ///
    /// # Errors
    /// [`ParseErrorKind::OutOfRange`] for 0.
    pub fn with_version(mut self, version: u16) -> Result<Self, ParseError> {
        if version == 0 {
            return Err(ParseError::new(ParseErrorKind::OutOfRange, 0));
        }
        self.attributes.version = version;
        Ok(self)
    }

    /// With the fingerprint of the server's CA.
    #[must_use]
    pub const fn with_fingerprint(mut self, fingerprint: Fingerprint) -> Self {
        self.attributes.fingerprint = Some(fingerprint);
        self
    }

    /// Its name for people: 1 to 63 bytes without control characters.
    #[must_use]
    pub const fn instance(&self) -> &'a str {
        self.instance
    }

    /// The name of its machine, without `.local`.
    #[must_use]
    pub const fn host(&self) -> &'a str {
        self.host
    }

    /// The TCP port of its HTTP.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Its addresses. There may be none, and they may be anything.
    #[must_use]
    pub fn addresses(&self) -> &[IpAddr] {
        self.addresses.as_slice()
    }

    /// The path below which it answers.
    #[must_use]
    pub const fn path(&self) -> &'a str {
        self.attributes.path
    }

    /// The version of what it speaks.
    #[must_use]
    pub const fn version(&self) -> u16 {
        self.attributes.version
    }

    /// The fingerprint of its CA.
    #[must_use]
    pub const fn fingerprint(&self) -> Option<&Fingerprint> {
        self.attributes.fingerprint.as_ref()
    }

    /// Writes the packet in which a server answers a [`Query`](super::Query) or announces itself
    /// unasked (RFC 6762 sections 6 and 8.3); 512 bytes are enough.
    ///
    /// # Errors
    /// [`ParseErrorKind::TooLong`] if the buffer is too short.
    pub fn write<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b [u8], ParseError> {
        Writer::new(buffer).announcement(self)
    }
}

/// Addresses of one host, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses(heapless::Vec<IpAddr, MAX_ADDRESSES>);

impl Addresses {
    /// The addresses.
    #[must_use]
    pub fn as_slice(&self) -> &[IpAddr] {
        &self.0
    }

    /// Takes one more, if there is room.
    pub(super) fn insert(&mut self, address: IpAddr) {
        if !self.0.contains(&address) {
            let _ = self.0.push(address);
        }
    }
}

fn label(text: &str, allowed: fn(char) -> bool) -> Result<(), ParseError> {
    if text.is_empty() {
        return Err(ParseError::new(ParseErrorKind::Empty, 0));
    }
    if text.len() > MAX_LABEL {
        return Err(ParseError::new(ParseErrorKind::TooLong, MAX_LABEL));
    }
    match text.find(|c| !allowed(c)) {
        Some(offset) => Err(ParseError::new(ParseErrorKind::UnexpectedByte, offset)),
        None => Ok(()),
    }
}

/// The longest label in bytes (RFC 1035 section 2.3.4).
const MAX_LABEL: usize = 63;
