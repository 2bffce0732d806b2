//! The device's side.

use providore_client::{
    BorrowedHead, Config, ConfigOutcome, Device, EntityTag, Error, Exchange, FirmwareCheck,
    FirmwareDownload, FirmwareOutcome, ImageCheck, Moment, Request, ServerAddress,
};
use providore_sign::{HeaderInstructions, Refusal, SoftwareKey, original::ResponseSigner};
use providore_wire::{Dialect, Target, Timestamp};

/// Entity tags: kept as sent, or not used.
pub fn entity_tag(data: &[u8]) {
    if let Some(tag) = EntityTag::parse(data) {
        assert_eq!(tag.as_str().as_bytes(), data);
        assert!(data.len() <= EntityTag::MAX_LEN);
        assert!(data.iter().all(u8::is_ascii_graphic));
    }
}

/// Server addresses: what is read is written and read again, and has nothing after the host.
pub fn server_address(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    let Ok(address) = text.parse::<ServerAddress>() else {
        return;
    };
    assert_eq!(address.to_string().parse(), Ok(address.clone()));
    assert_eq!(address.as_str(), text.strip_suffix('/').unwrap_or(text));
    assert!(
        !address
            .authority()
            .contains(['/', '?', '#', '@', ' ', '\r', '\n'])
    );
    assert_eq!(address.is_https(), text.starts_with("https:"));
}

/// An operation, a status, what is done to the answer on its way, the length of chunks, a body.
///
/// An answer that the server did not sign, or not so, never ends in a proof; one that it did sign
/// is never called forged, and the proof is about exactly the bytes that were received.
pub fn exchange(data: &[u8]) {
    let [what, status, change, chunk_len, body @ ..] = data else {
        return;
    };
    let status = [200, 304, 302, 204, 206, 401, 404, 500][usize::from(status % 8)];
    let chunk_len = usize::from(*chunk_len) + 1;
    let change =
        [Change::None, Change::Unsigned, Change::Body, Change::Key][usize::from(change % 4)];
    let answer = Answer::new(change, body);
    let fields: Vec<(&str, &[u8])> = answer
        .fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    let head = BorrowedHead {
        status,
        fields: &fields,
    };
    match what % 3 {
        0 => config(&answer, &head, chunk_len),
        1 => firmware(&answer, &head, chunk_len),
        _ => firmware_check(&answer, &head),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Change {
    None,
    Unsigned,
    Body,
    Key,
}

struct Answer {
    change: Change,
    fields: Vec<(String, String)>,
    received: Vec<u8>,
}

impl Answer {
    fn new(change: Change, body: &[u8]) -> Self {
        let secret: &[u8] = if change == Change::Key {
            b"Secret"
        } else {
            b"secret"
        };
        let mut signer = ResponseSigner::begin(key(secret)).expect("begins");
        signer.update(body).expect("takes data");
        let mut memory = [0; HeaderInstructions::MAX_LEN];
        let signed = signer.finish(now(), 900, &mut memory).expect("finishes");
        let mut fields: Vec<(String, String)> = signed
            .fields()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        if change == Change::Unsigned {
            fields.clear();
        }
        fields.push(("location".into(), "/firmware?version=2.0.0".into()));
        let mut received = body.to_vec();
        if change == Change::Body {
            match received.last_mut() {
                Some(last) => *last ^= 1,
                None => received.push(b'x'),
            }
        }
        Self {
            change,
            fields,
            received,
        }
    }

    /// Nothing but a genuine answer ends well, and how the others end.
    fn assert_ends<T>(&self, outcome: &Result<T, Error>) {
        let forged = matches!(outcome, Err(Error::NotVerified(_)));
        let unsigned = matches!(outcome, Err(Error::Unsigned { .. }));
        match self.change {
            Change::None => {
                let reflected = matches!(outcome, Err(Error::NotVerified(Refusal::Reflected)));
                assert!(!unsigned && (!forged || reflected));
            }
            Change::Unsigned => assert!(unsigned),
            Change::Body | Change::Key => assert!(outcome.is_err() && !unsigned),
        }
    }
}

fn config(answer: &Answer, head: &BorrowedHead<'_>, chunk_len: usize) {
    let mut device = device();
    let tag = EntityTag::parse(b"\"5e3f\"").expect("a tag");
    let mut memory = [0; Request::MAX_LEN];
    let exchange = Exchange::ask(
        Config::new().unless(&tag),
        &mut device,
        moment(),
        &mut memory,
    )
    .expect("signs");
    let mut buffer = [0; 256];
    let outcome = exchange
        .receive(&mut device, head, &mut buffer, Some(now()))
        .and_then(|mut receiving| {
            for chunk in answer.received.chunks(chunk_len) {
                receiving.chunk(chunk)?;
            }
            receiving.finish()
        });
    answer.assert_ends(&outcome);
    match outcome {
        Ok(ConfigOutcome::Current(config)) => {
            assert_eq!(config.bytes(), answer.received);
            assert_eq!((config.created(), head.status), (now(), 200));
        }
        Ok(_) => assert!(head.status == 304 && answer.received.is_empty()),
        Err(_) => {}
    }
}

fn firmware(answer: &Answer, head: &BorrowedHead<'_>, chunk_len: usize) {
    let mut device = device();
    let version = "2.0.0-rc.1+b:7 x".parse().expect("a version");
    let download = FirmwareDownload::new(version, ImageCheck::new(b"\xe9", 2, 200));
    let mut memory = [0; Request::MAX_LEN];
    let exchange = Exchange::ask(download, &mut device, moment(), &mut memory).expect("signs");
    let target = Target::parse(exchange.request().target()).expect("a target");
    let asked = target.version().expect("one version").expect("a version");
    let mut written = Vec::new();
    let outcome = exchange
        .receive_image(&mut device, head, Some(now()))
        .and_then(|mut receiving| {
            for chunk in answer.received.chunks(chunk_len) {
                written.extend_from_slice(receiving.chunk(chunk)?);
            }
            receiving.finish()
        });
    answer.assert_ends(&outcome);
    assert!(written.is_empty() || written[0] == 0xe9);
    if let Ok(image) = outcome {
        assert_eq!(written, answer.received);
        assert_eq!(image.length(), written.len() as u64);
        assert_eq!(image.version(), &asked);
        assert!((2..=200).contains(&written.len()) && head.status == 200);
    }
}

fn firmware_check(answer: &Answer, head: &BorrowedHead<'_>) {
    let mut device = device();
    let mut memory = [0; Request::MAX_LEN];
    let exchange =
        Exchange::ask(FirmwareCheck::new(), &mut device, moment(), &mut memory).expect("signs");
    let mut buffer = [0; 256];
    let outcome = exchange
        .receive(&mut device, head, &mut buffer, Some(now()))
        .and_then(|mut receiving| {
            receiving.chunk(&answer.received)?;
            receiving.finish()
        });
    answer.assert_ends(&outcome);
    match outcome {
        Ok(FirmwareOutcome::UpToDate) => assert_eq!(head.status, 204),
        Ok(_) => assert!(matches!(head.status, 200 | 302)),
        Err(_) => {}
    }
}

fn device() -> Device<SoftwareKey> {
    let (id, version) = ("d8fa0180".parse(), "1.0.0".parse());
    let (id, version) = (id.expect("an id"), version.expect("a version"));
    Device::new(Dialect::Original, id, version, key(b"secret")).expect("a device")
}

/// The `Original` dialect has no use for a nonce.
fn moment() -> Moment {
    Moment {
        clock: Some(now()),
        nonce: providore_wire::signed::Nonce::new([0; 16]),
    }
}

fn key(secret: &[u8]) -> SoftwareKey {
    SoftwareKey::new(secret).expect("a key")
}

fn now() -> Timestamp {
    Timestamp::from_unix(1_767_323_045).expect("a date")
}
