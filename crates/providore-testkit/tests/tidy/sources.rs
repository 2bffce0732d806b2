//! Every file in the repository.

use crate::workspace::{assert_none, files, members, read, root, rust_files, shown};

const LONGEST_FILE: usize = 600;

/// In two parts each, or this file would find itself.
const FORBIDDEN: [(&str, &str); 9] = [
    ("TO", "DO"),
    ("FIX", "ME"),
    ("XX", "X:"),
    ("todo", "!("),
    ("/ro", "ot/"),
    ("/wo", "rk/"),
    ("/home", "/"),
    ("/tm", "p/"),
    ("arti", "factory"),
];

#[test]
fn no_file_is_too_long() {
    let mut wrong = Vec::new();
    for member in members() {
        for path in rust_files(&member.folder.join("src")) {
            let text = read(&path);
            let lines = text
                .lines()
                .take_while(|line| *line != "#[cfg(test)]")
                .count();
            if lines > LONGEST_FILE {
                wrong.push(format!("{}: {lines} lines", shown(&path)));
            }
        }
    }
    assert_none("over 600 lines without tests", &wrong);
}

#[test]
fn nothing_is_left_undone_and_no_machine_is_named() {
    let mut wrong = Vec::new();
    for path in files(root()) {
        for (at, line) in read(&path).lines().enumerate() {
            for (head, tail) in FORBIDDEN {
                let word = format!("{head}{tail}");
                if line.contains(&word) {
                    wrong.push(format!("{}:{}: {word}", shown(&path), at + 1));
                }
            }
        }
    }
    assert_none("left undone, or a path of one machine", &wrong);
}

#[test]
fn lints_are_expected_with_a_reason_and_never_allowed() {
    let allow = concat!("#[all", "ow(");
    let allow_all = concat!("#![all", "ow(");
    let mut wrong = Vec::new();
    for path in rust_files(root()) {
        for (at, line) in read(&path).lines().enumerate() {
            if line.contains(allow) || line.contains(allow_all) {
                wrong.push(format!("{}:{}", shown(&path), at + 1));
            }
        }
    }
    assert_none("use #[expect(lint, reason = \"…\")]", &wrong);
}
