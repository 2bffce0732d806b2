//! `NalTransport` over a connection that is written down: what it sends, and what it takes for an
//! answer.
#![expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "helpers of tests"
)]

use core::{cell::RefCell, future::pending, net::IpAddr, net::SocketAddr};

use embedded_hal_async::delay::DelayNs;
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use embedded_nal_async::{AddrType, Dns, TcpConnect};
use providore_client::{
    Body as _, CertificateRequest, Exchange, FirmwareCheck, Head as _, NalSettings, NalTransport,
    NoNames, Operation, Request, Transport as _, TransportError,
};

use crate::{
    agent::run,
    support::{device, moment},
};

/// What an answer comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Answer(u16, Vec<(String, Vec<u8>)>, Vec<u8>),
    Malformed,
    Interrupted,
    TimedOut,
    Unreachable,
    NoTls,
    NotSent,
}
use Outcome::{Interrupted, Malformed, NoTls, NotSent, TimedOut, Unreachable};

fn answer(status: u16, fields: &[(&str, &[u8])], body: &[u8]) -> Outcome {
    let own = |(name, value): &(&str, &[u8])| ((*name).to_owned(), value.to_vec());
    Outcome::Answer(status, fields.iter().map(own).collect(), body.to_vec())
}

impl From<TransportError> for Outcome {
    fn from(error: TransportError) -> Self {
        if error.is_malformed() {
            Malformed
        } else if error.is_interrupted() {
            Interrupted
        } else if error.is_timeout() {
            TimedOut
        } else if error.is_unreachable() {
            Unreachable
        } else if error.is_https() {
            NoTls
        } else {
            NotSent
        }
    }
}

/// A network with one server, which says the same to everybody.
#[derive(Debug)]
struct Network {
    answer: Vec<u8>,
    /// How many bytes are handed out, or taken, at once.
    piece: usize,
    /// After the answer nothing happens, instead of an end.
    silent: bool,
    refuses: Option<ErrorKind>,
    sent: RefCell<Vec<u8>>,
    asked: RefCell<Option<SocketAddr>>,
}

impl Network {
    fn saying(answer: &[u8]) -> Self {
        Self {
            answer: answer.to_vec(),
            piece: usize::MAX,
            silent: false,
            refuses: None,
            sent: RefCell::default(),
            asked: RefCell::default(),
        }
    }

    fn ask(&self, server: &str, buffer_len: usize) -> Outcome {
        self.ask_with(
            FirmwareCheck::new(),
            server,
            buffer_len,
            NalSettings::default(),
        )
    }

    fn ask_with(
        &self,
        operation: impl Operation,
        server: &str,
        buffer_len: usize,
        settings: NalSettings,
    ) -> Outcome {
        let mut device = device();
        let mut memory = [0; Request::MAX_LEN];
        let exchange = Exchange::ask(operation, &mut device, moment(0), &mut memory).unwrap();
        let mut buffer = vec![0; buffer_len];
        let mut transport = NalTransport::new(self, self, Patience, &mut buffer, settings);
        let received = async {
            let server = server.parse().unwrap();
            let mut answer = transport.send(&server, &exchange.request()).await?;
            let fields = answer.head.fields();
            let fields = fields.map(|(name, value)| (name.to_owned(), value.to_vec()));
            let fields = fields.collect();
            let (mut body, mut part) = (Vec::new(), [0; 7]);
            loop {
                match answer.body.read(&mut part).await? {
                    0 => break,
                    length => body.extend_from_slice(&part[..length]),
                }
            }
            assert_eq!(
                answer.body.read(&mut part).await?,
                0,
                "the end stays the end"
            );
            Ok(Outcome::Answer(answer.head.status(), fields, body))
        };
        run(received).unwrap_or_else(|error: TransportError| error.into())
    }

    fn sent(&self) -> String {
        String::from_utf8(self.sent.borrow().clone()).unwrap()
    }
}

impl TcpConnect for &Network {
    type Error = ErrorKind;
    type Connection<'a>
        = Wire<'a>
    where
        Self: 'a;

    async fn connect(&self, remote: SocketAddr) -> Result<Wire<'_>, ErrorKind> {
        self.asked.replace(Some(remote));
        match self.refuses {
            Some(kind) => Err(kind),
            None => Ok(Wire {
                network: self,
                position: 0,
            }),
        }
    }
}

impl Dns for &Network {
    type Error = ();

    async fn get_host_by_name(&self, host: &str, kind: AddrType) -> Result<IpAddr, ()> {
        match (host, kind) {
            ("server.test", AddrType::IPv4) => Ok([10, 0, 0, 9].into()),
            ("server.test", _) => Ok(IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, 9])),
            _ => Err(()),
        }
    }

    async fn get_host_by_address(&self, _: IpAddr, _: &mut [u8]) -> Result<usize, ()> {
        Err(())
    }
}

struct Wire<'a> {
    network: &'a Network,
    position: usize,
}

impl ErrorType for Wire<'_> {
    type Error = ErrorKind;
}

impl Read for Wire<'_> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        let rest = &self.network.answer[self.position..];
        if rest.is_empty() && self.network.silent {
            return pending().await;
        }
        let length = rest.len().min(buffer.len()).min(self.network.piece);
        buffer[..length].copy_from_slice(&rest[..length]);
        self.position += length;
        Ok(length)
    }
}

impl Write for Wire<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        let length = bytes.len().min(self.network.piece);
        self.network.sent.borrow_mut().extend(&bytes[..length]);
        Ok(length)
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

/// Time that is over as soon as nothing else happens.
struct Patience;

impl DelayNs for Patience {
    async fn delay_ns(&mut self, _: u32) {}
}

const SERVER: &str = "http://10.0.0.7:3000";

/// The same answer, whatever pieces it comes in.
fn check(answer: &[u8], expected: &Outcome) {
    for piece in (1..40).chain([answer.len().max(1), usize::MAX]) {
        let mut network = Network::saying(answer);
        network.piece = piece;
        let outcome = network.ask(SERVER, 512);
        assert_eq!(
            &outcome,
            expected,
            "{:?} by {piece}",
            answer.escape_ascii().to_string()
        );
    }
}

/// An answer of 200 with these field lines and this after the head.
fn check_fields(lines: &str, rest: &str, expected: &Outcome) {
    check(
        format!("HTTP/1.1 200 OK\r\n{lines}\r\n{rest}").as_bytes(),
        expected,
    );
}

#[test]
fn a_body_ends_where_its_head_says() {
    check(
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nx: \xFFa\t b \r\n\r\nhellomore",
        &answer(
            200,
            &[("Content-Length", b"5"), ("x", b"\xFFa\t b")],
            b"hello",
        ),
    );
    let chunked = answer(
        200,
        &[("transfer-encoding", b"Chunked")],
        b"hello, devices of this world",
    );
    check_fields(
        "transfer-encoding: Chunked\r\n",
        "7\r\nhello, \r\n0A;a=\"b\"\r\ndevices of\r\n00b\r\n this world\r\n0\r\n\r\nmore",
        &chunked,
    );
    check_fields(
        "transfer-encoding: Chunked\r\n",
        "1c\r\nhello, devices of this world\r\n0\r\nx: y\r\nsignature: none\r\n\r\n",
        &chunked,
    );
    check(b"HTTP/1.1 200 \r\n\r\nhello", &answer(200, &[], b"hello"));
    check(b"HTTP/1.0 200 OK\r\n\r\nhello", &answer(200, &[], b"hello"));
    check_fields(
        "content-length: 0\r\n",
        "more",
        &answer(200, &[("content-length", b"0")], b""),
    );
}

#[test]
fn an_answer_without_content_has_none_whatever_it_says() {
    let fields: [(&str, &[u8]); 1] = [("content-length", b"5")];
    for status in [204, 304] {
        check(
            format!("HTTP/1.1 {status} x\r\ncontent-length: 5\r\n\r\nhello").as_bytes(),
            &answer(status, &fields, b""),
        );
    }
}

#[test]
fn interim_answers_are_passed_over() {
    let early = "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n";
    let last = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";
    let expected = answer(200, &[("content-length", b"2")], b"hi");
    check(
        format!("HTTP/1.1 100 Continue\r\n\r\n{early}{last}").as_bytes(),
        &expected,
    );
    check(format!("{}{last}", early.repeat(4)).as_bytes(), &expected);
    check(format!("{}{last}", early.repeat(5)).as_bytes(), &Malformed);
    check(
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n",
        &Malformed,
    );
}

#[test]
fn a_body_that_could_end_in_two_places_is_refused() {
    for lines in [
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: 5\r\nContent-Length: 5\r\n",
        "content-length: 5, 5\r\n",
        "content-length: 5\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: gzip, chunked\r\n",
        "transfer-encoding: identity\r\n",
        "transfer-encoding: xchunked\r\n",
        "content-length: +5\r\n",
        "content-length: -5\r\n",
        "content-length: 0x5\r\n",
        "content-length: 5a\r\n",
        "content-length:\r\n",
        "content-length: 18446744073709551616\r\n",
        "content-length: 18446744073709551615\r\n",
    ] {
        check_fields(lines, "5\r\nhello\r\n0\r\n\r\n", &Malformed);
    }
    check(
        b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        &Malformed,
    );
}

#[test]
fn a_head_has_one_reading_or_none() {
    for head in [
        "HTTP/1.1 200 OK\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 0\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\n",
        "HTTP/1.1 200 OK\r\nx: y\rcontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: y\r\n folded\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: y\r\n\tfolded\r\n\r\n",
        "HTTP/1.1 200 OK\r\n x: y\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length : 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: y\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: \0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx\u{fc}: y\r\n\r\n",
        "\r\nHTTP/1.1 200 OK\r\n\r\n",
        "\r\n\r\n",
        "HTTP/1.1 099 x\r\n\r\n",
        "HTTP/1.1 600 x\r\n\r\n",
        "HTTP/1.1 2000 x\r\n\r\n",
        "HTTP/1.1 20\r\n\r\n",
        "HTTP/2 200 OK\r\n\r\n",
        "HTTP/1.2 200 OK\r\n\r\n",
        "HTTP/0.9 200 OK\r\n\r\n",
        "http/1.1 200 OK\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n\r\n",
    ] {
        check(head.as_bytes(), &Malformed);
    }
}

#[test]
fn a_head_without_end_is_refused_at_the_end_of_the_buffer() {
    let long = "x".repeat(600);
    check_fields(&format!("x: {long}\r\n"), "", &Malformed);
    check(format!("HTTP/1.1 200 {long}").as_bytes(), &Malformed);
    check_fields(&"a: b\r\n".repeat(33), "", &Malformed);
    let full: Vec<(&str, &[u8])> = vec![("a", b"b"); 32];
    check_fields(&"a: b\r\n".repeat(32), "", &answer(200, &full, b""));

    let head = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n";
    let network = Network::saying(format!("{head}hi").as_bytes());
    let expected = answer(200, &[("content-length", b"2")], b"hi");
    assert_eq!(network.ask(SERVER, head.len()), expected);
    assert_eq!(network.ask(SERVER, head.len() - 1), Malformed);
}

#[test]
fn chunks_that_are_none_are_refused() {
    for body in [
        "\r\nhello\r\n0\r\n\r\n",
        ";a\r\nhello\r\n0\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "-1\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\r0\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\n\r\n",
        "5\r\nhello\r\n0\r\nx: y\n\r\n",
        "5\r\nhello\r\n0\r\n\n",
        "5\r\nhello\r\n0\r\n\rX",
        "1000001\r\nhello\r\n0\r\n\r\n",
        "ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "10000000000000005\r\nhello\r\n0\r\n\r\n",
    ] {
        check_fields("transfer-encoding: chunked\r\n", body, &Malformed);
    }
    let long = "0".repeat(300);
    for body in [
        format!("{long}5\r\nhello\r\n0\r\n\r\n"),
        format!("5;{long}\r\nhello\r\n0\r\n\r\n"),
        format!("5\r\nhello\r\n0\r\nx: {long}\r\n\r\n"),
        format!("5\r\nhello\r\n0\r\n{}\r\n", "x: y\r\n".repeat(60)),
    ] {
        check_fields("transfer-encoding: chunked\r\n", &body, &Malformed);
    }
}

#[test]
fn an_answer_that_ends_early_is_an_error_at_every_byte() {
    let length = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
    let chunks = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    for whole in [length, chunks] {
        for end in 0..whole.len() {
            check(&whole.as_bytes()[..end], &Interrupted);
        }
    }
}

#[test]
fn no_body_is_longer_than_allowed() {
    let settings = NalSettings {
        longest_body: 5,
        ..NalSettings::default()
    };
    for (head, five, six) in [
        ("", "hello", "hello!"),
        (
            "transfer-encoding: chunked\r\n",
            "4\r\nhell\r\n1\r\no\r\n0\r\n\r\n",
            "4\r\nhell\r\n2\r\no!\r\n0\r\n\r\n",
        ),
    ] {
        let ask = |body: &str| {
            let network =
                Network::saying(format!("HTTP/1.1 200 OK\r\n{head}\r\n{body}").as_bytes());
            network.ask_with(FirmwareCheck::new(), SERVER, 512, settings)
        };
        assert!(matches!(ask(five), Outcome::Answer(200, _, body) if body == b"hello"));
        assert_eq!(ask(six), Malformed);
    }
    let network = Network::saying(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhello!");
    let outcome = network.ask_with(FirmwareCheck::new(), SERVER, 512, settings);
    assert_eq!(outcome, Malformed);
}

#[test]
fn a_request_goes_out_byte_for_byte() {
    let mut device = device();
    let mut memory = [0; Request::MAX_LEN];
    let exchange =
        Exchange::ask(FirmwareCheck::new(), &mut device, moment(0), &mut memory).unwrap();
    let mut fields = String::new();
    for (name, value) in exchange.request().fields() {
        fields.extend([name, ": ", value, "\r\n"]);
    }
    let expected = format!(
        "GET /firmware/check HTTP/1.1\r\nhost: 10.0.0.7:3000\r\n{fields}connection: close\r\n\r\n"
    );
    for (piece, buffer_len) in [(usize::MAX, 512), (1, 512), (7, 64), (usize::MAX, 50)] {
        let mut network = Network::saying(b"HTTP/1.1 200 OK\r\n\r\n");
        network.piece = piece;
        assert_eq!(network.ask(SERVER, buffer_len), answer(200, &[], b""));
        assert_eq!(network.sent(), expected);
    }
    assert_eq!(Network::saying(b"").ask(SERVER, 0), NotSent);
}

#[test]
fn the_content_of_a_request_has_its_length_before_it() {
    for (csr, length) in [("a request", "9"), ("", "0")] {
        let network = Network::saying(b"HTTP/1.1 200 OK\r\n\r\n");
        let operation = CertificateRequest::new(csr);
        let _ = network.ask_with(operation, SERVER, 512, NalSettings::default());
        let sent = network.sent();
        assert!(
            sent.starts_with("POST /certificates/request HTTP/1.1\r\n"),
            "{sent}"
        );
        let end = format!("\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{csr}");
        assert!(sent.ends_with(&end), "{sent}");
    }
}

#[test]
fn a_server_is_connected_to_where_its_address_says() {
    let ipv6 = NalSettings {
        ipv6: true,
        ..NalSettings::default()
    };
    for (server, settings, expected) in [
        (
            "http://10.0.0.7",
            NalSettings::default(),
            Some("10.0.0.7:80"),
        ),
        (
            "http://server.test:3000",
            NalSettings::default(),
            Some("10.0.0.9:3000"),
        ),
        ("http://server.test", ipv6, Some("[fd00::9]:80")),
        ("http://[fd00::7]:3000", ipv6, Some("[fd00::7]:3000")),
        // A stack without IPv6 may panic when it is asked for it.
        ("http://[fd00::7]:3000", NalSettings::default(), None),
        ("http://other.test", NalSettings::default(), None),
    ] {
        let network = Network::saying(b"HTTP/1.1 200 OK\r\n\r\n");
        let outcome = network.ask_with(FirmwareCheck::new(), server, 512, settings);
        let asked = network.asked.take().map(|address| address.to_string());
        assert_eq!(asked.as_deref(), expected, "{server}");
        assert_eq!(outcome == Unreachable, expected.is_none(), "{server}");
    }
    assert_eq!(
        Network::saying(b"").ask("http://10.0.0.7:65536", 512),
        NotSent
    );
}

#[test]
fn names_need_a_resolver() {
    let network = Network::saying(b"HTTP/1.1 200 OK\r\n\r\n");
    let mut device = device();
    let mut memory = [0; Request::MAX_LEN];
    let exchange =
        Exchange::ask(FirmwareCheck::new(), &mut device, moment(0), &mut memory).unwrap();
    let mut buffer = [0; 512];
    let settings = NalSettings::default();
    let mut transport = NalTransport::new(&network, NoNames, Patience, &mut buffer, settings);
    for (server, reached) in [("http://server.test", false), (SERVER, true)] {
        let server = server.parse().unwrap();
        let outcome = run(transport.send(&server, &exchange.request()));
        assert_eq!(outcome.is_ok(), reached);
    }
}

#[test]
fn https_is_refused_before_anything_is_sent() {
    let network = Network::saying(b"HTTP/1.1 200 OK\r\n\r\n");
    assert_eq!(network.ask("https://10.0.0.7", 512), NoTls);
    assert_eq!(network.asked.take(), None);
}

#[test]
fn silence_ends_the_exchange() {
    for (said, expected) in [
        ("", TimedOut),
        ("HTTP/1.1 200 OK\r\nx: y\r\n", TimedOut),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel", TimedOut),
        ("HTTP/1.1 200 OK\r\n\r\nhel", TimedOut),
    ] {
        let mut network = Network::saying(said.as_bytes());
        network.silent = true;
        assert_eq!(network.ask(SERVER, 512), expected, "{said:?}");
    }
    // What is complete needs no end of the connection.
    let mut network = Network::saying(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi");
    network.silent = true;
    let expected = answer(200, &[("content-length", b"2")], b"hi");
    assert_eq!(network.ask(SERVER, 512), expected);
}

#[test]
fn a_connection_that_is_not_made_is_told_from_one_that_takes_too_long() {
    for (kind, expected) in [
        (ErrorKind::ConnectionRefused, Unreachable),
        (ErrorKind::TimedOut, TimedOut),
    ] {
        let mut network = Network::saying(b"");
        network.refuses = Some(kind);
        assert_eq!(network.ask(SERVER, 512), expected);
    }
}
