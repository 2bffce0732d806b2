//! Requests that OpenSSL makes, good and bad: accepted or refused for the right reason.

use base64ct::{Base64, Encoding};
use providore_pki::{
    KeyAlgorithm, KeyPolicyError, VerifiedCsr,
    csr::{self, CsrError},
};

use crate::common::{device, key, stored};

fn check(name: &str, expected: Result<KeyAlgorithm, CsrError>) {
    let outcome = VerifiedCsr::check(&stored(name), &device());
    assert_eq!(
        outcome.map(|verified| verified.algorithm()),
        expected,
        "{name}"
    );
}

fn check_bytes(bytes: &[u8], expected: Result<(), CsrError>) {
    let outcome = VerifiedCsr::check(bytes, &device()).map(|_| ());
    assert_eq!(outcome, expected, "{}", String::from_utf8_lossy(bytes));
}

/// The outcome, if the feature is on; without it the algorithm is unknown.
fn with_feature<T>(feature: bool, expected: Result<T, KeyPolicyError>) -> Result<T, CsrError> {
    if feature {
        Ok(expected?)
    } else {
        Err(KeyPolicyError::UnsupportedAlgorithm.into())
    }
}

fn own_request() -> Vec<u8> {
    let mut buffer = [0; csr::MAX_DER_LEN];
    csr::write_der(&mut key(7), &device(), &mut buffer)
        .unwrap()
        .to_vec()
}

/// One DER element; `content` in pieces.
fn element(tag: u8, content: &[&[u8]]) -> Vec<u8> {
    let content = content.concat();
    let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
    let header = match content.len() {
        0..0x80 => vec![tag, low],
        0x80..0x100 => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    [header, content].concat()
}

/// A request with this version and these attributes; the signature is not good.
fn crafted(version: u8, attributes: &[u8]) -> Vec<u8> {
    let common_name = element(
        0x30,
        &[&[0x06, 3, 0x55, 4, 3], &element(0x0c, &[b"abc123"])],
    );
    let subject = element(0x30, &[&element(0x31, &[&common_name])]);
    let info = element(
        0x30,
        &[
            &[0x02, 1, version],
            &subject,
            &key(7).public_key().to_spki_der(),
            &element(0xa0, &[attributes]),
        ],
    );
    let algorithm = [0x30, 0x0a, 0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    element(0x30, &[&info, &algorithm, &[0x03, 1, 0]])
}

#[test]
fn requests_of_openssl_and_of_the_go_client_are_accepted() {
    check("p256", Ok(KeyAlgorithm::P256));
    check("new-label", Ok(KeyAlgorithm::P256));
    let p384 = || with_feature(cfg!(feature = "p384"), Ok(KeyAlgorithm::P384));
    check("p384-sha256", p384());
    check("p384-sha384", p384());
    let rsa = || with_feature(cfg!(feature = "rsa"), Ok(KeyAlgorithm::Rsa));
    check("rsa-2048", rsa());
    check("rsa-4096", rsa());
}

#[test]
fn requested_extensions_are_tolerated() {
    check("extensions", Ok(KeyAlgorithm::P256));
}

#[test]
fn weak_rsa_keys_are_refused() {
    let rsa = |reason| with_feature(cfg!(feature = "rsa"), Err(reason));
    check("rsa-512", rsa(KeyPolicyError::RsaTooShort { bits: 512 }));
    check("rsa-1024", rsa(KeyPolicyError::RsaTooShort { bits: 1024 }));
    check("rsa-4104", rsa(KeyPolicyError::RsaTooLong { bits: 4104 }));
    check("rsa-exponent-3", rsa(KeyPolicyError::RsaExponent));
}

#[test]
fn other_kinds_of_keys_are_refused() {
    let refused = |reason| Err(CsrError::Key(reason));
    for name in ["p521", "secp256k1", "explicit-curve", "ed25519", "rsa-pss"] {
        check(name, refused(KeyPolicyError::UnsupportedAlgorithm));
    }
    check("compressed-point", refused(KeyPolicyError::Malformed));
}

#[test]
fn weak_and_unusual_digests_are_refused() {
    check("p256-sha1", Err(CsrError::UnsupportedSignature));
    check("p256-sha512", Err(CsrError::UnsupportedSignature));
    if cfg!(feature = "rsa") {
        check("rsa-sha1", Err(CsrError::UnsupportedSignature));
    }
}

#[test]
fn a_subject_cannot_pass_for_another_device() {
    check("slash-in-organization", Err(CsrError::OtherDevice));
    check("two-common-names", Err(CsrError::SeveralCommonNames));
    check(
        "two-common-names-swapped",
        Err(CsrError::SeveralCommonNames),
    );
    check("multi-valued", Err(CsrError::MultiValuedSubject));
    check("multi-valued-names", Err(CsrError::MultiValuedSubject));
    check("no-common-name", Err(CsrError::NoCommonName));
    check("other-device", Err(CsrError::OtherDevice));
    check("bmp-string", Err(CsrError::CommonNameEncoding));
}

#[test]
fn too_much_of_anything_is_refused() {
    check("many-parts", Err(CsrError::TooManySubjectParts));
    check("many-extensions", Err(CsrError::TooManyExtensions));
    let attribute = element(0x30, &[&[0x06, 1, 0x2a], &[0x31, 0]]);
    check_bytes(
        &crafted(0, &attribute.repeat(8)),
        Err(CsrError::InvalidSignature),
    );
    check_bytes(
        &crafted(0, &attribute.repeat(9)),
        Err(CsrError::TooManyAttributes),
    );
    check_bytes(&[b' '; csr::MAX_LEN + 1], Err(CsrError::TooLong));
}

#[test]
fn an_unknown_version_is_refused() {
    check_bytes(&crafted(1, &[]), Err(CsrError::UnsupportedVersion));
}

#[test]
fn any_flipped_bit_is_noticed() {
    let request = own_request();
    for index in 0..request.len() {
        for bit in [0, 7] {
            let mut forged = request.clone();
            forged[index] ^= 1 << bit;
            assert!(
                VerifiedCsr::check(&forged, &device()).is_err(),
                "byte {index}, bit {bit}"
            );
        }
    }
}

#[test]
fn a_signature_by_another_key_is_refused() {
    let mut other = own_request();
    let point = key(8).public_key().to_sec1();
    let place = other
        .windows(65)
        .position(|window| window == key(7).public_key().to_sec1())
        .unwrap();
    other[place..place + 65].copy_from_slice(&point);
    check_bytes(&other, Err(CsrError::InvalidSignature));
}

#[test]
fn trailing_bytes_are_refused() {
    let request = own_request();
    check_bytes(&request, Ok(()));
    check_bytes(&[&request[..], &[0]].concat(), Err(CsrError::Malformed));
    for length in 0..request.len() {
        let outcome = VerifiedCsr::check(&request[..length], &device());
        assert!(outcome.is_err(), "{length} bytes");
    }
}

#[test]
fn pem_is_read_with_either_line_end_and_what_tools_put_around_it() {
    let pem = String::from_utf8(stored("p256")).unwrap();
    let crlf = pem.replace('\n', "\r\n");
    check_bytes(crlf.as_bytes(), Ok(()));
    check_bytes(pem.trim_end().as_bytes(), Ok(()));
    check_bytes(format!("{pem}\n \n").as_bytes(), Ok(()));
    // `openssl req -text`, and a C string that was sent with its end (RFC 7468, 5.2).
    let text = "Certificate Request:\n    Data: 0\n";
    check_bytes(format!("{text}{pem}").as_bytes(), Ok(()));
    check_bytes(format!("0 Data\n{pem}").as_bytes(), Ok(()));
    check_bytes(format!("{pem}\0").as_bytes(), Ok(()));
    check_bytes(format!("\u{feff}{pem}\r\n\0\0").as_bytes(), Ok(()));
    check_bytes(format!("{pem}\0x").as_bytes(), Err(CsrError::NotPem));
    check_bytes(b"\0", Err(CsrError::NotPem));
    check_bytes(b"-----BEGIN ", Err(CsrError::NotPem));
    check_bytes(b"0", Err(CsrError::NotPem));
    check_bytes(format!("{pem}{pem}").as_bytes(), Err(CsrError::NotPem));
    check_bytes(format!("{pem}x").as_bytes(), Err(CsrError::NotPem));
    check_bytes(b"", Err(CsrError::NotPem));
    check_bytes(b"[object Object]", Err(CsrError::NotPem));
    let certificate = pem.replace("CERTIFICATE REQUEST", "CERTIFICATE");
    check_bytes(certificate.as_bytes(), Err(CsrError::UnexpectedLabel));
}

#[test]
fn the_fingerprint_is_that_of_the_der_in_either_form() {
    let pem = stored("p256");
    let body: String = String::from_utf8(pem.clone())
        .unwrap()
        .lines()
        .filter(|line| !line.starts_with('-'))
        .collect();
    let der = Base64::decode_vec(&body).unwrap();
    let from_pem = VerifiedCsr::check(&pem, &device()).unwrap();
    let from_der = VerifiedCsr::check(&der, &device()).unwrap();
    assert_eq!(from_pem, from_der);
    let other = VerifiedCsr::check(&own_request(), &device()).unwrap();
    assert_ne!(from_pem.fingerprint(), other.fingerprint());
}
