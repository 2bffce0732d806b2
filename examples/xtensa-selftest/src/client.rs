//! The client's core: the operations of a device, against a server of a few lines.

use core::fmt::Write as _;

use providore_client::{
    BorrowedHead, BufferedOperation, Config, ConfigOutcome, Device, EntityTag, Error, Exchange,
    FirmwareCheck, FirmwareOutcome, Moment, NextSecret, Outcome, Report as Message, Request,
    Subject, TimeCheck,
};
use providore_sign::{
    HeaderInstructions, SoftwareKey,
    content_coding::{Encoder, RecordSize, Salt},
    signed::{ChallengeKey, Keys, RequestPolicy, ResponseToSign, sign_response, verify_request},
};
use providore_wire::{
    Dialect, Target, Timestamp,
    signed::{Nonce, RequestHead},
};
use sha2::{Digest as _, Sha256};

use crate::{
    message::Message as Http,
    signed::{VECTORS, Vector},
    transcript::{Report, Transcript},
};

const SECRET: &[u8] = b"32 bytes of the selftest's own..";
const DEVICE: &str = "d8fa0180";
const NOW: i64 = 1_767_323_045;
const LONGEST: usize = 512;

pub(crate) fn run(report: &mut Report<'_>) {
    report.check("client", "a recorded exchange", |transcript| {
        let done = recorded(transcript);
        transcript.require("a step", done.is_some());
    });
    report.check("client", "a day", |transcript| {
        let done = day(transcript);
        transcript.require("a step", done.is_some());
    });
    report.check("client", "forged answers", |transcript| {
        let done = forged(transcript);
        transcript.require("a step", done.is_some());
    });
}

// ---- a vector, asked by the client -------------------------------------------------------------

/// With the challenge and the nonce of a vector the client sends that vector's request, and
/// understands the answer that was recorded.
fn recorded(transcript: &mut Transcript) -> Option<()> {
    let vector = VECTORS.iter().find(|v| v.name == "config-challenge-200")?;
    let asked = Http::parse(vector.request)?;
    let mut device = recorded_device(vector, &asked)?;
    // A first answer told the challenge: of a 401 that is all that counts.
    let mut memory = [0; Request::MAX_LEN];
    let first = moment(None, [0; 16]);
    let first = Exchange::ask(TimeCheck::new(), &mut device, first, &mut memory).ok()?;
    let challenge = [("providore-challenge", asked.field("providore-challenge")?)];
    let head = BorrowedHead {
        status: 401,
        fields: &challenge,
    };
    let refused = first.receive(&mut device, &head, &mut [], None).err()?;
    write!(transcript, "{refused}").ok()?;

    let nonce = [
        0xab, 0x87, 0x95, 0x4b, 0x06, 0x4b, 0x29, 0x1e, 0x0f, 0xc3, 0x1a, 0x50, 0x96, 0x64, 0x34,
        0x45,
    ];
    let mut memory = [0; Request::MAX_LEN];
    let exchange =
        Exchange::ask(Config::new(), &mut device, moment(None, nonce), &mut memory).ok()?;
    for (name, value) in exchange.request().fields() {
        transcript.compare(
            "a field of the request",
            value.as_bytes(),
            asked.field(name)?,
        );
    }
    let answer = Http::parse(vector.response?)?;
    let mut fields = [("", &b""[..]); 16];
    let mut length = 0;
    for (slot, field) in fields.iter_mut().zip(answer.fields()) {
        *slot = field;
        length += 1;
    }
    let head = BorrowedHead {
        status: answer.status()?,
        fields: fields.get(..length)?,
    };
    let mut buffer = [0; LONGEST];
    let mut receiving = exchange
        .receive(&mut device, &head, &mut buffer, None)
        .ok()?;
    for chunk in answer.body.chunks(5) {
        receiving.chunk(chunk).ok()?;
    }
    let ConfigOutcome::Current(config) = receiving.finish().ok()? else {
        return None;
    };
    transcript.compare("the configuration", config.bytes(), vector.plain?);
    Some(())
}

fn recorded_device(vector: &Vector, asked: &Http<'_>) -> Option<Device<SoftwareKey>> {
    let version = core::str::from_utf8(asked.field("x-firmware-version")?).ok()?;
    let key = SoftwareKey::new(vector.secret).ok()?;
    let (id, version) = (vector.device.parse().ok()?, version.parse().ok()?);
    Device::new(Dialect::Signed, id, version, key).ok()
}

// ---- a device and a server ---------------------------------------------------------------------

/// One operation after another, each accepted by the server and its answer by the device.
fn day(transcript: &mut Transcript) -> Option<()> {
    let mut device = device()?;
    let time = exchange(
        TimeCheck::new(),
        &mut device,
        &Reply::plain(204),
        transcript,
        |time| Some(time.unix()),
    )?;
    transcript.require("the time", time.ok()? == Some(NOW));

    let config = Reply::secret(b"{\"interval\":60}").with("etag", "\"5e3f\"");
    let found = exchange(Config::new(), &mut device, &config, transcript, |outcome| {
        let ConfigOutcome::Current(config) = outcome else {
            return None;
        };
        (config.bytes() == b"{\"interval\":60}").then(|| config.tag().cloned())?
    })?;
    let tag: EntityTag = found.ok()??;
    let again = Config::new().unless(&tag);
    let unchanged = exchange(
        again,
        &mut device,
        &Reply::plain(304),
        transcript,
        |outcome| matches!(outcome, ConfigOutcome::Unchanged),
    )?;
    transcript.require("unchanged", unchanged.ok()?);

    let offer = Reply::plain(302).with("location", "/firmware?version=1.4.0%2B7");
    let offered = exchange(
        FirmwareCheck::new(),
        &mut device,
        &offer,
        transcript,
        |outcome| matches!(outcome, FirmwareOutcome::Offered(version) if version.as_str() == "1.4.0+7"),
    )?;
    transcript.require("the offer", offered.ok()?);

    let next = Reply::secret(b"the next secret, of 32 bytes too");
    let secret = exchange(
        NextSecret::new(),
        &mut device,
        &next,
        transcript,
        |secret| {
            secret.is_some_and(|secret| secret.expose() == b"the next secret, of 32 bytes too")
        },
    )?;
    transcript.require("the secret", secret.ok()?);

    let version = "1.4.0+7".parse().ok()?;
    let report = Message::new(Subject::Firmware, Outcome::Applied, Some(&version), "");
    let mut memory = [0; 256];
    let report = report.write(&mut memory)?;
    exchange(report, &mut device, &Reply::plain(204), transcript, |()| ())?.ok()
}

/// Answers that are not what the server said.
fn forged(transcript: &mut Transcript) -> Option<()> {
    let clear = Reply {
        secret: false,
        ..Reply::secret(b"{\"interval\":60}")
    };
    let damaged = Reply {
        damaged: true,
        ..Reply::secret(b"{\"interval\":60}")
    };
    let problem = Reply::secret(b"{\"type\":\"urn:providore:problem:not-found\"}");
    let declined = Reply::plain(404);
    for reply in [clear, damaged, problem, declined] {
        let outcome = exchange(Config::new(), &mut device()?, &reply, transcript, |_| ())?;
        let error = outcome.err()?;
        write!(transcript, "{error} {error:?}").ok()?;
    }
    Some(())
}

fn device() -> Option<Device<SoftwareKey>> {
    let key = SoftwareKey::new(SECRET).ok()?;
    let (id, version) = (DEVICE.parse().ok()?, "1.0.0".parse().ok()?);
    Device::new(Dialect::Signed, id, version, key).ok()
}

fn moment(clock: Option<Timestamp>, nonce: [u8; 16]) -> Moment {
    Moment {
        clock,
        nonce: Nonce::new(nonce),
    }
}

/// What the server says.
struct Reply {
    status: u16,
    field: Option<(&'static str, &'static str)>,
    body: &'static [u8],
    secret: bool,
    /// On its way, a byte of the body is changed.
    damaged: bool,
}

impl Reply {
    const fn plain(status: u16) -> Self {
        Self {
            status,
            field: None,
            body: b"",
            secret: false,
            damaged: false,
        }
    }

    const fn secret(body: &'static [u8]) -> Self {
        Self {
            body,
            secret: true,
            ..Self::plain(200)
        }
    }

    const fn with(self, name: &'static str, value: &'static str) -> Self {
        Self {
            field: Some((name, value)),
            ..self
        }
    }

    fn fields(&self) -> impl Iterator<Item = (&str, &[u8])> + Clone {
        let field = self.field.map(|(name, value)| (name, value.as_bytes()));
        let coded = self
            .secret
            .then_some(("content-encoding", &b"aes128gcm"[..]));
        field.into_iter().chain(coded)
    }
}

/// The device asks, the server admits and answers, the device receives.
fn exchange<O: BufferedOperation, T>(
    operation: O,
    device: &mut Device<SoftwareKey>,
    reply: &Reply,
    transcript: &mut Transcript,
    take: impl FnOnce(O::Outcome<'_>) -> T,
) -> Option<Result<T, Error>> {
    let clock = Timestamp::from_unix(NOW);
    let mut memory = [0; Request::MAX_LEN];
    let exchange = Exchange::ask(operation, device, moment(clock, [7; 16]), &mut memory).ok()?;
    for (name, value) in exchange.request().fields() {
        transcript.note(name.as_bytes());
        transcript.note(value.as_bytes());
    }
    let (mut memory, mut buffer) = ([0; HeaderInstructions::MAX_LEN], [0; LONGEST]);
    let lent = (&mut memory[..], &mut buffer[..]);
    let (headers, body) = serve(&exchange.request(), reply, lent)?;
    if reply.damaged {
        *body.last_mut()? ^= 1;
    }
    let signed = headers
        .fields()
        .map(|(name, value)| (name, value.as_bytes()));
    let mut fields = [("", &b""[..]); 12];
    let mut length = 0;
    for (slot, field) in fields.iter_mut().zip(reply.fields().chain(signed)) {
        *slot = field;
        length += 1;
    }
    let head = BorrowedHead {
        status: reply.status,
        fields: fields.get(..length)?,
    };
    let mut received = [0; LONGEST];
    Some(receive(exchange, device, &head, body, &mut received, take))
}

/// Admits the request; the headers and the body of the answer.
fn serve<'b>(
    request: &Request<'_>,
    reply: &Reply,
    (memory, buffer): (&'b mut [u8], &'b mut [u8]),
) -> Option<(HeaderInstructions<'b>, &'b mut [u8])> {
    let now = Timestamp::from_unix(NOW)?;
    let keys = Keys::derive(&mut SoftwareKey::new(SECRET).ok()?).ok()?;
    let started = Timestamp::from_unix(NOW - 3600)?;
    let policy = RequestPolicy::new(ChallengeKey::new(&[0x5e; 32]).ok()?, started);
    let target = Target::parse(request.target()).ok()?;
    let mut asked = [("", &b""[..]); 12];
    let fields = request
        .fields()
        .map(|(name, value)| (name, value.as_bytes()));
    for (slot, field) in asked.iter_mut().zip(fields) {
        *slot = field;
    }
    let asked = asked.iter().copied().filter(|(name, _)| !name.is_empty());
    let head = RequestHead::parse(request.method(), &target, asked).ok()?;
    let verified = verify_request(head, request.body(), &keys, &policy, now).ok()?;
    let body = body_of(reply, &keys, buffer)?;
    let answer = ResponseToSign {
        device: verified.device(),
        status: reply.status,
        fields: reply.fields(),
        content_sha256: (!body.is_empty()).then(|| Sha256::digest(&*body).into()),
        challenge: &policy.challenges().issue(now, [3; 8]).ok()?,
        created: now,
    };
    let headers = sign_response(&keys, &verified.question(), &answer, memory).ok()?;
    Some((headers, body))
}

fn receive<O: BufferedOperation, T>(
    exchange: Exchange<O>,
    device: &mut Device<SoftwareKey>,
    head: &BorrowedHead<'_>,
    body: &[u8],
    buffer: &mut [u8],
    take: impl FnOnce(O::Outcome<'_>) -> T,
) -> Result<T, Error> {
    let clock = Timestamp::from_unix(NOW);
    let mut receiving = exchange.receive(device, head, buffer, clock)?;
    for chunk in body.chunks(5) {
        receiving.chunk(chunk)?;
    }
    receiving.finish().map(take)
}

/// The body as it is sent.
fn body_of<'b>(reply: &Reply, keys: &Keys, buffer: &'b mut [u8]) -> Option<&'b mut [u8]> {
    let mut length = 0;
    let mut put = |bytes: &[u8]| {
        buffer
            .get_mut(length..length + bytes.len())?
            .copy_from_slice(bytes);
        length += bytes.len();
        Some(())
    };
    if reply.secret {
        let salt = Salt::take(&mut [0x11; 16]).ok()?;
        let mut record = [0; 4096];
        let key = keys.content_key();
        let (header, mut encoder) =
            Encoder::begin(&key, salt, RecordSize::DEFAULT, &mut record).ok()?;
        put(header.as_bytes())?;
        let mut rest = reply.body;
        while let Some(record) = encoder.update(&mut rest).ok()? {
            put(record)?;
        }
        put(encoder.finish().ok()?)?;
    } else {
        put(reply.body)?;
    }
    buffer.get_mut(..length)
}
