//! `Transport` over the reqwest HTTP client.

use alloc::{
    string::{String, ToString as _},
    vec::Vec,
};
use core::time::Duration;

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
        let mut builder = ::reqwest::Client::builder()
            .user_agent(concat!("providore-client/", env!("CARGO_PKG_VERSION")))
            .redirect(::reqwest::redirect::Policy::none())
            .connect_timeout(timeout)
            .read_timeout(timeout)
            .tls_danger_accept_invalid_certs(settings.dangerous_accept_invalid_certificates);
        if let Some(roots) = settings.roots_pem {
            let roots = ::reqwest::Certificate::from_pem_bundle(roots).map_err(classify)?;
            builder = builder.tls_certs_only(roots);
        }
        let client = builder.build().map_err(classify)?;
        Ok(Self { client })
    }
}

impl Transport for ReqwestTransport {
    type Head<'t> = ReqwestHead;
    type Body<'t> = ReqwestBody;

    async fn send(
        &mut self,
        server: &ServerAddress,
        request: &Request<'_>,
    ) -> Result<Answer<ReqwestHead, ReqwestBody>, TransportError> {
        let mut url = server.to_string();
        url.push_str(request.target());
        let method = ::reqwest::Method::from_bytes(request.method().as_str().as_bytes())
            .map_err(|error| TransportError::request().with_source(error))?;
        let mut builder = self.client.request(method, url);
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
