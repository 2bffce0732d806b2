//! Manifests of members.

use crate::{
    front_pages::public_features,
    workspace::{assert_none, members, published, read},
};

#[test]
fn every_member_inherits_the_lints() {
    let wrong: Vec<String> = members()
        .into_iter()
        .filter(|member| {
            let manifest = read(&member.folder.join("Cargo.toml"));
            !manifest.contains("[lints]\nworkspace = true\n")
        })
        .map(|member| member.name)
        .collect();
    assert_none("[lints] workspace = true is missing", &wrong);
}

#[test]
fn every_feature_is_documented_and_named_in_kebab_case() {
    let mut wrong = Vec::new();
    for member in published() {
        let manifest = read(&member.folder.join("Cargo.toml"));
        for feature in public_features(&member) {
            let documented = manifest
                .lines()
                .zip(manifest.lines().skip(1))
                .any(|(above, line)| {
                    above.starts_with("## ") && line.starts_with(&format!("{feature} = "))
                });
            let kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            if !documented || !feature.chars().all(kebab) {
                wrong.push(format!("{}: {feature}", member.name));
            }
        }
    }
    assert_none(
        "features without a `## ` line above, or not in kebab-case",
        &wrong,
    );
}

#[test]
fn every_published_crate_says_what_it_is() {
    let mut wrong = Vec::new();
    for member in published() {
        let manifest = read(&member.folder.join("Cargo.toml"));
        for field in ["description", "keywords", "categories", "license.workspace"] {
            if !manifest.contains(&format!("\n{field} = ")) {
                wrong.push(format!("{}: {field}", member.name));
            }
        }
    }
    assert_none("missing in the manifest", &wrong);
}
