//! The worked examples of `docs/PROTOCOL.md` are the bytes of the vectors.
//!
//! A block below `<!-- vector: FILE -->` is that file of `vectors/signed/`. Behind the name may stand
//! `head`, for the head of a message without its line ends, `hex`, for bytes that cannot be read, or
//! a pointer such as `/sub_keys`, for a part of a JSON file.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]
#![expect(clippy::panic, reason = "a test fails by panicking")]

use std::{fs, path::Path};

use serde_json::Value;

/// A marked block of the page.
struct Example<'p> {
    file: &'p str,
    form: &'p str,
    block: String,
}

fn page() -> String {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(own.join("../../docs/PROTOCOL.md")).unwrap()
}

fn vector(file: &str) -> Vec<u8> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = fs::read(own.join("vectors/signed").join(file));
    read.unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// All marked blocks. A mark without one is an error.
fn examples(page: &str) -> Vec<Example<'_>> {
    let mut lines = page.lines();
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        let mark = line.strip_prefix("<!-- vector: ");
        let Some(mark) = mark.and_then(|mark| mark.strip_suffix(" -->")) else {
            continue;
        };
        let begin = lines.next().unwrap_or_default();
        assert!(begin.starts_with("```"), "no block below {mark}");
        let block: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
        let (file, form) = mark.split_once(' ').unwrap_or((mark, ""));
        found.push(Example {
            file,
            form,
            block: block.join("\n"),
        });
    }
    found
}

/// A file in the form in which the page shows it.
fn shown(file: &str, form: &str) -> String {
    let bytes = vector(file);
    if form == "hex" {
        let digits = base16ct::lower::encode_string(&bytes);
        let lines = digits.as_bytes().chunks(64);
        let lines: Vec<_> = lines
            .map(|line| core::str::from_utf8(line).unwrap())
            .collect();
        return lines.join("\n");
    }
    if form == "head" {
        let end = bytes.windows(4).position(|end| end == b"\r\n\r\n");
        let (head, _) = bytes.split_at(end.expect("a head that ends"));
        return core::str::from_utf8(head).unwrap().replace("\r\n", "\n");
    }
    let text = String::from_utf8(bytes).expect("text");
    if form.is_empty() {
        return text;
    }
    let part = json(&text).pointer(form).cloned();
    part.expect("what the page points to").to_string()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn every_example_is_its_vector() {
    let page = page();
    let examples = examples(&page);
    assert!(examples.len() >= 8, "the examples are not found");
    for Example { file, form, block } in examples {
        let shown = shown(file, form);
        if form.starts_with('/') {
            assert_eq!(json(&block), json(&shown), "{file} {form}");
        } else {
            assert_eq!(block, shown, "{file} {form}");
        }
    }
}

#[test]
fn clock_challenge_and_secrecy_have_an_example() {
    let page = page();
    let examples = examples(&page);
    for file in [
        "config-clock-200/request-base.txt",
        "config-clock-200/response-base.txt",
        "config-clock-200/plain.bin",
        "config-clock-200/ciphertext.bin",
        "config-challenge-200/request-base.txt",
    ] {
        assert!(examples.iter().any(|it| it.file == file), "{file}");
    }
}
