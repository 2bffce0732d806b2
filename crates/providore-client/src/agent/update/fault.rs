//! Why firmware is not installed.

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
    /// What the server is told: this error and its cause. Without `alloc`, where there is little
    /// room, only what kind of error it is: formatting text takes more than all of the agent.
    pub(super) fn text(&self) -> Text<MAX_TEXT> {
        let mut text = Text::new();
        // What does not fit is left out.
        #[cfg(feature = "alloc")]
        {
            use core::fmt::Write as _;
            let _ = write!(text, "{self}");
            if let Some(source) = core::error::Error::source(self) {
                let _ = write!(text, ": {source}");
            }
        }
        #[cfg(not(feature = "alloc"))]
        let _ = text.push_str(self.kind());
        text
    }

    #[cfg(not(feature = "alloc"))]
    const fn kind(&self) -> &'static str {
        match self {
            Self::NoManifest => "no author has signed it: the server offers it without a manifest",
            Self::Manifest(_) => "the manifest is not that of a trusted author",
            Self::OtherVersion => "the manifest is that of another version",
            Self::NotAdmitted(_) => "it is not for this device",
            Self::ChunkTooLarge { .. } => "its chunks do not fit the chunk buffer of this device",
            Self::Image(_) => "it does not look like an image for this hardware",
            Self::Chunk(_) => "bytes arrived that its author did not sign",
        }
    }
}

const MAX_TEXT: usize = 240;
