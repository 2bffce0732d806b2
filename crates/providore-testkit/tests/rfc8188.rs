//! The examples of RFC 8188 section 3, in both directions and byte for byte.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use providore_sign::{
    MacKey as _, SoftwareKey,
    content_coding::{ContentKey, DecodeError, Decoder, Encoder, RecordSize, Salt},
    subkeys::{self, Purpose},
};
use providore_testkit::PeripheralKey;
use serde::Deserialize;

const SECTION_3_1: &str = include_str!("../vectors/rfc8188/section-3.1.json");
const SECTION_3_2: &str = include_str!("../vectors/rfc8188/section-3.2.json");

/// One of the files, whose README says what is in it.
#[derive(Deserialize)]
struct Example {
    input_keying_material: String,
    key_id: String,
    salt: String,
    record_size: u32,
    contents: Vec<String>,
    unencrypted: Vec<String>,
    coded: String,
    #[serde(default)]
    derived: Option<Derived>,
}

/// What section 3.1 prints of the way from the key to the record.
#[derive(Deserialize)]
struct Derived {
    prk: String,
    cek: String,
    nonce: String,
}

#[test]
fn one_record_is_that_of_section_3_1() {
    check(SECTION_3_1, |coded| assert_eq!(coded.len(), 53));
}

#[test]
fn two_records_with_padding_and_a_named_key_are_those_of_section_3_2() {
    check(SECTION_3_2, |coded| assert_eq!(coded.len(), 73));
}

#[test]
fn what_is_between_key_and_record_is_as_printed() {
    for text in [SECTION_3_1, SECTION_3_2] {
        let example: Example = serde_json::from_str(text).unwrap();
        for (content, unencrypted) in example.contents.iter().zip(&example.unencrypted) {
            assert!(bytes(unencrypted).starts_with(content.as_bytes()));
        }
        let Some(derived) = example.derived else {
            continue;
        };
        let prk = mac(
            &bytes(&example.salt),
            &bytes(&example.input_keying_material),
        );
        assert_eq!(prk, *bytes(&derived.prk));
        let cek = mac(&prk, b"Content-Encoding: aes128gcm\0\x01");
        assert_eq!(cek[..16], bytes(&derived.cek));
        let nonce = mac(&prk, b"Content-Encoding: nonce\0\x01");
        assert_eq!(nonce[..12], bytes(&derived.nonce));
    }
}

#[test]
fn a_locked_key_derives_what_the_same_key_in_software_does() {
    let mut locked = PeripheralKey::new(b"a device's secret");
    let mut open = SoftwareKey::new(b"a device's secret").unwrap();
    for purpose in Purpose::ALL {
        let derived = subkeys::derive(&mut locked, purpose).unwrap();
        let expected = subkeys::derive(&mut open, purpose).unwrap();
        assert_eq!(derived.expose(), expected.expose(), "{purpose:?}");
    }
    let device = "d8fa0180".parse().unwrap();
    let derived = subkeys::device_key(&mut locked, &device).unwrap();
    let expected = subkeys::device_key(&mut open, &device).unwrap();
    assert_eq!(derived.expose(), expected.expose());
}

#[test]
fn the_examples_with_any_bit_flipped_are_refused() {
    for text in [SECTION_3_1, SECTION_3_2] {
        let example: Example = serde_json::from_str(text).unwrap();
        let coded = bytes(&example.coded);
        for bit in 0..coded.len() * 8 {
            let mut flipped = coded.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            // Nothing depends on the record size of content that is shorter than a record.
            if let Ok(plain) = decode(&example, &flipped, 64) {
                assert!((128..160).contains(&bit), "bit {bit}");
                assert_eq!(plain, example.contents.concat().as_bytes());
            }
        }
    }
}

fn check(text: &str, look: impl Fn(&[u8])) {
    let example: Example = serde_json::from_str(text).unwrap();
    let coded = bytes(&example.coded);
    look(&coded);
    assert_eq!(encode(&example), coded);
    for chunk in 1..=coded.len() {
        let plain = decode(&example, &coded, chunk).unwrap();
        assert_eq!(plain, example.contents.concat().as_bytes(), "{chunk}");
    }
}

fn encode(example: &Example) -> Vec<u8> {
    let secret = bytes(&example.input_keying_material);
    let key = ContentKey::new(&secret).with_id(&example.key_id).unwrap();
    let size = RecordSize::new(example.record_size).unwrap();
    let salt = Salt::take(&mut bytes(&example.salt).try_into().unwrap()).unwrap();
    let mut lent = vec![0xff; size.get()];
    let (header, mut encoder) = Encoder::begin(&key, salt, size, &mut lent).unwrap();
    let mut coded = header.as_bytes().to_vec();
    for (at, content) in example.contents.iter().enumerate() {
        if at > 0 {
            coded.extend_from_slice(encoder.flush().unwrap().unwrap());
        }
        assert_eq!(encoder.update(&mut content.as_bytes()).unwrap(), None);
    }
    coded.extend_from_slice(encoder.finish().unwrap());
    coded
}

fn decode(example: &Example, coded: &[u8], chunk: usize) -> Result<Vec<u8>, DecodeError> {
    let secret = bytes(&example.input_keying_material);
    let key = ContentKey::new(&secret).with_id(&example.key_id).unwrap();
    let mut lent = vec![0xff; RecordSize::MAX.get()];
    let mut decoder = Decoder::begin(key, &mut lent);
    let mut plain = Vec::new();
    for mut chunk in coded.chunks(chunk) {
        while let Some(piece) = decoder.update(&mut chunk)? {
            plain.extend_from_slice(piece);
        }
    }
    let (last, proof) = decoder.finish()?;
    plain.extend_from_slice(last);
    assert_eq!(proof.length(), plain.len() as u64);
    Ok(plain)
}

fn mac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut key = SoftwareKey::new(key).unwrap();
    key.begin().unwrap();
    key.update(message).unwrap();
    *key.finish().unwrap().publish().as_bytes()
}

fn bytes(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}
