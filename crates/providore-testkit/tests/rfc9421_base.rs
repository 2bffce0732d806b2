//! The examples of RFC 9421: signature bases byte for byte, and the fields written back.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use providore_sign::{MacKey as _, SoftwareKey};
use providore_wire::{
    ParseError, Target,
    message_signatures::{
        RequestParts, ResponseParts, SignatureInput, SignatureParameters, Signatures,
        signature_field,
    },
};

/// `test-shared-secret` of RFC 9421 appendix B.1.5.
const SHARED_SECRET: &str =
    "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";

/// The head of a message, read as plainly as possible.
struct Head {
    first: [String; 3],
    fields: Vec<(String, String)>,
}

impl Head {
    fn read(text: &str) -> Self {
        let mut lines = text.lines();
        let first = lines.next().unwrap().splitn(3, ' ').map(String::from);
        let first: Vec<_> = first.collect();
        let fields = lines.map(|line| line.split_once(':').unwrap());
        Self {
            first: first.try_into().unwrap(),
            fields: fields
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        }
    }

    fn fields(&self) -> impl Iterator<Item = (&str, &[u8])> + Clone {
        let fields = self.fields.iter();
        fields.map(|(name, value)| (name.as_str(), value.as_bytes()))
    }

    fn request(&self) -> RequestParts<'_, impl Iterator<Item = (&str, &[u8])> + Clone> {
        let target = Target::parse(&self.first[1]).unwrap();
        let host = self.fields.iter().find(|(name, _)| name == "Host").unwrap();
        RequestParts {
            method: &self.first[0],
            scheme: "https",
            authority: host.1.trim(),
            path: target.path(),
            query: target.query(),
            fields: self.fields(),
        }
    }
}

/// The signature base that the fields of the example describe, made from its message.
fn base(folder: &Path, parameters: &SignatureParameters<'_>) -> String {
    let head = Head::read(&fs::read_to_string(folder.join("message")).unwrap());
    let mut base = Vec::new();
    let sink = |piece: &[u8]| {
        base.extend_from_slice(piece);
        Ok::<(), ParseError>(())
    };
    if head.first[0].starts_with("HTTP/") {
        let request = fs::read_to_string(folder.join("request"));
        let request = request.ok().map(|text| Head::read(&text));
        let unbound = Head::read("GET / HTTP/1.1\nHost: unused");
        let response = ResponseParts {
            status: head.first[1].parse().unwrap(),
            fields: head.fields(),
            request: Some(request.as_ref().unwrap_or(&unbound).request()),
        };
        response.signature_base(parameters, sink).unwrap();
    } else {
        head.request().signature_base(parameters, sink).unwrap();
    }
    String::from_utf8(base).unwrap()
}

fn check(name: &str) {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/rfc9421");
    let folder = vectors.join(name);
    let field = fs::read_to_string(folder.join("signature-input")).unwrap();
    let input = SignatureInput::parse(field.as_bytes()).unwrap();
    let label = input.labels().next().unwrap();
    let parameters = input.get(label).unwrap().unwrap();
    let expected = fs::read_to_string(folder.join("base")).unwrap();
    assert_eq!(base(&folder, &parameters), expected, "{name}");
    let written = parameters.to_field::<512>(label).unwrap();
    assert_eq!(written.as_str(), field, "{name}");

    let field = fs::read_to_string(folder.join("signature")).unwrap();
    let signatures = Signatures::parse(field.as_bytes()).unwrap();
    let signature: Vec<u8> = signatures.get(label).unwrap().unwrap().iter().collect();
    let written = signature_field::<512>(label, &signature).unwrap();
    assert_eq!(written.as_str(), field, "{name}");
}

#[test]
fn requests_with_few_and_with_all_components() {
    check("b-2-1-minimal");
    check("b-2-2-selective");
    check("b-2-3-full");
    check("b-2-5-hmac");
    check("b-2-6-ed25519");
}

#[test]
fn responses_alone_and_bound_to_their_request() {
    check("b-2-4-response");
    check("draft-13-2-4-bound-response");
}

#[test]
fn a_field_on_two_lines_is_one_value() {
    check("b-4-transformed");
}

#[test]
fn the_hmac_example_verifies() {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/rfc9421");
    let folder = vectors.join("b-2-5-hmac");
    let base = fs::read(folder.join("base")).unwrap();
    let field = fs::read(folder.join("signature")).unwrap();
    let signature = Signatures::parse(&field).unwrap().get("sig-b25").unwrap();
    let mut key = SoftwareKey::new(&STANDARD.decode(SHARED_SECRET).unwrap()).unwrap();
    key.begin().unwrap();
    key.update(&base).unwrap();
    let tag = key.finish().unwrap().publish();
    assert_eq!(signature.unwrap().to_array(), Some(*tag.as_bytes()));
}
