//! `Transport` over the reqwest HTTP client.

use alloc::{
    string::{String, ToString as _},
    vec::Vec,
};
use core::{
    net::{Ipv6Addr, SocketAddr},
    time::Duration,
};
use std::net::ToSocketAddrs as _;

use crate::{Answer, Body, Head, Request, ServerAddress, Transport, TransportError};

/// Requests over HTTP and HTTPS on a tokio runtime.
///
/// Redirects are not followed (301, 303, 307 and 308 are an error that names the place) and nothing is decompressed. `HTTP_PROXY` and its relatives in the
/// environment are honoured, as in every client of the system.
///
/// ```no_run
/// use providore_client::{ReqwestSettings, ReqwestTransport};
///
/// let settings = ReqwestSettings::default();
/// let transport = ReqwestTransport::new(&settings)?;
/// # Ok::<(), providore_client::TransportError>(())
/// ```
#[derive(Debug, Clone)]
pub struct ReqwestTransport {
    client: ::reqwest::Client,
    roots: Option<Vec<::reqwest::Certificate>>,
    settings: (bool, Duration),
    /// For the server that was asked last, if its address has a zone.
    zoned: Option<(ServerAddress, ::reqwest::Client)>,
}

/// Whom to trust for HTTPS, and how long to wait.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::exhaustive_structs,
    reason = "settings are written as literals"
)]
pub struct ReqwestSettings<'a> {
    /// Roots in PEM that are trusted instead of those of the system.
    pub roots_pem: Option<&'a [u8]>,
    /// Accept any server certificate. What is signed stays signed, but everybody on the way reads
    /// configurations and image.
    pub dangerous_accept_invalid_certificates: bool,
    /// For a connection, and for each pause within an answer, in seconds.
    pub timeout_s: u32,
}

impl Default for ReqwestSettings<'_> {
    fn default() -> Self {
        Self {
            roots_pem: None,
            dangerous_accept_invalid_certificates: false,
            timeout_s: 30,
        }
    }
}

impl ReqwestTransport {
    /// A client of its own, with its own connections.
    ///
    /// # Errors
    /// [`TransportError`] if the roots are not PEM or TLS does not start.
    pub fn new(settings: &ReqwestSettings<'_>) -> Result<Self, TransportError> {
        let timeout = Duration::from_secs(settings.timeout_s.into());
        let pem = settings.roots_pem;
        let roots = pem.map(::reqwest::Certificate::from_pem_bundle);
        let roots = roots.transpose().map_err(classify)?;
        let settings = (settings.dangerous_accept_invalid_certificates, timeout);
        let client = builder(settings, roots.clone()).build().map_err(classify)?;
        Ok(Self {
            client,
            roots,
            settings,
            zoned: None,
        })
    }

    /// Whether this can ever be the address of a server.
    ///
    /// # Errors
    /// [`TransportError`] with the reason.
    pub fn check_address(server: &ServerAddress) -> Result<(), TransportError> {
        if Zoned::of(server)?.is_some() {
            return Ok(());
        }
        let parsed = ::reqwest::Url::parse(server.as_str());
        parsed.map_err(|error| TransportError::request().with_source(error))?;
        Ok(())
    }

    /// The client to ask by, and the beginning of the URL; with a zone also the `host` field, which RFC
    /// 6874 section 4 wants without it.
    fn client_for(
        &mut self,
        server: &ServerAddress,
    ) -> Result<(&::reqwest::Client, String, Option<String>), TransportError> {
        let Some(zoned) = Zoned::of(server)? else {
            return Ok((&self.client, server.to_string(), None));
        };
        let url = alloc::format!("http://{MADE_UP}:{}", zoned.address.port());
        let known = self.zoned.take().filter(|(known, _)| known == server);
        let known = if let Some(known) = known {
            known
        } else {
            let builder = builder(self.settings, self.roots.clone()).no_proxy();
            let builder = builder.resolve(MADE_UP, zoned.address);
            (server.clone(), builder.build().map_err(classify)?)
        };
        let (_, client) = self.zoned.insert(known);
        Ok((client, url, Some(zoned.host)))
    }
}

/// The name by which reqwest, whose URLs have no zones, is told a resolved address. Nobody can have it
/// (RFC 6761 section 6.4).
const MADE_UP: &str = "zone.invalid";

/// An address with a zone: `http://[fe80::1%25eth0]:3000` (RFC 6874).
struct Zoned {
    address: SocketAddr,
    host: String,
}

impl Zoned {
    fn of(server: &ServerAddress) -> Result<Option<Self>, TransportError> {
        let refuse = |why: &str| TransportError::request().with_source(why);
        let authority = server.authority();
        let Some((address, zone)) = authority.split_once("%25") else {
            return Ok(None);
        };
        let (zone, port) = zone
            .split_once(']')
            .ok_or_else(|| refuse("no ] behind the zone"))?;
        let address = address.strip_prefix('[').unwrap_or_default();
        if address.parse::<Ipv6Addr>().is_err() || zone.is_empty() {
            return Err(refuse("a zone belongs to an IPv6 address in brackets"));
        }
        if server.is_https() {
            return Err(refuse(
                "no certificate names an address with a zone: use http",
            ));
        }
        let number = match port.strip_prefix(':') {
            Some(port) => port.parse().map_err(|_| refuse("the port is no number"))?,
            None if port.is_empty() => 80,
            None => return Err(refuse("something else than a port behind the address")),
        };
        // Not a look-up: the system reads the address and the name of the interface.
        let mut found = (alloc::format!("{address}%{zone}"), number)
            .to_socket_addrs()
            .map_err(|error| TransportError::unreachable().with_source(error))?;
        let host = alloc::format!("[{address}]{port}");
        let address = found.next().ok_or(TransportError::unreachable())?;
        Ok(Some(Self { address, host }))
    }
}

fn builder(
    (accept_invalid, timeout): (bool, Duration),
    roots: Option<Vec<::reqwest::Certificate>>,
) -> ::reqwest::ClientBuilder {
    let mut builder = ::reqwest::Client::builder()
        .user_agent(concat!("providore-client/", env!("CARGO_PKG_VERSION")))
        .redirect(::reqwest::redirect::Policy::none())
        .connect_timeout(timeout)
        .read_timeout(timeout)
        .tls_danger_accept_invalid_certs(accept_invalid);
    if let Some(roots) = roots {
        builder = builder.tls_certs_only(roots);
    }
    builder
}

impl Transport for ReqwestTransport {
    type Head<'t> = ReqwestHead;
    type Body<'t> = ReqwestBody;

    async fn send(
        &mut self,
        server: &ServerAddress,
        request: &Request<'_>,
    ) -> Result<Answer<ReqwestHead, ReqwestBody>, TransportError> {
        let (client, mut url, host) = self.client_for(server)?;
        url.push_str(request.target());
        let method = ::reqwest::Method::from_bytes(request.method().as_str().as_bytes())
            .map_err(|error| TransportError::request().with_source(error))?;
        let mut builder = client.request(method, url);
        if let Some(host) = host {
            builder = builder.header("host", host);
        }
        for (name, value) in request.fields() {
            builder = builder.header(name, value);
        }
        if !request.body().is_empty() {
            builder = builder.body(request.body().to_vec());
        }
        let mut response = builder.send().await.map_err(classify)?;
        if let Some(error) = redirection(&response) {
            return Err(error);
        }
        let head = ReqwestHead {
            status: response.status().as_u16(),
            fields: core::mem::take(response.headers_mut()),
        };
        let body = ReqwestBody {
            response,
            rest: Vec::new(),
            position: 0,
        };
        Ok(Answer { head, body })
    }
}

/// The head of an answer.
#[derive(Debug)]
pub struct ReqwestHead {
    status: u16,
    fields: ::reqwest::header::HeaderMap,
}

impl Head for ReqwestHead {
    fn status(&self) -> u16 {
        self.status
    }

    fn fields(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
    }
}

/// The body of an answer.
#[derive(Debug)]
pub struct ReqwestBody {
    response: ::reqwest::Response,
    rest: Vec<u8>,
    position: usize,
}

impl Body for ReqwestBody {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, TransportError> {
        while self.position >= self.rest.len() {
            let chunk = self.response.chunk().await.map_err(classify)?;
            let Some(chunk) = chunk else { return Ok(0) };
            self.rest = chunk.into();
            self.position = 0;
        }
        let rest = self.rest.get(self.position..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        for (slot, byte) in buffer.iter_mut().zip(rest) {
            *slot = *byte;
        }
        self.position = self.position.saturating_add(length);
        Ok(length)
    }
}

/// A web server in between, or another address: what it says is for the operator, and is not followed,
/// since the device signed for no other place. 302 is an answer of the `Original` dialect.
fn redirection(response: &::reqwest::Response) -> Option<TransportError> {
    let status = response.status().as_u16();
    let place = response.headers().get("location")?;
    let place = String::from_utf8_lossy(place.as_bytes());
    let place: String = place.chars().take(MAX_PLACE).collect();
    matches!(status, 301 | 303 | 307 | 308).then(|| {
        TransportError::malformed().with_source(alloc::format!(
            "the answer is a redirection (status {status}) to {place:?}, which is not followed: set the \
             server's address to where it leads, if that is right"
        ))
    })
}

/// How much of a foreign address is shown.
const MAX_PLACE: usize = 200;

fn classify(error: ::reqwest::Error) -> TransportError {
    let kind = if error.is_timeout() {
        TransportError::timed_out()
    } else if error.is_connect() || error.is_dns() {
        TransportError::unreachable()
    } else if error.is_builder() {
        TransportError::request()
    } else {
        TransportError::interrupted()
    };
    // The address is the caller's own setting; an error may be shown to others.
    kind.with_source(error.without_url())
}
