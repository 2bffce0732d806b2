//! `firmware list`.

use std::{path::Path, sync::Arc};

use providore_server_core::{Device, Release};
use serde_json::{Value, json};

use crate::{
    Common,
    commands::{
        files::{self, Sum},
        print::{say, say_json, table},
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
}

pub(super) fn run(common: &Common) -> Outcome {
    let folder = common.folder();
    folder.require()?;
    let devices = folder.store()?.devices();
    let images = images(&folder.layout.firmware, &devices)?;
    if common.json {
        return say_json(&images.iter().map(Found::to_json).collect());
    }
    if images.is_empty() {
        return say("there are no images: providore-server firmware add\n");
    }
    let heading = ["TYPE", "VERSION", "FILE", "BYTES", "DEVICES", "SHA-256"];
    let mut rows = vec![heading.map(String::from)];
    rows.extend(images.iter().map(|image| {
        [
            image.hardware.clone(),
            image.version.clone(),
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
        })
    }
}

fn images(root: &Path, devices: &[Arc<Device>]) -> Outcome<Vec<Found>> {
    let mut images = Vec::new();
    for hardware in folders(root)? {
        for version in folders(&root.join(&hardware))? {
            let folder = root.join(&hardware).join(&version);
            let paths = files::listing(&folder).or_fail(format!("list {}", folder.display()))?;
            for path in paths.iter().filter(|path| path.is_file()) {
                let file = files::name_of(path);
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
                });
            }
        }
    }
    Ok(images)
}

/// The names of the folders in a folder that a type or a version may have.
fn folders(folder: &Path) -> Outcome<Vec<String>> {
    let paths = files::listing(folder).or_fail(format!("list {}", folder.display()))?;
    let named = paths.iter().filter(|path| path.is_dir());
    Ok(named
        .map(|path| files::name_of(path))
        .filter(|name| files::plain_name(name).is_some())
        .map(String::from)
        .collect())
}
