//! Configurations of devices: checked, then put in place as a whole.

use std::path::Path;

use providore_server_core::{
    Document, FileName,
    json_files::{Layout, write_private},
};
use providore_wire::{DeviceId, written};
use serde::de::IgnoredAny;

use crate::{
    commands::files::read_bounded,
    failure::{Failure, OrFail as _, Outcome},
};

/// The file that a server reads where a release names no other.
pub(crate) const DEFAULT: &str = "config.json";

/// A configuration that is known to be JSON and short enough to be served.
pub(crate) struct Config(Vec<u8>);

impl Config {
    /// Reads and checks a file.
    pub(crate) fn read(path: &Path) -> Outcome<Self> {
        let is_stdin = path == Path::new("-");
        // Opened like any file, so that one limit holds for both.
        let source = if is_stdin {
            Path::new("/dev/stdin")
        } else {
            path
        };
        let shown = if is_stdin {
            "standard input".into()
        } else {
            path.display().to_string()
        };
        let bytes = read_bounded(source, Document::MAX_LEN)
            .or_fail(format!("read the configuration {shown}"))
            .map_err(|failure| {
                let most = Document::MAX_LEN;
                failure.hint(format!(
                    "a configuration has at most {most} bytes (PROTOCOL.md, section 3)"
                ))
            })?;
        let bytes = written::without_bom(&bytes);
        serde_json::from_slice::<IgnoredAny>(bytes)
            .or_fail(format!("use {shown} as a configuration"))
            .map_err(|failure| failure.hint("a configuration is one JSON value"))?;
        Ok(Self(bytes.to_vec()))
    }

    /// Puts it where the server looks for it, under `file` or the usual name.
    pub(crate) fn put(&self, layout: &Layout, id: &DeviceId, file: Option<&FileName>) -> Outcome {
        let name = file.map_or(DEFAULT, FileName::as_str);
        let path = layout.config_folder(id).join(name);
        write_private(&path, &self.0).or_fail(format!("write {}", path.display()))
    }
}

/// Refuses names that mean something else in the folder of configurations: `devices.json` is a
/// proper device id, and its folder would lie where all secrets are.
pub(crate) fn check_folder_name(layout: &Layout, id: &DeviceId) -> Outcome {
    let taken = layout.devices.file_name().and_then(|name| name.to_str());
    let taken = taken.unwrap_or_default().to_ascii_lowercase();
    let name = id.as_str().to_ascii_lowercase();
    if name != taken && name.strip_suffix(".lock") != Some(&*taken) {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{id} cannot be the name of a device: the devices file is called that"
    ))
    .hint("choose another name"))
}
