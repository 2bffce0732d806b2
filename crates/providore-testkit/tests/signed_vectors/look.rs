//! What is in a message, found without the parsers of the profile.

use providore_testkit::{
    RequestMessage, ResponseMessage,
    vectors::{Hex, Signed},
};
use providore_wire::{
    ParseError, Target,
    digest_fields::DigestField,
    message_signatures::{
        RequestParts, ResponseParts, SignatureInput, SignatureParameters, Signatures,
    },
    signed::Nonce,
};

type Fields = [(String, String)];

/// The lines of a field.
fn lines<'f>(fields: &'f Fields, name: &str) -> impl Iterator<Item = &'f [u8]> {
    let lines = fields
        .iter()
        .filter(move |(field, _)| field.eq_ignore_ascii_case(name));
    lines.map(|(_, value)| value.as_bytes())
}

/// The label of the signature that was made for this protocol, whatever its version.
pub(crate) fn our_label(fields: &Fields) -> Option<String> {
    lines(fields, "signature-input").find_map(|line| {
        let input = SignatureInput::parse(line).unwrap();
        let label = input.labels().find(|label| {
            let parameters = input.get(label).unwrap().unwrap();
            let tag = parameters.tag().and_then(|tag| tag.as_plain());
            tag.is_some_and(|tag| tag.starts_with("providore-"))
        });
        label.map(String::from)
    })
}

fn parameters<'f>(fields: &'f Fields, label: &str) -> Option<SignatureParameters<'f>> {
    lines(fields, "signature-input")
        .find_map(|line| SignatureInput::parse(line).unwrap().get(label).unwrap())
}

/// The signature under a label.
pub(crate) fn signature(fields: &Fields, label: &str) -> [u8; 32] {
    let found = lines(fields, "signature")
        .find_map(|line| Signatures::parse(line).unwrap().get(label).unwrap());
    found.unwrap().to_array().unwrap()
}

pub(crate) fn drop_signature(fields: &mut Vec<(String, String)>) {
    fields.retain(|(name, _)| name != "signature-input" && name != "signature");
}

/// The base of the signature that was made for this protocol.
pub(crate) fn request_base(request: &RequestMessage) -> Option<String> {
    let label = our_label(&request.fields)?;
    let parameters = parameters(&request.fields, &label)?;
    Some(base_of_request(request, &parameters))
}

pub(crate) fn response_base(
    response: &ResponseMessage,
    request: &RequestMessage,
) -> Option<String> {
    let label = our_label(&response.fields)?;
    let parameters = parameters(&response.fields, &label)?;
    Some(base_of_response(response, request, &parameters))
}

pub(crate) fn base_of_request(
    request: &RequestMessage,
    parameters: &SignatureParameters<'_>,
) -> String {
    let mut base = Vec::new();
    let sink = |piece: &[u8]| {
        base.extend_from_slice(piece);
        Ok::<(), ParseError>(())
    };
    parts(request).signature_base(parameters, sink).unwrap();
    String::from_utf8(base).unwrap()
}

pub(crate) fn base_of_response(
    response: &ResponseMessage,
    request: &RequestMessage,
    parameters: &SignatureParameters<'_>,
) -> String {
    let mut base = Vec::new();
    let sink = |piece: &[u8]| {
        base.extend_from_slice(piece);
        Ok::<(), ParseError>(())
    };
    let response = ResponseParts {
        status: response.status,
        fields: response.fields(),
        request: Some(parts(request)),
    };
    response.signature_base(parameters, sink).unwrap();
    String::from_utf8(base).unwrap()
}

fn parts(
    request: &RequestMessage,
) -> RequestParts<'_, impl Iterator<Item = (&str, &[u8])> + Clone> {
    let target = Target::parse(&request.target).unwrap();
    RequestParts {
        method: &request.method,
        scheme: "http",
        authority: "",
        path: target.path(),
        query: target.query(),
        fields: request.fields(),
    }
}

/// What `vector.json` says of a message.
pub(crate) fn found(fields: &Fields, body: &[u8]) -> Signed {
    let challenge = lines(fields, "providore-challenge").next();
    let challenge = challenge.map(|text| String::from_utf8(text.into()).unwrap());
    let digest = lines(fields, "content-digest").next();
    let digest = digest.map(|value| DigestField::parse(value).unwrap().sha256().unwrap());
    assert!(digest.is_some() || body.is_empty() || our_label(fields).is_none());
    let mut found = Signed {
        challenge,
        content_sha256: digest.as_ref().map(Hex::from),
        ..Signed::default()
    };
    if let Some(label) = our_label(fields) {
        let parameters = parameters(fields, &label).unwrap();
        let nonce = parameters.nonce().and_then(|nonce| nonce.as_plain());
        found.created = parameters.created();
        found.expires = parameters.expires();
        found.nonce = nonce.map(|nonce| Nonce::parse(nonce).unwrap().as_bytes().into());
        found.signature = Some((&signature(fields, &label)).into());
        found.label = Some(label);
    }
    found
}
