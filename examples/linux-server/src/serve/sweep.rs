//! What has to be said or tidied up in the data folder while the server runs.

use std::path::Path;

use providore_server_core::json_files::{folders_cannot_be_synced, sweep};

use crate::{clock, data::DataFolder};

/// Said once, as soon as something was written.
pub(super) fn warn_of_folders_that_cannot_be_synced() {
    static SAID: std::sync::Once = std::sync::Once::new();
    if folders_cannot_be_synced() {
        SAID.call_once(|| {
            tracing::warn!(
                "the file system of the data folder cannot sync folders: after a power cut the newest \
                 files may be missing"
            );
        });
    }
}

/// Removes what processes that were killed have left behind.
pub(super) fn sweep_folders(folder: &DataFolder) {
    let more = [folder.authors.as_path(), &folder.ca.folder];
    let root = folder.ca.folder.parent();
    let more: Vec<&Path> = more.into_iter().chain(root).collect();
    let swept = sweep(&folder.layout, &more, clock::system());
    if swept > 0 {
        tracing::info!(
            swept,
            "temporary files of processes that were killed are removed"
        );
    }
}
