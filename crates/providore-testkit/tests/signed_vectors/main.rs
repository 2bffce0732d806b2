//! `vectors/signed`: made from fixed inputs, and read as another implementation would read them.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

extern crate alloc;

use alloc::collections::BTreeMap;
use std::fs;

use providore_sign::{
    ComputedTag, MacKey as _, Refusal, SoftwareKey,
    content_coding::decode_in_place,
    signed::{ChallengeKey, Keys, RequestPolicy, ResponseVerifier, verify_request},
    subkeys::{self, Purpose},
};
use providore_testkit::vectors::{
    About, Check, Hex, Refused, Signed, SignedVector, signed, signed_folder,
};
use providore_wire::{
    ParseError, Signature, Target, Timestamp,
    signed::{Challenge, HeadError, Question, RequestHead, ResponseHead, Validity},
};
use sha2::{Digest as _, Sha256};

mod examples;
mod look;
mod make;

#[test]
fn the_folders_are_what_is_made_from_fixed_inputs() {
    let mut names = Vec::new();
    for (name, made) in examples::all() {
        let folder = signed_folder().join(name);
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{name}: {error}"));
        let found: BTreeMap<_, _> = entries
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.file_name().into_string().unwrap(), entry.path()))
            .collect();
        assert!(found.keys().eq(made.keys()), "{name}: {:?}", found.keys());
        for (file, bytes) in made {
            let expected = String::from_utf8_lossy(&bytes).into_owned();
            let found = fs::read(&found[file]).unwrap();
            assert_eq!(String::from_utf8_lossy(&found), expected, "{name}/{file}");
            assert_eq!(found, bytes, "{name}/{file}");
        }
        names.push(name);
    }
    names.sort_unstable();
    assert!(signed().iter().map(|vector| &vector.name).eq(&names));
}

/// Writes what the test before this one compares with.
#[test]
#[ignore = "writes vectors/signed anew; its README says when"]
fn write_the_folders() {
    for vector in signed() {
        fs::remove_dir_all(signed_folder().join(vector.name)).unwrap();
    }
    for (name, made) in examples::all() {
        let folder = signed_folder().join(name);
        fs::create_dir_all(&folder).unwrap();
        for (file, bytes) in made {
            fs::write(folder.join(file), bytes).unwrap();
        }
    }
}

/// Looks at every vector.
fn check(look: impl FnMut(&SignedVector)) {
    let all = signed();
    assert!(all.len() > 15, "the vectors are not found");
    all.iter().for_each(look);
}

fn keys(about: &About) -> Keys {
    Keys::derive(&mut SoftwareKey::new(&about.secret.0).unwrap()).unwrap()
}

fn time(unix: i64) -> Timestamp {
    Timestamp::from_unix(unix).unwrap()
}

fn challenge_key(about: &About) -> ChallengeKey {
    ChallengeKey::new(&about.server.challenge_key.array()).unwrap()
}

fn target(vector: &SignedVector) -> Target<'_> {
    Target::parse(&vector.request.target).unwrap()
}

fn request_head(vector: &SignedVector) -> Result<RequestHead<'_>, HeadError> {
    request_head_beside(vector, None)
}

/// With the `Signature-Input` of a proxy, which keeps it from being read in one go.
fn request_head_beside<'v>(
    vector: &'v SignedVector,
    proxy: Option<&'v [u8]>,
) -> Result<RequestHead<'v>, HeadError> {
    let method = vector.request.method.parse().unwrap();
    let proxy = proxy.map(|input| ("signature-input", input));
    let fields = vector.request.fields().chain(proxy);
    RequestHead::parse(method, &target(vector), fields)
}

/// The device knows what it asked, also where the server refuses it.
fn question(vector: &SignedVector) -> Question<'_> {
    let target = target(vector);
    let asked = &vector.about.request;
    let signature = Signature::new(asked.signature.as_ref().unwrap().array());
    let place = (
        vector.request.method.as_str(),
        target.path(),
        target.query(),
    );
    Question::new(place, asked.label.as_ref().unwrap(), &signature)
}

/// Takes a signature base, piece by piece.
type Sink<'s> = dyn FnMut(&[u8]) -> Result<(), ParseError> + 's;

fn text(write: impl FnOnce(&mut Sink<'_>) -> Result<(), ParseError>) -> String {
    let mut bytes = Vec::new();
    write(&mut |piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    })
    .unwrap();
    String::from_utf8(bytes).unwrap()
}

fn reason(refused: Option<&Refused>, check: Check) -> Option<&str> {
    let refused = refused.filter(|refused| refused.check == check);
    refused.map(|refused| refused.reason.as_str())
}

#[test]
fn sub_keys_are_those_of_the_secret() {
    check(|vector| {
        let about = &vector.about;
        let mut secret = SoftwareKey::new(&about.secret.0).unwrap();
        for (purpose, expected) in [
            (Purpose::Request, &about.sub_keys.request),
            (Purpose::Response, &about.sub_keys.response),
            (Purpose::Content, &about.sub_keys.content),
        ] {
            let derived = subkeys::derive(&mut secret, purpose).unwrap();
            assert_eq!(derived.expose()[..], expected.0, "{}", vector.name);
        }
    });
}

#[test]
fn challenges_are_those_that_the_server_makes() {
    check(|vector| {
        for made in &vector.about.challenges {
            let key = challenge_key(&vector.about);
            let issued = key.issue(time(made.issued), made.random.array()).unwrap();
            assert_eq!(issued.as_str(), made.text, "{}", vector.name);
        }
        let sent = [Some(&vector.about.request), vector.about.response.as_ref()];
        let sent = sent.into_iter().flatten();
        for text in sent.filter_map(|signed| signed.challenge.as_ref()) {
            let mut made = vector.about.challenges.iter();
            assert!(made.any(|made| made.text == *text), "{}", vector.name);
        }
    });
}

#[test]
fn heads_of_requests_are_read_or_refused_as_expected() {
    check(|vector| check_request_head(vector, None));
    check(|vector| check_request_head(vector, Some(b"a-proxy=()")));
}

fn check_request_head(vector: &SignedVector, proxy: Option<&[u8]>) {
    let (about, name) = (&vector.about, &vector.name);
    let found = request_head_beside(vector, proxy);
    let refusal = found.as_ref().err().map(ToString::to_string);
    let expected = reason(about.request.refused.as_ref(), Check::Head);
    assert_eq!(refusal.as_deref(), expected, "{name}");
    if let Ok(head) = found {
        assert_eq!(head.device().as_str(), about.device, "{name}");
        compare_request(&head, &about.request, name);
        let base = text(|sink| head.signature_base(sink));
        assert_eq!(base, vector.request_base, "{name}");
    }
}

#[test]
fn heads_of_responses_are_read_or_refused_as_expected() {
    check(|vector| {
        let (about, name) = (&vector.about, &vector.name);
        let (Some(response), Some(signed)) = (&vector.response, &about.response) else {
            return;
        };
        let question = question(vector);
        let found = ResponseHead::parse(response.status, &question, response.fields());
        let refusal = found.as_ref().err().map(ToString::to_string);
        let expected = reason(signed.refused.as_ref(), Check::Head);
        assert_eq!(refusal.as_deref(), expected, "{name}");
        if let Ok(head) = found {
            assert_eq!(head.device().as_str(), about.device, "{name}");
            compare_response(&head, signed, name);
            let base = text(|sink| head.signature_base(&question, sink));
            assert_eq!(Some(base), vector.response_base, "{name}");
        }
    });
}

fn compare_request(head: &RequestHead<'_>, expected: &Signed, name: &str) {
    let digest = expected.content_sha256.as_ref().map(Hex::array);
    assert_eq!(Some(head.label()), expected.label.as_deref(), "{name}");
    assert_eq!(
        head.nonce().as_bytes()[..],
        expected.nonce.as_ref().unwrap().0
    );
    assert_eq!(
        head.signature().as_bytes()[..],
        expected.signature.as_ref().unwrap().0
    );
    assert_eq!(head.content_digest(), digest.as_ref(), "{name}");
    match head.validity() {
        Validity::Window { created, expires } => {
            assert_eq!(Some(created.unix()), expected.created, "{name}");
            assert_eq!(Some(expires.unix()), expected.expires, "{name}");
            assert_eq!(expected.challenge, None, "{name}");
        }
        Validity::Challenge(challenge) => {
            let challenge = Some(challenge.as_str());
            assert_eq!(challenge, expected.challenge.as_deref(), "{name}");
            assert_eq!((expected.created, expected.expires), (None, None), "{name}");
        }
    }
}

fn compare_response(head: &ResponseHead<'_>, expected: &Signed, name: &str) {
    let digest = expected.content_sha256.as_ref().map(Hex::array);
    let challenge = head.challenge();
    let challenge = challenge.as_ref().map(Challenge::as_str);
    assert_eq!(Some(head.created().unix()), expected.created, "{name}");
    assert_eq!(
        head.signature().as_bytes()[..],
        expected.signature.as_ref().unwrap().0
    );
    assert_eq!(head.content_digest(), digest, "{name}");
    assert_eq!(challenge, expected.challenge.as_deref(), "{name}");
}

#[test]
fn signatures_are_macs_over_the_bases() {
    let tag = |key: &[u8], base: &str| -> ComputedTag {
        let mut key = SoftwareKey::new(key).unwrap();
        key.begin().unwrap();
        key.update(base.as_bytes()).unwrap();
        key.finish().unwrap()
    };
    let compare = |key: &[u8], base: &str, signed: &Signed, name: &str| {
        let signature = Signature::new(signed.signature.as_ref().unwrap().array());
        let wrong = reason(signed.refused.as_ref(), Check::Signature).is_some();
        assert_ne!(tag(key, base).matches(&signature), wrong, "{name}");
    };
    check(|vector| {
        let (keys, name) = (&vector.about.sub_keys, &vector.name);
        let request = &vector.about.request;
        compare(&keys.request.0, &vector.request_base, request, name);
        if let (Some(base), Some(signed)) = (&vector.response_base, &vector.about.response) {
            compare(&keys.response.0, base, signed, name);
        }
    });
}

#[test]
fn requests_are_accepted_or_refused_as_expected() {
    check(|vector| {
        let (about, name) = (&vector.about, &vector.name);
        let Ok(head) = request_head(vector) else {
            return;
        };
        let policy = RequestPolicy::new(challenge_key(about), time(about.server.started));
        let now = time(about.server.now);
        let body = &vector.request.body;
        let verified = verify_request(head, body, &keys(about), &policy, now);
        let found = verified.err().map(refused);
        assert_eq!(found, about.request.refused, "{name}");
    });
}

#[test]
fn responses_are_accepted_or_refused_as_expected() {
    check(|vector| {
        let (about, name) = (&vector.about, &vector.name);
        let (Some(response), Some(signed)) = (&vector.response, &about.response) else {
            return;
        };
        let question = question(vector);
        let Ok(head) = ResponseHead::parse(response.status, &question, response.fields()) else {
            return;
        };
        let device = about.device.parse().unwrap();
        let verified = ResponseVerifier::begin(&keys(about), &head, &question, &device);
        let verified = verified.and_then(|mut verifier| {
            verifier.update(&response.body);
            verifier.finish()
        });
        let found = verified.err().map(refused);
        assert_eq!(found, signed.refused, "{name}");
    });
}

fn refused(refusal: Refusal) -> Refused {
    Refused {
        check: match refusal {
            Refusal::WrongSignature => Check::Signature,
            Refusal::WrongDigest | Refusal::BodyNotCovered => Check::Content,
            _ => Check::Freshness,
        },
        reason: refusal.to_string(),
    }
}

#[test]
fn entity_tags_of_what_is_encrypted_are_keyed() {
    let mut compared = 0;
    check(|vector| {
        let response = vector.response.as_ref().filter(|_| vector.plain.is_some());
        let tag = response.and_then(|response| response.fields().find(|it| it.0 == "etag"));
        let (Some(plain), Some((_, tag))) = (&vector.plain, tag) else {
            return;
        };
        let mut secret = SoftwareKey::new(&vector.about.secret.0).unwrap();
        let made = subkeys::entity_tag(&mut secret, &Sha256::digest(plain).into()).unwrap();
        let expected = format!("W/\"{}\"", Hex::from(&made).to_text());
        assert_eq!(tag, expected.as_bytes(), "{}", vector.name);
        compared += 1;
    });
    assert_eq!(compared, 2);
}

#[test]
fn encrypted_content_is_decrypted() {
    check(|vector| {
        let name = &vector.name;
        let (Some(plain), Some(coded)) = (&vector.plain, &vector.ciphertext) else {
            assert!(vector.about.content_coding.is_none(), "{name}");
            return;
        };
        let response = vector.response.as_ref().unwrap();
        assert_eq!(&response.body, coded, "{name}");
        let mut fields = response.fields();
        assert!(fields.any(|field| field == ("content-encoding", b"aes128gcm")));
        let coding = vector.about.content_coding.as_ref().unwrap();
        assert_eq!(coded[..16], coding.salt.0, "{name}");
        assert_eq!(coded[16..20], coding.record_size.to_be_bytes(), "{name}");
        let keys = keys(&vector.about);
        let mut coded = coded.clone();
        let decoded = decode_in_place(keys.content_key(), &mut coded).unwrap();
        assert_eq!(decoded, plain, "{name}");
    });
}
