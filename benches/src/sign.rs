//! A 2 KiB configuration exchange in providore-sign, beside the bare HMAC of the same bytes.

use std::hint::black_box;

use hmac::{Hmac, KeyInit as _, Mac as _};
use providore_sign::{
    SoftwareKey,
    original::{RequestPolicy, RequestToSign, ResponseSigner, sign_request, verify_request},
};
use providore_wire::{Method, Timestamp, original::RequestHead};
use sha2::Sha256;

use crate::{
    Outcome,
    measure::{pair, ratio},
    report::Report,
};

const EXCHANGES: u32 = 2_000;

/// Verify a request and sign its answer, as a server does.
pub(crate) fn exchange(report: &mut Report) -> Outcome {
    let key = SoftwareKey::new(b"ZGV2aWNlIHNlY3JldCBvZiAzMiByYW5kb20gYnl0ZXM")?;
    let now = Timestamp::from_unix(1_767_323_045).ok_or("time")?;
    let (device, version) = ("d8fa0180".parse()?, "1.0.0".parse()?);
    let request = RequestToSign {
        device: &device,
        method: Method::Get,
        path: "/config",
        version: &version,
        body: b"",
    };
    let headers = sign_request(&mut key.clone(), &request, now, 900)?;
    let fields: Vec<_> = headers.fields().collect();
    let config = [b'x'; 2048];

    let ours = || {
        for _ in 0..EXCHANGES {
            let bytes = fields.iter().map(|(name, value)| (*name, value.as_bytes()));
            let head = RequestHead::parse(Method::Get, "/config", bytes).ok();
            let verified = head.and_then(|head| {
                verify_request(head, b"", &mut key.share(), &RequestPolicy::default(), now).ok()
            });
            assert!(verified.is_some(), "the request must verify");
            let signed = ResponseSigner::begin(key.share()).and_then(|mut signer| {
                signer.update(&config)?;
                signer.finish(now, 900)
            });
            let _ = black_box(signed);
        }
    };
    let keyed = Hmac::<Sha256>::new_from_slice(b"ZGV2aWNlIHNlY3JldCBvZiAzMiByYW5kb20gYnl0ZXM")?;
    let question = b"GET\n/config\n1.0.0\n2026-01-02T03:04:05Z\n2026-01-02T03:19:05Z";
    let tail = b"\n2026-01-02T03:04:05Z\n2026-01-02T03:19:05Z";
    let ceiling = || {
        for _ in 0..EXCHANGES {
            let mut mac = keyed.clone();
            mac.update(black_box(question));
            black_box(mac.finalize());
            let mut mac = keyed.clone();
            mac.update(black_box(&config));
            mac.update(tail);
            black_box(mac.finalize());
        }
    };
    let (ours, ceiling) = pair(41, ours, ceiling);
    let ratio = ratio(ours, ceiling);
    report.add(
        "verify + sign of a 2 KiB configuration exchange (providore-sign)",
        &format!(
            "{:.2} µs, {ratio:.2}×",
            ours.as_secs_f64() * 1e6 / f64::from(EXCHANGES)
        ),
        &format!(
            "{:.2} µs, bare HMAC-SHA-256",
            ceiling.as_secs_f64() * 1e6 / f64::from(EXCHANGES)
        ),
        ("at most 1.5×", ratio <= 1.5),
    );
    Ok(())
}
