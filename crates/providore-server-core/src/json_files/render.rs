//! Writing `devices.json` anew: what was not changed stays as it stands, byte for byte.

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use serde_json::{Map, Value, value::RawValue};

use super::{
    devices::{DeviceEdit, LoadError, read},
    strict,
};

type Members<'a> = BTreeMap<String, &'a str>;

/// The file with these entries. `old` is the file that they were read from.
pub(super) fn render(old: &[u8], entries: &DeviceEdit) -> Result<Vec<u8>, LoadError> {
    let mut stood = Members::new();
    read(old, |id, raw| {
        stood.insert(id, raw.get());
        Ok(())
    })?;
    let entry = |id: &str, value: &Value| match (stood.get(id), value) {
        (Some(raw), value) if is_same(raw, value) => String::from(*raw),
        (Some(raw), Value::Object(members)) => changed(raw, members),
        _ => pretty(value, 1),
    };
    let entries = entries.iter().map(|(id, value)| (id, entry(id, value)));
    Ok(object(entries, 0).into_bytes())
}

/// An entry of which some members are others now.
fn changed(raw: &str, members: &Map<String, Value>) -> String {
    let stood: BTreeMap<String, &RawValue> = serde_json::from_str(raw).unwrap_or_default();
    let member = |name: &str, value: &Value| match stood.get(name) {
        Some(raw) if is_same(raw.get(), value) => raw.get().into(),
        _ => pretty(value, 2),
    };
    object(
        members
            .iter()
            .map(|(name, value)| (name, member(name, value))),
        1,
    )
}

fn is_same(raw: &str, value: &Value) -> bool {
    strict::value(raw).is_ok_and(|stood| stood == *value)
}

/// An object of members that are rendered already, at a depth.
fn object<'a>(members: impl Iterator<Item = (&'a String, String)>, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    let lines: Vec<String> = members
        .map(|(name, value)| {
            let name = Value::from(name.as_str());
            format!("\n{indent}  {name}: {value}")
        })
        .collect();
    if lines.is_empty() {
        return "{}".to_string();
    }
    format!("{{{}\n{indent}}}", lines.join(","))
}

fn pretty(value: &Value, depth: usize) -> String {
    // No string of JSON has a line end in it.
    format!("{value:#}").replace('\n', &format!("\n{}", "  ".repeat(depth)))
}
