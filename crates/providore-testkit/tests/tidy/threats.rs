//! What `docs/THREATS.md` says a test shows, a test of that name does.

use crate::workspace::{assert_none, read, root, rust_files, shown};

/// Fewer are named only if the tables are not found.
const AT_LEAST: usize = 50;

#[test]
fn every_test_that_is_named_exists() {
    let mut tests = Vec::new();
    for below in ["crates", "examples"] {
        for path in rust_files(&root().join(below)) {
            tests.push((shown(&path), read(&path)));
        }
    }
    let page = read(&root().join("docs/THREATS.md"));
    let (mut named, mut wrong) = (0, Vec::new());
    for name in page.lines().flat_map(names) {
        named += 1;
        let (file, test) = name.split_once("::").unwrap_or((name, ""));
        let end = format!("/{file}.rs");
        let begin = match test {
            "" => String::from("fn "),
            _ => format!("fn {test}("),
        };
        let mut files = tests.iter().filter(|(path, _)| path.ends_with(&end));
        let exists = files.any(|(_, text)| text.contains(&begin));
        if !exists && !root().join(file).is_file() {
            wrong.push(String::from(name));
        }
    }
    assert!(named >= AT_LEAST, "only {named} tests are named");
    assert_none("docs/THREATS.md names tests that do not exist", &wrong);
}

fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// What stands between backticks in the last cell of a row, and wherever it has two colons.
fn names(line: &str) -> impl Iterator<Item = &str> {
    let row = line
        .strip_prefix("| ")
        .and_then(|row| row.strip_suffix(" |"));
    let (before, shown_by) = match row {
        Some(row) => row.rsplit_once(" | ").unwrap_or((row, "")),
        None => (line, ""),
    };
    let in_prose = quoted(before).filter(|name| name.contains("::"));
    in_prose.chain(quoted(shown_by))
}
