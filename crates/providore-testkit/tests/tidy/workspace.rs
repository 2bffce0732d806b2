//! What there is to look at.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// The five crates that are the native protocol.
pub(crate) const NAMED: [&str; 5] = [
    "providore-wire",
    "providore-sign",
    "providore-pki",
    "providore-client",
    "providore-server-core",
];

/// A member of the workspace.
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    pub(crate) published: bool,
    /// Its own dependencies, other than for its tests.
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) features: Vec<String>,
}

/// A dependency as the manifest declares it.
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) optional: bool,
}

pub(crate) fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().and_then(Path::parent).unwrap()
}

pub(crate) fn members() -> Vec<Member> {
    let metadata = cargo(&["metadata", "--format-version=1", "--no-deps", "--locked"]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    packages.iter().map(member).collect()
}

pub(crate) fn published() -> Vec<Member> {
    let published: Vec<_> = members().into_iter().filter(|m| m.published).collect();
    assert!(published.len() >= 3, "members are not found");
    published
}

fn member(package: &Value) -> Member {
    let text = |value: &Value| String::from(value.as_str().unwrap());
    let dependencies = package["dependencies"].as_array().unwrap();
    Member {
        name: text(&package["name"]),
        folder: Path::new(&text(&package["manifest_path"]))
            .parent()
            .unwrap()
            .into(),
        published: package["publish"].is_null(),
        dependencies: dependencies
            .iter()
            .filter(|dependency| dependency["kind"].as_str() != Some("dev"))
            .map(|dependency| Dependency {
                name: text(&dependency["name"]),
                optional: dependency["optional"].as_bool().unwrap(),
            })
            .collect(),
        features: package["features"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect(),
    }
}

/// What cargo prints.
pub(crate) fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// Every file below a folder of the repository, apart from what is built or recorded.
pub(crate) fn files(below: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(below) else {
        return found;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let skipped = [
            ".git",
            "target",
            "corpus",
            "artifacts",
            "coverage",
            "vectors",
        ];
        if skipped.contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// Rust files of a member or of another folder below the root.
pub(crate) fn rust_files(below: &Path) -> Vec<PathBuf> {
    let mut files = files(below);
    files.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    files
}

pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|_| String::new())
}

/// A path as it is named in a failure.
pub(crate) fn shown(path: &Path) -> String {
    path.strip_prefix(root())
        .unwrap_or(path)
        .display()
        .to_string()
}

/// Fails with all that was found, so that it can be mended in one go.
pub(crate) fn assert_none(rule: &str, found: &[String]) {
    assert!(found.is_empty(), "{rule}:\n  {}", found.join("\n  "));
}
