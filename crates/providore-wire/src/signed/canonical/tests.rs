#![expect(clippy::arithmetic_side_effects, reason = "a test fails by panicking")]

extern crate alloc;
use alloc::{format, string::String, vec::Vec};

use proptest::{collection, option, prelude::*, sample::select, test_runner::TestCaseResult};

use crate::{
    Method, ParseError, Target,
    signed::{HeadError, REQUEST_FIELDS, RequestHead},
};

type Fields = Vec<(String, Vec<u8>)>;

/// One of each field of the profile, in order.
const VALUES: [&str; 7] = [
    "text/plain",
    "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:",
    "1.0.0",
    "0123456789abcdef",
    "bytes=0-99",
    "\"tag\"",
    "\"a b\"",
];

/// All that is found.
type Seen = Result<(String, Result<Vec<u8>, ParseError>), HeadError>;

fn seen(head: Result<RequestHead<'_>, HeadError>) -> Seen {
    head.map(|head| {
        let mut base = Vec::new();
        let written = head.signature_base(|piece| {
            base.extend_from_slice(piece);
            Ok::<_, ParseError>(())
        });
        let fields = REQUEST_FIELDS.map(|name| head.field(name));
        let found = (head.device(), head.nonce(), head.validity(), head.label());
        let rest = (head.signature(), head.content_digest(), fields);
        (format!("{found:?} {rest:?}"), written.map(|()| base))
    })
}

/// Both ways say the same of these fields, or the quick one says nothing. Whether it did.
fn check(target: &str, fields: &Fields) -> Result<bool, TestCaseError> {
    let target = Target::parse(target).unwrap();
    let fields = fields.iter();
    let fields = fields.map(|(name, value)| (name.as_str(), value.as_slice()));
    let general = seen(RequestHead::parse_general(
        Method::Put,
        &target,
        fields.clone(),
    ));
    let quick = RequestHead::parse_canonical(Method::Put, &target, &fields);
    let answered = quick.is_some();
    if let Some(head) = quick {
        prop_assert_eq!(&seen(Ok(head)), &general);
    }
    prop_assert_eq!(
        seen(RequestHead::parse(Method::Put, &target, fields)),
        general
    );
    Ok(answered)
}

/// A request that covers the fields of this set.
fn canonical(set: u8, label: &str, (created, expires): (i64, i64), device: &str) -> Fields {
    let has = |index: usize| set & (1 << index) != 0;
    let names = REQUEST_FIELDS.iter().zip(VALUES).enumerate();
    let there = names.filter(|(index, _)| has(*index)).map(|(_, pair)| pair);
    let names = there.clone().map(|(name, _)| format!(" \"{name}\""));
    let covered: Vec<_> = names.collect();
    let covered = covered.concat();
    let window = if has(3) {
        String::new()
    } else {
        format!(";created={created};expires={expires}")
    };
    let input = format!(
        "{label}=(\"@method\" \"@path\" \"@query\"{covered}){window};\
         nonce=\"BwcHBwcHBwcHBwcHBwcHBw\";alg=\"hmac-sha256\";keyid=\"{device}\";tag=\"providore-2\""
    );
    let signature = format!("{label}=:{}=:", "A".repeat(43));
    let ours = [("Signature-Input", input), ("Signature", signature)];
    let there = there.map(|(name, value)| (String::from(*name), value.into()));
    let ours = ours.map(|(name, value)| (name.into(), value.into_bytes()));
    there.chain(ours).collect()
}

/// What happens to a message on its way here.
#[derive(Debug, Clone)]
enum Change {
    /// These bytes instead of so many.
    Bytes(usize, usize, &'static str),
    /// A field is there twice.
    Twice,
    /// A field is not there.
    Gone,
    /// Another field is there.
    More(&'static str, &'static str),
}

fn change() -> impl Strategy<Value = Change> {
    let texts = [
        "",
        "\"",
        "\\",
        "\\\"",
        " ",
        "  ",
        "\t",
        ",",
        ";",
        "=",
        "(",
        ")",
        ":",
        "0",
        "00",
        "-",
        "-1",
        "9",
        "A",
        "B",
        "/",
        "a",
        "@",
        "\n",
        "\u{e9}",
        ".",
        "?1",
        ";a",
        ";req",
        ";tag=\"x\"",
        ", p=1",
        "p=1, ",
        "1234567890123456",
        "253402300800",
        " \"range\"",
        "\"@path\"",
        "==",
    ];
    let more = [
        ("date", "now"),
        ("range", "bytes=1-"),
        ("signature", "p=:AA==:"),
        ("signature", "\""),
        ("signature-input", "p=()"),
        ("signature-input", ""),
        ("if-range", "\u{e9}"),
        ("content-digest", "md5=1"),
        ("providore-challenge", "short"),
        ("providore-challenge", "0123456789abcdef"),
    ];
    prop_oneof![
        6 => (any::<usize>(), 0..3_usize, select(texts.to_vec()))
            .prop_map(|(at, count, text)| Change::Bytes(at, count, text)),
        1 => Just(Change::Twice),
        1 => Just(Change::Gone),
        2 => select(more.to_vec()).prop_map(|(name, value)| Change::More(name, value)),
    ]
}

/// To one of the fields, counted from the end, where the signature is.
fn apply(fields: &mut Fields, which: usize, change: &Change) {
    if fields.is_empty() {
        return;
    }
    let which = fields.len() - 1 - which % fields.len();
    match *change {
        Change::Bytes(at, count, text) => {
            let value = &mut fields[which].1;
            let at = at % (value.len() + 1);
            let end = value.len().min(at + count);
            drop(value.splice(at..end, text.bytes()));
        }
        Change::Twice => fields.push(fields[which].clone()),
        Change::Gone => drop(fields.remove(which)),
        Change::More(name, value) => fields.push((name.into(), value.into())),
    }
}

fn message() -> impl Strategy<Value = Fields> {
    let label = "[a-z*][a-z0-9_.*-]{0,63}";
    let times = (1..253_402_300_800_i64, 1..253_402_300_800_i64);
    let device = "[a-zA-Z0-9~:+@_-]{1,64}";
    (any::<u8>(), label, times, device)
        .prop_map(|(set, label, times, device)| canonical(set, &label, times, &device))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn what_is_canonical_is_read_in_one_go(
        fields in message(), rotate in 0..9_usize, query in option::of("[a-z=&]{0,9}"),
    ) {
        let mut fields = fields;
        let count = fields.len();
        fields.rotate_left(rotate % count);
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        let answered = check(&format!("/report{query}"), &fields)?;
        prop_assert!(answered);
    }

    #[test]
    fn what_is_changed_is_read_as_by_the_grammar(
        fields in message(), changes in collection::vec((0..4_usize, change()), 1..4),
    ) {
        let mut fields = fields;
        for (which, change) in &changes {
            apply(&mut fields, *which, change);
        }
        check("/report", &fields)?;
    }
}

/// Every byte of a signature and its input, changed in every way that the grammar knows.
#[test]
fn no_byte_is_overlooked() -> TestCaseResult {
    for set in [0, 0b000_0110, 0b000_1000] {
        let fields = canonical(set, "s", (1, 22), "dev1");
        for which in 0..2 {
            let length = fields[fields.len() - 1 - which].1.len();
            for at in 0..=length {
                for text in [
                    "", "\"", " ", "0", "-", ";", "a", "A", "\\", "=", "(", "\u{e9}",
                ] {
                    for count in [0, 1] {
                        let mut fields = fields.clone();
                        apply(&mut fields, which, &Change::Bytes(at, count, text));
                        check("/report", &fields)?;
                    }
                }
            }
        }
    }
    Ok(())
}

/// Spellings that mean the same, or nothing, and are left to the grammar.
#[test]
fn other_spellings_are_left_to_the_grammar() -> TestCaseResult {
    for (from, to) in [
        ("created=1;", "created=01;"),
        ("created=1;", "created=0;"),
        ("created=1;", "created=-1;"),
        ("created=1;", "created=1.0;"),
        ("created=1;", "created=253402300800;"),
        ("created=1;", "created=1234567890123456;"),
        ("created=1;expires=22", "expires=22;created=1"),
        ("\"@method\" \"@path\"", "\"@path\" \"@method\""),
        ("\"@method\" ", "\"@method\"  "),
        ("BwcHBwcHBwcHBwcHBwcHBw", "BwcHBwcHBwcHBwcHBwcHBx"),
        ("dev1", "dev 1."),
        (";tag=", "; tag="),
        ("providore-2", "providore-3"),
    ] {
        let mut fields = canonical(0, "s", (1, 22), "dev1");
        let input = core::str::from_utf8(&fields[0].1).unwrap();
        assert!(input.contains(from));
        let other = input.replacen(from, to, 1).into_bytes();
        fields[0].1 = other;
        assert!(!check("/report", &fields)?, "{to}");
    }
    let long = "a".repeat(65);
    for label in ["", "S", "1", "a b", "a=", "\u{e9}", &long] {
        let fields = canonical(0, label, (1, 22), "dev1");
        assert!(!check("/report", &fields)?, "{label}");
    }
    Ok(())
}
