//! All stores in JSON files and folders, as the first Providore laid them out.
//!
//! ```text
//! devices.json                    all devices and their secrets (0600); every generation is read
//! configStore/ID/FILE             FILE = `config` of the release, else config.json
//! firmwareStore/TYPE/VERSION/FILE FILE = `file` of the release, else the only file there
//! firmwareStore/TYPE/VERSION/release.manifest  what its author signed, if he did
//! failureStore/ID/VERSION         a release that failed on a device
//! certificateStore/issued.jsonl   what was issued and revoked; grows at its end only
//! certificateStore/ID.cert.pem    certificates of an original server, read where the log has none
//! ```
//!
//! Changes on disk are seen without a restart: devices, images, manifests and failures at the next request;
//! configurations and the log after the next [`JsonStore::refresh`], and devices too when there are many requests. Unix only.

mod changes;
mod devices;
mod failures;
mod files;
mod image;
mod lock;
mod log;
mod manifest;
mod names;
mod records;
mod render;
mod spelling;
mod store;
mod strict;
mod sweep;

pub use devices::{DeviceEdit, LoadError, entries as device_entries};
pub use files::{
    file_mode_is_private, folders_cannot_be_synced, make_folder, place, replace, sync_folder,
    temporary_in, write_private,
};
pub use image::FileImage;
pub use lock::{holder as lock_holder, lock_file};
pub use log::LogRepair;
pub use manifest::MANIFEST_FILE;
pub use names::{name_of, named};
pub use store::{JsonStore, Layout};
pub use sweep::sweep;
