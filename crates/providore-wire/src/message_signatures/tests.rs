//! What RFC 9421 says of components, by its examples and beyond them.

extern crate alloc;
use alloc::{format, string::String, vec::Vec};

use super::*;
use crate::{ParseError, ParseErrorKind};

const FIELDS: [(&str, &[u8]); 12] = [
    ("Host", b"www.example.com"),
    ("X-OWS-Header", b"   Leading and trailing whitespace.   "),
    ("X-Obs-Fold-Header", b"Obsolete\r\n    line folding."),
    ("Cache-Control", b"max-age=60"),
    ("CACHE-control", b"    must-revalidate"),
    ("Example-Dict", b"  a=1,    b=2;x=1;y=2,   c=(a   b   c)"),
    ("Example-Dict", b"d, a=\"last\";q=1;q=2"),
    ("X-Empty-Header", b""),
    ("Not-Dict", b"1.5 ?"),
    ("Latin", b"\xe4"),
    ("Signature", b"sig1=:aGk:, other=:AA==:"),
    ("Injected", b"a\n\"@method\": GET"),
];

type Fields = core::iter::Copied<core::slice::Iter<'static, (&'static str, &'static [u8])>>;

fn request(query: Option<&'static str>) -> RequestParts<'static, Fields> {
    RequestParts {
        method: "POST",
        scheme: "HTTPS",
        authority: "WWW.Example.com:443",
        path: "/path",
        query,
        fields: FIELDS.iter().copied(),
    }
}

/// The lines of the base, without the last one, or the error.
fn lines(
    components: &str,
    base: impl FnOnce(&SignatureParameters<'_>, &mut Vec<u8>) -> Result<(), ParseError>,
) -> Result<String, ParseErrorKind> {
    let text = format!("({components})");
    let parameters = SignatureParameters::parse(text.as_bytes()).map_err(|e| e.kind())?;
    let mut bytes = Vec::new();
    base(&parameters, &mut bytes).map_err(|e| e.kind())?;
    let bytes = String::from_utf8(bytes).unwrap();
    let last = format!("\"@signature-params\": ({components})");
    Ok(bytes
        .strip_suffix(&last)
        .unwrap()
        .trim_end_matches('\n')
        .into())
}

fn check_query(
    query: Option<&'static str>,
    component: &str,
    expected: Result<&str, ParseErrorKind>,
) {
    let seen = lines(component, |parameters, bytes| {
        request(query).signature_base(parameters, |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })
    });
    let expected = expected.map(|value| format!("{component}: {value}"));
    assert_eq!(seen, expected, "{component} of {query:?}");
}

fn check(component: &str, expected: Result<&str, ParseErrorKind>) {
    check_query(Some("a=1&b"), component, expected);
}

fn check_response(component: &str, expected: Result<&str, ParseErrorKind>) {
    let response = ResponseParts {
        status: 204,
        fields: [("Etag", &b"\"x\""[..])],
        request: Some(request(None)),
    };
    let seen = lines(component, |parameters, bytes| {
        response.signature_base(parameters, |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })
    });
    let expected = expected.map(|value| format!("{component}: {value}"));
    assert_eq!(seen, expected, "{component}");
}

#[test]
fn fields_are_trimmed_and_joined() {
    check(r#""host""#, Ok("www.example.com"));
    check(r#""x-ows-header""#, Ok("Leading and trailing whitespace."));
    check(r#""cache-control""#, Ok("max-age=60, must-revalidate"));
    check(r#""x-empty-header""#, Ok(""));
    check(
        r#""example-dict""#,
        Ok("a=1,    b=2;x=1;y=2,   c=(a   b   c), d, a=\"last\";q=1;q=2"),
    );
    check(r#""absent""#, Err(ParseErrorKind::Missing));
}

#[test]
fn no_value_can_begin_a_line_of_its_own() {
    check(
        r#""x-obs-fold-header""#,
        Err(ParseErrorKind::UnexpectedByte),
    );
    check(r#""injected""#, Err(ParseErrorKind::UnexpectedByte));
    check(r#""latin""#, Err(ParseErrorKind::UnexpectedByte));
    let mut request = request(None);
    request.path = "/a\n\"@method\": GET";
    let parameters = SignatureParameters::parse(br#"("@path")"#).unwrap();
    let outcome = request.signature_base(&parameters, |_| Ok::<(), ParseError>(()));
    assert_eq!(outcome.unwrap_err().kind(), ParseErrorKind::UnexpectedByte);
}

#[test]
fn members_of_dictionaries_are_canonical() {
    check(r#""example-dict";key="a""#, Ok("\"last\";q=2"));
    check(r#""example-dict";key="b""#, Ok("2;x=1;y=2"));
    check(r#""example-dict";key="c""#, Ok("(a b c)"));
    check(r#""example-dict";key="d""#, Ok("?1"));
    check(r#""signature";key="sig1""#, Ok(":aGk=:"));
    check(r#""example-dict";key="e""#, Err(ParseErrorKind::Missing));
    check(r#""absent";key="e""#, Err(ParseErrorKind::Missing));
    check(r#""not-dict";key="e""#, Err(ParseErrorKind::UnexpectedByte));
}

#[test]
fn derived_components_are_normalised() {
    check(r#""@method""#, Ok("POST"));
    check(r#""@scheme""#, Ok("https"));
    check(r#""@authority""#, Ok("www.example.com"));
    check(r#""@path""#, Ok("/path"));
    check(r#""@query""#, Ok("?a=1&b"));
    check(r#""@request-target""#, Ok("/path?a=1&b"));
    check(r#""@target-uri""#, Ok("https://www.example.com/path?a=1&b"));
    check(r#""@status""#, Err(ParseErrorKind::Missing));
    check_query(None, r#""@query""#, Ok("?"));
    check_query(Some(""), r#""@query""#, Ok("?"));
    check_query(None, r#""@request-target""#, Ok("/path"));
    let mut request = request(None);
    (request.path, request.authority) = ("", "[2001:DB8::1]:8443");
    let seen = lines(r#""@target-uri""#, |parameters, bytes| {
        request.signature_base(parameters, |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })
    });
    assert_eq!(
        seen.unwrap(),
        "\"@target-uri\": https://[2001:db8::1]:8443/"
    );
}

#[test]
fn query_parameters_are_encoded_in_one_way() {
    let query = Some(
        "var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace&fa%C3%A7ade%22%3A%20=something&e=&x=1&x=2&%zz=~",
    );
    let param = |name: &str| format!("\"@query-param\";name=\"{name}\"");
    check_query(
        query,
        &param("var"),
        Ok("this%20is%20a%20big%0Amultiline%20value"),
    );
    check_query(query, &param("bar"), Ok("with%20plus%20whitespace"));
    check_query(query, &param("fa%C3%A7ade%22%3A%20"), Ok("something"));
    check_query(query, &param("e"), Ok(""));
    check_query(query, &param("%25zz"), Ok("%7E"));
    check_query(query, &param("x"), Err(ParseErrorKind::Duplicate));
    check_query(query, &param("y"), Err(ParseErrorKind::Missing));
    check_query(None, &param("y"), Err(ParseErrorKind::Missing));
}

#[test]
fn a_response_is_bound_to_its_request() {
    check_response(r#""@status""#, Ok("204"));
    check_response(r#""etag""#, Ok("\"x\""));
    check_response(r#""@method";req"#, Ok("POST"));
    check_response(r#""@query";req"#, Ok("?"));
    check_response(r#""host";req"#, Ok("www.example.com"));
    check_response(r#""signature";req;key="sig1""#, Ok(":aGk=:"));
    check_response(r#""signature";key="sig1";req"#, Ok(":aGk=:"));
    check_response(r#""host""#, Err(ParseErrorKind::Missing));
    check_response(r#""@method""#, Err(ParseErrorKind::Missing));
    check_response(
        r#""@status";req"#,
        Err(ParseErrorKind::UnsupportedParameter),
    );
    check(
        r#""@method";req"#,
        Err(ParseErrorKind::UnsupportedParameter),
    );
}

fn check_parameters(text: &str, expected: Result<(), (ParseErrorKind, usize)>) {
    let seen = SignatureParameters::parse(text.as_bytes()).map(|parameters| {
        assert_eq!(parameters.to_text::<256>().unwrap().as_str(), text);
    });
    assert_eq!(seen.map_err(|e| (e.kind(), e.offset())), expected, "{text}");
}

#[test]
fn components_are_not_repeated() {
    let twice = |at| Err((ParseErrorKind::Duplicate, at));
    check_parameters(r#"("a" "a")"#, twice(5));
    check_parameters(r#"("a";req "b" "a";req)"#, twice(13));
    check_parameters(r#"("a";req;key="k" "a";key="k";req)"#, twice(17));
    check_parameters(r#"("a";req;req)"#, twice(1));
    check_parameters(
        r#"("a";req;key="k" "a";key="k" "a";key="l" "a" "a";req)"#,
        Ok(()),
    );
}

#[test]
fn components_that_are_not_supported_are_named() {
    let refused = |kind| Err((kind, 1));
    for parameter in ["sf", "bs", "tr", "name=\"x\"", "new"] {
        let text = format!("(\"a\";{parameter})");
        check_parameters(&text, refused(ParseErrorKind::UnsupportedParameter));
    }
    let unsupported = refused(ParseErrorKind::UnsupportedParameter);
    check_parameters(r#"("@path";key="x")"#, unsupported);
    check_parameters(r#"("@path";name="x")"#, unsupported);
    check_parameters(r#"("@query-param")"#, refused(ParseErrorKind::Missing));
    check_parameters(r#"("@new")"#, refused(ParseErrorKind::Unknown));
    check_parameters(r#"("@signature-params")"#, refused(ParseErrorKind::Unknown));
    check_parameters(r#"("Date")"#, refused(ParseErrorKind::UnexpectedByte));
    check_parameters(r#"("")"#, refused(ParseErrorKind::UnexpectedByte));
    check_parameters(r#"("a b")"#, refused(ParseErrorKind::UnexpectedByte));
    check_parameters(r#"("a";key="K")"#, refused(ParseErrorKind::UnexpectedByte));
    check_parameters("(date)", refused(ParseErrorKind::WrongType));
    check_parameters(r#"("a";req=1)"#, refused(ParseErrorKind::WrongType));
    check_parameters(r#"("a";key=k)"#, refused(ParseErrorKind::WrongType));
}

#[test]
fn parameters_have_one_type_each() {
    let all = r#"();created=1;expires=2;nonce="n";alg="a";keyid="k";tag="t""#;
    check_parameters(all, Ok(()));
    let parameters = SignatureParameters::parse(all.as_bytes()).unwrap();
    let plain = |text: Option<crate::structured::QuotedString<'static>>| text?.as_plain();
    assert_eq!(parameters.created(), Some(1));
    assert_eq!(parameters.expires(), Some(2));
    assert_eq!(plain(parameters.nonce()), Some("n"));
    assert_eq!(plain(parameters.algorithm()), Some("a"));
    assert_eq!(plain(parameters.key_id()), Some("k"));
    assert_eq!(plain(parameters.tag()), Some("t"));
    assert_eq!(parameters.unknown_parameter(), None);
    let unknown = SignatureParameters::parse(b"();tag=\"t\";new=1;created=1").unwrap();
    assert_eq!(unknown.unknown_parameter(), Some("new"));
    check_parameters("();created", Err((ParseErrorKind::WrongType, 0)));
    check_parameters("();created=\"1\"", Err((ParseErrorKind::WrongType, 0)));
    check_parameters("();keyid=k", Err((ParseErrorKind::WrongType, 0)));
    check_parameters(
        "();created=1;created=1",
        Err((ParseErrorKind::Duplicate, 0)),
    );
}

#[test]
fn one_label_has_one_signature() {
    let kind = |error: ParseError| error.kind();
    let twice = SignatureInput::parse(b"a=(), a=()").map_err(kind);
    assert_eq!(twice.unwrap_err(), ParseErrorKind::Duplicate);
    let twice = Signatures::parse(b"a=:AA==:, a=:AA==:").map_err(kind);
    assert_eq!(twice.unwrap_err(), ParseErrorKind::Duplicate);
    let item = SignatureInput::parse(b"a=(), b=1").unwrap();
    assert_eq!(item.get("b").unwrap_err().kind(), ParseErrorKind::WrongType);
    assert!(item.get("a").unwrap().is_some());
    assert!(item.labels().eq(["a", "b"]));
}

#[test]
fn a_request_for_a_signature_has_flags_instead_of_times() {
    let accept = AcceptSignature::parse(
        br#"a=("@status");created;expires;nonce="n";alg="x";keyid="k", b=();created=1, c"#,
    )
    .unwrap();
    let wanted = accept.get("a").unwrap().unwrap();
    assert!(wanted.wants_created() && wanted.wants_expires());
    assert_eq!(wanted.components().count(), 1);
    assert_eq!(wanted.nonce().unwrap().as_plain(), Some("n"));
    assert_eq!(wanted.algorithm().unwrap().as_plain(), Some("x"));
    assert_eq!(wanted.key_id().unwrap().as_plain(), Some("k"));
    assert!(wanted.tag().is_none());
    for label in ["b", "c"] {
        let error = accept.get(label).unwrap_err();
        assert_eq!(error.kind(), ParseErrorKind::WrongType);
    }
    assert!(accept.labels().eq(["a", "b", "c"]));
}

fn check_draft(draft: &Draft<'_>, expected: Result<&str, ParseErrorKind>) {
    let text = draft.to_text::<128>();
    let seen = text.as_ref().map(|text| {
        SignatureParameters::parse(text.as_str().as_bytes()).unwrap();
        text.as_str()
    });
    assert_eq!(seen.map_err(ParseError::kind), expected);
}

#[test]
fn what_is_drafted_can_be_read() {
    let components = [
        Component::derived(Derived::Method).of_request(),
        Component::query_param("a%20b"),
        Component::member("signature", "s").of_request(),
    ];
    let draft = Draft::new(&components)
        .created(1)
        .expires(2)
        .nonce("n")
        .key_id("k")
        .tag("t");
    check_draft(
        &draft,
        Ok(
            r#"("@method";req "@query-param";name="a%20b" "signature";req;key="s");created=1;expires=2;nonce="n";keyid="k";tag="t""#,
        ),
    );
    check_draft(
        &draft.algorithm("much-too-long"),
        Err(ParseErrorKind::TooLong),
    );
    check_draft(&Draft::new(&[]), Ok("()"));
}

#[test]
fn what_could_not_be_read_is_not_drafted() {
    let check_one = |component: Component<'_>, kind| {
        check_draft(&Draft::new(&[component]), Err(kind));
    };
    check_one(Component::field("Date"), ParseErrorKind::UnexpectedByte);
    check_one(Component::field("a\" \"b"), ParseErrorKind::UnexpectedByte);
    check_one(Component::field("@path"), ParseErrorKind::Unknown);
    check_one(
        Component::member("a", "k\""),
        ParseErrorKind::UnexpectedByte,
    );
    check_one(Component::query_param("\""), ParseErrorKind::UnexpectedByte);
    check_one(
        Component::derived(Derived::QueryParam),
        ParseErrorKind::Missing,
    );
    let status = Component::derived(Derived::Status);
    check_one(status.of_request(), ParseErrorKind::UnsupportedParameter);
    check_draft(
        &Draft::new(&[status, status]),
        Err(ParseErrorKind::Duplicate),
    );
    check_draft(
        &Draft::new(&[]).nonce("a\"b"),
        Err(ParseErrorKind::UnexpectedByte),
    );
    check_draft(
        &Draft::new(&[]).created(1_000_000_000_000_000),
        Err(ParseErrorKind::OutOfRange),
    );
    let parameters = SignatureParameters::parse(b"()").unwrap();
    assert!(parameters.to_field::<64>("Label").is_err());
    assert!(signature_field::<64>("a b", b"").is_err());
}

#[test]
fn a_status_has_three_digits() {
    let parameters = SignatureParameters::parse(br#"("@status")"#).unwrap();
    for status in [0, 99, 1000] {
        let response = ResponseParts {
            status,
            fields: [],
            request: None::<RequestParts<'_, [(&str, &[u8]); 0]>>,
        };
        let outcome = response.signature_base(&parameters, |_| Ok::<(), ParseError>(()));
        assert_eq!(outcome.unwrap_err().kind(), ParseErrorKind::OutOfRange);
    }
}
