//! The contract of `MacKey`.

use core::fmt::Debug;

use providore_sign::{KeyError, MacKey};
use providore_wire::Signature;

/// Runs the contract of [`MacKey`] over the keys that `make` builds from a secret.
///
/// Secrets are up to 131 bytes long.
///
/// # Panics
/// Where an implementation differs from the contract.
pub fn mac_key<K: MacKey + Debug>(mut make: impl FnMut(&[u8]) -> K) {
    rfc_4231(&mut make);
    pieces_do_not_matter(&mut make(b"secret"));
    a_computation_must_be_begun(&mut make(b"secret"));
    beginning_again_starts_over(&mut make(b"secret"));
    nothing_shows_the_secret(&make(b"a secret of printable letters"));
}

/// The test cases of RFC 4231 but for the fifth, which shortens the tag.
fn rfc_4231<K: MacKey>(make: &mut impl FnMut(&[u8]) -> K) {
    let counting: Vec<u8> = (1..=25).collect();
    let long_text: &[u8] = b"This is a test using a larger than block-size key and a larger than \
        block-size data. The key needs to be hashed before being used by the HMAC algorithm.";
    let cases: [(&[u8], &[u8], &str); 6] = [
        (
            &[0x0b; 20],
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            &[0xaa; 20],
            &[0xdd; 50],
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
        ),
        (
            &counting,
            &[0xcd; 50],
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
        ),
        (
            &[0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
        (
            &[0xaa; 131],
            long_text,
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
        ),
    ];
    for (secret, data, expected) in cases {
        let mut key = make(secret);
        assert_eq!(hex(&tag(&mut key, &[data])), expected);
        assert_eq!(hex(&tag(&mut key, &[data])), expected, "used a second time");
    }
}

fn pieces_do_not_matter(key: &mut impl MacKey) {
    let data: Vec<u8> = (0..=200).collect();
    let whole = tag(key, &[&data]);
    for border in 0..=data.len() {
        let (front, back) = data.split_at(border);
        assert_eq!(tag(key, &[front, back]), whole, "two pieces at {border}");
        assert_eq!(tag(key, &[b"", front, b"", back, b""]), whole, "{border}");
    }
    for length in [1, 2, 63, 64, 65, 128] {
        let pieces: Vec<&[u8]> = data.chunks(length).collect();
        assert_eq!(tag(key, &pieces), whole, "pieces of {length}");
    }
    assert_eq!(tag(key, &[]), tag(key, &[b""]), "no data is empty data");
    assert_ne!(tag(key, &[]), whole);
}

fn a_computation_must_be_begun(key: &mut impl MacKey) {
    let not_started = Err(KeyError::NotStarted);
    assert_eq!(key.update(b"x"), not_started);
    assert_eq!(key.update(b""), not_started);
    assert_eq!(key.finish().map(|_| ()), not_started);
    key.begin().expect("begins after misuse");
    assert_eq!(key.finish().map(|_| ()), Ok(()));
    assert_eq!(key.update(b"x"), not_started, "finish ends it");
    assert_eq!(key.finish().map(|_| ()), not_started, "finish ends it");
}

fn beginning_again_starts_over(key: &mut impl MacKey) {
    let expected = tag(key, &[b"kept"]);
    key.begin().expect("begins");
    key.update(b"dropped").expect("takes data");
    assert_eq!(tag(key, &[b"kept"]), expected);
}

fn nothing_shows_the_secret(key: &(impl MacKey + Debug)) {
    let printed = format!("{key:?} {key:#?}");
    assert!(!printed.contains("printable"), "{printed}");
    let as_numbers = format!("{:?}", b"printable");
    assert!(!printed.contains(as_numbers.trim_matches(['[', ']'])));
}

/// Through `dyn`, as an application with two kinds of key holds it.
fn tag(key: &mut dyn MacKey, pieces: &[&[u8]]) -> [u8; 32] {
    key.begin().expect("begins");
    for piece in pieces {
        key.update(piece).expect("takes data");
    }
    let tag = key.finish().expect("finishes");
    let published = *tag.publish().as_bytes();
    assert_self_consistent(key, pieces, published);
    published
}

/// `matches` and `publish` agree.
fn assert_self_consistent(mut key: &mut dyn MacKey, pieces: &[&[u8]], published: [u8; 32]) {
    MacKey::begin(&mut key).expect("begins");
    for piece in pieces {
        MacKey::update(&mut key, piece).expect("takes data");
    }
    let tag = MacKey::finish(&mut key).expect("finishes");
    assert!(tag.matches(&Signature::new(published)));
}

fn hex(bytes: &[u8]) -> String {
    use core::fmt::Write as _;
    let mut text = String::new();
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a string takes text");
    }
    text
}
