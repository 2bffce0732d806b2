//! What a listener sees: one exchange, byte for byte, and the same request played again.

use std::net::SocketAddr;

use providore_sign::{
    HeaderInstructions, SoftwareKey,
    content_coding::decode_in_place,
    signed::{Keys, RequestToSign, ResponseVerifier, Validity, sign_request},
};
use providore_wire::{
    DeviceId, Method, ParseError, Target, Timestamp,
    signed::{Challenge, Nonce, RequestHead, ResponseHead},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{
    demo::{DEVICE, Demo, VERSIONS},
    story::Story,
};
use crate::{
    clock,
    failure::{Failure, OrFail as _, Outcome},
};

/// One request of the demo device, as it is captured.
pub(super) struct Captured {
    bytes: Vec<u8>,
}

/// Asks for the configuration over a bare connection, and shows every byte that matters.
pub(super) async fn show(demo: &Demo, server: SocketAddr, story: &Story) -> Outcome<Captured> {
    let mut secret = SoftwareKey::new(demo.secret.as_bytes()).or_fail("use the secret")?;
    let keys = Keys::derive(&mut secret).or_fail("derive the sub-keys")?;
    let device: DeviceId = DEVICE.parse().or_fail("name the demo device")?;
    let [_, version] = VERSIONS;
    let version = version.parse().or_fail("name the demo firmware")?;
    let target = Target::parse("/config").or_fail("name the route")?;
    let request = RequestToSign::new(&device, Method::Get, target).version(&version);
    let sign = |validity: Validity<'_>| -> Outcome<Vec<(&'static str, String)>> {
        let nonce = Nonce::new(clock::entropy());
        let mut memory = [0; HeaderInstructions::MAX_LEN];
        let headers =
            sign_request(&keys, &request, validity, &nonce, &mut memory).or_fail("sign")?;
        let fields = headers.fields();
        Ok(fields.map(|(name, value)| (name, value.into())).collect())
    };

    // A clock that starts in 1970 gets a challenge, and everything else over that.
    let in_1970 = Timestamp::from_unix(0).unwrap_or(Timestamp::MIN);
    let refusal = Received::of(server, &http(&sign(Validity::window(in_1970, 60))?)).await?;
    let challenge = refusal.field("providore-challenge").unwrap_or_default();
    let challenge = Challenge::parse(challenge.as_bytes()).or_fail("read the challenge")?;
    let fields = sign(Validity::Challenge(&challenge))?;
    let bytes = http(&fields);
    story.block("sends", &String::from_utf8_lossy(&bytes));

    let fields = fields.iter().map(|(name, value)| (*name, value.as_bytes()));
    let asked = RequestHead::parse(Method::Get, &target, fields).or_fail("read it back")?;
    let mut base = Vec::new();
    let collected = asked.signature_base(|piece| {
        base.extend_from_slice(piece);
        Ok::<(), ParseError>(())
    });
    collected.or_fail("make the signature base")?;
    story.block("signed", &String::from_utf8_lossy(&base));

    let received = Received::of(server, &bytes).await?;
    story.block("hears", &received.head);
    story.block("hears", &hex(&received.body));

    let question = asked.question();
    let head = ResponseHead::parse(received.status, &question, received.fields())
        .or_fail("read the answer's signature")?;
    let mut verifier = ResponseVerifier::begin(&keys, &head, &question, &device)
        .or_fail("verify the answer's head")?;
    verifier.update(&received.body);
    let _ = verifier.finish().or_fail("verify the answer's body")?;
    let mut body = received.body;
    let plain = decode_in_place(keys.content_key(), &mut body).or_fail("decrypt")?;
    story.block("decrypts", &String::from_utf8_lossy(plain));
    Ok(Captured { bytes })
}

/// Sends the captured bytes again, as somebody on the wire might.
pub(super) async fn replay(captured: &Captured, server: SocketAddr, story: &Story) -> Outcome {
    let received = Received::of(server, &captured.bytes).await?;
    let line = received.head.lines().next().unwrap_or_default();
    story.fact("got", line);
    if received.status != 401 {
        return Err(Failure::new("a captured request was answered twice"));
    }
    story.fact("proved", "a request counts once: its nonce is remembered");
    Ok(())
}

fn http(fields: &[(&str, String)]) -> Vec<u8> {
    let mut request = String::from("GET /config HTTP/1.1\r\nhost: demo\r\nconnection: close\r\n");
    for (name, value) in fields {
        request.extend([name, ": ", value.as_str(), "\r\n"]);
    }
    request.push_str("\r\n");
    request.into_bytes()
}

/// An answer as it came off the connection.
struct Received {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Received {
    async fn of(server: SocketAddr, request: &[u8]) -> Outcome<Self> {
        let mut answer = Vec::new();
        let exchange = async {
            let mut connection = TcpStream::connect(server).await?;
            connection.write_all(request).await?;
            connection.read_to_end(&mut answer).await
        };
        exchange.await.or_fail("ask over a bare connection")?;
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n");
        let (head, body) = end
            .and_then(|end| answer.split_at_checked(end))
            .ok_or_else(|| Failure::new("the answer has no head"))?;
        let head = String::from_utf8_lossy(head).into_owned();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        Ok(Self {
            status: status.ok_or_else(|| Failure::new("the answer has no status"))?,
            body: body.get(4..).unwrap_or_default().to_vec(),
            head,
        })
    }

    fn fields(&self) -> impl Iterator<Item = (&str, &[u8])> + Clone {
        let lines = self.head.lines().skip(1);
        let fields = lines.filter_map(|line| line.split_once(':'));
        fields.map(|(name, value)| (name, value.as_bytes()))
    }

    fn field(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(':'));
        let (_, value) = lines.find(|(field, _)| field.eq_ignore_ascii_case(name))?;
        Some(value.trim())
    }
}

/// 32 bytes a line.
fn hex(bytes: &[u8]) -> String {
    let lines = bytes.chunks(32).map(|line| {
        let digits = line.iter().map(|byte| format!("{byte:02x}"));
        digits.collect::<String>()
    });
    lines.collect::<Vec<_>>().join("\n")
}
