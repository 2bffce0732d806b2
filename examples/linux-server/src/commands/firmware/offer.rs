//! The records of the devices that a release is offered to.

use providore_server_core::{
    FileName, Order,
    json_files::{DeviceEdit, JsonStore},
};
use providore_wire::{DeviceId, FirmwareVersion};
use serde_json::{Map, Value};

use super::published::{self, Published};
use crate::{
    commands::records,
    failure::{Failure, Outcome},
};

/// A release that is published.
pub(super) struct Offer<'a> {
    pub(super) hardware: &'a FirmwareVersion,
    pub(super) version: &'a FirmwareVersion,
    pub(super) file: &'a FileName,
    pub(super) order: Option<Order>,
    /// What else its type has with manifests.
    pub(super) published: &'a [Published],
}

/// Whom it was offered to.
#[derive(Default)]
pub(super) struct Offered {
    pub(super) devices: Vec<String>,
    /// The versions that some are offered as well, to get there.
    pub(super) steps: Vec<String>,
}

/// Adds the release to these devices, or to all whose last version is of its type, and what they
/// need on the way to it.
pub(super) fn offer(
    store: &JsonStore,
    devices: &[DeviceId],
    offer: &Offer<'_>,
) -> Outcome<Offered> {
    store.edit(|entries: &mut DeviceEdit| {
        // Chosen under the lock: a device that was added meanwhile is not forgotten.
        let ids: Vec<DeviceId> = if devices.is_empty() {
            let ids = entries
                .iter()
                .filter(|entry| last_type(entry.1) == Some(offer.hardware.as_str()));
            ids.filter_map(|entry| entry.0.parse().ok()).collect()
        } else {
            devices.to_vec()
        };
        let mut steps = Vec::new();
        for id in &ids {
            for step in extend(entries, id, offer)? {
                let version = step.version.to_string();
                if !steps.contains(&version) {
                    steps.push(version);
                }
            }
        }
        let devices = ids.iter().map(ToString::to_string).collect();
        Ok(Offered { devices, steps })
    })
}

fn last_type(entry: &Value) -> Option<&str> {
    let firmware = entry.get("firmware")?;
    let last = firmware.as_array().map_or(Some(firmware), |all| all.last());
    field(last?, "type")
}

fn field<'a>(release: &'a Value, name: &str) -> Option<&'a str> {
    release.get(name)?.as_str()
}

/// Adds the release to one device, and the steps to it, which are returned.
fn extend(entries: &mut DeviceEdit, id: &DeviceId, offer: &Offer<'_>) -> Outcome<Vec<Published>> {
    let hardware = offer.hardware.as_str();
    let releases = records::releases(records::entry(entries, id)?, id)?;
    let is_other = |release: &Value| field(release, "type") != Some(hardware);
    if releases.last().is_some_and(is_other) {
        return Err(other_hardware(id, offer));
    }
    let has: Vec<Order> = releases.iter().filter_map(order_of).collect();
    let steps = match offer.order {
        Some(order) => published::steps(order, &has, offer.published),
        None => Vec::new(),
    };
    for step in &steps {
        place(releases, &step.version, None, Some(step.order), hardware);
    }
    let known = releases
        .iter_mut()
        .find(|release| field(release, "version") == Some(offer.version.as_str()));
    if let Some(known) = known {
        settle(known, id, offer)?;
    } else {
        place(
            releases,
            offer.version,
            Some(offer.file),
            offer.order,
            hardware,
        );
    }
    Ok(steps)
}

fn order_of(release: &Value) -> Option<Order> {
    let number = |name: &str| release.get(name).and_then(Value::as_u64);
    Order::new(number("sequence")?, number("minimumSequence").unwrap_or(0))
}

/// Puts a new release behind those that are older, and links it to its neighbours.
fn place(
    releases: &mut Vec<Value>,
    version: &FirmwareVersion,
    file: Option<&FileName>,
    order: Option<Order>,
    hardware: &str,
) {
    let is_newer = |release: &Value| match (order_of(release), order) {
        (Some(known), Some(order)) => known.sequence() > order.sequence(),
        _ => false,
    };
    let index = releases.iter().position(is_newer);
    let index = index.unwrap_or(releases.len());
    let mut release = Map::new();
    release.insert("type".into(), hardware.into());
    release.insert("version".into(), version.as_str().into());
    if let Some(following) = releases.get(index).and_then(|next| next.get("version")) {
        release.insert("next".into(), following.clone());
    }
    let before = index
        .checked_sub(1)
        .and_then(|before| releases.get_mut(before));
    if let Some(before) = before.and_then(Value::as_object_mut) {
        before.insert("next".into(), version.as_str().into());
        if let Some(config) = before.get("config") {
            release.insert("config".into(), config.clone());
        }
    }
    if let Some(file) = file {
        release.insert("file".into(), file.as_str().into());
    }
    records::write_order(&mut release, order);
    releases.insert(index, release.into());
}

/// The device has this version: nothing to do, unless its record names another image for it, or does
/// not know yet that its author has signed it.
fn settle(release: &mut Value, id: &DeviceId, offer: &Offer<'_>) -> Outcome {
    if field(release, "type") != Some(offer.hardware.as_str()) {
        return Err(other_hardware(id, offer));
    }
    match field(release, "file") {
        Some(named) if named != offer.file.as_str() => {
            return Err(Failure::new(format!(
                "{id} has version {} with the file {named}",
                offer.version
            ))
            .hint("give the new image a new version"));
        }
        _ => {}
    }
    if let Some(release) = release.as_object_mut() {
        release.insert("file".into(), offer.file.as_str().into());
        records::write_order(release, offer.order);
    }
    Ok(())
}

fn other_hardware(id: &DeviceId, offer: &Offer<'_>) -> Failure {
    Failure::new(format!("{id} is not of the type {}", offer.hardware)).hint(format!(
        "its image could leave the device dead; see what it is: providore-server device show {id}"
    ))
}
