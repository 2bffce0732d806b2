//! `Transport` over a TCP stack of embedded-nal-async: plain HTTP/1.1 in a buffer of the caller's.
//!
//! ```text
//! address.rs  whom to connect to      head.rs     the answer's head, and how its body is delimited
//! request.rs  what is sent            body.rs     the body without its framing
//! ```

mod address;
mod body;
mod head;
mod request;

use core::{
    fmt,
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};

use embedded_hal_async::delay::DelayNs;
use embedded_io_async::ErrorKind;
use embedded_nal_async::{Dns, TcpConnect};

use self::{body::Framing, head::Received};
use crate::{Answer, Request, ServerAddress, Transport, TransportError};

pub use self::{address::NoNames, body::NalBody, head::NalHead};

/// Plain HTTP/1.1 over a TCP stack, such as embassy-net's `TcpClient`, without an allocator.
///
/// `names` resolves host names (embassy-net's `DnsSocket`; [`NoNames`] if servers are known by
/// address), `delay` is a timer that ends what takes too long (`embassy_time::Delay`). `buffer`
/// holds the request's head, and after that the answer's: its length is the limit of both, 1536
/// bytes are ample for a providore server. The body goes straight to the reader's buffer.
///
/// Each request has a connection of its own, which is closed after the answer: none can be read as
/// part of another. An `https://` address is refused. docs/ARCHITECTURE.md says why this is neither
/// reqwless nor edge-http.
///
/// ```
/// use embedded_hal_async::delay::DelayNs;
/// use embedded_nal_async::{Dns, TcpConnect};
/// use providore_client::{NalSettings, NalTransport, Transport};
///
/// fn transport<T: TcpConnect, N: Dns, D: DelayNs>(
///     (tcp, names, delay): (T, N, D),
///     buffer: &mut [u8; 1536],
/// ) -> impl Transport {
///     NalTransport::new(tcp, names, delay, buffer, NalSettings::default())
/// }
/// ```
pub struct NalTransport<'b, T, N, D> {
    tcp: T,
    names: N,
    delay: D,
    buffer: &'b mut [u8],
    settings: NalSettings,
}

/// How long to wait, and how much to take.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::exhaustive_structs,
    reason = "settings are written as literals"
)]
pub struct NalSettings {
    /// For everything up to the end of the answer's head, in milliseconds.
    pub head_ms: u32,
    /// For each pause within the body, in milliseconds.
    pub pause_ms: u32,
    /// The longest body in bytes, whatever it is delimited by.
    pub longest_body: u64,
    /// Whether the TCP stack has IPv6: to be left off otherwise, stacks may panic. Names are then
    /// resolved to IPv4 alone.
    pub ipv6: bool,
}

impl Default for NalSettings {
    /// 30 s, 30 s, 16 MiB, IPv4.
    fn default() -> Self {
        Self {
            head_ms: 30_000,
            pause_ms: 30_000,
            longest_body: 16 << 20,
            ipv6: false,
        }
    }
}

impl<'b, T, N, D> NalTransport<'b, T, N, D> {
    /// A transport over these.
    pub const fn new(
        tcp: T,
        names: N,
        delay: D,
        buffer: &'b mut [u8],
        settings: NalSettings,
    ) -> Self {
        Self {
            tcp,
            names,
            delay,
            buffer,
            settings,
        }
    }
}

impl<T: TcpConnect, N: Dns, D: DelayNs> Transport for NalTransport<'_, T, N, D> {
    type Head<'t>
        = NalHead<'t>
    where
        Self: 't;
    type Body<'t>
        = NalBody<'t, T::Connection<'t>, D>
    where
        Self: 't;

    async fn send<'t>(
        &'t mut self,
        server: &ServerAddress,
        request: &Request<'_>,
    ) -> Result<Answer<Self::Head<'t>, Self::Body<'t>>, TransportError> {
        if server.is_https() {
            return Err(TransportError::https());
        }
        let (tcp, names, settings): (&'t T, _, _) = (&self.tcp, &self.names, self.settings);
        let buffer = &mut *self.buffer;
        let exchange = async {
            let address = address::resolve(names, server, settings.ipv6).await?;
            let connected = tcp.connect(address).await;
            let mut connection = connected.map_err(|error| unreached(&error))?;
            request::write(&mut connection, server, request, buffer).await?;
            let received = head::read(&mut connection, buffer).await?;
            Ok((connection, received))
        };
        let (connection, received) = within(&mut self.delay, settings.head_ms, exchange).await??;
        let Received {
            status,
            fields,
            ahead,
            delimiter,
        } = received;
        let framing = Framing::new(delimiter, settings.longest_body)?;
        let part = |range| self.buffer.get(range).unwrap_or_default();
        Ok(Answer {
            head: NalHead::new(status, part(fields)),
            body: NalBody {
                connection,
                ahead: part(ahead),
                framing,
                delay: &mut self.delay,
                pause_ms: settings.pause_ms,
            },
        })
    }
}

impl<T, N, D> fmt::Debug for NalTransport<'_, T, N, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NalTransport")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// What `work` comes to, unless it takes longer.
async fn within<T>(
    delay: &mut impl DelayNs,
    milliseconds: u32,
    work: impl Future<Output = T>,
) -> Result<T, TransportError> {
    let mut work = pin!(work);
    let mut limit = pin!(delay.delay_ms(milliseconds));
    poll_fn(|context| {
        if let Poll::Ready(done) = work.as_mut().poll(context) {
            return Poll::Ready(Ok(done));
        }
        let limit = limit.as_mut().poll(context);
        limit.map(|()| Err(TransportError::timed_out()))
    })
    .await
}

/// What went wrong before there was a connection.
fn unreached(error: &impl embedded_io_async::Error) -> TransportError {
    match error.kind() {
        ErrorKind::TimedOut => TransportError::timed_out(),
        _ => TransportError::unreachable(),
    }
}

/// What went wrong on a connection.
fn broken(error: &impl embedded_io_async::Error) -> TransportError {
    match error.kind() {
        ErrorKind::TimedOut => TransportError::timed_out(),
        _ => TransportError::interrupted(),
    }
}
