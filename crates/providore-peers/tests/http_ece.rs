//! The Python package `http_ece` and we: the content coding `aes128gcm` of RFC 8188.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

use providore_peers::Python;
use providore_sign::content_coding::{
    ContentKey, DecodeError, Decoder, Encoder, RecordSize, Salt, decode_in_place,
};
use providore_testkit::{simulator::Prng, vectors::signed};

const SECRET: &[u8] = b"input keying material, 32 bytes.";
const SALT: [u8; 16] = *b"0123456789abcdef";

/// The length of the header of content for a key without a name.
const HEADER: usize = 21;

/// Contents of every length that is special for records of a size, and of some that are not.
fn check(look: impl Fn(&mut Python, RecordSize, &str, &[u8])) {
    let mut peer = Python::start();
    let random = Prng::new(8188);
    for size in [18, 19, 25, 64, 100, 4096, 16_384] {
        let content = RecordSize::new(size).unwrap().content();
        let whole = content + 17;
        let mut lengths = vec![
            0,
            1,
            content - 1,
            content,
            content + 1,
            whole - 1,
            whole,
            whole + 1,
        ];
        lengths.extend([2 * content, 2 * content + 1, 3 * content - 1, 5 * content]);
        lengths.extend((0..4).map(|_| random.index(4 * content)));
        for (at, length) in lengths.into_iter().enumerate() {
            let plain: Vec<_> = (0..length)
                .map(|_| random.next_u64().to_le_bytes()[0])
                .collect();
            let key_id = ["", "k1", "d8fa0180", "schl\u{fc}ssel"][at % 4];
            look(&mut peer, RecordSize::new(size).unwrap(), key_id, &plain);
        }
    }
}

fn encode(key: &ContentKey<'_>, size: RecordSize, plain: &[u8], padded: bool) -> Vec<u8> {
    let mut lent = vec![0; size.get()];
    let salt = Salt::take(&mut SALT.clone()).unwrap();
    let (header, mut encoder) = Encoder::begin(key, salt, size, &mut lent).unwrap();
    let mut coded = header.as_bytes().to_vec();
    for mut chunk in plain.chunks(1000) {
        while let Some(record) = encoder.update(&mut chunk).unwrap() {
            coded.extend_from_slice(record);
        }
    }
    let last = if padded {
        encoder.finish_padded()
    } else {
        encoder.finish()
    };
    coded.extend_from_slice(last.unwrap());
    coded
}

/// As a stream and in place, which must say the same.
fn decode(key: ContentKey<'_>, size: RecordSize, coded: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let mut whole = coded.to_vec();
    let in_place = decode_in_place(key, &mut whole).map(<[u8]>::to_vec);
    let stream = || {
        let mut lent = vec![0; size.get()];
        let mut decoder = Decoder::begin(key, &mut lent);
        let mut plain = Vec::new();
        for mut chunk in coded.chunks(777) {
            while let Some(piece) = decoder.update(&mut chunk)? {
                plain.extend_from_slice(piece);
            }
        }
        plain.extend_from_slice(decoder.finish()?.0);
        Ok(plain)
    };
    let stream = stream();
    assert_eq!(stream, in_place);
    stream
}

#[test]
#[ignore = "needs the Python peers: docs/CONTRIBUTING.md"]
fn it_decodes_what_we_encode() {
    check(|peer, size, key_id, plain| {
        let key = ContentKey::new(SECRET).with_id(key_id).unwrap();
        for padded in [false, true] {
            let coded = encode(&key, size, plain, padded);
            let decoded = peer.decrypt(SECRET, &coded);
            assert_eq!(decoded.as_deref(), Ok(plain), "{size:?} {}", plain.len());
        }
    });
}

#[test]
#[ignore = "needs the Python peers: docs/CONTRIBUTING.md"]
fn we_decode_what_it_encodes() {
    check(|peer, size, key_id, plain| {
        let key = ContentKey::new(SECRET).with_id(key_id).unwrap();
        let coded = peer.encrypt((SECRET, key_id), &SALT, size.get(), plain);
        // Empty content is the one thing that it encodes in another way.
        if !plain.is_empty() {
            assert_eq!(decode(key, size, &coded), Ok(plain.into()), "{size:?}");
            assert_eq!(encode(&key, size, plain, false), coded, "{size:?}");
        }
    });
}

#[test]
#[ignore = "needs the Python peers: docs/CONTRIBUTING.md"]
fn empty_content_without_a_record_is_refused() {
    let mut peer = Python::start();
    for key_id in ["", "k1"] {
        let key = ContentKey::new(SECRET).with_id(key_id).unwrap();
        let coded = peer.encrypt((SECRET, key_id), &SALT, 4096, b"");
        assert_eq!(coded.len(), HEADER + key_id.len());
        let decoded = decode(key, RecordSize::DEFAULT, &coded);
        assert_eq!(decoded, Err(DecodeError::Truncated));
    }
}

#[test]
#[ignore = "needs the Python peers: docs/CONTRIBUTING.md"]
fn both_refuse_another_key_and_a_flipped_bit() {
    let mut peer = Python::start();
    let key = ContentKey::new(SECRET);
    let other = b"another material";
    let mut coded = encode(&key, RecordSize::DEFAULT, b"{}", false);
    assert!(peer.decrypt(other, &coded).is_err());
    assert!(decode(ContentKey::new(other), RecordSize::DEFAULT, &coded).is_err());
    coded[HEADER] ^= 1;
    assert!(peer.decrypt(SECRET, &coded).is_err());
    assert!(decode(key, RecordSize::DEFAULT, &coded).is_err());
}

#[test]
#[ignore = "needs the Python peers: docs/CONTRIBUTING.md"]
fn it_decodes_and_encodes_the_vectors() {
    let mut peer = Python::start();
    let mut seen = 0;
    for vector in signed() {
        let (Some(plain), Some(coded)) = (&vector.plain, &vector.ciphertext) else {
            continue;
        };
        let coding = vector.about.content_coding.as_ref().unwrap();
        let key = &vector.about.sub_keys.content.0;
        assert_eq!(peer.decrypt(key, coded).as_ref(), Ok(plain));
        let size = usize::try_from(coding.record_size).unwrap();
        let encoded = peer.encrypt((key, ""), &coding.salt.array(), size, plain);
        assert_eq!(&encoded, coded, "{}", vector.name);
        seen += 1;
    }
    assert!(seen > 2);
}
