//! Runs every target over its corpus, and over every small change of each input, on any toolchain.

use std::{fs, path::Path, thread};

/// Changing every byte of a longer input takes too long; it is cut instead.
const LONGEST_CHANGED: usize = 512;

#[test]
fn every_target_over_its_corpus() {
    thread::scope(|scope| {
        for (name, target) in providore_fuzz::TARGETS {
            thread::Builder::new()
                .name((*name).into())
                .spawn_scoped(scope, || replay(name, *target))
                .expect("a thread");
        }
    });
}

fn replay(name: &str, target: providore_fuzz::Target) {
    let inputs = corpus(name);
    assert!(!inputs.is_empty(), "corpus/{name} is empty");
    target(b"");
    let mut runs = 1;
    for input in &inputs {
        target(input);
        runs += 1 + changed(input, target);
    }
    println!(
        "{name}: {} inputs, {runs} runs with their changes",
        inputs.len()
    );
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(name);
    let entries = fs::read_dir(&folder).expect("a folder in corpus/ for each target");
    entries
        .map(|entry| fs::read(entry.expect("an entry").path()).expect("a file"))
        .collect()
}

/// Cuts the input at each byte, and flips a bit of, drops and doubles each byte.
fn changed(input: &[u8], target: providore_fuzz::Target) -> usize {
    let input = &input[..input.len().min(LONGEST_CHANGED)];
    for at in 0..input.len() {
        target(&input[..at]);
        let mut other = input.to_vec();
        other[at] ^= 1 << (at % 8);
        target(&other);
        other.remove(at);
        target(&other);
        other.insert(at, input[at]);
        other.insert(at, input[at]);
        target(&other);
    }
    input.len() * 4
}
