//! Which way dependencies point: `docs/ARCHITECTURE.md`, "Crates".

use alloc::collections::{BTreeMap, BTreeSet};

use crate::workspace::{NAMED, assert_none, cargo, members, published};

/// What each of the five crates may depend on among the workspace's own.
fn allowed(name: &str) -> &'static [&'static str] {
    match name {
        "providore-sign" | "providore-pki" => &["providore-wire"],
        "providore-client" | "providore-server-core" => {
            &["providore-wire", "providore-sign", "providore-pki"]
        }
        _ => &[],
    }
}

/// Executors and HTTP stacks: only behind a feature that names them, and never by default.
const ADAPTED: [&str; 16] = [
    "actix-web",
    "async-std",
    "axum",
    "edge-http",
    "embassy-executor",
    "h2",
    "http",
    "hyper",
    "hyper-util",
    "mio",
    "reqwest",
    "smol",
    "tokio",
    "tower",
    "ureq",
    "warp",
];

/// One version each, or there are two generations of one trait.
const ONE_GENERATION: [&str; 16] = [
    "block-buffer",
    "cipher",
    "const-oid",
    "crypto-common",
    "der",
    "digest",
    "ecdsa",
    "elliptic-curve",
    "hmac",
    "p256",
    "p384",
    "pkcs8",
    "sha2",
    "signature",
    "spki",
    "x509-cert",
];

#[test]
fn the_five_crates_depend_on_each_other_in_one_direction() {
    let mut wrong = Vec::new();
    for member in members() {
        if !NAMED.contains(&member.name.as_str()) {
            continue;
        }
        for dependency in &member.dependencies {
            let ours = dependency.name.starts_with("providore-");
            if ours && !allowed(&member.name).contains(&dependency.name.as_str()) {
                wrong.push(format!("{} → {}", member.name, dependency.name));
            }
        }
    }
    assert_none("dependencies against the direction", &wrong);
}

#[test]
fn nothing_published_depends_on_what_is_not() {
    let unpublished: Vec<String> = members()
        .into_iter()
        .filter(|member| !member.published)
        .map(|member| member.name)
        .collect();
    let mut wrong = Vec::new();
    for member in published() {
        for dependency in &member.dependencies {
            if unpublished.contains(&dependency.name) {
                wrong.push(format!("{} → {}", member.name, dependency.name));
            }
        }
    }
    assert_none("published crates that need an unpublished one", &wrong);
}

#[test]
fn no_published_crate_brings_both_sides_or_by_default_a_runtime() {
    let mut wrong = Vec::new();
    for member in published() {
        let everything = tree(&member.name, &["--all-features"]);
        let sides = ["providore-client", "providore-server-core"];
        if sides.iter().all(|side| everything.contains_key(*side)) {
            wrong.push(format!("{}: both sides meet in it", member.name));
        }
        let by_default = tree(&member.name, &[]);
        for name in ADAPTED {
            if by_default.contains_key(name) {
                wrong.push(format!("{}: {name} with default features", member.name));
            }
            let declared = member.dependencies.iter().find(|d| d.name == name);
            if declared.is_some_and(|dependency| !dependency.optional) {
                wrong.push(format!("{}: {name} is not optional", member.name));
            }
        }
    }
    assert_none("dependencies that belong behind a named feature", &wrong);
}

#[test]
fn there_is_one_generation_of_cryptography() {
    let mut wrong = Vec::new();
    for member in published() {
        let tree = tree(&member.name, &["--all-features"]);
        for name in ONE_GENERATION {
            if let Some(versions) = tree.get(name).filter(|versions| versions.len() > 1) {
                wrong.push(format!("{}: {name} {versions:?}", member.name));
            }
        }
    }
    assert_none("two generations", &wrong);
}

/// Name → versions of everything that a crate brings, other than for its tests.
fn tree(package: &str, more: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let mut arguments = vec!["tree", "--locked", "--edges=normal,build", "--prefix=none"];
    arguments.extend(["--target=all", "--no-dedupe", "--package", package]);
    arguments.extend(more);
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in cargo(&arguments).lines() {
        let mut words = line.split(' ');
        if let (Some(name), Some(version)) = (words.next(), words.next()) {
            found.entry(name.into()).or_default().insert(version.into());
        }
    }
    assert!(
        found.contains_key(package),
        "the tree of {package} is not read"
    );
    found
}
