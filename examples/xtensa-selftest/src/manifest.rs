//! A firmware manifest: what is checked of it, and a signature of P-256.

use core::fmt::Write as _;

use providore_pki::{
    SoftwareKey,
    manifest::{AuthorKeys, Installed, Manifest, ManifestError},
};

use crate::transcript::{Report, Transcript};

/// By `ManifestBuilder`: hardware `esp32-s2`, version 2.0.1, sequence 7, chunks of 1 KiB, signed with
/// the key that [`key`] makes of 7.
const MANIFEST: &[u8] = include_bytes!("../data/manifest.cbor");

/// The image that it is of.
static IMAGE: [u8; 2500] = image();

const fn image() -> [u8; 2500] {
    let (mut image, mut at) = ([0; 2500], 0);
    while at < image.len() {
        image[at] = (at % 251) as u8;
        at += 1;
    }
    image
}

pub(crate) fn run(report: &mut Report<'_>) {
    report.check("manifest", "verified, and each chunk", |transcript| {
        let done = verified(transcript);
        transcript.require("a step", done.is_some());
    });
    report.check("manifest", "a byte changed", |transcript| {
        let done = changed(transcript);
        transcript.require("a step", done.is_some());
    });
    report.check("P-256", "a signature", |transcript| {
        let done = signature(transcript);
        transcript.require("a step", done.is_some());
    });
}

fn key(number: u8) -> Option<SoftwareKey> {
    SoftwareKey::from_scalar(&[number; 32]).ok()
}

fn verified(transcript: &mut Transcript) -> Option<()> {
    let keys = [key(7)?.public_key(), key(8)?.public_key()];
    let keys = AuthorKeys::new(&keys).ok()?;
    let manifest = keys.verify(Manifest::parse(MANIFEST).ok()?).ok()?;
    transcript.note(manifest.key_id().as_bytes());
    let hardware = "esp32-s2".parse().ok()?;
    let older = Installed::new(&hardware, 8, 1 << 20);
    let keys = keys.verify(Manifest::parse(MANIFEST).ok()?).ok()?;
    write!(transcript, "{}", keys.admit(&older).err()?).ok()?;
    let admitted = manifest
        .admit(&Installed::new(&hardware, 6, 1 << 20))
        .ok()?;
    let chunks = admitted.manifest().chunks().zip(IMAGE.chunks(1024));
    for (chunk, bytes) in chunks {
        let good = chunk.verify(bytes).ok()?;
        transcript.note(&good.offset().to_be_bytes());
        let bad = chunk.verify(bytes.get(1..)?).err()?;
        write!(transcript, "{bad}").ok()?;
    }
    Some(())
}

/// Signature, contents and header.
fn changed(transcript: &mut Transcript) -> Option<()> {
    let keys = [key(7)?.public_key(), key(8)?.public_key()];
    let keys = AuthorKeys::new(&keys).ok()?;
    for at in [MANIFEST.len() - 1, MANIFEST.len() / 2, 12] {
        let mut bytes = [0; 1024];
        let bytes = bytes.get_mut(..MANIFEST.len())?;
        bytes.copy_from_slice(MANIFEST);
        *bytes.get_mut(at)? ^= 1;
        let outcome: Result<_, ManifestError> =
            Manifest::parse(bytes).and_then(|manifest| keys.verify(manifest));
        write!(transcript, "{}", outcome.err()?).ok()?;
    }
    Some(())
}

/// Deterministic (RFC 6979), so that the host arrives at the same.
fn signature(transcript: &mut Transcript) -> Option<()> {
    let key = key(7)?;
    let signature = key.sign(b"sample").ok()?;
    transcript.note(key.public_key().to_sec1().as_ref());
    transcript.note(signature.to_fixed().as_ref());
    Some(())
}
