//! Structured fields, and the fields of RFC 9421 and RFC 9530 that are made of them.

use providore_wire::{
    ParseError, ParseErrorKind, Text,
    digest_fields::DigestField,
    message_signatures::{
        AcceptSignature, Component, ComponentName, Draft, RequestParts, ResponseParts,
        SignatureInput, SignatureParameters, Signatures, signature_field,
    },
    structured::{BareItem, Dictionary, InnerList, Member, Parameters, find_last, find_only},
};
use sfv::Parser;

use crate::fields::fields;

/// Canonical text grows: a digit of base64 padding, a blank behind a comma.
const ROOM: usize = 2 * providore_wire::structured::MAX_VALUE_LEN;

/// Dictionaries: what is read is written in one spelling and read again.
pub fn structured_dictionary(data: &[u8]) {
    match Dictionary::parse(data) {
        Ok(read) => {
            let text: Text<ROOM> = read.to_text().expect("room");
            let again = match Dictionary::parse(text.as_str().as_bytes()) {
                Ok(again) => again,
                Err(error) if is_limit(error) => return,
                Err(error) => panic!("{error}: {}", text.as_str()),
            };
            assert_eq!(again.repeated_key(), None);
            let twice: Text<ROOM> = again.to_text().expect("room");
            assert_eq!(twice.as_str(), text.as_str());
            assert!(
                read.iter()
                    .map(|(key, _)| key)
                    .eq(again.iter().map(|(key, _)| key))
            );
            for (key, member) in read {
                let found = read.get(key).expect("an iterated key");
                assert_eq!(found.offset(), member.offset());
                let line = find_last([data, b""], key).expect("the same bytes");
                assert_eq!(line.expect("the same key").offset(), member.offset());
                let only = find_only([data, b""], key);
                assert_eq!(only.is_ok(), read.repeated_key().is_none());
                assert!(find_only([data, data], key).is_err());
                if let Member::InnerList(list) = member {
                    let text: Text<ROOM> = list.to_text().expect("room");
                    InnerList::parse(text.as_str().as_bytes()).expect("our own spelling");
                }
            }
        }
        Err(error) => assert_inside(error, data),
    }
}

/// The same bytes through the crate `sfv`: both accept and read alike, or both refuse.
pub fn structured_vs_sfv(data: &[u8]) {
    let theirs = Parser::new(data).parse::<sfv::Dictionary>();
    match (Dictionary::parse(data), theirs) {
        (Ok(ours), Ok(theirs)) => {
            let text: Text<ROOM> = ours.to_text().expect("room");
            let expected = sfv::FieldType::serialize(&theirs).unwrap_or_default();
            assert_eq!(text.as_str(), expected);
            assert!(
                ours.iter()
                    .map(|(key, _)| key)
                    .eq(theirs.keys().map(|key| key.as_str()))
            );
            for ((_, ours), theirs) in ours.iter().zip(theirs.values()) {
                same_member(&ours, theirs);
            }
        }
        (Err(_), Err(_)) => {}
        (Err(error), Ok(theirs)) => match error.kind() {
            ParseErrorKind::TooLong | ParseErrorKind::TooMany => {}
            ParseErrorKind::UnsupportedType => assert!(theirs_only(data), "{theirs:?}"),
            _ => panic!("only theirs accepts: {error}"),
        },
        (Ok(ours), Err(error)) => panic!("only ours accepts: {error}: {ours:?}"),
    }
}

/// Whether there is a byte with which the types that ours refuses are written.
fn theirs_only(data: &[u8]) -> bool {
    data.iter().any(|byte| matches!(byte, b'.' | b'@' | b'%'))
}

fn same_member(ours: &Member<'_>, theirs: &sfv::ListEntry) {
    match (ours, theirs) {
        (Member::Item(ours), sfv::ListEntry::Item(theirs)) => {
            assert!(same_bare(ours.bare(), &theirs.bare_item));
            same_parameters(ours.parameters(), &theirs.params);
        }
        (Member::InnerList(ours), sfv::ListEntry::InnerList(theirs)) => {
            same_parameters(ours.parameters(), &theirs.params);
            assert_eq!(ours.items().count(), theirs.items.len());
            for (ours, theirs) in ours.items().zip(&theirs.items) {
                assert!(same_bare(ours.bare(), &theirs.bare_item));
                same_parameters(ours.parameters(), &theirs.params);
            }
        }
        _ => panic!("{ours:?} is not {theirs:?}"),
    }
}

fn same_parameters(ours: Parameters<'_>, theirs: &sfv::Parameters) {
    assert_eq!(ours.iter().count(), theirs.len());
    for ((our_key, ours), (their_key, theirs)) in ours.iter().zip(theirs) {
        assert_eq!(our_key, their_key.as_str());
        assert!(same_bare(ours, theirs), "{ours:?} is not {theirs:?}");
    }
}

fn same_bare(ours: BareItem<'_>, theirs: &sfv::BareItem) -> bool {
    match (ours, theirs) {
        (BareItem::Integer(ours), sfv::BareItem::Integer(theirs)) => ours == i64::from(*theirs),
        (BareItem::String(ours), sfv::BareItem::String(theirs)) => ours == *theirs.as_str(),
        (BareItem::Token(ours), sfv::BareItem::Token(theirs)) => ours == theirs.as_str(),
        (BareItem::Bytes(ours), sfv::BareItem::ByteSequence(theirs)) => {
            ours.iter().eq(theirs.iter().copied())
        }
        (BareItem::Boolean(ours), sfv::BareItem::Boolean(theirs)) => ours == *theirs,
        _ => false,
    }
}

/// The fields of RFC 9421: what is read is written and read again.
pub fn signature_input(data: &[u8]) {
    if let Ok(input) = SignatureInput::parse(data) {
        for label in input.labels() {
            match input.get(label) {
                Ok(read) => signature_of(label, &read.expect("a label of it")),
                Err(error) => assert_inside(error, data),
            }
        }
    }
    if let Ok(signatures) = Signatures::parse(data) {
        for label in signatures.labels() {
            if let Ok(Some(signature)) = signatures.get(label) {
                let bytes: Vec<u8> = signature.iter().collect();
                let field: Text<ROOM> = signature_field(label, &bytes).expect("room");
                let again = Signatures::parse(field.as_str().as_bytes()).map(|all| all.get(label));
                match again {
                    Ok(again) => assert_eq!(again, Ok(Some(signature))),
                    Err(error) => assert!(is_limit(error)),
                }
            }
        }
    }
    if let Ok(accept) = AcceptSignature::parse(data) {
        for label in accept.labels() {
            if let Ok(Some(wanted)) = accept.get(label) {
                assert_components(wanted.components());
            }
        }
    }
}

fn signature_of(label: &str, read: &SignatureParameters<'_>) {
    let components = assert_components(read.components());
    let field: Text<ROOM> = read.to_field(label).expect("room");
    let again = match SignatureInput::parse(field.as_str().as_bytes()) {
        Ok(again) => again,
        Err(error) if is_limit(error) => return,
        Err(error) => panic!("{error}: {}", field.as_str()),
    };
    let again = again
        .get(label)
        .expect("our own spelling")
        .expect("the label");
    let text: Text<ROOM> = again.to_text().expect("room");
    assert_eq!(field.as_str(), format!("{label}={}", text.as_str()));
    assert!(again.components().eq(components.iter().copied()));
    assert_eq!(again.created(), read.created());
    assert_eq!(again.key_id(), read.key_id());

    let draft = Draft::new(&components)
        .to_text::<ROOM>()
        .expect("components of a signature");
    let drafted = SignatureParameters::parse(draft.as_str().as_bytes()).expect("our own spelling");
    assert!(drafted.components().eq(components.iter().copied()));
}

fn assert_components<'a>(components: impl Iterator<Item = Component<'a>>) -> Vec<Component<'a>> {
    let components: Vec<_> = components.collect();
    for (at, component) in components.iter().enumerate() {
        assert!(!components[..at].contains(component), "a component twice");
        if let ComponentName::Field(name) = component.name() {
            assert!(!name.starts_with('@'));
            assert_eq!(name, name.to_ascii_lowercase());
        }
    }
    components
}

/// Signature bases: one line for each component, and none that a value made up.
///
/// An input is the signature parameters, then method and target or status and target of the
/// request, then fields.
pub fn signature_base(data: &[u8]) {
    let mut lines = data.splitn(3, |byte| *byte == b'\n');
    let (parameters, first) = (lines.next().unwrap_or(b""), lines.next().unwrap_or(b""));
    let fields = fields(lines.next().unwrap_or(b""));
    let Ok(parameters) = SignatureParameters::parse(parameters) else {
        return;
    };
    let first = String::from_utf8_lossy(first);
    let (method, target) = first.split_once(' ').unwrap_or((&first, ""));
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let host = fields.iter().find(|(name, _)| *name == "Host");
    let request = RequestParts {
        method,
        scheme: "http",
        authority: host
            .and_then(|(_, host)| str::from_utf8(host).ok())
            .unwrap_or("")
            .trim(),
        path,
        query,
        fields: fields.iter().copied(),
    };
    let mut base = Vec::new();
    let mut sink = |piece: &[u8]| {
        base.extend_from_slice(piece);
        Ok::<(), ParseError>(())
    };
    let outcome = match method.parse() {
        Err(_) => request.signature_base(&parameters, &mut sink),
        Ok(status) => {
            let response = ResponseParts {
                status,
                fields: fields.iter().copied(),
                request: Some(request),
            };
            response.signature_base(&parameters, &mut sink)
        }
    };
    if outcome.is_ok() {
        let base = String::from_utf8(base).expect("nothing but ASCII");
        assert!(base.is_ascii());
        let mut lines = base.split('\n');
        for component in parameters.components() {
            let start = format!("\"{}\"", component.name().as_str());
            assert!(lines.next().expect("a line for it").starts_with(&start));
        }
        let text: Text<ROOM> = parameters.to_text().expect("room");
        let last = format!("\"@signature-params\": {}", text.as_str());
        assert_eq!(lines.next(), Some(last.as_str()));
        assert_eq!(lines.next(), None);
    }
}

/// Digest fields: the digest that is read is the one that is written.
pub fn content_digest(data: &[u8]) {
    match DigestField::parse(data) {
        Ok(read) => {
            let named = read.algorithms().any(|name| name == "sha-256");
            assert_eq!(read.sha256().is_some(), named);
            if let Some(digest) = read.sha256() {
                let text = DigestField::write_sha256(&digest);
                assert_eq!(text.as_str().len(), DigestField::TEXT_LEN);
                let again = DigestField::parse(text.as_str().as_bytes()).expect("our own");
                assert_eq!(again.sha256(), Some(digest));
            }
        }
        Err(error) => assert_inside(error, data),
    }
}

/// The canonical text of a value at a limit can be over it.
fn is_limit(error: ParseError) -> bool {
    error.kind() == ParseErrorKind::TooLong
}

fn assert_inside(error: ParseError, data: &[u8]) {
    assert!(error.offset() <= data.len(), "{error} of {}", data.len());
}
