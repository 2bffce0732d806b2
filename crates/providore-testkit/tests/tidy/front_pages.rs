//! The first screen of each published crate.

use crate::workspace::{Member, assert_none, published, read, rust_files, shown};

const LAST_LINE_OF_FIRST_EXAMPLE: usize = 30;
const LONGEST_EXAMPLE: usize = 25;

#[test]
fn every_library_is_no_std_without_condition() {
    check("no line `#![no_std]`", |_, text| {
        !text.lines().any(|line| line == "#![no_std]")
    });
}

#[test]
fn an_example_begins_on_the_first_screen() {
    check("no example by line 30", |_, text| {
        let fence = text.lines().position(|line| line.starts_with("//! ```"));
        fence.is_none_or(|line| line >= LAST_LINE_OF_FIRST_EXAMPLE)
    });
}

#[test]
fn the_first_example_is_short() {
    check("the first example has more than 25 lines", |_, text| {
        let mut fences = text
            .lines()
            .enumerate()
            .filter(|(_, line)| line.starts_with("//! ```"))
            .map(|(at, _)| at);
        match (fences.next(), fences.next()) {
            (Some(begin), Some(end)) => end - begin - 1 > LONGEST_EXAMPLE,
            _ => true,
        }
    });
}

#[test]
fn every_feature_has_a_row_in_the_table() {
    let mut wrong = Vec::new();
    for member in published() {
        let text = front_page(&member);
        for feature in public_features(&member) {
            if !text.contains(&format!("//! | `{feature}` |")) {
                wrong.push(format!("{}: {feature}", member.name));
            }
        }
    }
    assert_none("features without a row in lib.rs", &wrong);
}

#[test]
fn no_example_is_ignored() {
    let mut wrong = Vec::new();
    for member in published() {
        for path in rust_files(&member.folder.join("src")) {
            for (at, line) in read(&path).lines().enumerate() {
                let line = line.trim_start();
                if line.starts_with("//") && line.contains("```") && line.contains("ignore") {
                    wrong.push(format!("{}:{}", shown(&path), at + 1));
                }
            }
        }
    }
    assert_none("examples that never run", &wrong);
}

/// Features of the application; `default` and those that begin with `__` are not.
pub(crate) fn public_features(member: &Member) -> impl Iterator<Item = &String> {
    let private = |feature: &&String| *feature == "default" || feature.starts_with("__");
    member
        .features
        .iter()
        .filter(move |feature| !private(feature))
}

fn front_page(member: &Member) -> String {
    read(&member.folder.join("src/lib.rs"))
}

fn check(rule: &str, is_wrong: impl Fn(&Member, &str) -> bool) {
    let wrong: Vec<String> = published()
        .iter()
        .filter(|member| is_wrong(member, &front_page(member)))
        .map(|member| member.name.clone())
        .collect();
    assert_none(rule, &wrong);
}
