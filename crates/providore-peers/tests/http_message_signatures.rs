//! The Python package `http-message-signatures` and we, and the vectors of the `Signed` dialect.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use providore_peers::{Message, Peer as _, Python, Wanted, suite};
use providore_testkit::vectors::{Check, Signed, signed};
use providore_wire::{Text, signed::Nonce};

#[test]
#[ignore = "needs the Python peers: docs/CONTRIBUTING.md"]
fn it_accepts_our_requests() {
    suite::peer_accepts_our_requests(&mut Python::start());
}

#[test]
#[ignore = "needs the Python peers: docs/CONTRIBUTING.md"]
fn we_accept_its_requests() {
    suite::we_accept_requests_of_the_peer(&mut Python::start());
}

#[test]
#[ignore = "needs the Python peers: docs/CONTRIBUTING.md"]
fn it_accepts_our_responses() {
    suite::peer_accepts_our_responses(&mut Python::start());
}

#[test]
#[ignore = "needs the Python peers: docs/CONTRIBUTING.md"]
fn we_accept_its_responses() {
    suite::we_accept_responses_of_the_peer(&mut Python::start());
}

#[test]
#[ignore = "needs the Python peers: docs/CONTRIBUTING.md"]
fn it_refuses_a_body_that_is_not_the_one_of_the_digest() {
    let mut peer = Python::start();
    let all = signed();
    let vector = all
        .iter()
        .find(|vector| vector.name == "report-204")
        .unwrap();
    let verify = |peer: &mut Python, body: &[u8]| {
        let mut request = vector.request.clone();
        request.body = body.into();
        let key = &vector.about.sub_keys.request.0;
        peer.verify(&Message::Request(&request), key, "providore-2")
    };
    assert_eq!(verify(&mut peer, &vector.request.body), Ok(()));
    assert!(verify(&mut peer, b"").is_err());
    assert!(verify(&mut peer, b"{}").is_err());
}

/// Has the peer look at every message of the vectors, with its key and its part of `vector.json`.
fn check(look: impl Fn(&mut Python, &str, &Message<'_>, (&[u8], &str, &Signed))) {
    let mut peer = Python::start();
    let all = signed();
    assert!(all.len() > 15, "the vectors are not found");
    for vector in &all {
        let (name, about) = (vector.name.as_str(), &vector.about);
        let request = Message::Request(&vector.request);
        let of_request = (
            &about.sub_keys.request.0[..],
            vector.request_base.as_str(),
            &about.request,
        );
        look(&mut peer, name, &request, of_request);
        let (Some(response), Some(signed)) = (&vector.response, &about.response) else {
            continue;
        };
        let Some(base) = &vector.response_base else {
            continue;
        };
        let response = Message::Response(response, &vector.request);
        let of_response = (&about.sub_keys.response.0[..], base.as_str(), signed);
        look(&mut peer, name, &response, of_response);
    }
}

fn tag(message: &Message<'_>, name: &str) -> &'static str {
    match message {
        Message::Request(_) if name == "refused-wrong-tag" => "providore-3",
        Message::Request(_) => "providore-2",
        Message::Response(..) => "providore-2-response",
    }
}

fn refused_at(signed: &Signed) -> Option<Check> {
    signed.refused.as_ref().map(|refused| refused.check)
}

#[test]
#[ignore = "needs the Python peers: docs/CONTRIBUTING.md"]
fn it_makes_the_bases_and_signatures_of_the_vectors() {
    check(|peer, name, message, (key, base, signed)| {
        let tag = tag(message, name);
        assert_eq!(peer.base(message, tag), base, "{name}");
        let signature = signed.signature.as_ref().unwrap();
        let right = refused_at(signed) != Some(Check::Signature);
        let same = peer.signature(message, key, tag) == signature.0;
        assert_eq!(same, right, "{name}");
    });
}

#[test]
#[ignore = "needs the Python peers: docs/CONTRIBUTING.md"]
fn it_accepts_of_the_vectors_what_is_rightly_signed() {
    check(|peer, name, message, (key, _, signed)| {
        // It takes the body for signed only where its digest is covered and right.
        let right = !matches!(refused_at(signed), Some(Check::Signature | Check::Content))
            && name != "refused-missing-component";
        let verified = peer.verify(message, key, tag(message, name));
        assert_eq!(verified.is_ok(), right, "{name}: {verified:?}");
    });
}

#[test]
#[ignore = "needs the Python peers: docs/CONTRIBUTING.md"]
fn the_vector_of_another_implementation_is_what_it_signs() {
    check(|peer, name, message, (key, base, signed)| {
        if name != "other-implementation" {
            return;
        }
        let (_, parameters) = base.rsplit_once("\"@signature-params\": (").unwrap();
        let (components, _) = parameters.split_once(')').unwrap();
        let nonce = signed.nonce.as_ref();
        let nonce = nonce.map(|nonce| Nonce::new(nonce.array()).to_text());
        let wanted = Wanted {
            label: "anew",
            components: components.split(' ').map(String::from).collect(),
            created: signed.created,
            expires: signed.expires,
            nonce: nonce.as_ref().map(Text::as_str),
            key_id: "d8fa0180",
            tag: tag(message, name),
        };
        let fields = peer.sign(message, key, &wanted);
        for field in ["signature-input", "signature"] {
            let expected = member(message.fields(), field, signed.label.as_ref().unwrap());
            assert_eq!(member(&fields, field, "anew"), expected);
        }
    });
}

/// The member of a dictionary that is the last of its line.
fn member<'f>(fields: &'f [(String, String)], name: &str, label: &str) -> &'f str {
    let lines = fields
        .iter()
        .filter(|(field, _)| field.eq_ignore_ascii_case(name));
    let mut members = lines.filter_map(|(_, line)| line.split_once(&format!("{label}=")));
    members.next().unwrap().1
}
