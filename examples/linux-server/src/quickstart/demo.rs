//! What the demo is about: one device, two firmware versions, a configuration for each.

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use providore_server_core::json_files::write_private;
use serde_json::json;

use super::story::Story;
use crate::{
    clock,
    data::DataFolder,
    failure::{Failure, OrFail as _, Outcome},
};

/// The name of the demo device.
pub(super) const DEVICE: &str = "demo-device";

/// Its hardware.
const BOARD: &str = "demo-board";

/// What it runs first, and what it is updated to.
pub(super) const VERSIONS: [&str; 2] = ["1.0.0", "2.0.0"];

/// The first bytes of its images, which an image for other hardware would not have.
pub(super) const MAGIC: &[u8] = b"\xE9demo-board\n";

/// How large its images are.
const IMAGE_LEN: usize = 256 * 1024;

/// The demo, prepared.
pub(super) struct Demo {
    /// The secret that device and server share.
    pub(super) secret: String,
}

impl Demo {
    /// Makes or renews the demo in a data folder. The device gets a fresh secret each time, since
    /// nobody can read the old one out of the server.
    pub(super) fn prepare(folder: &DataFolder) -> Outcome<Self> {
        let store = folder.quiet_store()?;
        folder.authority(&store, crate::serve::ca_password().as_deref())?;
        let write = |path: &Path, bytes: &[u8]| {
            write_private(path, bytes).or_fail(format!("write {}", path.display()))
        };
        for (version, interval_s) in VERSIONS.into_iter().zip([60, 300]) {
            let config = json!({
                "for_version": version,
                "mqtt": { "host": "mqtt.example", "port": 8883 },
                "interval_s": interval_s,
            });
            let path = folder
                .layout
                .config
                .join(DEVICE)
                .join(format!("{version}.json"));
            write(&path, config.to_string().as_bytes())?;
            let path = folder
                .layout
                .firmware
                .join(BOARD)
                .join(version)
                .join("firmware.bin");
            write(&path, &image(version))?;
        }
        let secret = URL_SAFE_NO_PAD.encode(clock::entropy::<32>());
        let [first, second] = VERSIONS;
        let entry = json!({
            "secretKey": secret,
            "dialect": "signed",
            "firmware": [
                release(first, Some(second)),
                release(second, None),
            ],
        });
        store.edit::<_, Failure>(|devices| {
            devices.insert(DEVICE.into(), entry);
            Ok(())
        })?;
        Ok(Self { secret })
    }

    /// What is there now.
    pub(super) fn tell(story: &Story, data: &Path) {
        let [first, second] = VERSIONS;
        story.fact("folder", data.display());
        story.fact(
            "made",
            "a certificate authority: a root, and an intermediate that issues (P-256)",
        );
        story.fact(
            "made",
            format!("the device {DEVICE} with a secret of 256 random bits"),
        );
        story.fact(
            "made",
            format!("firmware {first} and {second}, with a configuration for each"),
        );
    }
}

fn release(version: &str, next: Option<&str>) -> serde_json::Value {
    let mut release = json!({
        "type": BOARD,
        "version": version,
        "file": "firmware.bin",
        "config": format!("{version}.json"),
    });
    if let (Some(next), Some(release)) = (next, release.as_object_mut()) {
        release.insert("next".into(), next.into());
    }
    release
}

/// An image that is the same at every run: the magic, the version, and filler.
fn image(version: &str) -> Vec<u8> {
    let mut image = [MAGIC, version.as_bytes(), b"\n"].concat();
    let filler = (0_u32..).flat_map(|word| word.wrapping_mul(0x9E37_79B9).to_le_bytes());
    let missing = IMAGE_LEN.saturating_sub(image.len());
    image.extend(filler.take(missing));
    image
}
