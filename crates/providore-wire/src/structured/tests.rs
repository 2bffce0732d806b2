//! The grammar at its edges: examples after RFC 9651 sections 3 and 4.2.

extern crate alloc;
use alloc::{format, string::String};

use super::*;
use crate::ParseErrorKind;

fn check(value: &str, expected: Result<&str, (ParseErrorKind, usize)>) {
    let outcome = Dictionary::parse(value.as_bytes());
    let seen = outcome.map(|dictionary| {
        let text = dictionary.to_text::<8192>().unwrap();
        let again = Dictionary::parse(text.as_str().as_bytes()).unwrap();
        assert_eq!(again.to_text::<8192>().unwrap().as_str(), text.as_str());
        String::from(text.as_str())
    });
    let seen = seen.as_deref().map_err(|e| (e.kind(), e.offset()));
    assert_eq!(seen, expected, "{value:?}");
}

fn check_item(item: &str, expected: Result<&str, (ParseErrorKind, usize)>) {
    let expected = expected.map(|text| format!("a={text}"));
    let expected = expected.as_deref();
    check(
        &format!("a={item}"),
        expected.map_err(|(kind, offset)| (*kind, offset.saturating_add(2))),
    );
}

#[test]
fn dictionaries_are_written_in_one_spelling() {
    check("", Ok(""));
    check("   ", Ok(""));
    check(" a=1 ,\t b \t", Ok("a=1, b"));
    check("a=?1, b=?0, c=?1;x=?1;y=?0", Ok("a, b=?0, c;x;y=?0"));
    check("a;x;   y=1, *b_-.*=z", Ok("a;x;y=1, *b_-.*=z"));
    check("a=(  1   2;q )  ", Ok("a=(1 2;q)"));
    check("a=();p=\"x\"", Ok("a=();p=\"x\""));
}

#[test]
fn a_list_is_written_as_it_stands_only_if_that_is_canonical() {
    for text in ["(1 \"a\";q);x;y=:iQ==:;z=0", "(?1 -7 ?0;p=?0)", "()"] {
        check_item(text, Ok(text));
    }
    for (text, canonical) in [
        ("( 1)", "(1)"),
        ("(1 )", "(1)"),
        ("( )", "()"),
        ("(1  2)", "(1 2)"),
        ("(1; x)", "(1;x)"),
        ("(1);  x", "(1);x"),
        ("(1;x=?1)", "(1;x)"),
        ("(01)", "(1)"),
        ("(-0)", "(0)"),
        ("(-01)", "(-1)"),
        ("(1);x=00", "(1);x=0"),
        ("(:iQ:)", "(:iQ==:)"),
        ("(1);x=:iZ==:", "(1);x=:iQ==:"),
        ("(1;x=1;x=2)", "(1;x=2)"),
        ("(1);x=1;x=2", "(1);x=2"),
    ] {
        check_item(text, Ok(canonical));
    }
}

#[test]
fn the_last_of_repeated_keys_counts() {
    check("a=1, b=2, a=3", Ok("a=3, b=2"));
    check("a=1;x=1;y;x=2", Ok("a=1;x=2;y"));
    let repeated = Dictionary::parse(b"a=1, b=2, a=3").unwrap();
    assert_eq!(repeated.repeated_key(), Some("a"));
    assert_eq!(Dictionary::parse(b"a, b").unwrap().repeated_key(), None);
    let list = InnerList::parse(b"(1;a;b 2);x;y;x=2").unwrap();
    assert_eq!(list.parameters().repeated_key(), Some("x"));
    let item = list.items().next().unwrap();
    assert_eq!(item.parameters().repeated_key(), None);
}

#[test]
fn what_is_not_a_dictionary_is_refused() {
    check("a=1,", Err((ParseErrorKind::UnexpectedEnd, 4)));
    check("a=1, ", Err((ParseErrorKind::UnexpectedEnd, 5)));
    check(",a=1", Err((ParseErrorKind::UnexpectedByte, 0)));
    check("a=1,,b", Err((ParseErrorKind::UnexpectedByte, 4)));
    check("a=1 b", Err((ParseErrorKind::UnexpectedByte, 4)));
    check("\ta=1", Err((ParseErrorKind::UnexpectedByte, 0)));
    check("A=1", Err((ParseErrorKind::UnexpectedByte, 0)));
    check("1=1", Err((ParseErrorKind::UnexpectedByte, 0)));
    check("a=", Err((ParseErrorKind::UnexpectedEnd, 2)));
    check("a =1", Err((ParseErrorKind::UnexpectedByte, 2)));
    check("a= 1", Err((ParseErrorKind::UnexpectedByte, 2)));
    check("a;\tx", Err((ParseErrorKind::UnexpectedByte, 2)));
    check("a ;x", Err((ParseErrorKind::UnexpectedByte, 2)));
    check("a=\u{e4}", Err((ParseErrorKind::UnexpectedByte, 2)));
}

#[test]
fn inner_lists_are_not_nested_and_end() {
    check_item("(", Err((ParseErrorKind::UnexpectedEnd, 1)));
    check_item("(1", Err((ParseErrorKind::UnexpectedEnd, 2)));
    check_item("(1 ", Err((ParseErrorKind::UnexpectedEnd, 3)));
    check_item("(1,2)", Err((ParseErrorKind::UnexpectedByte, 2)));
    check_item("(\t1)", Err((ParseErrorKind::UnexpectedByte, 1)));
    check_item("((1))", Err((ParseErrorKind::UnexpectedByte, 1)));
    check_item("(1)2", Err((ParseErrorKind::UnexpectedByte, 3)));
    check_item("(\"a\"\"b\")", Err((ParseErrorKind::UnexpectedByte, 4)));
}

#[test]
fn integers_have_up_to_15_digits() {
    check_item("-0", Ok("0"));
    check_item("0042", Ok("42"));
    check_item("-999999999999999", Ok("-999999999999999"));
    check_item("1000000000000000", Err((ParseErrorKind::TooLong, 0)));
    check_item("-", Err((ParseErrorKind::UnexpectedEnd, 1)));
    check_item("--1", Err((ParseErrorKind::UnexpectedByte, 1)));
    check_item("+1", Err((ParseErrorKind::UnexpectedByte, 0)));
    check_item("1a", Err((ParseErrorKind::UnexpectedByte, 1)));
}

#[test]
fn types_without_a_use_here_are_named() {
    check_item("1.5", Err((ParseErrorKind::UnsupportedType, 1)));
    check_item("-0.0", Err((ParseErrorKind::UnsupportedType, 2)));
    check_item("@1659578233", Err((ParseErrorKind::UnsupportedType, 0)));
    check_item("%\"a%20\"", Err((ParseErrorKind::UnsupportedType, 0)));
    check_item("1;x=@5", Err((ParseErrorKind::UnsupportedType, 4)));
}

#[test]
fn strings_have_two_escapes() {
    check_item(r#""a \"b\" \\c""#, Ok(r#""a \"b\" \\c""#));
    check_item(r#""""#, Ok(r#""""#));
    check_item(r#""\a""#, Err((ParseErrorKind::UnexpectedByte, 2)));
    check_item(r#""a"#, Err((ParseErrorKind::UnexpectedEnd, 2)));
    check_item(r#""a\"#, Err((ParseErrorKind::UnexpectedEnd, 3)));
    check_item("\"\t\"", Err((ParseErrorKind::UnexpectedByte, 1)));
    check_item("\"\u{7f}\"", Err((ParseErrorKind::UnexpectedByte, 1)));
    check_item("\"\u{e4}\"", Err((ParseErrorKind::UnexpectedByte, 1)));
    let list = InnerList::parse(br#"("a\\\"b" "c")"#).unwrap();
    let mut items = list.items();
    let BareItem::String(escaped) = items.next().unwrap().bare() else {
        panic!("no string")
    };
    assert!(escaped == *"a\\\"b");
    assert_eq!(escaped.as_plain(), None);
    assert_eq!(
        items.next().unwrap().bare(),
        BareItem::String(QuotedString::plain("c").unwrap())
    );
    assert!(QuotedString::plain("a\"b").is_err());
    assert!(QuotedString::plain("a\nb").is_err());
}

#[test]
fn tokens_and_booleans_are_read_to_their_end() {
    check_item("*a:/%!b", Ok("*a:/%!b"));
    check_item("a\"", Err((ParseErrorKind::UnexpectedByte, 1)));
    check_item("?", Err((ParseErrorKind::UnexpectedEnd, 1)));
    check_item("?2", Err((ParseErrorKind::UnexpectedByte, 1)));
    check_item("?10", Err((ParseErrorKind::UnexpectedByte, 2)));
}

#[test]
fn base64_is_read_with_tolerance_and_written_without() {
    check_item("::", Ok("::"));
    check_item(":aGVsbG8=:", Ok(":aGVsbG8=:"));
    check_item(":aGVsbG8:", Ok(":aGVsbG8=:"));
    check_item(":aGVsbG9:", Ok(":aGVsbG8=:"));
    check_item(":iZ==:", Ok(":iQ==:"));
    check_item(":iQ=:", Ok(":iQ==:"));
    check_item(":iQ===:", Err((ParseErrorKind::InvalidBytes, 1)));
    check_item(":aaa==:", Err((ParseErrorKind::InvalidBytes, 1)));
    check_item(":aaaa=:", Err((ParseErrorKind::InvalidBytes, 1)));
    check_item(":a:", Err((ParseErrorKind::InvalidBytes, 1)));
    check_item(":=:", Err((ParseErrorKind::InvalidBytes, 1)));
    check_item(":aa==aa==:", Err((ParseErrorKind::InvalidBytes, 3)));
    check_item(":_-aa:", Err((ParseErrorKind::InvalidBytes, 1)));
    check_item(":a a:", Err((ParseErrorKind::InvalidBytes, 2)));
    check_item(":aaaa", Err((ParseErrorKind::UnexpectedEnd, 5)));
}

#[test]
fn every_limit_holds() {
    let long = format!("a=\"{}\"", "x".repeat(MAX_VALUE_LEN - 4));
    check(&long, Ok(&long));
    check(
        &format!("{long} "),
        Err((ParseErrorKind::TooLong, MAX_VALUE_LEN)),
    );
    let members = |count: usize| {
        let members = (0..count).map(|at| format!("k{at}"));
        members.reduce(|all, one| format!("{all}, {one}")).unwrap()
    };
    check(&members(MAX_MEMBERS), Ok(&members(MAX_MEMBERS)));
    check(
        &members(MAX_MEMBERS + 1),
        Err((ParseErrorKind::TooMany, members(MAX_MEMBERS + 1).len())),
    );
    let items = |count: usize| format!("({})", "1 ".repeat(count).trim_end());
    check_item(&items(MAX_ITEMS), Ok(&items(MAX_ITEMS)));
    let end = items(MAX_ITEMS + 1).len() - 1;
    check_item(&items(MAX_ITEMS + 1), Err((ParseErrorKind::TooMany, end)));
    let parameters = |count: usize| {
        let parameters = (0..count).map(|at| format!(";k{at}"));
        parameters.fold(String::from("1"), |all, one| all + &one)
    };
    check_item(&parameters(MAX_PARAMETERS), Ok(&parameters(MAX_PARAMETERS)));
    let end = parameters(MAX_PARAMETERS + 1).len();
    check_item(
        &parameters(MAX_PARAMETERS + 1),
        Err((ParseErrorKind::TooMany, end)),
    );
    let key = "k".repeat(MAX_KEY_LEN);
    check(&key, Ok(&key));
    check(&format!("{key}k"), Err((ParseErrorKind::TooLong, 0)));
}

#[test]
fn a_text_that_is_too_small_is_an_error() {
    let value = Dictionary::parse(b"a=1, b=2").unwrap();
    let error = value.to_text::<7>().unwrap_err();
    assert_eq!(error.kind(), ParseErrorKind::TooLong);
    assert_eq!(value.to_text::<8>().unwrap().as_str(), "a=1, b=2");
}
