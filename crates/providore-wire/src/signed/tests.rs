extern crate alloc;
use alloc::{boxed::Box, format, string::String, vec::Vec};

use super::*;
use crate::{Method, ParseErrorKind, Signature, Target};

type Fields = Vec<(&'static str, String)>;

/// Parses a request after `change` worked on its fields; the label of what was found, or why not.
fn check(change: impl Fn(&mut Fields), expected: Result<&str, HeadError>) {
    let mut fields = Vec::from([
        ("content-type", String::from("text/plain")),
        (
            "Content-Digest",
            String::from("sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"),
        ),
        ("signature-input", format!("s=({COVERED}){WINDOW}{REST}")),
        ("signature", format!("s=:{TAG_BASE64}:")),
    ]);
    change(&mut fields);
    let target = Target::parse("/report?x").unwrap();
    let fields = fields.iter().map(|(name, value)| (*name, value.as_bytes()));
    let head = RequestHead::parse(Method::Post, &target, fields);
    let found = head.as_ref().map(RequestHead::label);
    assert_eq!(found.map_err(|error| *error), expected);
}

const COVERED: &str = r#""@method" "@path" "@query" "content-type" "content-digest""#;
const WINDOW: &str = ";created=1;expires=2";
const REST: &str =
    r#";nonce="AAAAAAAAAAAAAAAAAAAAAA";keyid="dev1";alg="hmac-sha256";tag="providore-2""#;
const TAG_BASE64: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// With other signature parameters.
fn signed(parameters: &str) -> impl Fn(&mut Fields) + use<> {
    let value = format!("s={parameters}");
    move |fields| fields[2].1.clone_from(&value)
}

/// A name as errors have it.
fn kept(name: &'static str) -> &'static &'static str {
    Box::leak(Box::new(name))
}

fn with(name: &'static str, value: &'static str) -> impl Fn(&mut Fields) {
    move |fields| fields.push((name, value.into()))
}

#[test]
fn a_signature_is_found_by_its_tag() {
    check(|_| {}, Ok("s"));
    check(
        |fields| {
            fields[2].1 = format!(r#"p=("@path");tag="proxy", s=({COVERED}){WINDOW}{REST}, q=1"#);
            fields[3].1 = format!("p=:AA==:, s=:{TAG_BASE64}:");
        },
        Ok("s"),
    );
    check(with("signature-input", r#"p=("@path";sf)"#), Ok("s"));
}

#[test]
fn components_may_come_in_any_order() {
    check(
        signed(&format!(
            r#"("content-digest" "@query" "@method" "content-type" "@path"){WINDOW}{REST}"#
        )),
        Ok("s"),
    );
}

#[test]
fn two_signatures_of_the_profile_are_refused() {
    let twice = Err(HeadError::SignedTwice);
    let second = |label: &str| {
        let line = format!("{label}=({COVERED}){WINDOW}{REST}");
        move |fields: &mut Fields| fields.push(("signature-input", line.clone()))
    };
    check(second("t"), twice);
    check(second("s"), twice);
    check(with("signature-input", r#"s=("@path");tag="proxy""#), twice);
    check(with("signature", "s=:AA==:"), twice);
    check(
        |fields| fields[3].1 = format!("s=:AA==:, s=:{TAG_BASE64}:"),
        twice,
    );
}

#[test]
fn unsigned_messages_are_told_from_malformed_ones() {
    check(|fields| drop(fields.remove(2)), Err(HeadError::Unsigned));
    check(|fields| drop(fields.remove(3)), Err(HeadError::Unsigned));
    check(
        |fields| fields[3].1 = "t=:AA==:".into(),
        Err(HeadError::Unsigned),
    );
    check(
        signed(&format!(
            "({COVERED}){WINDOW}{}",
            REST.replace("e-2", "e-2-response")
        )),
        Err(HeadError::Unsigned),
    );
    let malformed = |name, kind, offset| {
        let cause = crate::ParseError::new(kind, offset);
        Err(HeadError::Field {
            name: kept(name),
            cause,
        })
    };
    check(
        |fields| fields[2].1 = "s=(".into(),
        malformed("signature-input", ParseErrorKind::UnexpectedEnd, 3),
    );
    check(
        |fields| fields[3].1 = "s=:AA==:".into(),
        malformed("signature", ParseErrorKind::InvalidBytes, 2),
    );
    check(
        |fields| fields[3].1 = format!("s=:{}:", TAG_BASE64.replace("A=", "B=")),
        malformed("signature", ParseErrorKind::InvalidBytes, 2),
    );
    check(
        with("content-type", "text/html"),
        malformed("content-type", ParseErrorKind::Duplicate, 0),
    );
}

#[test]
fn whatever_the_request_has_must_be_covered() {
    let missing = |name| {
        Err(HeadError::NotCovered {
            component: kept(name),
        })
    };
    for (component, of_fields) in [
        ("@method", false),
        ("@path", false),
        ("@query", false),
        ("content-type", true),
        ("content-digest", true),
    ] {
        let covered = COVERED.replace(&format!("\"{component}\""), "");
        check(
            signed(&format!("({covered}){WINDOW}{REST}")),
            missing(component),
        );
        if of_fields {
            check(
                |fields| fields.retain(|(name, _)| !name.eq_ignore_ascii_case(component)),
                Err(HeadError::Dropped {
                    component: kept(component),
                }),
            );
        }
    }
    for name in ["range", "if-range", "if-none-match", "x-firmware-version"] {
        check(with(name, "1"), missing(name));
    }
}

#[test]
fn nothing_else_may_be_covered() {
    let unknown = Err(HeadError::UnknownComponent);
    for more in [
        r#""@authority""#,
        r#""date""#,
        r#""content-type";key="a""#,
        r#""@path";req"#,
    ] {
        check(
            signed(&format!("({COVERED} {more}){WINDOW}{REST}")),
            unknown,
        );
    }
}

#[test]
fn parameters_are_those_of_the_profile() {
    let with_rest = |rest: &str| signed(&format!("({COVERED}){WINDOW}{rest}"));
    let wrong = |name| Err(HeadError::Parameter { name: kept(name) });
    for (name, from, to) in [
        ("alg", r#"alg="hmac-sha256""#, r#"alg="ed25519""#),
        ("alg", r#";alg="hmac-sha256""#, ""),
        ("keyid", r#"keyid="dev1""#, r#"keyid="../dev1""#),
        ("keyid", r#";keyid="dev1""#, ""),
        ("nonce", "AAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAA"),
        ("nonce", "AAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAB"),
    ] {
        check(with_rest(&REST.replace(from, to)), wrong(name));
    }
    check(
        with_rest(&format!("{REST};extra=1")),
        Err(HeadError::UnknownParameter),
    );
}

#[test]
fn a_request_is_fresh_in_one_way() {
    let neither = Err(HeadError::Validity);
    let challenge = |window: &str| {
        let input = format!(r#"s=({COVERED} "providore-challenge"){window}{REST}"#);
        move |fields: &mut Fields| {
            fields[2].1.clone_from(&input);
            fields.push(("Providore-Challenge", "0123456789abcdef".into()));
        }
    };
    check(challenge(""), Ok("s"));
    check(challenge(WINDOW), neither);
    check(challenge(";created=1"), neither);
    check(signed(&format!("({COVERED}){REST}")), neither);
    check(signed(&format!("({COVERED});created=1{REST}")), neither);
    check(
        signed(&format!(
            "({COVERED});created=999999999999999;expires=2{REST}"
        )),
        neither,
    );
}

#[test]
fn a_challenge_is_a_bounded_word() {
    let check = |text: &str, expected| {
        let parsed = Challenge::parse(text.as_bytes());
        assert_eq!(
            parsed.map_err(|error| error.kind()).map(|_| ()),
            expected,
            "{text}"
        );
    };
    check(&"a".repeat(16), Ok(()));
    check(&"-_Z9".repeat(16), Ok(()));
    check(&"a".repeat(15), Err(ParseErrorKind::UnexpectedEnd));
    check(&"a".repeat(65), Err(ParseErrorKind::TooLong));
    check("0123456789abcde\"", Err(ParseErrorKind::UnexpectedByte));
    check("0123456789abcde ", Err(ParseErrorKind::UnexpectedByte));
}

/// Parses a response to `GET /config` with these components.
fn check_response(covered: &str, parameters: &str, expected: Result<(), HeadError>) {
    let target = ("GET", "/config", None);
    let question = Question::new(target, "q", &Signature::new([0; 32]));
    let input = format!(r"r=({covered}){parameters}");
    let signature = format!("r=:{TAG_BASE64}:");
    let fields = [
        ("etag", &b"\"1\""[..]),
        ("date", b"now"),
        ("signature-input", input.as_bytes()),
        ("signature", signature.as_bytes()),
    ];
    let head = ResponseHead::parse(204, &question, fields);
    assert_eq!(head.map(|_| ()), expected, "{covered} {parameters}");
}

const ANSWER: &str =
    r#""@status" "etag" "@method";req "@path";req "@query";req "signature";req;key="q""#;
const OF_ANSWER: &str = r#";created=1;keyid="dev1";alg="hmac-sha256";tag="providore-2-response""#;

#[test]
fn a_response_covers_its_question() {
    check_response(ANSWER, OF_ANSWER, Ok(()));
    for (name, component) in [
        ("@status", r#""@status""#),
        ("etag", r#""etag""#),
        ("@method", r#""@method";req"#),
        ("@path", r#""@path";req"#),
        ("@query", r#""@query";req"#),
        ("signature", r#""signature";req;key="q""#),
    ] {
        let covered = ANSWER.replace(component, "");
        let missing = Err(HeadError::NotCovered {
            component: kept(name),
        });
        check_response(&covered, OF_ANSWER, missing);
    }
}

#[test]
fn a_response_covers_nothing_else() {
    let unknown = Err(HeadError::UnknownComponent);
    let other_label = ANSWER.replace(r#"key="q""#, r#"key="x""#);
    check_response(&other_label, OF_ANSWER, unknown);
    for more in [
        r#""date""#,
        r#""etag";req"#,
        r#""@authority";req"#,
        r#""location""#,
    ] {
        check_response(&format!("{ANSWER} {more}"), OF_ANSWER, unknown);
    }
}

#[test]
fn a_response_has_the_parameters_of_the_profile() {
    let wrong = |name| Err(HeadError::Parameter { name: kept(name) });
    check_response(
        ANSWER,
        &OF_ANSWER.replace(";created=1", ""),
        wrong("created"),
    );
    check_response(
        ANSWER,
        &OF_ANSWER.replace("-sha256", "-sha512"),
        wrong("alg"),
    );
    check_response(ANSWER, &format!("{OF_ANSWER};expires=2"), wrong("expires"));
    check_response(ANSWER, &format!("{OF_ANSWER};nonce=\"n\""), wrong("nonce"));
    check_response(
        ANSWER,
        &format!("{OF_ANSWER};x"),
        Err(HeadError::UnknownParameter),
    );
    check_response(
        ANSWER,
        &OF_ANSWER.replace("-response", ""),
        Err(HeadError::Unsigned),
    );
}
