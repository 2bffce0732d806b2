//! The list of targets, the programs for libFuzzer, the manifest and the corpora agree.

use std::{collections::BTreeSet, fs, path::Path};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn stems(folder: &str) -> BTreeSet<String> {
    fs::read_dir(root().join(folder))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .map(|path| {
            path.file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned()
        })
        .collect()
}

#[test]
fn every_target_has_a_program_a_manifest_entry_and_a_corpus() {
    let targets: BTreeSet<String> = providore_fuzz::TARGETS
        .iter()
        .map(|(name, _)| String::from(*name))
        .collect();
    assert_eq!(targets.len(), providore_fuzz::TARGETS.len());
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("the manifest");
    let programs = manifest
        .split("[[bin]]")
        .skip(1)
        .filter_map(|entry| entry.split('"').nth(1))
        .map(String::from)
        .collect();
    assert_eq!(targets, programs, "[[bin]] entries of Cargo.toml");
    assert_eq!(targets, stems("fuzz_targets"), "files in fuzz_targets/");
    assert_eq!(targets, stems("corpus"), "folders in corpus/");
}

#[test]
fn every_program_runs_the_target_of_its_name() {
    for (name, _) in providore_fuzz::TARGETS {
        let path = root().join("fuzz_targets").join(format!("{name}.rs"));
        let text = fs::read_to_string(path).expect("a program");
        assert!(
            text.contains(&format!("providore_fuzz::run(\"{name}\", data)")),
            "{name}"
        );
    }
}
