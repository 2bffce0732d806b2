//! A small HTTP server over real TCP that signs with `providore-sign`.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    time::{SystemTime, UNIX_EPOCH},
};

use providore_pki::{
    CertificateAuthority as _, LocalCa, Profile, SerialNumber, Validity, VerifiedCsr,
    ca::{CaSettings, CertificateTerms},
};
use providore_sign::{HeaderInstructions, MacKey as _, SoftwareKey, original};
use providore_wire::{Method, Target, Timestamp, original::RequestHead};

pub(crate) const DEVICE: &str = "d8fa0180";
pub(crate) const SECRET: &str = "correct-horse-battery-staple";
pub(crate) const IMAGE: &[u8] = b"\x7FELF and so on";

/// What arrived.
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// What goes back.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn unsigned(status: u16, body: &[u8]) -> Self {
        Self {
            status,
            fields: Vec::new(),
            body: body.to_vec(),
        }
    }

    pub(crate) fn signed(status: u16, body: &[u8]) -> Self {
        let mut signer = original::ResponseSigner::begin(key(SECRET)).unwrap();
        signer.update(body).unwrap();
        let mut memory = [0; HeaderInstructions::MAX_LEN];
        let headers = signer.finish(now(), 900, &mut memory).unwrap();
        let mut reply = Self::unsigned(status, body);
        for (name, value) in headers.fields() {
            reply = reply.with(name, value);
        }
        reply
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// Headers whose dates have no zone and are equal.
pub(crate) fn sign_as_first_providore(body: &[u8]) -> Vec<(String, String)> {
    let created = now().saturating_add(-29).to_rfc3339();
    let date = created.as_str().trim_end_matches('Z');
    let mut key = key(SECRET);
    key.begin().unwrap();
    for piece in [body, b"\n", date.as_bytes(), b"\n", date.as_bytes()] {
        key.update(piece).unwrap();
    }
    let signature = key.finish().unwrap().publish().to_base64();
    let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    [
        ("created-at", date),
        ("expiry", date),
        ("signature", signature.as_str()),
    ]
    .map(pair)
    .to_vec()
}

/// Serves until the test ends; returns the address.
pub(crate) fn start(mut handler: impl FnMut(&Request) -> Reply + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // A client that goes away early is part of some tests.
            let _ = serve(&stream.unwrap(), &mut handler);
        }
    });
    address
}

/// A server with a configuration, firmware 2.0 and a CA, which answers authentic requests.
pub(crate) fn honest() -> String {
    let ca = authority();
    start(move |request| answer(&ca, request))
}

pub(crate) fn answer((ca, root): &(LocalCa, String), request: &Request) -> Reply {
    if request.target == "/certificates/ca.pem" {
        return Reply::unsigned(200, root.as_bytes());
    }
    if !is_authentic(request) {
        return Reply::unsigned(401, b"");
    }
    let version = request.field("x-firmware-version");
    match request.target.as_str() {
        "/config" => Reply::signed(200, b"{\"interval\":60}"),
        "/firmware/check" if version == Some("2.0") => Reply::signed(204, b""),
        "/firmware/check" => Reply::signed(302, b"Redirecting to /firmware?version=2.0")
            .with("location", "/firmware?version=2.0"),
        "/firmware?version=2.0" => Reply::signed(200, IMAGE),
        "/certificates/request" => Reply::signed(200, &issue(ca, &request.body)),
        _ => Reply::signed(404, b""),
    }
}

pub(crate) fn authority() -> (LocalCa, String) {
    let settings = CaSettings::new("test").unwrap();
    let new = LocalCa::create(&[5; LocalCa::ENTROPY_LEN], &settings, now_unix()).unwrap();
    let root = new.root_pem().to_owned();
    (new.into_ca(), root)
}

pub(crate) fn issue(ca: &LocalCa, csr: &[u8]) -> Vec<u8> {
    issue_for(ca, csr, Profile::Client)
}

pub(crate) fn issue_for(ca: &LocalCa, csr: &[u8], profile: Profile) -> Vec<u8> {
    let csr = VerifiedCsr::check(csr, &DEVICE.parse().unwrap()).unwrap();
    let validity = Validity::starting_at(now_unix(), 90 * 86_400).unwrap();
    // Another one for each key.
    let mut serial = [0; 16];
    serial.copy_from_slice(&csr.key_fingerprint()[..16]);
    let serial = SerialNumber::from_entropy(&serial).unwrap();
    let terms = CertificateTerms::new(profile, serial, validity);
    let issued = ca.issue(&csr, &terms).unwrap();
    issued.chain_pem().as_bytes().to_vec()
}

impl Request {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(field, _)| field == name);
        found.map(|(_, value)| value.as_str())
    }
}

fn is_authentic(request: &Request) -> bool {
    let target = Target::parse(&request.target).unwrap();
    let fields = request.fields.iter();
    let fields = fields.map(|(name, value)| (name.as_str(), value.as_bytes()));
    let head = RequestHead::parse(request.method, target.path(), fields).unwrap();
    let policy = original::RequestPolicy::default();
    let mut key = key(SECRET);
    head.device().as_str() == DEVICE
        && original::verify_request(head, &request.body, &mut key, &policy, now()).is_ok()
}

fn serve(stream: &TcpStream, handler: &mut impl FnMut(&Request) -> Reply) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split(' ');
    let method = words.next().unwrap_or_default().parse();
    let Ok(method) = method else { return Ok(()) };
    let target = words.next().unwrap_or_default().to_owned();
    let mut fields = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        fields.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let mut request = Request {
        method,
        target,
        fields,
        body: Vec::new(),
    };
    let length = request.field("content-length").unwrap_or("0");
    request.body = vec![0; length.parse().unwrap()];
    reader.read_exact(&mut request.body)?;
    send(stream, &handler(&request))
}

fn send(mut stream: &TcpStream, reply: &Reply) -> std::io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {} x\r\nconnection: close\r\n",
        reply.status
    )?;
    for (name, value) in &reply.fields {
        write!(stream, "{name}: {value}\r\n")?;
    }
    if !matches!(reply.status, 204 | 304) {
        write!(stream, "content-length: {}\r\n", reply.body.len())?;
    }
    stream.write_all(b"\r\n")?;
    stream.write_all(&reply.body)
}

fn key(secret: &str) -> SoftwareKey {
    SoftwareKey::new(secret.as_bytes()).unwrap()
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_unix(now_unix().try_into().unwrap()).unwrap()
}

fn now_unix() -> u64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "the program under test reads it as well"
    )]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH).unwrap().as_secs()
}
