//! Runs every target over its corpus, and over every small change of each input, on any toolchain.

use std::{fs, path::Path};

/// Changing every byte of a longer input takes too long; it is cut instead.
const LONGEST_CHANGED: usize = 512;

#[test]
fn every_target_over_its_corpus() {
    for (name, target) in providore_fuzz::TARGETS {
        let inputs = corpus(name);
        assert!(!inputs.is_empty(), "corpus/{name} is empty");
        let mut runs = 0_usize;
        for input in &inputs {
            target(input);
            runs += 1 + changed(input, target);
        }
        target(b"");
        println!(
            "{name}: {} inputs, {runs} runs with their changes",
            inputs.len()
        );
    }
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

/// Cuts the input at each byte, and flips, drops and doubles each byte.
fn changed(input: &[u8], target: &fn(&[u8])) -> usize {
    let input = &input[..input.len().min(LONGEST_CHANGED)];
    for at in 0..input.len() {
        target(&input[..at]);
        let mut other = input.to_vec();
        for bit in [0x01, 0x20, 0x80] {
            other[at] = input[at] ^ bit;
            target(&other);
        }
        other.remove(at);
        target(&other);
        other.insert(at, input[at]);
        other.insert(at, input[at]);
        target(&other);
    }
    input.len() * 6
}
