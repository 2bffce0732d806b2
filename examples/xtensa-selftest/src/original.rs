//! Vectors of the `Original` dialect.
//!
//! Where ours is stricter than the first Providore, tests of the project say which vectors it
//! refuses; here the verdict goes into the digest, which the host's has to equal.

use core::fmt::Write as _;

use providore_sign::{
    Freshness, MacKey as _, SoftwareKey,
    original::{RequestPolicy, ResponseDates, ResponsePolicy, ResponseVerifier, verify_request},
};
use providore_wire::{
    Target,
    original::{CanonicalRequest, RequestHead, ResponseHead},
};

use crate::transcript::{Report, Transcript};

struct Request {
    name: &'static str,
    method: &'static str,
    target: &'static str,
    key: &'static [u8],
    version: &'static [u8],
    created: &'static str,
    expiry: &'static str,
    body: &'static [u8],
    canonical: &'static [u8],
    signature: &'static str,
    authorization: &'static str,
}

struct Response {
    name: &'static str,
    key: &'static str,
    payload: &'static [u8],
    fields: &'static [(&'static str, &'static str)],
    canonical: &'static [u8],
    signature: &'static str,
}

const VECTORS: (&[Request], &[Response]) = include!(concat!(env!("OUT_DIR"), "/original.rs"));

/// The vectors expire in 2099.
const ANY_WINDOW: Freshness = Freshness {
    max_window_s: u32::MAX,
    max_skew_s: 0,
};

pub(crate) fn run(report: &mut Report<'_>) {
    for vector in VECTORS.0 {
        report.check("original, request", vector.name, |transcript| {
            let done = request(vector, transcript);
            transcript.require("a vector that cannot be read", done.is_some());
        });
    }
    for vector in VECTORS.1 {
        report.check("original, response", vector.name, |transcript| {
            let done = response(vector, transcript);
            transcript.require("a vector that cannot be read", done.is_some());
        });
    }
}

/// The signature over bytes that a server of the first Providore signed.
fn recorded(
    key: &[u8],
    canonical: &[u8],
    expected: &str,
    transcript: &mut Transcript,
) -> Option<()> {
    let mut key = SoftwareKey::new(key).ok()?;
    key.begin().ok()?;
    key.update(canonical).ok()?;
    let signature = key.finish().ok()?.publish().to_base64();
    transcript.compare(
        "signature",
        signature.as_str().as_bytes(),
        expected.as_bytes(),
    );
    Some(())
}

fn request(vector: &Request, transcript: &mut Transcript) -> Option<()> {
    recorded(vector.key, vector.canonical, vector.signature, transcript)?;
    let method = vector.method.parse().ok()?;
    let path = Target::parse(vector.target).ok()?.path();
    let versioned = [true, false].map(|versioned| {
        let request = CanonicalRequest {
            method,
            path,
            version: versioned.then_some(vector.version.trim_ascii()),
            created: vector.created.as_bytes(),
            expiry: vector.expiry.as_bytes(),
        };
        let mut key = SoftwareKey::new(vector.key).ok()?;
        key.begin().ok()?;
        request
            .pieces(vector.body, |piece| key.update(piece))
            .ok()?;
        let ours = key.finish().ok()?.publish().to_base64();
        transcript.note(ours.as_str().as_bytes());
        let fields = [
            ("Authorization", vector.authorization.as_bytes()),
            ("Created-At", vector.created.as_bytes()),
            ("Expiry", vector.expiry.as_bytes()),
            ("X-Firmware-Version", vector.version),
        ];
        let fields = fields.into_iter().take(if versioned { 4 } else { 3 });
        let head = RequestHead::parse(method, path, fields).ok()?;
        let policy = RequestPolicy {
            freshness: ANY_WINDOW,
            allow_unversioned: true,
        };
        let now = head.created();
        let outcome = verify_request(head, vector.body, &mut key, &policy, now);
        let accepted = outcome.is_ok();
        write_outcome(outcome, transcript);
        // What is accepted is what we would have signed.
        let same = ours.as_str() == vector.signature;
        transcript.require("another signature is accepted", !accepted || same);
        Some(())
    });
    versioned.iter().all(Option::is_some).then_some(())
}

fn response(vector: &Response, transcript: &mut Transcript) -> Option<()> {
    recorded(
        vector.key.as_bytes(),
        vector.canonical,
        vector.signature,
        transcript,
    )?;
    let fields = vector.fields.iter().map(|(n, v)| (*n, v.as_bytes()));
    let head = match ResponseHead::parse(fields) {
        Ok(head) => head,
        Err(error) => {
            write!(transcript, "{error}").ok()?;
            return Some(());
        }
    };
    let policy = ResponsePolicy {
        dates: ResponseDates::FirstProvidore,
        ..ResponsePolicy::default()
    };
    let now = head.created();
    let key = SoftwareKey::new(vector.key.as_bytes()).ok()?;
    let mut verifier = ResponseVerifier::begin(key, head, &policy, now, now).ok()?;
    for chunk in vector.payload.chunks(7) {
        verifier.update(chunk).ok()?;
    }
    let outcome = verifier.finish().map(|verified| verified.length());
    let prefix = vector.canonical.starts_with(vector.payload);
    transcript.require(
        "what was not signed is accepted",
        outcome.is_err() || prefix,
    );
    write_outcome(outcome, transcript);
    Some(())
}

fn write_outcome<T>(outcome: Result<T, providore_sign::Refusal>, transcript: &mut Transcript) {
    let _ = match outcome {
        Ok(_) => transcript.write_str("accepted"),
        Err(refusal) => write!(transcript, "{refusal}"),
    };
}
