//! Members that are nearly known: a person meant one of ours and wrote another.

use alloc::{format, string::String, vec, vec::Vec};

use serde_json::{Map, Value};

const ENTRY: [&str; 7] = [
    "secretKey",
    "nextSecretKey",
    "dialect",
    "firmware",
    "certificate",
    "names",
    "disabled",
];
const RELEASE: [&str; 7] = [
    "type",
    "version",
    "file",
    "config",
    "next",
    "sequence",
    "minimumSequence",
];
const CERTIFICATE: [&str; 2] = ["extensions", "days"];

/// Those that let a device in, or in a weaker way, if they are not seen.
const GUARDS: [&str; 2] = ["disabled", "dialect"];

/// Refuses an entry that would let a device in although its operator meant otherwise.
pub(super) fn refuse_doubtful(entry: &Map<String, Value>) -> Result<(), String> {
    for name in entry.keys() {
        match meant(name, &ENTRY) {
            Some(meant) if GUARDS.contains(&meant) => {
                return Err(format!(
                    "its member {name:?} is not known; is {meant:?} meant?"
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

/// What else in an entry looks like a slip, in words.
pub(super) fn doubts(id: &str, entry: &Value) -> Vec<String> {
    let Value::Object(members) = entry else {
        return Vec::new();
    };
    let mut parts = vec![(members, &ENTRY[..])];
    for release in objects(members.get("firmware")) {
        parts.push((release, &RELEASE));
    }
    for certificate in objects(members.get("certificate")) {
        parts.push((certificate, &CERTIFICATE));
    }
    let slips = parts.into_iter().flat_map(|(members, known)| {
        let slip = |name: &String| Some((name.clone(), meant(name, known)?));
        members.keys().filter_map(slip).collect::<Vec<_>>()
    });
    slips
        .map(|(name, meant)| {
            format!("device {id:?}: its member {name:?} means nothing; is {meant:?} meant?")
        })
        .collect()
}

/// The objects in a list, or the one that stands in its place.
fn objects(value: Option<&Value>) -> Vec<&Map<String, Value>> {
    match value {
        Some(Value::Array(values)) => values.iter().filter_map(Value::as_object).collect(),
        Some(Value::Object(one)) => vec![one],
        _ => Vec::new(),
    }
}

/// Which of the known names was probably meant; `None` for one of them, and for others.
fn meant(name: &str, known: &[&'static str]) -> Option<&'static str> {
    if known.contains(&name) {
        return None;
    }
    let plain: String = name
        .chars()
        .filter(|letter| !matches!(letter, '_' | '-' | ' '))
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    if plain == "enabled" && known.contains(&"disabled") {
        return Some("disabled");
    }
    known.iter().copied().find(|known| {
        // One slip in a short word makes another word.
        let slips = if known.len() < 6 { 1 } else { 2 };
        distance(&plain, &known.to_ascii_lowercase()) <= slips
    })
}

/// The edit distance (Levenshtein); names that are far too long are not looked at.
fn distance(one: &str, other: &str) -> usize {
    if one.len().abs_diff(other.len()) > 2 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (above, letter) in one.chars().enumerate() {
        let mut left = above.saturating_add(1);
        let mut next = vec![left];
        for (pair, candidate) in row.windows(2).zip(other.chars()) {
            let [diagonal, up] = pair else { continue };
            let replaced = diagonal.saturating_add(usize::from(candidate != letter));
            left = replaced
                .min(up.saturating_add(1))
                .min(left.saturating_add(1));
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_told_from_a_name_of_somebody_elses() {
        let check = |name: &str, expected: Option<&str>| {
            assert_eq!(meant(name, &ENTRY), expected, "{name}");
        };
        check("disabled", None);
        for slip in ["disable", "Disabled", "disbaled", "enabled", "dis_abled"] {
            check(slip, Some("disabled"));
        }
        check("dialekt", Some("dialect"));
        check("secret_key", Some("secretKey"));
        check("next-secret-key", Some("nextSecretKey"));
        check("name", Some("names"));
        check("certificates", Some("certificate"));
        for other in ["", "room", "note", "comment", "x", &"disabled".repeat(99)] {
            check(other, None);
        }
    }
}
