//! Firmware manifests: what is written, and everything else that is refused.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

use proptest::prelude::*;
use providore_pki::{
    DeviceKey, KeyError, PublicKey, Signature,
    manifest::{
        AuthorKeys, AuthorKeysError, CONTENT_TYPE, ChunkError, ChunkSize, Installed, KeyId,
        Manifest, ManifestBuilder, ManifestError, Refusal, Release, WriteError,
    },
};
use providore_wire::HardwareType;

use crate::common::key;

const IMAGE_LEN: usize = 2500;

fn image() -> Vec<u8> {
    (0..IMAGE_LEN).map(|at| (at % 251) as u8).collect()
}

fn release(sequence: u64) -> Release {
    let release = Release::new(
        "esp32-s3".parse().unwrap(),
        "2.0.1".parse().unwrap(),
        sequence,
    );
    release.with_chunk_size(ChunkSize::MIN)
}

fn sign(release: Release, image: &[u8]) -> Result<Vec<u8>, WriteError> {
    let mut builder = ManifestBuilder::new(release)?;
    builder.update(image)?;
    builder.sign(&mut key(1))
}

fn manifest() -> Vec<u8> {
    sign(release(7).with_minimum_sequence(3), &image()).unwrap()
}

fn verify(bytes: &[u8]) -> Result<(), ManifestError> {
    let keys = [key(1).public_key(), key(2).public_key()];
    let keys = AuthorKeys::new(&keys).unwrap();
    keys.verify(Manifest::parse(bytes)?).map(|_| ())
}

// ---- CBOR written by hand, and signed as if it were right ---------------------------------------

fn head(major: u8, value: usize) -> Vec<u8> {
    let kind = major << 5;
    match value {
        0..=23 => vec![kind | value as u8],
        24..=0xff => vec![kind | 0x18, value as u8],
        _ => [&[kind | 0x19][..], &(value as u16).to_be_bytes()].concat(),
    }
}

fn string(major: u8, content: &[u8]) -> Vec<u8> {
    [head(major, content.len()), content.to_vec()].concat()
}

fn header() -> Vec<Vec<u8>> {
    let key_id = KeyId::of(&key(1).public_key());
    vec![
        vec![1, 0x26],
        [vec![3], string(3, CONTENT_TYPE.as_bytes())].concat(),
        [vec![4], string(2, key_id.as_bytes())].concat(),
    ]
}

/// The members of the manifest that is written above.
fn members() -> Vec<Vec<u8>> {
    let digests: Vec<u8> = image().chunks(1024).flat_map(sha256).collect();
    vec![
        vec![1, 1],
        [vec![2], string(3, b"esp32-s3")].concat(),
        [vec![3], string(3, b"2.0.1")].concat(),
        vec![4, 7],
        vec![5, 3],
        [vec![6], head(0, IMAGE_LEN)].concat(),
        [vec![7], string(2, &sha256(&image()))].concat(),
        [vec![8], head(0, 1024)].concat(),
        [vec![9], string(2, &digests)].concat(),
    ]
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    use sha2::{Digest as _, Sha256};
    Sha256::digest(bytes).into()
}

fn map(members: &[Vec<u8>]) -> Vec<u8> {
    [head(5, members.len()), members.concat()].concat()
}

fn signed(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    let parts = [string(2, protected), vec![0xa0], string(2, payload)];
    let context = [vec![0x84], string(3, b"Signature1")].concat();
    let to_sign = [&context, &parts[0], &vec![0x40], &parts[2]].map(Clone::clone);
    let signature = key(1).sign(&to_sign.concat()).unwrap().to_fixed();
    [vec![0xd2, 0x84], parts.concat(), string(2, &signature)].concat()
}

fn check_member(number: usize, member: &[u8], expected: ManifestError) {
    let mut members = members();
    members[number - 1] = [&[number as u8], member].concat();
    assert_eq!(
        verify(&signed(&map(&header()), &map(&members))),
        Err(expected)
    );
}

fn check_members(change: impl FnOnce(&mut Vec<Vec<u8>>)) {
    let mut members = members();
    change(&mut members);
    let refused = verify(&signed(&map(&header()), &map(&members)));
    assert!(
        matches!(refused, Err(ManifestError::UnexpectedMember { .. })),
        "{refused:?}"
    );
}

// ---- what is accepted ---------------------------------------------------------------------------

#[test]
fn what_an_author_signs_is_read_and_verified() {
    let bytes = manifest();
    let keys = [key(2).public_key(), key(1).public_key()];
    let manifest = Manifest::parse(&bytes).unwrap();
    let verified = AuthorKeys::new(&keys).unwrap().verify(manifest).unwrap();
    let contents = verified.contents();
    assert_eq!(contents.hardware().as_str(), "esp32-s3");
    assert_eq!(contents.version().as_str(), "2.0.1");
    assert_eq!((contents.sequence(), contents.minimum_sequence()), (7, 3));
    assert_eq!(contents.image_len(), IMAGE_LEN as u64);
    assert_eq!(contents.image_sha256(), &sha256(&image()));
    assert_eq!(contents.chunk_count(), 3);
    assert_eq!(verified.key_id(), KeyId::of(&key(1).public_key()));
    let chunks: Vec<_> = verified
        .chunks()
        .map(|chunk| (chunk.offset(), chunk.length()))
        .collect();
    assert_eq!(chunks, [(0, 1024), (1024, 1024), (2048, 452)]);
    assert_eq!(verified.chunk(3), None);
}

#[test]
fn there_is_one_way_to_write_a_manifest() {
    assert_eq!(manifest(), signed(&map(&header()), &map(&members())));
    let mut builder = ManifestBuilder::new(release(7).with_minimum_sequence(3)).unwrap();
    for piece in image().chunks(700) {
        builder.update(piece).unwrap();
    }
    assert_eq!(builder.sign(&mut key(1)).unwrap(), manifest());
}

/// The order of P-256.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

#[test]
fn the_other_spelling_of_a_signature_counts_as_well() {
    let mut bytes = manifest();
    let at = bytes.len() - 32;
    let mut borrow = 0;
    for place in (0..32).rev() {
        let difference = i16::from(ORDER[place]) - i16::from(bytes[at + place]) - borrow;
        borrow = i16::from(difference < 0);
        bytes[at + place] = difference.rem_euclid(256) as u8;
    }
    assert_ne!(bytes, manifest());
    assert_eq!(verify(&bytes), Ok(()));
}

// ---- what is forged -----------------------------------------------------------------------------

#[test]
fn any_flipped_bit_is_refused() {
    let bytes = manifest();
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(verify(&changed).is_err(), "bit {bit}");
    }
}

#[test]
fn a_manifest_cut_anywhere_is_refused() {
    let bytes = manifest();
    for length in 0..bytes.len() {
        assert!(Manifest::parse(&bytes[..length]).is_err(), "{length}");
    }
}

#[test]
fn trailing_bytes_are_refused() {
    let mut bytes = manifest();
    let offset = bytes.len().try_into().unwrap();
    bytes.push(0);
    let expected = Err(ManifestError::TrailingBytes { offset });
    assert_eq!(verify(&bytes), expected);
    for (header_tail, payload_tail) in [(&[0][..], &[][..]), (&[], &[0])] {
        let protected = [map(&header()), header_tail.to_vec()].concat();
        let payload = [map(&members()), payload_tail.to_vec()].concat();
        let refused = verify(&signed(&protected, &payload));
        assert!(
            matches!(refused, Err(ManifestError::TrailingBytes { .. })),
            "{refused:?}"
        );
    }
}

#[test]
fn a_key_that_is_not_in_the_list_is_refused() {
    let bytes = manifest();
    let id = KeyId::of(&key(1).public_key());
    let keys = [key(2).public_key(), key(3).public_key()];
    let refused = AuthorKeys::new(&keys)
        .unwrap()
        .verify(Manifest::parse(&bytes).unwrap());
    assert_eq!(refused.err(), Some(ManifestError::UnknownAuthor(id)));
}

#[test]
fn a_signature_of_another_author_under_this_ones_name_is_refused() {
    let mut bytes = manifest();
    let other = key(2).sign(b"anything").unwrap().to_fixed();
    let at = bytes.len() - 64;
    bytes[at..].copy_from_slice(&other);
    assert_eq!(verify(&bytes), Err(ManifestError::Signature));
}

#[test]
fn one_to_four_different_keys_are_taken() {
    let keys: Vec<PublicKey> = (1..=5).map(|seed| key(seed).public_key()).collect();
    assert!(AuthorKeys::new(&keys[..4]).is_ok());
    assert_eq!(AuthorKeys::new(&[]).err(), Some(AuthorKeysError::Count));
    assert_eq!(AuthorKeys::new(&keys).err(), Some(AuthorKeysError::Count));
    let twice = [keys[0], keys[1], keys[0]];
    assert_eq!(
        AuthorKeys::new(&twice).err(),
        Some(AuthorKeysError::Repeated)
    );
}

#[test]
fn what_the_key_signed_for_another_purpose_is_refused() {
    for (change, expected) in [
        (
            (0, vec![1, 0x27]), // EdDSA
            ManifestError::UnsupportedAlgorithm,
        ),
        (
            (1, [vec![3], string(3, b"application/cbor")].concat()),
            ManifestError::ContentType,
        ),
    ] {
        let mut header = header();
        header[change.0] = change.1;
        let refused = verify(&signed(&map(&header), &map(&members())));
        assert_eq!(refused, Err(expected));
    }
}

#[test]
fn an_unprotected_header_is_refused() {
    let bytes = manifest();
    let at = 2 + string(2, &map(&header())).len();
    assert_eq!(bytes[at], 0xa0);
    let mut changed = bytes.clone();
    changed.splice(at..=at, [0xa1, 4, 0x41, 0]);
    let expected = ManifestError::UnexpectedMember {
        offset: at.try_into().unwrap(),
    };
    assert_eq!(verify(&changed), Err(expected));
}

// ---- what is signed and malformed all the same --------------------------------------------------

#[test]
fn unknown_repeated_missing_and_swapped_members_are_refused() {
    check_members(|members| members.push(vec![10, 0]));
    check_members(|members| members.insert(4, vec![4, 7]));
    check_members(|members| members[4] = vec![4, 7]);
    check_members(|members| members[8][0] = 10);
    check_members(|members| drop(members.remove(4)));
    check_members(|members| members.swap(3, 4));
    let mut header = header();
    header.push(vec![5, 0x40]);
    let refused = verify(&signed(&map(&header), &map(&members())));
    assert!(matches!(
        refused,
        Err(ManifestError::UnexpectedMember { .. })
    ));
}

#[test]
fn numbers_and_lengths_in_a_longer_form_are_refused() {
    for (number, member) in [
        (1, &[0x18, 1][..]),
        (4, &[0x19, 0, 7]),
        (5, &[0x1b, 0, 0, 0, 0, 0, 0, 0, 3]),
        (6, &[0x1a, 0, 0, 9, 0xc4]),
        (2, b"\x78\x08esp32-s3"),
        (2, b"\x7f\x68esp32-s3\xff"),
    ] {
        let mut members = members();
        members[number - 1] = [&[number as u8], member].concat();
        let refused = verify(&signed(&map(&header()), &map(&members)));
        let is_expected = matches!(refused, Err(ManifestError::NotDeterministic { .. }));
        assert!(is_expected, "{number}: {refused:?}");
    }
    let indefinite = [vec![0xbf], members().concat(), vec![0xff]].concat();
    let refused = verify(&signed(&map(&header()), &indefinite));
    assert!(matches!(
        refused,
        Err(ManifestError::NotDeterministic { .. })
    ));
}

#[test]
fn values_out_of_range_are_refused() {
    check_member(1, &[2], ManifestError::UnsupportedFormat);
    check_member(4, &[0], ManifestError::Sequence);
    check_member(5, &[7], ManifestError::MinimumSequence);
    check_member(5, &[8], ManifestError::MinimumSequence);
    check_member(6, &[0], ManifestError::ImageLen);
    check_member(8, &head(0, 1000), ManifestError::ChunkSize);
    check_member(8, &head(0, 512), ManifestError::ChunkSize);
    let two_mib = [0x1a, 0, 0x20, 0, 0];
    check_member(8, &two_mib, ManifestError::ChunkSize);
    let far = [&[0x1b][..], &u64::MAX.to_be_bytes()].concat();
    check_member(6, &far, ManifestError::ImageLen);
}

#[test]
fn names_outside_their_grammar_are_refused() {
    for name in [&b"../a"[..], b"", b"a\nb", &[b'a'; 65], b"\xff"] {
        let mut changed = members();
        changed[1] = [vec![2], string(3, name)].concat();
        let refused = verify(&signed(&map(&header()), &map(&changed)));
        assert!(
            matches!(refused, Err(ManifestError::Hardware(_))),
            "{refused:?}"
        );
        let mut changed = members();
        changed[2] = [vec![3], string(3, name)].concat();
        let refused = verify(&signed(&map(&header()), &map(&changed)));
        assert!(
            matches!(refused, Err(ManifestError::Version(_))),
            "{refused:?}"
        );
    }
}

#[test]
fn digests_that_do_not_cover_the_image_are_refused() {
    let digests: Vec<u8> = image().chunks(1024).flat_map(sha256).collect();
    for wrong in [
        &digests[..64],
        &digests[..95],
        &[&digests[..], &[0; 32]].concat(),
        &[],
    ] {
        check_member(9, &string(2, wrong), ManifestError::ChunkDigests);
    }
    check_member(6, &head(0, 2048), ManifestError::ChunkDigests);
    check_member(6, &head(0, 3073), ManifestError::ChunkDigests);
    check_member(8, &head(0, 2048), ManifestError::ChunkDigests);
}

#[test]
fn a_manifest_that_is_too_long_is_refused_before_it_is_read() {
    let bytes = vec![0; Manifest::MAX_LEN + 1];
    assert_eq!(verify(&bytes), Err(ManifestError::TooLong));
}

#[test]
fn the_most_chunks_fit_and_one_more_does_not() {
    let bytes = sign(release(u64::MAX), &vec![7; 2000 * 1024]).unwrap();
    assert!((60_000..Manifest::MAX_LEN).contains(&bytes.len()));
    assert_eq!(verify(&bytes), Ok(()));
    let refused = sign(release(1), &vec![7; 2000 * 1024 + 1]);
    assert_eq!(refused, Err(ManifestError::ImageLen.into()));
}

// ---- what a device does with a verified one -----------------------------------------------------

fn check_admission(hardware: &str, sequence: u64, slot: u64, expected: Result<(), Refusal>) {
    let bytes = manifest();
    let keys = [key(1).public_key()];
    let keys = AuthorKeys::new(&keys).unwrap();
    let verified = keys.verify(Manifest::parse(&bytes).unwrap()).unwrap();
    let hardware: HardwareType = hardware.parse().unwrap();
    let admitted = verified.admit(&Installed::new(&hardware, sequence, slot));
    assert_eq!(admitted.map(|_| ()), expected);
}

#[test]
fn only_a_newer_image_for_this_hardware_that_fits_is_admitted() {
    check_admission("esp32-s3", 6, 2500, Ok(()));
    check_admission("esp32-s3", 3, 2500, Ok(()));
    check_admission("esp32-s2", 6, 2500, Err(Refusal::OtherHardware));
    for installed in [7, 8, u64::MAX] {
        let refusal = Refusal::NotNewer {
            installed: u32::try_from(installed).unwrap_or(u32::MAX),
            offered: 7,
        };
        check_admission("esp32-s3", installed, 2500, Err(refusal));
    }
    for installed in [0, 2] {
        let refusal = Refusal::NeedsIntermediate {
            installed,
            minimum: 3,
        };
        check_admission("esp32-s3", installed.into(), 2500, Err(refusal));
    }
    let (image, slot) = (2500, 2499);
    check_admission(
        "esp32-s3",
        6,
        slot.into(),
        Err(Refusal::TooLarge { image, slot }),
    );
}

#[test]
fn a_wrong_chunk_is_refused_at_that_chunk() {
    let (bytes, image) = (manifest(), image());
    let keys = [key(1).public_key()];
    let keys = AuthorKeys::new(&keys).unwrap();
    let verified = keys.verify(Manifest::parse(&bytes).unwrap()).unwrap();
    let mut wrong = image.clone();
    wrong[1500] ^= 1;
    let results: Vec<_> = verified
        .chunks()
        .zip(wrong.chunks(1024))
        .map(|(chunk, bytes)| chunk.verify(bytes).err())
        .collect();
    assert_eq!(results, [None, Some(ChunkError::Digest { index: 1 }), None]);

    let last = verified.chunk(2).unwrap();
    let written = last.verify(&image[2048..]).unwrap();
    assert_eq!((written.offset(), written.bytes()), (2048, &image[2048..]));
    let length = Err(ChunkError::Length { index: 2 });
    assert_eq!(last.verify(&image[2048..2499]), length);
    assert_eq!(last.verify(&[&image[2048..], &[0]].concat()), length);
    let swapped = verified.chunk(0).unwrap().verify(&image[1024..2048]);
    assert_eq!(swapped, Err(ChunkError::Digest { index: 0 }));
}

// ---- what is not signed -------------------------------------------------------------------------

#[test]
fn what_a_device_would_refuse_is_not_signed() {
    assert_eq!(sign(release(7), b""), Err(ManifestError::ImageLen.into()));
    assert_eq!(sign(release(0), b"x"), Err(ManifestError::Sequence.into()));
    let refused = sign(release(7).with_minimum_sequence(7), b"x");
    assert_eq!(refused, Err(ManifestError::MinimumSequence.into()));
}

#[test]
fn a_key_store_that_fails_makes_no_manifest() {
    /// Signs something else.
    #[derive(Debug)]
    struct Faulty(providore_pki::SoftwareKey);

    impl DeviceKey for Faulty {
        fn public_key(&mut self) -> Result<PublicKey, KeyError> {
            Ok(self.0.public_key())
        }

        fn sign(&mut self, message: &[u8]) -> Result<Signature, KeyError> {
            self.0.sign(&message[1..])
        }
    }

    let mut builder = ManifestBuilder::new(release(7)).unwrap();
    builder.update(b"x").unwrap();
    let refused = builder.sign(&mut Faulty(key(1)));
    assert_eq!(refused, Err(ManifestError::Signature.into()));
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(verify(&bytes).is_err());
        prop_assert!(verify(&[&[0xd2, 0x84], &bytes[..]].concat()).is_err());
        let _ = verify(&signed(&map(&header()), &bytes));
    }

    #[test]
    fn any_release_survives_its_manifest(
        sequence in 1_u64..,
        behind in 1_u64..,
        image in prop::collection::vec(any::<u8>(), 1..9000),
        power in 10_u32..=20,
    ) {
        let minimum = sequence.saturating_sub(behind);
        let size = ChunkSize::new(1 << power).unwrap();
        let release = release(sequence).with_minimum_sequence(minimum).with_chunk_size(size);
        let bytes = sign(release, &image).unwrap();
        let keys = [key(1).public_key()];
        let verified = AuthorKeys::new(&keys).unwrap().verify(Manifest::parse(&bytes).unwrap()).unwrap();
        prop_assert_eq!(verified.contents().sequence(), sequence);
        prop_assert_eq!(verified.contents().minimum_sequence(), minimum);
        let mut covered = 0;
        for chunk in verified.chunks() {
            let end = covered + chunk.length() as usize;
            prop_assert!(chunk.verify(&image[covered..end]).is_ok());
            covered = end;
        }
        prop_assert_eq!(covered, image.len());
    }
}
