//! What a certificate may be used for, and the names it carries beside the device id.

use alloc::string::String;
use core::{fmt, fmt::Write, net::IpAddr, str::FromStr};

use der::asn1::Ia5String;
use providore_wire::DeviceId;
use rustls_pki_types::DnsName;
use x509_cert::ext::pkix::name::GeneralName;

/// What a certificate is for.
///
/// ```
/// use providore_pki::Profile;
///
/// // `user_cert` is what the first Providore's types say, `usr_cert` what its CA understood.
/// assert_eq!("user_cert".parse(), Ok(Profile::Client));
/// assert_eq!("usr_cert".parse(), Ok(Profile::Client));
/// assert_eq!("server_cert".parse(), Ok(Profile::Server));
/// assert_eq!("both".parse(), Ok(Profile::Both));
/// assert!("v3_ca".parse::<Profile>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Profile {
    /// A TLS client: `client`, `usr_cert`, `user_cert`.
    #[default]
    Client,
    /// A TLS server: `server`, `server_cert`.
    Server,
    /// Both: a gateway that is a client here and a server there: `both`.
    Both,
}

/// Not the name of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a certificate profile, those are client (usr_cert, user_cert), server (server_cert) and both"
)]
#[non_exhaustive]
pub struct UnknownProfile;

impl Profile {
    /// The name in new configurations.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
            Self::Both => "both",
        }
    }
}

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(name: &str) -> Result<Self, UnknownProfile> {
        match name {
            "client" | "usr_cert" | "user_cert" => Ok(Self::Client),
            "server" | "server_cert" => Ok(Self::Server),
            "both" => Ok(Self::Both),
            _ => Err(UnknownProfile),
        }
    }
}

/// A name under which a device is reached: a DNS name or an IP address.
///
/// ```
/// use providore_pki::profile::{AltName, AltNameError};
///
/// let name: AltName = "plant-7.example.net".parse()?;
/// let address: AltName = "2001:db8::7".parse()?;
/// assert_eq!(name.to_string(), "plant-7.example.net");
/// assert_eq!(address.to_string(), "2001:db8::7");
/// assert!("*.example.net".parse::<AltName>().is_err());
/// # Ok::<(), AltNameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AltName(Inner);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Inner {
    Dns(String),
    Ip(IpAddr),
}

/// Neither a DNS name nor an IP address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither a DNS name without wildcard nor an IP address")]
#[non_exhaustive]
pub struct AltNameError;

impl AltName {
    /// A DNS name: no wildcard, no dot at the end.
    ///
    /// # Errors
    /// [`AltNameError`] for anything else.
    pub fn dns(name: &str) -> Result<Self, AltNameError> {
        if !is_dns_name(name) {
            return Err(AltNameError);
        }
        Ok(Self(Inner::Dns(name.into())))
    }

    /// An IP address.
    #[must_use]
    pub fn ip(address: IpAddr) -> Self {
        Self(Inner::Ip(address))
    }

    pub(crate) fn to_general_name(&self) -> der::Result<GeneralName> {
        match &self.0 {
            Inner::Dns(name) => Ia5String::new(name).map(GeneralName::DnsName),
            Inner::Ip(address) => Ok(GeneralName::from(*address)),
        }
    }
}

impl FromStr for AltName {
    type Err = AltNameError;

    fn from_str(text: &str) -> Result<Self, AltNameError> {
        match text.parse() {
            Ok(address) => Ok(Self::ip(address)),
            Err(_) => Self::dns(text),
        }
    }
}

impl fmt::Display for AltName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Inner::Dns(name) => f.pad(name),
            Inner::Ip(address) => address.fmt(f),
        }
    }
}

/// The name of a device of which no other is known: the id itself if it can be a host name, else
/// `urn:providore:device:` and the id, percent-encoded (RFC 3986, 2.1).
pub(crate) fn device_name(device: &DeviceId) -> der::Result<GeneralName> {
    if is_host_name(device.as_str()) {
        return Ia5String::new(device.as_str()).map(GeneralName::DnsName);
    }
    let mut uri = String::from("urn:providore:device:");
    for byte in device.as_str().bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            uri.push(char::from(byte));
        } else if write!(uri, "%{byte:02X}").is_err() {
            return Err(der::ErrorKind::Failed.into());
        }
    }
    Ia5String::new(&uri).map(GeneralName::UniformResourceIdentifier)
}

/// A dNSName has to be in the preferred name syntax (RFC 5280, 4.2.1.6): letters, digits and inner
/// hyphens (RFC 1123, 2.1). DNS itself, and some verifiers, know underscores as well.
fn is_host_name(name: &str) -> bool {
    let hyphens_inside = |label: &str| !label.starts_with('-') && !label.ends_with('-');
    is_dns_name(name) && !name.contains('_') && name.split('.').all(hyphens_inside)
}

fn is_dns_name(name: &str) -> bool {
    DnsName::try_from(name).is_ok() && !name.ends_with('.') && name.parse::<IpAddr>().is_err()
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    fn check(device: &str, expected: &str) {
        let name = match device_name(&device.parse().unwrap()).unwrap() {
            GeneralName::DnsName(name) => format!("DNS {name}"),
            GeneralName::UniformResourceIdentifier(uri) => format!("URI {uri}"),
            other => format!("{other:?}"),
        };
        assert_eq!(name, expected);
    }

    #[test]
    fn a_device_id_becomes_a_name_that_tls_stacks_accept() {
        check("d8fa0180", "DNS d8fa0180");
        check("sensor-1.example", "DNS sensor-1.example");
        check("esp 32", "URI urn:providore:device:esp%2032");
        check("AA:BB", "URI urn:providore:device:AA%3ABB");
        check("-a", "URI urn:providore:device:-a");
        check("a-", "URI urn:providore:device:a-");
        check("living_room", "URI urn:providore:device:living_room");
        check(
            "lamp.living_room",
            "URI urn:providore:device:lamp.living_room",
        );
        check("10.0.0.1", "URI urn:providore:device:10.0.0.1");
    }
}
