//! Entries of the devices file, of any generation, as the commands change them.

use std::sync::Arc;

use futures_lite::future::block_on;
use providore_server_core::{
    Device, DeviceStore as _, Dialect, Order,
    json_files::{DeviceEdit, JsonStore},
};
use providore_wire::DeviceId;
use serde_json::{Map, Value};

use crate::failure::{Failure, OrFail as _, Outcome};

/// The record of a device, or a failure that says how to find the right name.
pub(crate) fn find(store: &JsonStore, id: &DeviceId) -> Outcome<Arc<Device>> {
    let device = block_on(store.device(id)).or_fail("look up the device")?;
    device.ok_or_else(|| unknown(id))
}

/// Nothing is known under this name.
pub(crate) fn unknown(id: &DeviceId) -> Failure {
    Failure::new(format!("there is no device {id}"))
        .hint("see which there are: providore-server device list")
}

/// Makes an entry an object that says its dialect. One of a first Providore says none, and may be
/// nothing but a secret: it means `original`.
pub(crate) fn spell_out(entry: &mut Value) {
    if let Value::String(secret) = entry {
        let secret = Value::String(std::mem::take(secret));
        *entry = Value::Object(Map::from_iter([("secretKey".into(), secret)]));
    }
    if let Value::Object(members) = entry {
        members
            .entry("dialect")
            .or_insert_with(|| Dialect::Original.as_str().into());
    }
}

/// The entry of a device as an object that says its dialect.
pub(crate) fn entry<'a>(
    entries: &'a mut DeviceEdit,
    id: &DeviceId,
) -> Outcome<&'a mut Map<String, Value>> {
    let entry = entries.get_mut(id.as_str()).ok_or_else(|| unknown(id))?;
    spell_out(entry);
    entry.as_object_mut().ok_or_else(|| misshapen(id, "entry"))
}

/// The releases in an entry; the single one of the second generation becomes a list.
pub(crate) fn releases<'a>(
    entry: &'a mut Map<String, Value>,
    id: &DeviceId,
) -> Outcome<&'a mut Vec<Value>> {
    let firmware = entry
        .entry("firmware")
        .or_insert_with(|| Value::Array(Vec::new()));
    if firmware.is_object() {
        *firmware = Value::Array(vec![firmware.take()]);
    }
    firmware
        .as_array_mut()
        .ok_or_else(|| misshapen(id, "firmware"))
}

/// Writes into a release where its manifest places it.
pub(crate) fn write_order(release: &mut Map<String, Value>, order: Option<Order>) {
    let Some(order) = order else { return };
    release.insert("sequence".into(), order.sequence().into());
    if order.minimum() > 0 {
        release.insert("minimumSequence".into(), order.minimum().into());
    }
}

fn misshapen(id: &DeviceId, what: &str) -> Failure {
    Failure::new(format!(
        "the {what} of {id} in the devices file is not of a known shape"
    ))
    .hint("mend the file; nothing was changed")
}
