//! Everything that the first Providore signed, through this workspace's `Original` dialect.
//!
//! Each vector is compared stage by stage: canonical bytes, signature, verdict. Where ours is
//! stricter on purpose, the vector stands in a table with its reason and must be refused; a row
//! that no longer matches a vector fails as well.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use providore_sign::{
    Freshness, MacKey as _, Refusal, SoftwareKey,
    original::{RequestPolicy, ResponseDates, ResponsePolicy, ResponseVerifier, verify_request},
};
use providore_testkit::vectors::{RequestVector, ResponseVector, original};
use providore_wire::{
    Method, ParseErrorKind, Target, Timestamp,
    original::{CanonicalRequest, CanonicalResponseTail, Field, Form, RequestHead, ResponseHead},
};

/// The vectors expire in 2099. This window is for comparing everything but the window.
const ANY_WINDOW: Freshness = Freshness {
    max_window_s: u32::MAX,
    max_skew_s: 0,
};

/// Vectors that ours refuses on purpose.
struct Deviation {
    servers: &'static [&'static str],
    names: &'static [&'static str],
    refused_as: Refusal,
    #[expect(dead_code, reason = "for the reader")]
    because: &'static str,
}

const NEWEST: &[&str] = &["server-ae9f3bc"];
const WITHOUT_BODY: &[&str] = &[
    "monolith-40a8069",
    "monolith-54fed1e",
    "server-defa423",
    "server-f976063",
];
const WITHOUT_VERSION: &[&str] = &["monolith-ce87c95", "monolith-47918b3", "monolith-860b36f"];

const REQUEST_DEVIATIONS: &[Deviation] = &[
    Deviation {
        servers: NEWEST,
        names: &["POST body of all 256 bytes: invalid bytes become U+FFFD"],
        refused_as: Refusal::WrongSignature,
        because: "many bodies would share one signature; no client sends a body that is not text",
    },
    Deviation {
        servers: NEWEST,
        names: &["POST application/octet-stream: likewise"],
        refused_as: Refusal::WrongSignature,
        because: "\"[object Object]\" is signed, so any body would pass",
    },
    Deviation {
        servers: WITHOUT_BODY,
        names: &[
            "POST CSR, text/plain",
            "PUT with body",
            "POST UTF-8 body",
            "POST latin1 body, charset=iso-8859-1: decoded, then re-encoded as UTF-8",
            "POST body with CRLF and a trailing newline",
            "POST body with a UTF-8 BOM: it is dropped",
            "POST body of all 256 bytes: invalid bytes become U+FFFD",
            "POST without Content-Type: the body is not read, \"[object Object]\" is signed",
            "POST application/octet-stream: likewise",
            "body that looks like another message",
        ],
        refused_as: Refusal::WrongSignature,
        because: "the body is not signed: another CSR could be put under the same headers",
    },
    Deviation {
        servers: &["monolith-40a8069"],
        names: &["PATCH with body: the body is not signed"],
        refused_as: Refusal::BodyNotCovered,
        because: "the body could be exchanged on the way",
    },
    Deviation {
        servers: WITHOUT_VERSION,
        names: &["POST CSR, text/plain", "PUT with body"],
        refused_as: Refusal::WrongSignature,
        because: "neither the version header that is sent nor the body is signed",
    },
];

/// Answers of which the signed text is not what was sent. That two firmwares share a signature is
/// the worst of the dialect's faults, and the reason that there is no mode that reproduces it.
const RESPONSE_DEVIATIONS: &[Deviation] = &[Deviation {
    servers: &["server-ae9f3bc", "monolith-40a8069"],
    names: &[
        "lone 0x80",
        "lone 0xFF (same signature as lone 0x80)",
        "overlong C0 AF",
        "cut sequence E2 82",
        "above U+10FFFF: F4 90 80 80",
        "pseudo firmware B: other bytes, same signature as A",
    ],
    refused_as: Refusal::WrongSignature,
    because: "invalid UTF-8 is signed as U+FFFD, so other bytes would pass as well",
}];

/// The server that called the header `expires`, which no deployed client reads.
const OTHER_HEADER: &str = "monolith-49d483f";

fn deviation<'a>(table: &'a [Deviation], server: &str, name: &str) -> Option<&'a Deviation> {
    table
        .iter()
        .find(|row| row.names.contains(&name) && row.servers.contains(&server))
}

#[test]
fn canonical_bytes_and_signatures_of_requests_are_equal() {
    let mut equal = 0;
    for vector in original().requests {
        let ours = canonical(&vector, Some(vector.firmware_version.trim_ascii()));
        let covers_something_else = deviation(REQUEST_DEVIATIONS, &vector.server, &vector.name)
            .is_some_and(|row| row.refused_as == Refusal::WrongSignature);
        if covers_something_else {
            assert_ne!(ours, vector.canonical, "{vector:?}");
            assert_ne!(sign(&vector.key, &ours), vector.signature, "{vector:?}");
        } else {
            assert_eq!(ours, vector.canonical, "{vector:?}");
            assert_eq!(sign(&vector.key, &ours), vector.signature, "{vector:?}");
            equal += 1;
        }
    }
    assert_eq!(equal, 43, "vectors that are reproduced");
}

#[test]
fn requests_get_the_verdict_that_is_documented() {
    for vector in original().requests {
        let expected = deviation(REQUEST_DEVIATIONS, &vector.server, &vector.name)
            .map_or(Ok(()), |row| Err(row.refused_as));
        let policy = RequestPolicy {
            freshness: ANY_WINDOW,
            allow_unversioned: true,
        };
        assert_eq!(verdict(&vector, true, &policy), expected, "{vector:?}");
    }
}

#[test]
fn a_window_of_73_years_is_refused_however_well_it_is_signed() {
    for vector in original().requests {
        let outcome = verdict(&vector, true, &RequestPolicy::default());
        if deviation(REQUEST_DEVIATIONS, &vector.server, &vector.name).is_none() {
            assert!(outcome == Err(Refusal::Window { window_s: i32::MAX }));
        } else {
            assert!(outcome.is_err());
        }
    }
}

#[test]
fn the_string_without_version_is_reproduced_and_covers_no_body() {
    let mut seen = 0;
    for vector in original().requests {
        if !WITHOUT_VERSION.contains(&vector.server.as_str()) {
            continue;
        }
        seen += 1;
        assert_eq!(canonical(&vector, None), vector.canonical);
        let mut policy = RequestPolicy {
            freshness: ANY_WINDOW,
            allow_unversioned: false,
        };
        assert_eq!(verdict(&vector, false, &policy), Err(Refusal::Unversioned));
        policy.allow_unversioned = true;
        assert_eq!(
            verdict(&vector, false, &policy),
            Err(Refusal::BodyNotCovered)
        );
    }
    assert_eq!(seen, 6);
}

#[test]
fn a_signature_from_another_key_is_refused() {
    for mut vector in original().requests {
        vector.key.push(b'x');
        let policy = RequestPolicy {
            freshness: ANY_WINDOW,
            allow_unversioned: true,
        };
        let outcome = verdict(&vector, true, &policy);
        assert_eq!(outcome, Err(Refusal::WrongSignature), "{vector:?}");
    }
}

#[test]
fn canonical_bytes_and_signatures_of_answers_are_equal() {
    let mut equal = 0;
    for vector in original().responses {
        let ours = canonical_answer(&vector);
        let signature = sign(vector.key.as_bytes(), &ours);
        assert_eq!(
            vector.signs_exact_payload,
            deviation(RESPONSE_DEVIATIONS, &vector.server, &vector.name).is_none(),
            "{vector:?}"
        );
        if vector.signs_exact_payload {
            assert_eq!(ours, vector.canonical, "{vector:?}");
            assert_eq!(signature, vector.signature, "{vector:?}");
            equal += 1;
        } else {
            assert_ne!(ours, vector.canonical, "{vector:?}");
            assert_ne!(signature, vector.signature, "{vector:?}");
        }
    }
    assert_eq!(equal, 20, "vectors that are reproduced");
}

#[test]
fn answers_get_the_verdict_that_is_documented() {
    for vector in original().responses {
        if vector.server == OTHER_HEADER {
            let error = ResponseHead::parse(fields(&vector)).unwrap_err();
            assert_eq!(error.field(), Field::Expiry);
            assert_eq!(error.cause().kind(), ParseErrorKind::Missing);
            continue;
        }
        let expected = deviation(RESPONSE_DEVIATIONS, &vector.server, &vector.name)
            .map_or(Ok(vector.payload.len() as u64), |row| Err(row.refused_as));
        let policy = ResponsePolicy {
            dates: ResponseDates::FirstProvidore,
            ..ResponsePolicy::default()
        };
        for chunk_len in [1, 64, usize::MAX] {
            let outcome = answer_verdict(&vector, &policy, chunk_len, 0);
            assert_eq!(outcome, expected, "{vector:?}");
        }
    }
}

#[test]
fn answers_that_end_when_they_begin_need_the_named_option() {
    for vector in original().responses {
        let exact = vector.signs_exact_payload && vector.server != OTHER_HEADER;
        if !exact || vector.headers["created-at"] != vector.headers["expiry"] {
            continue;
        }
        let length = vector.payload.len() as u64;
        let mut policy = ResponsePolicy::default();
        let outcome = answer_verdict(&vector, &policy, 64, 40);
        assert_eq!(outcome, Err(Refusal::Expired { ago_s: 10 }), "{vector:?}");
        policy.dates = ResponseDates::FirstProvidore;
        assert_eq!(answer_verdict(&vector, &policy, 64, 40), Ok(length));
    }
}

#[test]
fn the_request_that_is_also_an_answer_is_refused() {
    let reflection = original().weaknesses.reflection;
    let mut lines = reflection.response_canonical.rsplitn(3, '\n');
    let (expiry, created, body) = (
        lines.next().unwrap(),
        lines.next().unwrap(),
        lines.next().unwrap(),
    );
    let fields = [
        ("created-at", created.as_bytes()),
        ("expiry", expiry.as_bytes()),
        ("signature", reflection.signature.as_bytes()),
    ];
    let head = ResponseHead::parse(fields).unwrap();
    let policy = ResponsePolicy {
        freshness: ANY_WINDOW,
        ..ResponsePolicy::default()
    };
    let now = head.created();
    let key = SoftwareKey::new(b"secret").unwrap();
    let mut verifier = ResponseVerifier::begin(key, head, &policy, now, now).unwrap();
    verifier.update(body.as_bytes()).unwrap();
    assert_eq!(verifier.finish(), Err(Refusal::Reflected));
}

#[test]
fn every_row_of_the_tables_belongs_to_a_vector() {
    let vectors = original();
    let requests: Vec<_> = vectors
        .requests
        .into_iter()
        .map(|vector| (vector.server, vector.name))
        .collect();
    let responses: Vec<_> = vectors
        .responses
        .into_iter()
        .map(|vector| (vector.server, vector.name))
        .collect();
    let tables = [
        (REQUEST_DEVIATIONS, requests),
        (RESPONSE_DEVIATIONS, responses),
    ];
    for (table, vectors) in tables {
        for row in table {
            let hits = || {
                let hit = |(server, name): &&(String, String)| {
                    row.servers.contains(&server.as_str()) && row.names.contains(&name.as_str())
                };
                vectors.iter().filter(hit)
            };
            for wanted in row.servers {
                assert!(hits().any(|(server, _)| server == wanted), "{wanted}");
            }
            for wanted in row.names {
                assert!(hits().any(|(_, name)| name == wanted), "{wanted}");
            }
        }
    }
}

fn canonical(vector: &RequestVector, version: Option<&[u8]>) -> Vec<u8> {
    let request = CanonicalRequest {
        method: vector.method.parse().unwrap(),
        path: Target::parse(&vector.target).unwrap().path(),
        version,
        created: vector.created_at.as_bytes(),
        expiry: vector.expiry.as_bytes(),
    };
    assert_eq!(request.path, vector.path);
    let mut bytes = Vec::new();
    let body = vector.body.as_deref().unwrap_or_default();
    let appended = request.pieces::<()>(body, |piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    });
    assert_eq!(appended, Ok(()));
    bytes
}

fn canonical_answer(vector: &ResponseVector) -> Vec<u8> {
    let expiry = vector
        .headers
        .get("expiry")
        .or(vector.headers.get("expires"));
    let tail = CanonicalResponseTail {
        created: vector.headers.get("created-at").unwrap().as_bytes(),
        expiry: expiry.unwrap().as_bytes(),
    };
    let mut bytes = vector.payload.clone();
    let appended = tail.pieces::<()>(|piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    });
    assert_eq!(appended, Ok(()));
    bytes
}

fn sign(secret: &[u8], bytes: &[u8]) -> String {
    let mut key = SoftwareKey::new(secret).unwrap();
    key.begin().unwrap();
    key.update(bytes).unwrap();
    let signature = key.finish().unwrap().publish();
    String::from(signature.to_base64().as_str())
}

/// Receives the request in the second in which it was made.
fn verdict(vector: &RequestVector, versioned: bool, policy: &RequestPolicy) -> Result<(), Refusal> {
    let method: Method = vector.method.parse().unwrap();
    let mut fields = vec![
        ("Host", &b"example.test"[..]),
        ("Authorization", vector.authorization.as_bytes()),
        ("Created-At", vector.created_at.as_bytes()),
        ("Expiry", vector.expiry.as_bytes()),
    ];
    if versioned {
        fields.push(("X-Firmware-Version", &vector.firmware_version));
    }
    let path = Target::parse(&vector.target).unwrap().path();
    let head = RequestHead::parse(method, path, fields).unwrap();
    assert_eq!(head.device().as_str(), vector.device_id);
    assert_eq!(head.form() == Form::Versioned, versioned);
    let mut key = SoftwareKey::new(&vector.key).unwrap();
    let body = vector.body.as_deref().unwrap_or_default();
    let now = head.created();
    verify_request(head, body, &mut key, policy, now).map(|verified| {
        assert_eq!(verified.device().as_str(), vector.device_id);
        assert_eq!(verified.body(), body);
    })
}

/// Receives the answer so many seconds after it was made, for a question of the same second.
fn answer_verdict(
    vector: &ResponseVector,
    policy: &ResponsePolicy,
    chunk_len: usize,
    after_s: i64,
) -> Result<u64, Refusal> {
    let head = ResponseHead::parse(fields(vector)).unwrap();
    let asked = head.created();
    let now: Timestamp = asked.saturating_add(after_s);
    let key = SoftwareKey::new(vector.key.as_bytes()).unwrap();
    let mut verifier = ResponseVerifier::begin(key, head, policy, asked, now)?;
    for chunk in vector.payload.chunks(chunk_len) {
        verifier.update(chunk)?;
    }
    verifier.finish().map(|verified| verified.length())
}

fn fields(vector: &ResponseVector) -> impl Iterator<Item = (&str, &[u8])> {
    vector
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
}
