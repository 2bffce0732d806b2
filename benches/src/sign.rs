//! A 2 KiB configuration exchange in providore-sign, beside the bare HMAC of the same bytes.

use std::{hint::black_box, time::Duration};

use hmac::{Hmac, KeyInit as _, Mac as _};
use providore_sign::{
    HeaderInstructions, SoftwareKey,
    original::{RequestPolicy, RequestToSign, ResponseSigner, sign_request, verify_request},
    signed,
};
use providore_wire::{
    Method, Target, Timestamp, original,
    signed::{Nonce, RequestHead},
};
use sha2::{Digest as _, Sha256};

use crate::{
    Outcome,
    measure::{pair, ratio},
    report::Report,
};

const EXCHANGES: u32 = 2_000;

/// Both dialects: verify a request and sign its answer, as a server does.
pub(crate) fn exchange(report: &mut Report) -> Outcome {
    original(report)?;
    signed(report)
}

/// A `Signed` exchange beside an `Original` one with the same configuration.
fn signed(report: &mut Report) -> Outcome {
    let mut secret = SoftwareKey::new(SECRET)?;
    let keys = signed::Keys::derive(&mut secret)?;
    let now = Timestamp::from_unix(1_767_323_045).ok_or("time")?;
    let (device, version) = ("d8fa0180".parse()?, "1.0.0".parse()?);
    let target = Target::parse("/config")?;
    let request = signed::RequestToSign::new(&device, Method::Get, target).version(&version);
    let validity = signed::Validity::window(now, 120);
    let mut memory = [0; HeaderInstructions::MAX_LEN];
    let headers =
        signed::sign_request(&keys, &request, validity, &Nonce::new([7; 16]), &mut memory)?;
    let fields: Vec<_> = headers.fields().collect();
    let fields = fields.iter().map(|(name, value)| (*name, value.as_bytes()));
    let challenges = signed::ChallengeKey::new(&[9; 32])?;
    let policy = signed::RequestPolicy::new(challenges, now.saturating_add(-3600));
    let config = [b'x'; 2048];
    let of_answer = [
        ("content-type", &b"application/json"[..]),
        ("etag", b"\"0123456789abcdef0123456789abcdef\""),
    ];
    // A server makes one a second.
    let challenge = policy.challenges().issue(now, [1; 8])?;
    let ours = || {
        for _ in 0..EXCHANGES {
            let head = RequestHead::parse(Method::Get, &target, fields.clone()).ok();
            let verified =
                head.and_then(|head| signed::verify_request(head, b"", &keys, &policy, now).ok());
            let question = verified.map(|verified| verified.question());
            let mut memory = [0; HeaderInstructions::MAX_LEN];
            let signed = question.map(|question| {
                let response = signed::ResponseToSign {
                    device: &device,
                    status: 200,
                    fields: of_answer,
                    content_sha256: Some(Sha256::digest(black_box(&config)).into()),
                    challenge: &challenge,
                    created: now,
                };
                signed::sign_response(&keys, &question, &response, &mut memory)
            });
            let signed = black_box(signed);
            assert!(
                signed.is_some_and(|signed| signed.is_ok()),
                "must verify and sign"
            );
        }
    };
    let original = Original::new()?;
    let ceiling = || original.exchanges();
    let (ours, ceiling) = pair(41, ours, ceiling);
    let ratio = ratio(ours, ceiling);
    report.add(
        "the same in the dialect `Signed`",
        &format!("{:.2} µs, {ratio:.2}×", microseconds(ours)),
        &format!("{:.2} µs, the dialect `Original`", microseconds(ceiling)),
        ("at most 2×", ratio <= 2.0),
    );
    Ok(())
}

fn microseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6 / f64::from(EXCHANGES)
}

const SECRET: &[u8] = b"ZGV2aWNlIHNlY3JldCBvZiAzMiByYW5kb20gYnl0ZXM";

/// A request of the dialect `Original`, and the answer to it.
struct Original {
    key: SoftwareKey,
    now: Timestamp,
    fields: Vec<(&'static str, String)>,
    config: [u8; 2048],
}

impl Original {
    fn new() -> Outcome<Self> {
        let key = SoftwareKey::new(SECRET)?;
        let now = Timestamp::from_unix(1_767_323_045).ok_or("time")?;
        let (device, version) = ("d8fa0180".parse()?, "1.0.0".parse()?);
        let request = RequestToSign {
            device: &device,
            method: Method::Get,
            path: "/config",
            version: &version,
            body: b"",
        };
        let mut memory = [0; HeaderInstructions::MAX_LEN];
        let headers = sign_request(&mut key.clone(), &request, now, 900, &mut memory)?;
        let fields = headers.fields();
        Ok(Self {
            key,
            now,
            fields: fields.map(|(name, value)| (name, value.into())).collect(),
            config: [b'x'; 2048],
        })
    }

    fn exchanges(&self) {
        for _ in 0..EXCHANGES {
            let fields = self.fields.iter();
            let bytes = fields.map(|(name, value)| (*name, value.as_bytes()));
            let head = original::RequestHead::parse(Method::Get, "/config", bytes).ok();
            let verified = head.and_then(|head| {
                let policy = RequestPolicy::default();
                verify_request(head, b"", &mut self.key.share(), &policy, self.now).ok()
            });
            assert!(verified.is_some(), "the request must verify");
            let signed = ResponseSigner::begin(self.key.share()).and_then(|mut signer| {
                signer.update(&self.config)?;
                let mut memory = [0; HeaderInstructions::MAX_LEN];
                signer
                    .finish(self.now, 900, &mut memory)
                    .map(|headers| *headers.signature())
            });
            let _ = black_box(signed);
        }
    }
}

/// An `Original` exchange beside the bare HMAC of the same bytes.
fn original(report: &mut Report) -> Outcome {
    let original = Original::new()?;
    let ours = || original.exchanges();
    let keyed = Hmac::<Sha256>::new_from_slice(SECRET)?;
    let question = b"GET\n/config\n1.0.0\n2026-01-02T03:04:05Z\n2026-01-02T03:19:05Z";
    let tail = b"\n2026-01-02T03:04:05Z\n2026-01-02T03:19:05Z";
    let ceiling = || {
        for _ in 0..EXCHANGES {
            let mut mac = keyed.clone();
            mac.update(black_box(question));
            black_box(mac.finalize());
            let mut mac = keyed.clone();
            mac.update(black_box(&original.config));
            mac.update(tail);
            black_box(mac.finalize());
        }
    };
    let (ours, ceiling) = pair(41, ours, ceiling);
    let ratio = ratio(ours, ceiling);
    report.add(
        "verify + sign of a 2 KiB configuration exchange (providore-sign)",
        &format!("{:.2} µs, {ratio:.2}×", microseconds(ours)),
        &format!("{:.2} µs, bare HMAC-SHA-256", microseconds(ceiling)),
        ("at most 1.5×", ratio <= 1.5),
    );
    Ok(())
}
