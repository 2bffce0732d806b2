//! Vectors of the `Signed` dialect: the checks of their README, stage by stage.

use providore_sign::{
    MacKey as _, Refusal, SoftwareKey,
    content_coding::decode_in_place,
    signed::{ChallengeKey, Keys, RequestPolicy, ResponseVerifier, verify_request},
    subkeys::{self, Purpose},
};
use providore_wire::{
    ParseError, Signature, Target, Timestamp,
    signed::{LABEL, Question, RequestHead, ResponseHead},
    structured::{BareItem, Dictionary, Member},
};

use crate::{
    message::Message,
    transcript::{Report, Transcript},
};

/// A folder of `vectors/signed`.
pub(crate) struct Vector {
    pub(crate) name: &'static str,
    pub(crate) device: &'static str,
    pub(crate) secret: &'static [u8],
    sub_keys: [[u8; 32]; 3],
    started: i64,
    now: i64,
    challenge_key: [u8; 32],
    /// Text, time and random part of each.
    challenges: &'static [(&'static str, i64, [u8; 8])],
    pub(crate) request: &'static [u8],
    request_base: &'static [u8],
    /// The check that fails, and what is said of it.
    request_refused: Option<(&'static str, &'static str)>,
    pub(crate) response: Option<&'static [u8]>,
    response_base: Option<&'static [u8]>,
    response_refused: Option<(&'static str, &'static str)>,
    pub(crate) plain: Option<&'static [u8]>,
    ciphertext: Option<&'static [u8]>,
}

pub(crate) const VECTORS: &[Vector] = include!(concat!(env!("OUT_DIR"), "/signed.rs"));

/// Longer than every message and every content.
const LONGEST: usize = 4096;

pub(crate) fn run(report: &mut Report<'_>) {
    for vector in VECTORS {
        report.check("signed", vector.name, |transcript| {
            let done = sub_keys(vector, transcript)
                .and_then(|()| challenges(vector, transcript))
                .and_then(|()| request(vector, transcript))
                .and_then(|()| response(vector, transcript))
                .and_then(|()| content(vector, transcript));
            transcript.require("a vector that cannot be read", done.is_some());
        });
        report.check("signed, a bit flipped", vector.name, |transcript| {
            let done = flipped(vector, transcript);
            transcript.require("a vector that cannot be read", done.is_some());
        });
    }
}

fn keys(vector: &Vector) -> Option<Keys> {
    Keys::derive(&mut SoftwareKey::new(vector.secret).ok()?).ok()
}

fn sub_keys(vector: &Vector, transcript: &mut Transcript) -> Option<()> {
    let mut secret = SoftwareKey::new(vector.secret).ok()?;
    let purposes = [Purpose::Request, Purpose::Response, Purpose::Content];
    for (purpose, expected) in purposes.into_iter().zip(&vector.sub_keys) {
        let derived = subkeys::derive(&mut secret, purpose).ok()?;
        transcript.compare("sub-keys", derived.expose(), expected);
    }
    Some(())
}

fn challenges(vector: &Vector, transcript: &mut Transcript) -> Option<()> {
    let key = ChallengeKey::new(&vector.challenge_key).ok()?;
    for (text, issued, random) in vector.challenges {
        let made = key.issue(Timestamp::from_unix(*issued)?, *random).ok()?;
        transcript.compare("challenges", made.as_str().as_bytes(), text.as_bytes());
    }
    Some(())
}

/// The first check that fails, and what is said of it.
fn verdict<T>(outcome: Result<T, Refusal>, transcript: &mut Transcript) -> Option<&'static str> {
    use core::fmt::Write as _;
    let refusal = outcome.err()?;
    let _ = write!(transcript, "{refusal}");
    Some(match refusal {
        Refusal::WrongSignature => "signature",
        Refusal::WrongDigest | Refusal::BodyNotCovered => "content",
        _ => "freshness",
    })
}

/// Collects the pieces of a signature base.
struct Base {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Base {
    fn of(
        write: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<(), ParseError>) -> Result<(), ParseError>,
    ) -> Option<Self> {
        let (mut bytes, mut length, mut fits) = ([0; LONGEST], 0, true);
        write(&mut |piece| {
            match bytes.get_mut(length..length + piece.len()) {
                Some(room) => room.copy_from_slice(piece),
                None => fits = false,
            }
            length += piece.len();
            Ok(())
        })
        .ok()?;
        fits.then_some(Self { bytes, length })
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

fn request(vector: &Vector, transcript: &mut Transcript) -> Option<()> {
    let message = Message::parse(vector.request)?;
    let (method, target) = message.request()?;
    let target = Target::parse(target).ok()?;
    let head = RequestHead::parse(method.parse().ok()?, &target, message.fields());
    let expected = vector.request_refused;
    let head = match head {
        Err(error) => {
            let (check, reason) = expected.unwrap_or_default();
            transcript.compare_text("head of the request", error, reason);
            transcript.require("check of the request", check == "head");
            return Some(());
        }
        Ok(head) => head,
    };
    let device = head.device().as_str().as_bytes();
    transcript.compare("device of the request", device, vector.device.as_bytes());
    let base = Base::of(|sink| head.signature_base(sink))?;
    transcript.compare("base of the request", base.bytes(), vector.request_base);
    let challenges = ChallengeKey::new(&vector.challenge_key).ok()?;
    let policy = RequestPolicy::new(challenges, Timestamp::from_unix(vector.started)?);
    let now = Timestamp::from_unix(vector.now)?;
    let outcome = verify_request(head, message.body, &keys(vector)?, &policy, now);
    if let (Err(refusal), Some((_, reason))) = (&outcome, expected) {
        transcript.compare_text("refusal of the request", refusal, reason);
    }
    let found = verdict(outcome, transcript);
    transcript.require(
        "verdict on the request",
        found == expected.map(|(check, _)| check),
    );
    Some(())
}

fn signature(value: &[u8], label: &str) -> Option<Signature> {
    let field = Dictionary::parse(value).ok()?;
    let Some(Member::Item(item)) = field.get(label) else {
        return None;
    };
    let BareItem::Bytes(bytes) = item.bare() else {
        return None;
    };
    bytes.to_array().map(Signature::new)
}

/// Our label, or that of the one vector that somebody else signed.
fn label(vector: &Vector) -> &'static str {
    if vector.name == "other-implementation" {
        "pyhms"
    } else {
        LABEL
    }
}

fn response(vector: &Vector, transcript: &mut Transcript) -> Option<()> {
    let Some(bytes) = vector.response else {
        return Some(());
    };
    let asked = Message::parse(vector.request)?;
    let (method, target) = asked.request()?;
    let target = Target::parse(target).ok()?;
    let label = label(vector);
    let signature = signature(asked.field("signature")?, label)?;
    let place = (method, target.path(), target.query());
    let question = Question::new(place, label, &signature);
    let message = Message::parse(bytes)?;
    let expected = vector.response_refused;
    let head = match ResponseHead::parse(message.status()?, &question, message.fields()) {
        Err(error) => {
            let (check, reason) = expected.unwrap_or_default();
            transcript.compare_text("head of the response", error, reason);
            transcript.require("check of the response", check == "head");
            return Some(());
        }
        Ok(head) => head,
    };
    let base = Base::of(|sink| head.signature_base(&question, sink))?;
    transcript.compare("base of the response", base.bytes(), vector.response_base?);
    let device = vector.device.parse().ok()?;
    let outcome = ResponseVerifier::begin(&keys(vector)?, &head, &question, &device);
    let outcome = outcome.and_then(|mut verifier| {
        // In pieces, as they come from a network.
        message
            .body
            .chunks(7)
            .for_each(|chunk| verifier.update(chunk));
        verifier.finish()
    });
    if let (Err(refusal), Some((_, reason))) = (&outcome, expected) {
        transcript.compare_text("refusal of the response", refusal, reason);
    }
    let found = verdict(outcome, transcript);
    transcript.require(
        "verdict on the response",
        found == expected.map(|(check, _)| check),
    );
    Some(())
}

fn content(vector: &Vector, transcript: &mut Transcript) -> Option<()> {
    let Some(coded) = vector.ciphertext else {
        return Some(());
    };
    let mut buffer = [0; LONGEST];
    let buffer = buffer.get_mut(..coded.len())?;
    buffer.copy_from_slice(coded);
    let keys = keys(vector)?;
    let plain = decode_in_place(keys.content_key(), buffer).ok()?;
    transcript.compare("content", plain, vector.plain?);
    Some(())
}

/// The same request with one bit of its signature changed: refused, or this program could not tell.
fn flipped(vector: &Vector, transcript: &mut Transcript) -> Option<()> {
    let message = Message::parse(vector.request)?;
    let (method, target) = message.request()?;
    let target = Target::parse(target).ok()?;
    let value = message.field("signature")?;
    let mut changed = [0; 256];
    let changed = changed.get_mut(..value.len())?;
    changed.copy_from_slice(value);
    // Behind `label=:`; another letter of base64 whatever it was.
    let at = value.iter().position(|byte| *byte == b':')? + 1;
    let letter = changed.get_mut(at)?;
    *letter = if *letter == b'A' { b'B' } else { b'A' };
    let changed = &*changed;
    let fields = message.fields().map(|(name, field)| {
        let is_signature = name.eq_ignore_ascii_case("signature") && field == value;
        (name, if is_signature { changed } else { field })
    });
    let Ok(head) = RequestHead::parse(method.parse().ok()?, &target, fields) else {
        transcript.require(
            "refused before",
            matches!(vector.request_refused, Some(("head", _))),
        );
        return Some(());
    };
    let challenges = ChallengeKey::new(&vector.challenge_key).ok()?;
    let policy = RequestPolicy::new(challenges, Timestamp::from_unix(vector.started)?);
    let now = Timestamp::from_unix(vector.now)?;
    let outcome = verify_request(head, message.body, &keys(vector)?, &policy, now);
    let found = verdict(outcome, transcript);
    transcript.require("accepted", found == Some("signature"));
    Some(())
}

/// HMAC in the open, for a machine that is wrong about everything else as well.
pub(crate) fn rfc4231(transcript: &mut Transcript) -> Option<()> {
    const TAG: [u8; 32] = [
        0xb0, 0x34, 0x4c, 0x61, 0xd8, 0xdb, 0x38, 0x53, 0x5c, 0xa8, 0xaf, 0xce, 0xaf, 0x0b, 0xf1,
        0x2b, 0x88, 0x1d, 0xc2, 0x00, 0xc9, 0x83, 0x3d, 0xa7, 0x26, 0xe9, 0x37, 0x6c, 0x2e, 0x32,
        0xcf, 0xf7,
    ];
    let mut key = SoftwareKey::new(&[0x0b; 20]).ok()?;
    key.begin().ok()?;
    key.update(b"Hi ").ok()?;
    key.update(b"There").ok()?;
    transcript.compare("tag", key.finish().ok()?.publish().as_bytes(), &TAG);
    Some(())
}
