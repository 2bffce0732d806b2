//! Why firmware is not installed.

use core::fmt::Write as _;

use providore_pki::manifest::{ChunkError, ManifestError, Refusal};
use providore_wire::Text;

use crate::BodyFault;

/// Why a device with authors does not install what its server offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FirmwareFault {
    /// The server offers firmware without a manifest.
    #[error("no author has signed it: the server offers it without a manifest")]
    NoManifest,
    /// The manifest is none, or not that of an author whom the device trusts.
    #[error("the manifest is not that of a trusted author")]
    Manifest(#[source] ManifestError),
    /// The manifest is about another version than the server offers.
    #[error("the manifest is that of another version")]
    OtherVersion,
    /// It is not for this device.
    #[error("it is not for this device")]
    NotAdmitted(#[source] Refusal),
    /// Chunks of this image do not fit the buffer that the application lent.
    #[error("its chunks have {needed} bytes, and the chunk buffer of this device {available}")]
    ChunkTooLarge {
        /// How long the buffer would have to be.
        needed: u32,
        /// How long it is.
        available: usize,
    },
    /// It does not look like an image for this hardware.
    #[error("it does not look like an image for this hardware")]
    Image(#[source] BodyFault),
    /// Bytes arrived that its author did not sign. They may have been changed on their way.
    #[error("bytes arrived that its author did not sign")]
    Chunk(#[from] ChunkError),
}

impl FirmwareFault {
    /// What the server is told: this error and its cause.
    pub(super) fn text(&self) -> Text<MAX_TEXT> {
        let mut text = Text::new();
        // What does not fit is left out.
        let _ = write!(text, "{self}");
        if let Some(source) = core::error::Error::source(self) {
            let _ = write!(text, ": {source}");
        }
        text
    }
}

const MAX_TEXT: usize = 240;
