//! The manifest of an image, from its author's signature to its chunks.

use core::hint::black_box;

use providore_pki::{
    PublicKey,
    manifest::{AuthorKeys, Installed, Manifest},
};

pub(crate) const AUTHOR: &[u8; 65] = include_bytes!("../script/author.bin");
const MANIFEST: &[u8] = include_bytes!("../script/manifest.cbor");

#[inline(never)]
pub(crate) fn device() -> Option<()> {
    let keys = [PublicKey::from_sec1(black_box(AUTHOR)).ok()?];
    let manifest = Manifest::parse(black_box(MANIFEST)).ok()?;
    let manifest = AuthorKeys::new(&keys).ok()?.verify(manifest).ok()?;
    let hardware = black_box("esp32-s2").parse().ok()?;
    let installed = Installed::new(&hardware, black_box(6), black_box(1 << 20));
    let admitted = manifest.admit(&installed).ok()?;
    let wrong = |chunk: providore_pki::manifest::Chunk<'_>| {
        black_box(chunk.verify(black_box(&[0; 1024]))).is_err()
    };
    admitted.manifest().chunks().all(wrong).then_some(())
}
