//! Chains that a device must not accept, and webpki's own verdict on those that it must.

use providore_pki::{
    Certificate, CertificateAuthority, Profile, VerifiedChain,
    chain::{CertificateError, ChainError},
};
use rustls_pki_types::{CertificateDer, UnixTime, pem::PemObject};

use crate::common::{DAY, NOW, OpenSsl, device, issue, key, new_ca};

fn check(chain: &str, roots: &str, now: u64, expected: Result<(), ChainError>) {
    let outcome = VerifiedChain::verify(chain, roots, Profile::Client, now);
    assert_eq!(outcome.map(|_| ()), expected);
}

fn issued(seed: u8) -> (String, String) {
    let ca = new_ca(seed).into_ca();
    let chain = issue(&ca, Profile::Client).chain_pem().to_owned();
    (chain, ca.trust_anchor_pem().unwrap().to_owned())
}

#[test]
fn webpki_with_other_arithmetic_accepts_our_chains() {
    let ca = new_ca(1).into_ca();
    let root = CertificateDer::from_pem_slice(ca.trust_anchor_pem().unwrap().as_bytes()).unwrap();
    let anchors = [webpki::anchor_from_trusted_cert(&root).unwrap()];
    for profile in [Profile::Client, Profile::Server] {
        let issued = issue(&ca, profile);
        let chain: Vec<_> = CertificateDer::pem_slice_iter(issued.chain_pem().as_bytes())
            .collect::<Result<_, _>>()
            .unwrap();
        let usage = match profile {
            Profile::Client => webpki::KeyUsage::client_auth(),
            _ => webpki::KeyUsage::server_auth(),
        };
        let leaf = webpki::EndEntityCert::try_from(&chain[0]).unwrap();
        leaf.verify_for_usage(
            webpki::ALL_VERIFICATION_ALGS,
            &anchors,
            &chain[1..],
            UnixTime::since_unix_epoch(core::time::Duration::from_secs(NOW)),
            usage,
            None,
            None,
        )
        .unwrap();
        let name = "abc123".try_into().unwrap();
        leaf.verify_is_valid_for_subject_name(&name).unwrap();
    }
}

#[test]
fn a_good_chain_is_accepted_with_text_around_its_blocks() {
    let (chain, root) = issued(1);
    check(&chain, &root, NOW, Ok(()));
    check(
        &format!("Certificate:\n{chain}\n\nroot:\n{root}"),
        &root,
        NOW,
        Ok(()),
    );
    check(&chain.replace('\n', "\r\n"), &root, NOW, Ok(()));
    let (_, other_root) = issued(99);
    check(&chain, &format!("{other_root}{root}"), NOW, Ok(()));
}

#[test]
fn a_chain_to_another_root_is_refused() {
    let (chain, root) = issued(1);
    let (_, other_root) = issued(99);
    check(&chain, &other_root, NOW, Err(ChainError::UnknownIssuer));
    let leaf = leaf_of(&chain);
    check(&leaf.to_pem(), &root, NOW, Err(ChainError::UnknownIssuer));
    check(
        &leaf.to_pem(),
        &leaf.to_pem(),
        NOW,
        Err(ChainError::UnknownIssuer),
    );
}

#[test]
fn an_issuer_of_the_same_name_with_another_key_is_refused() {
    // Both CAs have the same names; only the keys differ.
    let (chain, _) = issued(1);
    let (_, impostor_root) = issued(50);
    check(&chain, &impostor_root, NOW, Err(ChainError::UnknownIssuer));
}

#[test]
fn dates_are_kept() {
    let (chain, root) = issued(1);
    check(&chain, &root, NOW + 90 * DAY, Ok(()));
    check(&chain, &root, NOW + 90 * DAY + 1, Err(ChainError::Expired));
    check(&chain, &root, NOW - 301, Err(ChainError::NotYetValid));
    check(&chain, &root, 0, Err(ChainError::NotYetValid));
}

#[test]
fn a_server_certificate_is_no_client_certificate() {
    let ca = new_ca(1).into_ca();
    let chain = issue(&ca, Profile::Server).chain_pem().to_owned();
    let root = ca.trust_anchor_pem().unwrap();
    check(&chain, root, NOW, Err(ChainError::WrongPurpose));
}

#[test]
fn a_ca_certificate_is_no_leaf_and_a_leaf_is_no_ca() {
    let made = new_ca(1);
    let issuers = made.chain_pem();
    check(issuers, made.root_pem(), NOW, Err(ChainError::WrongRole));

    // The device signs with its own certificate, as an issuer.
    let openssl = OpenSsl::new("a_leaf_is_no_ca");
    let (chain, root) = issued(1);
    let (forged, now) = signed_by(&openssl, &chain);
    let outcome = VerifiedChain::verify(&forged, &root, Profile::Client, now);
    assert!(outcome.is_err(), "{outcome:?}");
}

#[test]
fn an_issuer_without_key_cert_sign_is_refused() {
    let openssl = OpenSsl::new("without_key_cert_sign");
    let make_root = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
                     -keyout root.key -subj /CN=Root -days 3650 -out root.pem";
    openssl.must(make_root);
    for (usage, expected) in [
        ("keyCertSign", Ok(())),
        ("digitalSignature", Err(ChainError::WrongRole)),
    ] {
        let extensions = format!("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,{usage}\n");
        openssl.write("device.key", key(7).to_pkcs8_pem().unwrap().as_bytes());
        openssl.write("ca.cnf", extensions);
        openssl.must("req -new -key device.key -subj /CN=Sub -out sub.csr");
        openssl.must(
            "x509 -req -in sub.csr -CA root.pem -CAkey root.key -CAcreateserial -days 99 \
             -extfile ca.cnf -out sub.pem",
        );
        let (chain, now) = signed_by(&openssl, &openssl.read("sub.pem"));
        let root = openssl.read("root.pem");
        check(&chain, &root, now, expected);
    }
}

#[test]
fn a_path_that_is_too_long_is_refused() {
    // The issuing CA has pathlen 0: a CA below it may not exist.
    let openssl = OpenSsl::new("a_path_that_is_too_long");
    let made = new_ca(1);
    openssl.write(
        "issuer.key",
        made.issuer_key().to_pkcs8_pem().unwrap().as_bytes(),
    );
    openssl.write("issuer.pem", made.chain_pem());
    openssl.write("device.key", key(7).to_pkcs8_pem().unwrap().as_bytes());
    openssl.write(
        "ca.cnf",
        "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n",
    );
    openssl.must("req -new -key device.key -subj /CN=Sub -out sub.csr");
    openssl.must(
        "x509 -req -in sub.csr -CA issuer.pem -CAkey issuer.key -CAcreateserial -days 99 \
         -extfile ca.cnf -out sub.pem",
    );
    let issuers = format!("{}{}", openssl.read("sub.pem"), made.chain_pem());
    let (chain, now) = signed_by(&openssl, &issuers);
    check(&chain, made.root_pem(), now, Err(ChainError::PathRule));
}

#[test]
fn a_certificate_for_another_device_or_key_is_refused() {
    let (chain, root) = issued(1);
    let verified = VerifiedChain::verify(&chain, &root, Profile::Client, NOW).unwrap();
    let other_key = verified
        .clone()
        .belonging_to(&device(), &key(8).public_key());
    assert_eq!(other_key.err(), Some(ChainError::OtherKey));
    let admin = "admin".parse().unwrap();
    let other_device = verified.clone().belonging_to(&admin, &key(7).public_key());
    assert_eq!(other_device.err(), Some(ChainError::OtherDevice));
    let own = verified
        .belonging_to(&device(), &key(7).public_key())
        .unwrap();
    assert_eq!(own.chain_pem(), chain);
}

#[test]
fn what_is_no_certificate_is_refused() {
    let (chain, root) = issued(1);
    check(
        "not a certificate",
        &root,
        NOW,
        Err(ChainError::ChainNotPem),
    );
    check("", &root, NOW, Err(ChainError::ChainNotPem));
    check(&chain, "", NOW, Err(ChainError::RootsNotPem));
    check(&chain.repeat(3), &root, NOW, Err(ChainError::ChainNotPem));
    let cut = chain.replace("-----END CERTIFICATE-----", "");
    check(&cut, &root, NOW, Err(ChainError::ChainNotPem));
    let empty = Certificate::from_pem("");
    assert_eq!(empty.err(), Some(CertificateError::NotPem));
}

#[test]
fn any_flipped_bit_in_the_leaf_is_noticed() {
    let (chain, root) = issued(1);
    let leaf = leaf_of(&chain);
    let rest = chain.replace(&leaf.to_pem(), "");
    for index in 0..leaf.der().len() {
        let mut der = leaf.der().to_vec();
        der[index] ^= 1;
        let Ok(forged) = Certificate::from_der(&der) else {
            continue;
        };
        let forged = format!("{}{rest}", forged.to_pem());
        let outcome = VerifiedChain::verify(&forged, &root, Profile::Client, NOW);
        assert!(outcome.is_err(), "byte {index}");
    }
}

/// A chain whose leaf is signed with key 7, as if `issuers` (its certificate first) were a CA,
/// and the leaf's first second.
fn signed_by(openssl: &OpenSsl, issuers: &str) -> (String, u64) {
    openssl.write("signer.key", key(7).to_pkcs8_pem().unwrap().as_bytes());
    openssl.write("signer.pem", issuers);
    openssl.write("leaf.cnf", "extendedKeyUsage=clientAuth\n");
    openssl.must(
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout leaf.key \
         -subj /CN=abc123 -out leaf.csr",
    );
    openssl.must(
        "x509 -req -in leaf.csr -CA signer.pem -CAkey signer.key -CAcreateserial -days 99 \
         -extfile leaf.cnf -out leaf.pem",
    );
    let leaf = openssl.read("leaf.pem");
    // OpenSSL dates by the clock, which tests do not read.
    let now = Certificate::from_pem(&leaf).unwrap().not_before_unix();
    let issuers = issuers.replace(new_ca(1).root_pem(), "");
    (format!("{leaf}{issuers}"), now)
}

fn leaf_of(chain: &str) -> Certificate {
    let (leaf, _) = chain.split_once("-----END").unwrap();
    Certificate::from_pem(&format!("{leaf}-----END CERTIFICATE-----")).unwrap()
}
