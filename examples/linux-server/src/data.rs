//! The data folder: devices, configurations, images, certificates and the CA.
//!
//! ```text
//! DIR/configStore/devices.json   DIR/configStore/ID/…    devices, secrets, configurations
//! DIR/firmwareStore/TYPE/VERSION/FILE                    images
//! DIR/firmwareStore/TYPE/VERSION/release.manifest        what their authors signed
//! DIR/failureStore/ID/VERSION                            what failed on which device
//! DIR/authors/KEYID.pem                                  public keys of the authors of firmware
//! DIR/certificateStore/issued.jsonl                      what was issued and revoked
//! DIR/certificateStore/last-seen                         the time, for the next start
//! DIR/presence.json                                      when devices were last heard
//! DIR/ca/{root.key,issuer.key,chain,root.crl}.pem        the CA
//! ```

use std::path::{Path, PathBuf};

use providore_pki::LocalCa;
use providore_server_core::json_files::{JsonStore, Layout};

use crate::{
    ca::{self, CaFiles},
    commands::print::note,
    failure::{Failure, Outcome},
};

/// Where everything lies.
#[derive(Debug, Clone)]
pub(crate) struct DataFolder {
    /// The stores.
    pub(crate) layout: Layout,
    /// The folder of the CA.
    pub(crate) ca: CaFiles,
    /// When devices were last heard.
    pub(crate) presence: PathBuf,
    /// The folder of the authors' public keys.
    pub(crate) authors: PathBuf,
}

impl DataFolder {
    /// The folder layout below one folder.
    pub(crate) fn at(folder: &Path) -> Self {
        Self {
            layout: Layout::below(folder),
            ca: CaFiles {
                folder: folder.join("ca"),
            },
            presence: folder.join("presence.json"),
            authors: folder.join("authors"),
        }
    }

    /// Opens the stores; the caller says what they have to tell.
    pub(crate) fn quiet_store(&self) -> Outcome<JsonStore> {
        let path = self.layout.devices.display();
        JsonStore::open(self.layout.clone())
            .map_err(Failure::from)
            .map_err(|failure| failure.within(format!("open the data folder ({path})")))
    }

    /// Opens the stores for a command, and says what looks wrong in them.
    pub(crate) fn store(&self) -> Outcome<JsonStore> {
        let store = self.quiet_store()?;
        for doubt in store.take_doubts() {
            note(&format!("{}: {doubt}", self.layout.devices.display()));
        }
        for repair in store.take_repairs() {
            note(&format!(
                "{} was repaired: {repair}",
                self.layout.log().display()
            ));
        }
        Ok(store)
    }

    /// Opens the CA, or makes one where `store` has nothing that one has issued.
    pub(crate) fn authority(&self, store: &JsonStore, password: Option<&str>) -> Outcome<LocalCa> {
        ca::open_or_create(&self.ca, password, || store.certificates().len())
    }

    /// Whether a first Providore has left certificates here (`certificateStore/ID.cert.pem`).
    pub(crate) fn has_certificates_of_first_providore(&self) -> bool {
        let entries = std::fs::read_dir(&self.layout.certificates);
        entries.is_ok_and(|entries| {
            entries
                .flatten()
                .any(|entry| entry.file_name().as_encoded_bytes().ends_with(b".cert.pem"))
        })
    }

    /// Fails where there is no data folder yet, for commands that would only confuse by making one.
    pub(crate) fn require(&self) -> Outcome {
        if self.layout.devices.exists() {
            return Ok(());
        }
        let path = self.layout.devices.display();
        Err(Failure::new(format!("there is no {path}"))
            .hint("add a device first, or name another folder with --data DIR"))
    }
}
