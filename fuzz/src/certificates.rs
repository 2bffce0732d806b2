//! Requests, certificates, revocation lists and keys.

use std::sync::LazyLock;

use providore_pki::{
    Certificate, CertificateAuthority as _, LocalCa, Profile, PublicKey, SerialNumber, Signature,
    SoftwareKey, Validity, VerifiedChain, VerifiedCsr,
    ca::{CaSettings, CertificateTerms, NewCa},
    crl::RevocationList,
    csr::{self, CsrError},
    profile::AltName,
};
use providore_wire::DeviceId;

/// When everything here happens: 2026-01-02.
pub const NOW_UNIX: u64 = 1_767_323_045;

/// The CA of every target. The seeds in `corpus/chain` were issued by it.
pub static CA: LazyLock<NewCa> = LazyLock::new(|| {
    let entropy = core::array::from_fn(|index| index as u8);
    let settings = CaSettings::new("Fuzz").expect("a name");
    LocalCa::create(&entropy, &settings, NOW_UNIX).expect("a CA")
});

/// Alternative names: what is read is written and read again.
pub fn alt_name(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    let Ok(name) = text.parse::<AltName>() else {
        return;
    };
    let written = name.to_string();
    assert_eq!(written.parse(), Ok(name));
    assert!(!written.contains(['*', '/', ' ', '\0']), "{written}");
    assert!(written.is_ascii());
}

/// Certificates: kept byte for byte, and the same from PEM as from DER.
pub fn certificate(data: &[u8]) {
    if let Ok(read) = Certificate::from_der(data) {
        assert_eq!(read.der(), data);
        assert_certificate(&read);
    }
    if let Ok(read) = Certificate::from_pem(&String::from_utf8_lossy(data)) {
        assert_certificate(&read);
    }
}

fn assert_certificate(read: &Certificate) {
    assert_eq!(Certificate::from_der(read.der()).as_ref(), Ok(read));
    assert_eq!(Certificate::from_pem(&read.to_pem()).as_ref(), Ok(read));
    assert!(read.not_before_unix() <= read.not_after_unix());
    assert_eq!(read.public_key_spki_der().first(), Some(&0x30));
    let serial = read.serial();
    assert_eq!(
        SerialNumber::from_be_bytes(serial.as_be_bytes()).as_ref(),
        Some(serial)
    );
}

/// Revocation lists: likewise, and due from the middle of their life to its end.
pub fn revocation_list(data: &[u8]) {
    if let Ok(read) = RevocationList::from_der(data) {
        assert_eq!(read.der(), data);
        assert_revocation_list(&read);
    }
    if let Ok(read) = RevocationList::from_pem(&String::from_utf8_lossy(data)) {
        assert_revocation_list(&read);
    }
}

fn assert_revocation_list(read: &RevocationList) {
    for again in [
        RevocationList::from_der(read.der()),
        RevocationList::from_pem(&read.to_pem()),
    ] {
        let again = again.expect("what we write");
        assert_eq!(again.der(), read.der());
        assert_eq!(again.serials(), read.serials());
        assert_eq!(again.number(), read.number());
    }
    let (from, to) = (read.this_update_unix(), read.next_update_unix());
    assert!(from <= to);
    assert!(read.needs_reissue(to));
    assert_eq!(read.needs_reissue(from), to - from < 2);
}

/// A certificate request for the device `d8fa0180`, PEM or DER.
///
/// What is accepted gets a certificate that names the device, is on the key of the request, and
/// chains to the root; nobody else may use the request.
pub fn csr(data: &[u8]) {
    let device: DeviceId = "d8fa0180".parse().expect("an id");
    let other: DeviceId = "d8fa0181".parse().expect("an id");
    let Ok(verified) = VerifiedCsr::check(data, &device) else {
        return;
    };
    assert_eq!(
        VerifiedCsr::check(data, &other).err(),
        Some(CsrError::OtherDevice)
    );
    issue(&verified);
}

/// Issues a certificate and checks it as a device would.
fn issue(verified: &VerifiedCsr) {
    let serial = SerialNumber::from_entropy(&[1; 16]).expect("a serial number");
    let validity = Validity::starting_at(NOW_UNIX, 86_400).expect("a day");
    let terms = CertificateTerms::new(Profile::Client, serial, validity);
    let ca = open_ca(CA.chain_pem()).expect("our own chain");
    let issued = ca.issue(verified, &terms).expect("a certificate");
    let chain = VerifiedChain::verify(issued.chain_pem(), CA.root_pem(), Profile::Client, NOW_UNIX)
        .expect("a good chain");
    let owned = chain.belonging_to_spki(verified.device(), verified.public_key_spki_der());
    assert_eq!(owned.map(|owned| owned.chain_pem().is_empty()), Ok(false));
}

fn open_ca(chain_pem: &str) -> Option<LocalCa> {
    LocalCa::open(CA.issuer_key().clone(), chain_pem, NOW_UNIX).ok()
}

/// 32 bytes of key, where and how to damage the request, then a device id: what a device writes is
/// accepted from it, as DER and as PEM, and nothing with a flipped bit is accepted.
pub fn csr_round_trip(data: &[u8]) {
    let Some((scalar, [at, bit, id @ ..])) = data.split_first_chunk() else {
        return;
    };
    let (Ok(mut key), Ok(device)) = (SoftwareKey::from_scalar(scalar), DeviceId::parse(id)) else {
        return;
    };
    let mut buffer = [0; csr::MAX_DER_LEN];
    let mut der = csr::write_der(&mut key, &device, &mut buffer)
        .expect("fits")
        .to_vec();
    let verified = VerifiedCsr::check(&der, &device).expect("our own request");
    assert_eq!(
        verified.public_key_spki_der(),
        key.public_key().to_spki_der()
    );

    let mut buffer = [0; csr::MAX_PEM_LEN];
    let pem = csr::write_pem(&mut key, &device, &mut buffer).expect("fits");
    let same = VerifiedCsr::check(pem.as_bytes(), &device).expect("our own request");
    assert_eq!(same.public_key_spki_der(), verified.public_key_spki_der());
    // ECDSA here is deterministic (RFC 6979), so both are one request.
    assert_eq!(same.fingerprint(), verified.fingerprint());

    let at = usize::from(*at) % der.len();
    der[at] ^= 1 << (bit % 8);
    assert!(
        VerifiedCsr::check(&der, &device).is_err(),
        "bit {} of byte {at}",
        bit % 8
    );
}

/// PEM text as a chain, as roots, and as the certificates of a CA.
///
/// What is accepted is what it claims to be: within its time, and able to issue.
pub fn chain(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for profile in [Profile::Client, Profile::Server] {
        for roots in [CA.root_pem(), &text] {
            if let Ok(chain) = VerifiedChain::verify(&text, roots, profile, NOW_UNIX) {
                let leaf = chain.leaf();
                assert!((leaf.not_before_unix()..=leaf.not_after_unix()).contains(&NOW_UNIX));
                assert_certificate(leaf);
            }
        }
    }
    let Some(ca) = open_ca(&text) else {
        return;
    };
    let mut buffer = [0; csr::MAX_DER_LEN];
    let mut key = SoftwareKey::from_scalar(&[7; 32]).expect("a key");
    let device = "d8fa0180".parse().expect("an id");
    let der = csr::write_der(&mut key, &device, &mut buffer).expect("fits");
    let verified = VerifiedCsr::check(der, &device).expect("our own request");
    let serial = SerialNumber::from_entropy(&[1; 16]).expect("a serial number");
    let validity = Validity::starting_at(NOW_UNIX, 86_400).expect("a day");
    let terms = CertificateTerms::new(Profile::Client, serial, validity);
    let issued = ca.issue(&verified, &terms).expect("an open CA issues");
    if let Some(root) = ca.trust_anchor_pem() {
        let chain = VerifiedChain::verify(issued.chain_pem(), root, Profile::Client, NOW_UNIX);
        let leaf = chain.map(|chain| chain.leaf().der().to_vec());
        assert_eq!(
            leaf.as_deref(),
            Ok(issued.certificate().der()),
            "good under its own root"
        );
    }
}

/// Key files: what is read is written and read again as the same key.
pub fn key_file(data: &[u8]) {
    let read = [
        SoftwareKey::from_pkcs8_der(data),
        SoftwareKey::from_pkcs8_pem(&String::from_utf8_lossy(data)),
    ];
    for key in read.into_iter().flatten() {
        let der = key.to_pkcs8_der().expect("a key that was read");
        let pem = key.to_pkcs8_pem().expect("a key that was read");
        let again = [
            SoftwareKey::from_pkcs8_der(&der),
            SoftwareKey::from_pkcs8_pem(&pem),
            Ok(SoftwareKey::from_scalar(&key.to_scalar()).expect("a key that was read")),
        ];
        for again in again {
            assert!(again.expect("what we write").public_key() == key.public_key());
        }
    }
}

/// Points, signatures and serial numbers: only one spelling each.
pub fn public_key(data: &[u8]) {
    if let Ok(key) = PublicKey::from_sec1(data) {
        assert_eq!(key.to_sec1().as_slice(), data);
    }
    if let Ok(signature) = Signature::from_der(data) {
        let mut buffer = [0; 72];
        assert_eq!(signature.write_der(&mut buffer), data);
        let again = Signature::from_fixed(&signature.to_fixed()).expect("a signature");
        assert_eq!(again.to_fixed(), signature.to_fixed());
    }
    if let Some(serial) = SerialNumber::from_be_bytes(data) {
        let again = SerialNumber::from_be_bytes(serial.as_be_bytes());
        assert_eq!(again, Some(serial));
        let short = serial.as_be_bytes();
        assert!(data.ends_with(short.strip_prefix(&[0]).unwrap_or(short)));
    }
}
