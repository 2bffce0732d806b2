//! What OpenSSL makes of our requests, certificates, lists and keys, and we of its.

use providore_pki::{
    Certificate, CertificateAuthority, LocalCa, Profile, SoftwareKey, VerifiedChain, VerifiedCsr,
    crl::{Revocation, RevocationList, RevocationReason, RevocationTerms},
    csr,
    key::KeyFileError,
};

use crate::common::{DAY, NOW, OpenSsl, device, issue, key, new_ca, request, stored, terms};

/// OpenSSL's verdict on the chain for this purpose, by its strict rules.
fn verify(openssl: &OpenSsl, purpose: &str, more: &str) -> (bool, String) {
    openssl.run(&format!(
        "verify -x509_strict -check_ss_sig -attime {NOW} -purpose {purpose} {more} \
         -CAfile root.pem -untrusted chain.pem chain.pem"
    ))
}

fn check_chain(openssl: &OpenSsl, purpose: &str, expected: bool) {
    let (accepted, text) = verify(openssl, purpose, "");
    assert_eq!(accepted, expected, "{purpose}: {text}");
}

#[test]
fn requests_verify() {
    let openssl = OpenSsl::new("requests_verify");
    let mut buffer = [0; csr::MAX_PEM_LEN];
    let pem = csr::write_pem(&mut key(7), &device(), &mut buffer).unwrap();
    openssl.write("request.pem", pem);
    let text = openssl.must("req -in request.pem -verify -noout -subject");
    assert!(text.contains("verify OK"), "{text}");
    assert!(text.contains("CN = abc123"), "{text}");
}

#[test]
fn chains_pass_the_strict_check_for_their_purpose_only() {
    let ca = new_ca(1)
        .into_ca()
        .with_crl_url("http://ca.example/crl.pem");
    let ca = ca.unwrap();
    let requests = ["p256", "p384-sha256", "rsa-2048"].map(stored);
    let known = requests
        .iter()
        .filter_map(|bytes| VerifiedCsr::check(bytes, &device()).ok());
    for csr in known.chain([request(7)]) {
        for (profile, purposes) in [
            (Profile::Client, ["sslclient", "sslserver"]),
            (Profile::Server, ["sslserver", "sslclient"]),
        ] {
            let issued = ca.issue(&csr, &terms(profile, 0xa5)).unwrap();
            let openssl = OpenSsl::new("chains_pass");
            openssl
                .write("root.pem", ca.trust_anchor_pem().unwrap())
                .write("chain.pem", issued.chain_pem());
            check_chain(&openssl, purposes[0], true);
            check_chain(&openssl, purposes[1], false);
        }
    }
}

#[test]
fn the_certificate_says_what_the_terms_say() {
    let ca = new_ca(1)
        .into_ca()
        .with_crl_url("http://ca.example/crl.pem");
    let names = ["plant.example", "10.0.0.7", "2001:db8::7"];
    let names = names.map(|name| name.parse().unwrap()).to_vec();
    let terms = terms(Profile::Server, 0xa5).with_alt_names(names);
    let issued = ca.unwrap().issue(&request(7), &terms).unwrap();

    let openssl = OpenSsl::new("the_certificate_says");
    openssl.write("chain.pem", issued.chain_pem());
    let text = openssl.must("x509 -in chain.pem -noout -text");
    for expected in [
        "a5:a5:a5:a5:a5:a5:a5:a5:a5:a5:a5:a5:a5:a5:a5:a5",
        "Issuer: CN = Test Issuing CA",
        "Subject: CN = abc123",
        "Not Before: Jan  2 02:59:05 2026 GMT",
        "Not After : Apr  2 03:04:05 2026 GMT",
        "X509v3 Basic Constraints: critical\n                CA:FALSE",
        "X509v3 Key Usage: critical\n                Digital Signature\n",
        "TLS Web Server Authentication\n",
        "DNS:plant.example, IP Address:10.0.0.7, IP Address:2001:DB8:0:0:0:0:0:7\n",
        "URI:http://ca.example/crl.pem",
        "Subject Key Identifier",
        "Authority Key Identifier",
    ] {
        assert!(text.contains(expected), "{expected:?} in\n{text}");
    }
}

#[test]
fn a_revoked_certificate_is_refused_and_another_accepted() {
    let ca = new_ca(1).into_ca();
    let issued = issue(&ca, Profile::Client);
    let serial = *issued.certificate().serial();
    let other = *terms(Profile::Client, 9).serial();
    let openssl = OpenSsl::new("a_revoked_certificate");
    openssl
        .write("root.pem", ca.trust_anchor_pem().unwrap())
        .write("chain.pem", issued.chain_pem());

    for (revoked, accepted) in [(None, true), (Some(other), true), (Some(serial), false)] {
        let entry =
            |serial| Revocation::new(serial, NOW, NOW + DAY, RevocationReason::KeyCompromise);
        let entries: Vec<_> = revoked.into_iter().map(entry).collect();
        let terms = RevocationTerms::new(0x1234, NOW, 30 * DAY, &entries).unwrap();
        let list = ca.sign_revocation_list(&terms).unwrap();
        openssl.write("crl.pem", list.to_pem());

        let (found, text) = verify(&openssl, "sslclient", "-crl_check -CRLfile crl.pem");
        assert_eq!(found, accepted, "{text}");
        assert_eq!(text.contains("certificate revoked"), !accepted, "{text}");

        let text = openssl.must("crl -in crl.pem -noout -text");
        assert!(text.contains("Version 2"), "{text}");
        assert!(
            text.contains("CRL Number: \n                4660"),
            "{text}"
        );
        assert_eq!(text.contains("Key Compromise"), revoked.is_some(), "{text}");
    }
}

#[test]
fn a_whole_chain_is_accepted_with_the_lists_of_the_root_and_of_the_issuer() {
    let made = new_ca(1);
    let root_list = made.root_list().to_pem();
    let ca = made.into_ca();
    let issued = issue(&ca, Profile::Client);
    let openssl = OpenSsl::new("a_whole_chain");
    openssl
        .write("root.pem", ca.trust_anchor_pem().unwrap())
        .write("chain.pem", issued.chain_pem());
    let terms = RevocationTerms::new(1, NOW, 30 * DAY, &[]).unwrap();
    let own_list = ca.sign_revocation_list(&terms).unwrap().to_pem();
    for (lists, accepted) in [
        (own_list.clone(), false),
        (format!("{own_list}{root_list}"), true),
    ] {
        openssl.write("crl.pem", lists);
        let (found, text) = verify(&openssl, "sslclient", "-crl_check_all -CRLfile crl.pem");
        assert_eq!(found, accepted, "{text}");
    }
}

#[test]
fn certificates_and_lists_of_openssl_are_read() {
    let text = |name| String::from_utf8(stored(name)).unwrap();
    let root = Certificate::from_pem(&text("certificate")).unwrap();
    assert_eq!(root.common_name(), Some("Root"));
    let list = RevocationList::from_pem(&text("revocation-list")).unwrap();
    let serials: Vec<_> = list.serials().iter().map(ToString::to_string).collect();
    assert_eq!(
        (list.number(), serials),
        (42, vec!["0123456789abcdef".into()])
    );
}

#[test]
fn key_files_go_both_ways() {
    let openssl = OpenSsl::new("key_files");
    let ours = key(7);
    openssl.write("ours.pem", ours.to_pkcs8_pem().unwrap().as_bytes());
    openssl.must("pkey -in ours.pem -check -noout");

    openssl.must("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out theirs.pem");
    SoftwareKey::from_pkcs8_pem(&openssl.read("theirs.pem")).unwrap();
    openssl.must("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out p384.pem");
    let refused = SoftwareKey::from_pkcs8_pem(&openssl.read("p384.pem"));
    assert_eq!(refused.err(), Some(KeyFileError::NotP256));
}

#[cfg(feature = "encrypted-keys")]
#[test]
fn encrypted_key_files_go_both_ways() {
    use providore_pki::key::EncryptionEntropy;

    let openssl = OpenSsl::new("encrypted_key_files");
    let entropy = EncryptionEntropy::new([1; 16], [2; 16]);
    let ours = key(7).to_encrypted_pkcs8_pem(b"secret", &entropy).unwrap();
    openssl.write("ours.pem", &ours);
    openssl.must("pkey -in ours.pem -passin pass:secret -check -noout");
    assert!(!openssl.run("pkey -in ours.pem -passin pass:wrong -noout").0);

    openssl.must("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out plain.pem");
    let plain = SoftwareKey::from_pkcs8_pem(&openssl.read("plain.pem")).unwrap();
    openssl.must("pkcs8 -topk8 -in plain.pem -out theirs.pem -passout pass:secret -v2 aes-256-cbc");
    let theirs = openssl.read("theirs.pem");
    let read = SoftwareKey::from_encrypted_pkcs8_pem(&theirs, b"secret").unwrap();
    assert_eq!(read.public_key(), plain.public_key());

    let wrong = SoftwareKey::from_encrypted_pkcs8_pem(&theirs, b"wrong").err();
    assert!(matches!(
        wrong,
        Some(KeyFileError::NotDecrypted | KeyFileError::NotP256)
    ));
    let label = SoftwareKey::from_pkcs8_pem(&theirs).err();
    assert_eq!(label, Some(KeyFileError::UnexpectedLabel));
}

#[test]
fn a_ca_that_openssl_made_can_be_opened() {
    let openssl = OpenSsl::new("a_ca_that_openssl_made");
    openssl.must(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout root.key \
         -subj /C=AU/O=Example/CN=Root -days 3650 -out root.pem",
    );
    // Without subject key identifier, with two values in one part of the name.
    openssl.write(
        "ca.cnf",
        "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign\n",
    );
    openssl.must(
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout issuer.key \
         -subj /O=Example+OU=Devices/CN=Issuer -out issuer.csr",
    );
    openssl.must(
        "x509 -req -in issuer.csr -CA root.pem -CAkey root.key -CAcreateserial -days 3000 \
         -extfile ca.cnf -out issuer.pem",
    );
    let (root, issuer) = (openssl.read("root.pem"), openssl.read("issuer.pem"));
    // OpenSSL dates by the clock, which tests do not read.
    let now = Certificate::from_pem(&issuer).unwrap().not_before_unix();
    for (key, chain, certificates) in [
        ("root.key", root.clone(), 1),
        ("issuer.key", format!("{issuer}{root}"), 2),
        ("issuer.key", issuer.clone(), 2),
    ] {
        let key = SoftwareKey::from_pkcs8_pem(&openssl.read(key)).unwrap();
        let ca = LocalCa::open(key, &chain, now).unwrap();
        let answer = issue_at(&ca, now);
        assert_eq!(answer.matches("BEGIN CERTIFICATE").count(), certificates);
        let verified = VerifiedChain::verify(&answer, &root, Profile::Client, now);
        assert!(verified.is_ok(), "{verified:?}");
        openssl.write("chain.pem", &answer);
        openssl.must(&format!(
            "verify -attime {now} -purpose sslclient -CAfile root.pem -untrusted chain.pem chain.pem"
        ));
    }
}

fn issue_at(ca: &LocalCa, now: u64) -> String {
    use providore_pki::{SerialNumber, Validity, ca::CertificateTerms};
    let terms = CertificateTerms::new(
        Profile::Client,
        SerialNumber::from_entropy(&[5; 16]).unwrap(),
        Validity::starting_at(now, 90 * DAY).unwrap(),
    );
    ca.issue(&request(7), &terms).unwrap().chain_pem().into()
}
