//! Why a manifest is not one, or not to be trusted.

use providore_wire::ParseError;

use super::KeyId;

/// Why a manifest is refused; offsets count from its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Over [`Manifest::MAX_LEN`](super::Manifest::MAX_LEN).
    #[error("the manifest is longer than 64 KiB")]
    TooLong,
    /// An item that begins here ends after the manifest, or after what holds it.
    #[error("the manifest ends within the item at byte {offset}")]
    Truncated {
        /// Where the item begins.
        offset: u32,
    },
    /// A number in a longer form than it needs, or an item of indefinite length.
    #[error("the item at byte {offset} is not in its one deterministic form")]
    NotDeterministic {
        /// Where the item begins.
        offset: u32,
    },
    /// An item of another kind, or another length, than has its place here.
    #[error("the item at byte {offset} is not what belongs there")]
    UnexpectedItem {
        /// Where the item begins.
        offset: u32,
    },
    /// A member that is unknown, repeated, missing or out of order.
    #[error("at byte {offset} a member is unknown, repeated, missing or out of order")]
    UnexpectedMember {
        /// Where the member, or the map that should have it, begins.
        offset: u32,
    },
    /// Something stands behind what is complete.
    #[error("what is complete goes on at byte {offset}")]
    TrailingBytes {
        /// The first byte too many.
        offset: u32,
    },
    /// A signature of another kind than ES256.
    #[error("the signature is not ES256")]
    UnsupportedAlgorithm,
    /// The payload is something else, which the same key may have signed for another purpose.
    #[error("the content type is not that of a manifest")]
    ContentType,
    /// A later format than this reader's.
    #[error("the manifest has another format than 1")]
    UnsupportedFormat,
    /// Not a hardware type.
    #[error("the hardware type is malformed")]
    Hardware(#[source] ParseError),
    /// Not a firmware version.
    #[error("the version is malformed")]
    Version(#[source] ParseError),
    /// Zero, which is where a device without firmware stands.
    #[error("the sequence number is zero")]
    Sequence,
    /// The lowest sequence number that may upgrade is not below that of the release.
    #[error("the lowest sequence number that may upgrade is not below the release's own")]
    MinimumSequence,
    /// Not a power of two from 1 KiB to 1 MiB.
    #[error("the chunk size is not a power of two from 1 KiB to 1 MiB")]
    ChunkSize,
    /// An image without a byte, or of more than 2000 chunks.
    #[error("the image is empty or has more than 2000 chunks")]
    ImageLen,
    /// Not one digest for each chunk of the image.
    #[error("there is not one digest for each chunk")]
    ChunkDigests,
    /// None of the device's authors: a stranger, or a key that is no longer trusted.
    #[error("the key {0} is not that of a trusted author")]
    UnknownAuthor(KeyId),
    /// The author that is named has not signed this.
    #[error("the signature is not that of the author who is named")]
    Signature,
}
