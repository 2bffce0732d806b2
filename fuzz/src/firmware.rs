//! Firmware manifests.

use std::sync::LazyLock;

use providore_pki::{
    PublicKey, SoftwareKey,
    manifest::{AuthorKeys, ChunkSize, Manifest, ManifestBuilder, Release},
};

/// The author of the seeds in `corpus/manifest`.
static AUTHOR: LazyLock<SoftwareKey> =
    LazyLock::new(|| SoftwareKey::from_scalar(&[1; 32]).expect("a key"));

/// Manifests: what is read has chunks that cover the image, and only what the author signed is
/// verified. What begins with 0x7f is the image of a release, whose manifest is read and verified.
pub fn manifest(data: &[u8]) {
    let keys = [AUTHOR.public_key()];
    let keys = AuthorKeys::new(&keys).expect("one key");
    match Manifest::parse(data) {
        Ok(read) => {
            let contents = read.unverified_contents().clone();
            assert!(contents.minimum_sequence() < contents.sequence());
            assert!((1..=Manifest::MAX_CHUNKS).contains(&contents.chunk_count()));
            assert!(data.len() <= Manifest::MAX_LEN);
            if let Ok(verified) = AuthorKeys::verify(&keys, read) {
                assert_eq!(*verified.contents(), contents);
                let mut covered = 0;
                for chunk in verified.chunks() {
                    assert_eq!(chunk.offset(), covered);
                    covered += u64::from(chunk.length());
                }
                assert_eq!(covered, contents.image_len());
                assert_eq!(verified.chunk(contents.chunk_count()), None);
            }
        }
        // As an ELF file does: signing all that is not a manifest would take too long.
        Err(_) if data.first() == Some(&0x7f) => sign_image(data, &keys),
        Err(_) => {}
    }
    if let Ok(key) = PublicKey::from_spki_der(data) {
        assert_eq!(key.to_spki_der().as_slice(), data);
    }
}

fn sign_image(image: &[u8], keys: &AuthorKeys<'_>) {
    let (hardware, version) = ("esp32-s3".parse(), "2.0.1".parse());
    let release = Release::new(hardware.expect("a type"), version.expect("a version"), 7);
    let mut builder =
        ManifestBuilder::new(release.with_chunk_size(ChunkSize::MIN)).expect("a release");
    builder.update(image).expect("few chunks");
    let signed = builder.sign(&mut AUTHOR.clone());
    let signed = signed.expect("an image");
    let read = Manifest::parse(&signed).expect("what we write");
    let verified = AuthorKeys::verify(keys, read).expect("what we sign");
    for (chunk, bytes) in verified.chunks().zip(image.chunks(1024)) {
        assert!(chunk.verify(bytes).is_ok());
        let longer = [bytes, &[0]].concat();
        assert!(chunk.verify(&longer).is_err());
    }
}
