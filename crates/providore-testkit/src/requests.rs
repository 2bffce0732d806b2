//! Requests that were really signed and verified.

use providore_sign::{HeaderInstructions, SoftwareKey, original};
use providore_wire::{DeviceId, Method, Timestamp, original::RequestHead};

/// Signs `GET path` as `device` at `created`, verifies it in the same second and hands the proof
/// to `then`.
///
/// A proof borrows from the message it is about, hence the closure. Equal arguments give equal
/// bytes, and so the same replay token.
///
/// # Panics
/// If `device` is no device id, or `lifetime_s` is over the 900 seconds that a server accepts.
pub fn with_verified<R>(
    device: &str,
    path: &str,
    created: Timestamp,
    lifetime_s: u32,
    then: impl FnOnce(&original::VerifiedRequest<'_>) -> R,
) -> R {
    let device: DeviceId = device.parse().expect("a device id");
    let version = "1.0.0".parse().expect("a version");
    let request = original::RequestToSign {
        device: &device,
        method: Method::Get,
        path,
        version: &version,
        body: b"",
    };
    let mut key = SoftwareKey::new(b"one secret for all devices").expect("a key");
    let mut memory = [0; HeaderInstructions::MAX_LEN];
    let headers = original::sign_request(&mut key, &request, created, lifetime_s, &mut memory)
        .expect("a software key always signs");
    let fields = headers
        .fields()
        .map(|(name, value)| (name, value.as_bytes()));
    let head = RequestHead::parse(Method::Get, path, fields).expect("what is signed is read back");
    let policy = original::RequestPolicy::default();
    let verified = original::verify_request(head, b"", &mut key, &policy, created)
        .expect("what is signed is accepted");
    then(&verified)
}
