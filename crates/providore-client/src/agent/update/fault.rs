//! Why firmware is not installed.

use providore_pki::manifest::{ChunkError, ManifestError, Refusal};
#[cfg(feature = "alloc")]
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
        /// How long it is, at most `u32::MAX`.
        available: u32,
    },
    /// It does not look like an image for this hardware.
    #[error("it does not look like an image for this hardware")]
    Image(#[source] BodyFault),
    /// Bytes arrived that its author did not sign. They may have been changed on their way.
    #[error("bytes arrived that its author did not sign")]
    Chunk(#[from] ChunkError),
}

impl FirmwareFault {
    /// Whether the server offers what this device may not install, whoever asks and however often.
    pub(super) const fn is_refusal(&self) -> bool {
        !matches!(self, Self::Chunk(_))
    }

    /// What the server is told: this error and its cause.
    #[cfg(feature = "alloc")]
    pub(super) fn text(&self) -> Text<MAX_TEXT> {
        use core::fmt::Write as _;
        let mut text = Text::new();
        // What does not fit is left out.
        let _ = write!(text, "{self}");
        if let Some(source) = core::error::Error::source(self) {
            let _ = write!(text, ": {source}");
        }
        text
    }

    /// What the server is told: only what kind of error this is, since formatting text takes more
    /// room than all of the agent.
    #[cfg(not(feature = "alloc"))]
    pub(super) const fn text(&self) -> &'static str {
        match self {
            Self::NoManifest => "no author has signed it",
            Self::Manifest(_) => "not the manifest of a trusted author",
            Self::OtherVersion => "the manifest of another version",
            Self::NotAdmitted(_) => "not for this device",
            Self::ChunkTooLarge { .. } => "chunks too large for this device",
            Self::Image(_) => "not an image for this hardware",
            Self::Chunk(_) => "not what its author signed",
        }
    }
}

#[cfg(feature = "alloc")]
const MAX_TEXT: usize = 240;
