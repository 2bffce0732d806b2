//! The manifest of an image.

use core::hint::black_box;

use providore_pki::{PublicKey, manifest::{AuthorKeys, Installed, Manifest}};

#[inline(never)]
pub(crate) fn device() -> Option<()> {
    let keys = [PublicKey::from_sec1(black_box(&[4; 65])).ok()?];
    let manifest = Manifest::parse(black_box(b"bla")).ok()?;
    let manifest = AuthorKeys::new(&keys).ok()?.verify(manifest).ok()?;
    let hardware = black_box("esp32-s2").parse().ok()?;
    let admitted = manifest.admit(&Installed::new(&hardware, 6, 1 << 20)).ok()?;
    for chunk in admitted.manifest().chunks() {
        chunk.verify(black_box(&[0; 1024])).ok()?;
    }
    Some(())
}
