//! Firmware manifests: what the author of an image says about it, signed by the author's key.
//!
//! A server hands out firmware, and whoever takes the server over would hand out his own. What a
//! device installs is therefore said in a manifest that only the author can sign: for which
//! hardware it is, where it stands in the order of releases, and the digest of every chunk, so that a wrong
//! chunk is found before it is written. The keys of the authors are in the device; the key that
//! signs is not on the server.
//!
//! A manifest is a `COSE_Sign1` (RFC 9052) over deterministic CBOR (RFC 8949, 4.2.1) with ES256;
//! docs/PROTOCOL.md has its CDDL. There is one way to write it, and nothing else is read: unknown,
//! repeated and missing members, longer forms of a number and trailing bytes are refused.
//!
//! Reading and verifying need no allocator, and no buffer beside that of the manifest:
//!
#![cfg_attr(feature = "alloc", doc = "```")]
#![cfg_attr(not(feature = "alloc"), doc = "```text")]
//! use providore_pki::{SoftwareKey, manifest::*};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The author signs, with a key that the server never sees.
//! let mut author = SoftwareKey::from_scalar(&[7; 32])?;
//! let image = [0x5a; 3000];
//! let release = Release::new("esp32-s3".parse()?, "2.0.1".parse()?, 7);
//! let mut builder = ManifestBuilder::new(release.with_chunk_size(ChunkSize::MIN))?;
//! builder.update(&image)?;
//! let bytes = builder.sign(&mut author)?;
//!
//! // The device has the public keys of its authors, at least two of them, so that one can go.
//! let keys = [author.public_key(), SoftwareKey::from_scalar(&[8; 32])?.public_key()];
//! let manifest = AuthorKeys::new(&keys)?.verify(Manifest::parse(&bytes)?)?;
//! let hardware = "esp32-s3".parse()?;
//! let admitted = manifest.admit(&Installed::new(&hardware, 6, 1 << 20))?;
//! for (chunk, received) in admitted.manifest().chunks().zip(image.chunks(1024)) {
//!     let verified = chunk.verify(received)?; // before it is written
//!     assert_eq!(verified.offset() % 1024, 0);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Limits
//!
//! | what | limit | because |
//! |---|---|---|
//! | manifest | [`Manifest::MAX_LEN`], 64 KiB | a device holds it as a whole until the last chunk is written |
//! | chunks | [`Manifest::MAX_CHUNKS`], 2000 | their digests fit into that |
//! | chunk | [`ChunkSize::MIN`] to [`ChunkSize::MAX`], a power of two | below, the digests are over 3 % of the image; above, a chunk that is checked before it is written does not fit into a device's memory |
//! | image | 1 byte to 2000 MiB | 2000 chunks of the largest size |
//! | hardware, version | 64 bytes each | the grammar of `providore_wire` |
//! | keys of authors | [`AuthorKeys::MAX`], 4 | each is one signature to check at worst |

mod author;
mod cbor;
mod chunk;
mod error;
mod read;
#[cfg(feature = "alloc")]
mod write;

use sha2::{Digest as _, Sha256};

pub use author::VerifiedManifest;
pub use author::{AdmittedManifest, AuthorKeys, AuthorKeysError, Installed, KeyId, Refusal};
pub use chunk::{Chunk, ChunkError, ChunkSize, VerifiedChunk};
pub use error::ManifestError;
pub use read::{Contents, Manifest};
#[cfg(feature = "alloc")]
pub use write::{ManifestBuilder, Release, WriteError};

/// What the payload is, as the protected header says it.
pub const CONTENT_TYPE: &str = "application/vnd.providore.manifest+cbor";

// COSE: the tag of COSE_Sign1 (RFC 9052, 4.2), members of headers (3.1), ES256 (RFC 9053, 2.1).
const TAG_SIGN1: u64 = 18;
const HEADER_ALGORITHM: u8 = 1;
const HEADER_CONTENT_TYPE: u8 = 3;
const HEADER_KEY_ID: u8 = 4;
/// -7, of which CBOR writes -1 - n.
const ES256: u64 = 6;
const HEADER_MEMBERS: u8 = 3;

// The members of the payload, in their order.
const FORMAT: u8 = 1;
const HARDWARE: u8 = 2;
const VERSION: u8 = 3;
const SEQUENCE: u8 = 4;
const MINIMUM_SEQUENCE: u8 = 5;
const IMAGE_LEN: u8 = 6;
const IMAGE_SHA256: u8 = 7;
const CHUNK_SIZE: u8 = 8;
const CHUNK_SHA256: u8 = 9;
const MEMBERS: u8 = 9;

/// The only format there is; what would read another has another number here.
const FORMAT_1: u64 = 1;

const SHA256_LEN: usize = 32;
const SIGNATURE_LEN: usize = 64;

/// SHA-256 of what these make together: one copy of it for all that a device hashes.
#[doc(hidden)]
#[inline(never)]
#[must_use]
pub fn sha256(parts: &[&[u8]]) -> [u8; SHA256_LEN] {
    let mut hash = Sha256::new();
    for part in parts {
        absorb(&mut hash, part);
    }
    hash.finalize().into()
}

/// One copy of the hash's own steps.
#[inline(never)]
fn absorb(hash: &mut Sha256, part: &[u8]) {
    hash.update(part);
}
