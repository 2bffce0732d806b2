//! The server's side of the `Signed` dialect, and structured fields by themselves.

use core::hint::black_box;

use providore_sign::{
    SoftwareKey,
    content_coding::{Encoder, RecordSize, Salt},
    signed::{ChallengeKey, Keys, RequestPolicy, ResponseToSign, sign_response, verify_request},
};
use providore_wire::{
    Method, Target, Timestamp,
    signed::RequestHead,
    structured::{Dictionary, InnerList},
};

use crate::{
    Exchange, fields, parts,
    signed::{NOW, SECRET},
};

const PLAIN: &[u8] =
    include_bytes!("../../../crates/providore-testkit/vectors/signed/config-clock-200/plain.bin");
const CONTENT_SHA256: [u8; 32] = [
    0x8c, 0x59, 0xe3, 0x52, 0x8d, 0xba, 0x0b, 0x2a, 0x38, 0x79, 0x87, 0x7a, 0x20, 0x66, 0xd2, 0x4b,
    0xba, 0x91, 0x96, 0x99, 0x52, 0x6d, 0xa4, 0xd4, 0x30, 0xa3, 0xc3, 0x5a, 0x38, 0x29, 0x9a, 0xe9,
];
const SALT: [u8; 16] = [
    0xde, 0x4c, 0x23, 0x46, 0xe9, 0xb1, 0xf6, 0x54, 0xcc, 0x91, 0x4b, 0x77, 0x2e, 0xf9, 0x2a, 0x8c,
];
const RANDOM: [u8; 8] = [0x92, 0xb8, 0xbf, 0xe5, 0x39, 0x39, 0x7b, 0x40];

/// Verifies the request, encrypts what the device decrypted and signs the answer that it verified.
#[inline(never)]
pub(crate) fn server(exchange: &Exchange, lent: &mut [u8]) -> Option<()> {
    let keys = Keys::derive(&mut SoftwareKey::new(black_box(SECRET)).ok()?).ok()?;
    let (request, _) = parts(exchange.request)?;
    let (response, content) = parts(exchange.response)?;
    encode(&keys, black_box(PLAIN), content, lent)?;
    answer(&keys, request, response, lent)?;
    rewrite(response)
}

#[inline(never)]
fn answer(keys: &Keys, request: &[u8], response: &[u8], lent: &mut [u8]) -> Option<()> {
    let now = Timestamp::from_unix(black_box(NOW))?;
    let challenges = ChallengeKey::new(&black_box([0x5e; 32])).ok()?;
    let policy = RequestPolicy::new(challenges, Timestamp::from_unix(black_box(1_767_320_000))?);
    let target = Target::parse(black_box("/config")).ok()?;
    let head = RequestHead::parse(black_box(Method::Get), &target, fields(request)).ok()?;
    let verified = verify_request(head, black_box(b""), keys, &policy, now).ok()?;
    let challenge = policy.challenges().issue(now, black_box(RANDOM)).ok()?;
    let own = ["content-type", "content-encoding", "etag"];
    let answer = ResponseToSign {
        device: verified.device(),
        status: black_box(200),
        fields: fields(response).filter(|(name, _)| own.contains(name)),
        content_sha256: Some(black_box(CONTENT_SHA256)),
        challenge: &challenge,
        created: now,
    };
    let headers = sign_response(keys, &verified.question(), &answer, lent).ok()?;
    let expected = fields(response).find(|(name, _)| *name == "signature");
    let signature = headers.value("signature")?.as_bytes();
    (signature == expected?.1).then_some(())
}

#[inline(never)]
fn encode(keys: &Keys, plain: &[u8], expected: &[u8], lent: &mut [u8]) -> Option<()> {
    let salt = Salt::take(&mut black_box(SALT)).ok()?;
    let key = keys.content_key();
    let (header, mut encoder) = Encoder::begin(&key, salt, RecordSize::DEFAULT, lent).ok()?;
    let records = expected.strip_prefix(header.as_bytes())?;
    let mut rest = plain;
    while let Some(record) = encoder.update(&mut rest).ok()? {
        black_box(record);
    }
    (encoder.finish().ok()? == records).then_some(())
}

/// Reads fields as what they are and writes them again.
#[inline(never)]
fn rewrite(response: &[u8]) -> Option<()> {
    for (name, value) in fields(response) {
        if name == "signature-input" {
            let text = Dictionary::parse(value).ok()?.to_text::<512>().ok()?;
            let (_, list) = text.as_str().split_once('=')?;
            black_box(
                InnerList::parse(list.as_bytes())
                    .ok()?
                    .to_text::<512>()
                    .ok()?,
            );
            return (text.as_str().as_bytes() == value).then_some(());
        }
    }
    None
}
