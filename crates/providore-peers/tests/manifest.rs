//! The Python packages `cbor2` and `cryptography` and we: firmware manifests.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use providore_peers::Python;
use providore_pki::{
    PublicKey, SoftwareKey,
    manifest::{
        AuthorKeys, CONTENT_TYPE, ChunkSize, KeyId, Manifest, ManifestBuilder, ManifestError,
        Release,
    },
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const SCALAR: [u8; 32] = [0x5a; 32];
const IMAGE: [u8; 3000] = [0xa5; 3000];

fn author() -> SoftwareKey {
    SoftwareKey::from_scalar(&SCALAR).unwrap()
}

fn ours() -> Vec<u8> {
    let release = Release::new(
        "esp32-s3".parse().unwrap(),
        "2.0.1".parse().unwrap(),
        70_000,
    )
    .with_minimum_sequence(300)
    .with_chunk_size(ChunkSize::MIN);
    let mut builder = ManifestBuilder::new(release).unwrap();
    builder.update(&IMAGE).unwrap();
    builder.sign(&mut author()).unwrap()
}

fn header() -> Value {
    let key_id = KeyId::of(&author().public_key());
    json!([[1, -7], [3, CONTENT_TYPE], [4, bytes(key_id.as_bytes())]])
}

fn members() -> Value {
    let digests: Vec<u8> = IMAGE.chunks(1024).flat_map(Sha256::digest).collect();
    json!([
        [1, 1],
        [2, "esp32-s3"],
        [3, "2.0.1"],
        [4, 70_000],
        [5, 300],
        [6, IMAGE.len()],
        [7, bytes(&Sha256::digest(IMAGE))],
        [8, 1024],
        [9, bytes(&digests)],
    ])
}

fn bytes(content: &[u8]) -> Value {
    json!({"bytes": base16ct::lower::encode_string(content)})
}

fn verify(signed: &[u8]) -> Result<(), ManifestError> {
    let keys: [PublicKey; 1] = [author().public_key()];
    let keys = AuthorKeys::new(&keys).unwrap();
    keys.verify(Manifest::parse(signed)?).map(|_| ())
}

#[test]
#[ignore = "needs the Python peers: docs/CONTRIBUTING.md"]
fn a_peer_reads_and_verifies_what_we_sign() {
    let public = author().public_key().to_sec1();
    let mut peer = Python::start();
    let read = peer.cose_verify(&public, &ours()).unwrap();
    assert_eq!(read, json!([18, header(), [], members()]));
}

#[test]
#[ignore = "needs the Python peers: docs/CONTRIBUTING.md"]
fn a_peer_refuses_what_we_refuse() {
    let public = author().public_key().to_sec1();
    let mut peer = Python::start();
    let mut changed = ours();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    assert!(peer.cose_verify(&public, &changed).is_err());
    assert_eq!(verify(&changed), Err(ManifestError::Signature));
}

#[test]
#[ignore = "needs the Python peers: docs/CONTRIBUTING.md"]
fn we_verify_what_a_peer_signs_and_sign_the_same_bytes() {
    let mut peer = Python::start();
    for _ in 0..20 {
        // Its signatures are random: r and s of many lengths, s low and high.
        let theirs = peer.cose_sign(&SCALAR, &header(), &members());
        assert_eq!(verify(&theirs), Ok(()));
        let ours = ours();
        let unsigned = ours.len() - 64;
        assert_eq!(theirs[..unsigned], ours[..unsigned]);
    }
}
