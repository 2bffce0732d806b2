//! `firmware list`.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use providore_server_core::{
    Device, FileName, Release,
    json_files::{MANIFEST_FILE, name_of, named},
};
use serde_json::{Value, json};

use super::published::Published;
use crate::{
    Common,
    commands::{
        files::{self, Sum},
        print::{note, say, say_json, table},
    },
    failure::{OrFail as _, Outcome},
};

/// An image and how many devices have it in their record.
struct Found {
    hardware: String,
    version: String,
    file: String,
    sum: Sum,
    devices: usize,
    signed: Option<Published>,
}

pub(super) fn run(common: &Common) -> Outcome {
    let folder = common.folder();
    folder.require()?;
    let devices = folder.store()?.devices();
    let images = images(&folder.layout.firmware, &devices)?;
    for (hardware, version, count) in missing(&images, &devices) {
        note(&format!(
            "{hardware} {version} is in the record of {count} devices and has no image: it is not offered"
        ));
    }
    if common.json {
        return say_json(&images.iter().map(Found::to_json).collect());
    }
    if images.is_empty() {
        return say("there are no images: providore-server firmware add\n");
    }
    let heading = [
        "TYPE", "VERSION", "RELEASE", "FROM", "AUTHOR", "FILE", "BYTES", "DEVICES", "SHA-256",
    ];
    let mut rows = vec![heading.map(String::from)];
    rows.extend(images.iter().map(|image| {
        [
            image.hardware.clone(),
            image.version.clone(),
            image.told(|signed| signed.order.sequence().to_string()),
            image.told(|signed| signed.order.minimum().to_string()),
            image.told(|signed| signed.author.to_string()),
            image.file.clone(),
            image.sum.size.to_string(),
            image.devices.to_string(),
            image.sum.hex(),
        ]
    }));
    say(&table(&rows))
}

impl Found {
    fn to_json(&self) -> Value {
        json!({
            "type": self.hardware,
            "version": self.version,
            "file": self.file,
            "size": self.sum.size,
            "sha256": self.sum.hex(),
            "devices": self.devices,
            "sequence": self.signed.as_ref().map(|signed| signed.order.sequence()),
            "min_sequence": self.signed.as_ref().map(|signed| signed.order.minimum()),
            "key_id": self.signed.as_ref().map(|signed| signed.author.to_string()),
        })
    }

    /// What its manifest says; a dash for an image without one.
    fn told(&self, what: impl FnOnce(&Published) -> String) -> String {
        self.signed.as_ref().map_or_else(|| "-".into(), what)
    }
}

fn images(root: &Path, devices: &[Arc<Device>]) -> Outcome<Vec<Found>> {
    let mut images = Vec::new();
    for hardware in folders(root)? {
        let of_type = named(root, &hardware);
        for version in folders(&of_type)? {
            let folder = named(&of_type, &version);
            let paths = files::listing(&folder).or_fail(format!("list {}", folder.display()))?;
            let signed = Published::beside(&folder)?;
            for path in paths.iter().filter(|path| path.is_file()) {
                let file = files::name_of(path);
                if file == MANIFEST_FILE {
                    continue;
                }
                let meant = |release: &Release| {
                    release.hardware.as_str() == hardware
                        && release.version.as_str() == version
                        && release
                            .file
                            .as_ref()
                            .is_none_or(|name| name.as_str() == file)
                };
                let has = |device: &&Arc<Device>| device.releases.iter().any(meant);
                images.push(Found {
                    hardware: hardware.clone(),
                    version: version.clone(),
                    file: file.into(),
                    sum: Sum::of(path).or_fail(format!("read {}", path.display()))?,
                    devices: devices.iter().filter(has).count(),
                    signed: signed.clone(),
                });
            }
        }
    }
    Ok(images)
}

/// Releases in records that nobody can install, each with the number of devices.
fn missing(images: &[Found], devices: &[Arc<Device>]) -> Vec<(String, String, usize)> {
    let mut missing: BTreeMap<(String, String), usize> = BTreeMap::new();
    for release in devices.iter().flat_map(|device| &device.releases) {
        let (hardware, version) = (release.hardware.as_str(), release.version.as_str());
        let is_it = |found: &Found| {
            let file = release.file.as_ref().map(FileName::as_str);
            let is_file = file.is_none_or(|file| file == found.file);
            is_file && found.hardware == hardware && found.version == version
        };
        if !images.iter().any(is_it) {
            let count = missing
                .entry((hardware.into(), version.into()))
                .or_default();
            *count = count.saturating_add(1);
        }
    }
    let missing = missing.into_iter();
    missing
        .map(|((hardware, version), count)| (hardware, version, count))
        .collect()
}

/// The names of the folders in a folder that a type or a version may have.
fn folders(folder: &Path) -> Outcome<Vec<String>> {
    let paths = files::listing(folder).or_fail(format!("list {}", folder.display()))?;
    let named = paths.iter().filter(|path| path.is_dir());
    Ok(named
        .filter_map(|path| name_of(files::name_of(path)))
        .filter(|name| files::plain_name(name).is_some())
        .collect())
}
