//! The device's side of the `Original` dialect.

use core::hint::black_box;

use providore_sign::{
    SoftwareKey,
    original::{RequestToSign, ResponsePolicy, ResponseVerifier, sign_request},
};
use providore_wire::{DeviceId, FirmwareVersion, Method, Timestamp, original::ResponseHead};

const ANSWER: [(&str, &[u8]); 3] = [
    ("created-at", b"2026-01-02T03:04:05Z"),
    ("expiry", b"2026-01-02T03:19:05Z"),
    ("signature", b"xg7HL2DgAvODd5dmRt3HkLyiHPuIfQOjZt6ob3h6gEw="),
];

/// Asks for the configuration and verifies the answer.
#[inline(never)]
pub(crate) fn device(lent: &mut [u8]) -> Option<()> {
    let mut key = SoftwareKey::new(black_box(b"a device's secret")).ok()?;
    let device: DeviceId = black_box("d8fa0180").parse().ok()?;
    let version: FirmwareVersion = black_box("1.1.0").parse().ok()?;
    let request = RequestToSign {
        device: &device,
        method: black_box(Method::Get),
        path: black_box("/config"),
        version: &version,
        body: black_box(b""),
    };
    let now = Timestamp::from_unix(black_box(1_767_323_045))?;
    black_box(sign_request(&mut key, &request, now, 900, lent).ok()?);
    let head = ResponseHead::parse(black_box(ANSWER)).ok()?;
    let policy = ResponsePolicy::default();
    let mut verifier = ResponseVerifier::begin(&mut key, head, &policy, now, now).ok()?;
    verifier.update(black_box(b"{\"interval\":60}")).ok()?;
    let _ = black_box(verifier.finish().ok()?);
    Some(())
}
