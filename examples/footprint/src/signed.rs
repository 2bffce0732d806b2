//! The device's side of the `Signed` dialect.

use core::hint::black_box;

use providore_sign::{
    SoftwareKey,
    signed::{Keys, RequestToSign, ResponseVerifier, ServerTime, Validity, sign_request},
};
use providore_wire::{
    DeviceId, FirmwareVersion, Method, Signature, Target, Timestamp,
    signed::{LABEL, Nonce, Question, ResponseHead},
};

pub(crate) const SECRET: &[u8] = b"an example of a secret, 32 bytes";
pub(crate) const NOW: i64 = 1_767_323_045;
const NONCE: [u8; 16] = [
    0x15, 0x89, 0xf0, 0x84, 0xc0, 0xe7, 0x07, 0xa7, 0x66, 0x64, 0x7a, 0x30, 0x06, 0x5e, 0x17, 0x51,
];

/// Asks for the configuration and verifies the answer.
#[inline(never)]
pub(crate) fn device(head: &[u8], body: &mut [u8], lent: &mut [u8]) -> Option<()> {
    let keys = keys()?;
    let device: DeviceId = black_box("d8fa0180").parse().ok()?;
    let signature = ask(&keys, &device, lent)?;
    let request = (black_box("GET"), black_box("/config"), None);
    let question = Question::new(request, LABEL, &signature);
    let parsed = ResponseHead::parse(black_box(200), &question, crate::fields(head)).ok()?;
    let mut verifier = ResponseVerifier::begin(&keys, &parsed, &question, &device).ok()?;
    let mut time = ServerTime::new();
    time.learn(&verifier, Timestamp::from_unix(black_box(NOW)));
    black_box(time.now(Timestamp::from_unix(black_box(NOW))));
    verifier.update(body);
    let _ = black_box(verifier.finish().ok()?);
    #[cfg(feature = "content-coding")]
    decode(&keys, body, lent)?;
    Some(())
}

/// The sub-keys of the device.
#[inline(never)]
pub(crate) fn keys() -> Option<Keys> {
    Keys::derive(&mut SoftwareKey::new(black_box(SECRET)).ok()?).ok()
}

/// The signature of the request that is to be sent.
#[inline(never)]
pub(crate) fn ask(keys: &Keys, device: &DeviceId, lent: &mut [u8]) -> Option<Signature> {
    let version: FirmwareVersion = black_box("1.1.0").parse().ok()?;
    let target = Target::parse(black_box("/config")).ok()?;
    let mut request = RequestToSign::new(device, black_box(Method::Get), target).version(&version);
    // The same code signs what has content; this request has none.
    if black_box(false) {
        request = request.content(black_box("text/plain"), black_box(b"body"));
    }
    let now = Timestamp::from_unix(black_box(NOW))?;
    let nonce = Nonce::new(black_box(NONCE));
    let validity = Validity::window(now, 60);
    let headers = sign_request(keys, &request, validity, &nonce, lent).ok()?;
    black_box(headers.lines());
    Some(*headers.signature())
}

/// Once as it streams by, once where it lies.
#[cfg(feature = "content-coding")]
#[inline(never)]
fn decode(keys: &Keys, body: &mut [u8], lent: &mut [u8]) -> Option<()> {
    use providore_sign::content_coding::{Decoder, decode_in_place};

    let mut decoder = Decoder::begin(keys.content_key(), lent);
    for mut chunk in body.chunks(black_box(32)) {
        while let Some(plain) = decoder.update(&mut chunk).ok()? {
            black_box(plain);
        }
    }
    let (plain, _) = decoder.finish().ok()?;
    let again = decode_in_place(keys.content_key(), body).ok()?;
    (plain == again).then_some(())
}
