//! Every public function that reads what a stranger wrote has a fuzz target.

use std::path::Path;

use crate::workspace::{assert_none, published, read, root, rust_files, shown};

/// Names of functions that read what a stranger wrote.
const READING: [&str; 10] = [
    "check",
    "from_be_bytes",
    "from_der",
    "from_pem",
    "from_pkcs8_der",
    "from_pkcs8_pem",
    "from_sec1",
    "open",
    "parse",
    "verify",
];

#[test]
fn every_public_parser_has_a_fuzz_target() {
    let targets: String = rust_files(&root().join("fuzz/src"))
        .iter()
        .map(|path| read(path))
        .collect();
    let mut found = 0;
    let mut missing = Vec::new();
    for member in published() {
        for path in rust_files(&member.folder.join("src")) {
            for call in public_readers(&path) {
                found += 1;
                if !targets.contains(&format!("{call}(")) {
                    missing.push(format!("{call} of {}", shown(&path)));
                }
            }
        }
    }
    assert!(found >= 7, "parsers are not found");
    assert_none("no target in fuzz/ calls", &missing);
}

/// `Type::function` for each function of these names that is public and takes an argument that
/// it reads, and for each invocation of a macro that writes one.
fn public_readers(path: &Path) -> Vec<String> {
    let text = read(path);
    let mut found = Vec::new();
    let (mut own, mut in_macro) = (String::new(), String::new());
    for line in text.lines().take_while(|line| *line != "#[cfg(test)]") {
        if let Some(rest) = line.strip_prefix("macro_rules! ") {
            in_macro = rest.split([' ', '{']).next().unwrap_or_default().into();
        }
        if let Some(implemented) = line.trim_start().strip_prefix("impl") {
            own = implementor(implemented);
        }
        let Some(function) = line.trim_start().strip_prefix("pub fn ") else {
            continue;
        };
        let name = function.split(['(', '<']).next().unwrap_or_default();
        if !READING.contains(&name) || function.contains("self") {
            continue;
        }
        if own.starts_with('$') {
            let invoked = format!("{in_macro}!(");
            let types = text.lines().filter_map(|line| line.strip_prefix(&invoked));
            let types = types.filter_map(|rest| rest.split(')').next());
            found.extend(types.map(|own| format!("{own}::{name}")));
        } else {
            found.push(format!("{own}::{name}"));
        }
    }
    found
}

/// `Type` of `impl<…> Trait for Type<…> {`.
fn implementor(text: &str) -> String {
    let text = match text.strip_prefix('<') {
        Some(generics) => generics.split_once("> ").map_or("", |(_, rest)| rest),
        None => text,
    };
    let text = text.rsplit(" for ").next().unwrap_or_default().trim();
    text.split(['<', ' ', '{'])
        .next()
        .unwrap_or_default()
        .into()
}
