//! What a device reads off a TCP connection.

use core::{
    cell::Cell,
    future::Future,
    net::SocketAddr,
    pin::pin,
    task::{Context, Poll, Waker},
};

use embedded_hal_async::delay::DelayNs;
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use embedded_nal_async::TcpConnect;
use providore_client::{
    Body as _, Device, Exchange, FirmwareCheck, Head as _, Moment, NalSettings, NalTransport,
    NoNames, Request, Transport as _, TransportError,
};
use providore_sign::SoftwareKey;
use providore_wire::{Dialect, Timestamp};

/// The lengths of the first pieces and of the reader's buffer, then what a server says.
///
/// However the pieces fall, the outcome is the same. A head that is taken has one way of
/// delimiting its body, and the body is within its limit and contained in what was said.
pub fn http_response(data: &[u8]) {
    let [piece, room, said @ ..] = data else {
        return;
    };
    let piece = usize::from(*piece) + 1;
    let room = usize::from(*room) + 1;
    let whole = receive(said, said.len().max(1), 512);
    assert_eq!(whole, receive(said, piece, 512));
    assert_eq!(whole, receive(said, 1, room));
    if let Ok((status, fields, body)) = whole {
        assert!((200..600).contains(&status));
        assert!(body.len() as u64 <= LONGEST);
        let delimiters = fields.iter().filter(|(name, _)| {
            name.eq_ignore_ascii_case("content-length")
                || name.eq_ignore_ascii_case("transfer-encoding")
        });
        assert!(delimiters.count() <= 1);
        for (name, value) in &fields {
            assert!(!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()));
            assert!(!value.contains(&b'\r') && !value.contains(&b'\n') && !value.contains(&0));
            assert!(is_within(value, said));
        }
        let length = fields
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        if let Some((_, value)) = length.filter(|_| !matches!(status, 204 | 304)) {
            let value = core::str::from_utf8(value).expect("digits");
            assert_eq!(value.parse(), Ok(body.len()));
            assert!(is_within(&body, said));
        }
    }
}

type Answer = (u16, Vec<(String, Vec<u8>)>, Vec<u8>);

/// The answer, or how it failed.
fn receive(said: &[u8], piece: usize, room: usize) -> Result<Answer, String> {
    let mut device = device();
    let moment = Moment {
        clock: Timestamp::from_unix(1_767_323_045),
        nonce: providore_wire::signed::Nonce::new([7; 16]),
    };
    let mut memory = [0; Request::MAX_LEN];
    let exchange =
        Exchange::ask(FirmwareCheck::new(), &mut device, moment, &mut memory).expect("signs");
    let server = Server {
        said,
        piece,
        reads: Cell::new(0),
    };
    let settings = NalSettings {
        longest_body: LONGEST,
        ..NalSettings::default()
    };
    let mut buffer = [0; 512];
    let mut transport = NalTransport::new(&server, NoNames, Never, &mut buffer, settings);
    let outcome = run(async {
        let address = "http://10.0.0.7".parse().expect("an address");
        let mut answer = transport.send(&address, &exchange.request()).await?;
        let fields = answer.head.fields();
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_vec()));
        let fields = fields.collect();
        let (mut body, mut part) = (Vec::new(), vec![0; room]);
        loop {
            match answer.body.read(&mut part).await? {
                0 => return Ok((answer.head.status(), fields, body)),
                length => body.extend_from_slice(&part[..length]),
            }
        }
    });
    outcome.map_err(|error: TransportError| error.to_string())
}

struct Server<'a> {
    said: &'a [u8],
    piece: usize,
    reads: Cell<usize>,
}

struct Wire<'a> {
    server: &'a Server<'a>,
    position: usize,
}

impl<'s> TcpConnect for &'s Server<'s> {
    type Error = ErrorKind;
    type Connection<'a>
        = Wire<'a>
    where
        Self: 'a;

    async fn connect(&self, _: SocketAddr) -> Result<Wire<'_>, ErrorKind> {
        Ok(Wire {
            server: self,
            position: 0,
        })
    }
}

impl ErrorType for Wire<'_> {
    type Error = ErrorKind;
}

impl Read for Wire<'_> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        let reads = self.server.reads.get();
        self.server.reads.set(reads + 1);
        assert!(
            reads <= self.server.said.len() + 1,
            "reads on after the end"
        );
        assert!(!buffer.is_empty(), "reads into nothing");
        let rest = &self.server.said[self.position..];
        let length = rest.len().min(buffer.len()).min(self.server.piece);
        buffer[..length].copy_from_slice(&rest[..length]);
        self.position += length;
        Ok(length)
    }
}

impl Write for Wire<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        Ok(bytes.len())
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

/// Nothing here waits.
struct Never;

impl DelayNs for Never {
    async fn delay_ns(&mut self, _: u32) {
        core::future::pending().await
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("nothing here waits"),
    }
}

fn device() -> Device<SoftwareKey> {
    let key = SoftwareKey::new(b"32 random bytes of this device..").expect("a key");
    let version = "1.0.0".parse().expect("a version");
    Device::new(
        Dialect::Signed,
        "d8fa0180".parse().expect("an id"),
        version,
        key,
    )
    .expect("keys")
}

fn is_within(part: &[u8], whole: &[u8]) -> bool {
    part.is_empty() || whole.windows(part.len()).any(|window| window == part)
}

const LONGEST: u64 = 1000;
