//! What the local CA issues, refuses and keeps to itself.

use std::{collections::HashSet, thread};

use providore_pki::{
    Certificate, CertificateAuthority, KeyError, LocalCa, Profile, SerialNumber, Validity,
    VerifiedChain,
    ca::{CaError, CaSettings, CertificateTerms},
    crl::{Revocation, RevocationList, RevocationReason, RevocationTerms, prune},
};

use crate::common::{DAY, NOW, device, issue, key, new_ca, request, terms};

fn check_open(key_seed: Option<u8>, chain: &str, now: u64, expected: CaError) {
    let made = new_ca(1);
    let key = key_seed.map_or_else(|| made.issuer_key().clone(), key);
    assert_eq!(LocalCa::open(key, chain, now).err(), Some(expected));
}

#[test]
fn two_threads_never_share_a_serial() {
    let ca = new_ca(1).into_ca();
    let issue_some = |thread: u8| {
        (1..=20).map({
            let ca = &ca;
            move |count| {
                let mut entropy = [0; 16];
                entropy[..2].copy_from_slice(&[thread, count]);
                let serial = SerialNumber::from_entropy(&entropy).unwrap();
                let validity = Validity::starting_at(NOW, DAY).unwrap();
                let terms = CertificateTerms::new(Profile::Client, serial, validity);
                let issued = ca.issue(&request(7), &terms).unwrap();
                (*issued.certificate().serial(), serial)
            }
        })
    };
    let pairs: Vec<_> = thread::scope(|scope| {
        let threads = [1, 2].map(|thread| scope.spawn(move || issue_some(thread).collect()));
        let pairs = threads.map(|thread| thread.join().unwrap());
        pairs.into_iter().flat_map(|pairs: Vec<_>| pairs).collect()
    });
    assert!(pairs.iter().all(|(issued, wanted)| issued == wanted));
    let distinct: HashSet<_> = pairs.iter().map(|(issued, _)| issued).collect();
    assert_eq!(distinct.len(), 40);
}

#[test]
fn a_certificate_does_not_outlive_its_ca() {
    let ca = new_ca(1).into_ca();
    let serial = SerialNumber::from_entropy(&[5; 16]).unwrap();
    let check = |from: u64, to: u64, expected: Option<(u64, u64)>| {
        let validity = Validity::new(from, to).unwrap();
        let terms = CertificateTerms::new(Profile::Client, serial, validity);
        let issued = ca.issue(&request(7), &terms).ok();
        let found = issued.map(|issued| {
            let certificate = issued.certificate();
            (certificate.not_before_unix(), certificate.not_after_unix())
        });
        assert_eq!(found, expected);
    };
    let (begin, end) = (
        ca.validity().not_before_unix(),
        ca.validity().not_after_unix(),
    );
    check(begin - 5, begin + 5, Some((begin, begin + 5)));
    check(end - 5, end + 5, Some((end - 5, end)));
    check(end + 5, end + 10, None);
    check(begin - 10, begin - 5, None);
}

#[test]
fn certificates_beyond_2050_keep_their_dates() {
    let entropy = core::array::from_fn(|index| u8::try_from(index).unwrap() + 1);
    let settings = CaSettings::new("Long").unwrap();
    let settings = settings.with_lifetimes(60 * 365 * DAY, 50 * 365 * DAY);
    let ca = LocalCa::create(&entropy, &settings, NOW).unwrap().into_ca();
    let validity = Validity::starting_at(NOW, 40 * 365 * DAY).unwrap();
    let serial = SerialNumber::from_entropy(&[5; 16]).unwrap();
    let terms = CertificateTerms::new(Profile::Client, serial, validity);
    let issued = ca.issue(&request(7), &terms).unwrap();
    assert_eq!(
        issued.certificate().not_after_unix(),
        validity.not_after_unix()
    );
}

#[test]
fn a_ca_that_does_not_fit_is_not_opened() {
    let made = new_ca(1);
    let root = made.root_pem();
    let leaf = issue(&new_ca(1).into_ca(), Profile::Client);
    let issuer = made.chain_pem().replace(root, "");
    check_open(None, root, NOW, CaError::OtherKey);
    check_open(Some(7), made.chain_pem(), NOW, CaError::OtherKey);
    check_open(Some(7), leaf.chain_pem(), NOW, CaError::NotACa);
    check_open(
        None,
        &format!("{issuer}{}", new_ca(99).root_pem()),
        NOW,
        CaError::BrokenChain,
    );
    check_open(
        None,
        made.chain_pem(),
        NOW + 11 * 365 * DAY,
        CaError::Expired,
    );
    check_open(None, "", NOW, CaError::NotPem);
    check_open(None, &issuer.repeat(5), NOW, CaError::NotPem);
}

#[test]
fn the_next_intermediate_needs_only_the_root() {
    let made = new_ca(1);
    let settings = CaSettings::new("Test").unwrap();
    let later = NOW + 300 * DAY;
    let create = |key| LocalCa::create_issuer(key, made.root_pem(), &[9; 48], &settings, later);
    let next = create(made.root_key()).unwrap();
    assert_ne!(next.chain_pem(), made.chain_pem());
    let root = made.root_pem();
    let serial = SerialNumber::from_entropy(&[5; 16]).unwrap();
    let validity = Validity::starting_at(later, DAY).unwrap();
    let terms = CertificateTerms::new(Profile::Client, serial, validity);
    let issued = next.into_ca().issue(&request(7), &terms).unwrap();
    let verified = VerifiedChain::verify(issued.chain_pem(), root, Profile::Client, later);
    assert!(verified.is_ok(), "{verified:?}");
    assert_eq!(create(made.issuer_key()).err(), Some(CaError::OtherKey));
}

#[test]
fn the_list_of_the_root_is_signed_when_the_ca_is_made_and_lasts_as_long_as_the_issuer() {
    let made = new_ca(1);
    let list = made.root_list().clone();
    let root = Certificate::from_pem(made.root_pem()).unwrap();
    assert!(list.is_signed_by(&root));
    assert!(list.serials().is_empty());
    let ca = made.into_ca();
    assert_eq!(list.next_update_unix(), ca.validity().not_after_unix());
    assert_eq!(ca.issuers_lists(), [list]);
    assert_eq!(ca.issuers_without_list(NOW).count(), 0);
}

#[test]
fn a_ca_without_a_list_of_its_root_says_so_and_takes_no_strangers() {
    let (made, stranger) = (new_ca(1), new_ca(99));
    let open = || LocalCa::open(made.issuer_key().clone(), made.chain_pem(), NOW).unwrap();
    let without: Vec<_> = open().issuers_without_list(NOW).map(String::from).collect();
    assert_eq!(without, ["Test Root CA"]);
    let foreign = open().with_issuers_lists(vec![stranger.root_list().clone()]);
    assert_eq!(foreign.err(), Some(CaError::ForeignList));
    let terms = RevocationTerms::new(1, NOW, DAY, &[]).unwrap();
    let own = open().sign_revocation_list(&terms).unwrap();
    let own = open().with_issuers_lists(vec![own]);
    assert_eq!(own.err(), Some(CaError::ForeignList), "not above itself");
    let root = LocalCa::open(made.root_key().clone(), made.root_pem(), NOW).unwrap();
    let short = root.list_until(NOW + DAY, NOW).unwrap();
    let ca = open().with_issuers_lists(vec![short]).unwrap();
    assert_eq!(ca.issuers_without_list(NOW + DAY).count(), 0);
    assert_eq!(ca.issuers_without_list(NOW + DAY + 1).count(), 1, "ended");
}

#[test]
fn lists_of_several_cas_are_read_from_one_file() {
    let (one, two) = (new_ca(1), new_ca(99));
    let lists = [one.root_list().clone(), two.root_list().clone()];
    let file = format!("{}\n{}\n", lists[0].to_pem(), lists[1].to_pem());
    assert_eq!(RevocationList::all_from_pem(&file, 2), Ok(lists.to_vec()));
    assert!(RevocationList::all_from_pem(&file, 1).is_err());
    assert_eq!(RevocationList::all_from_pem(" \n", 1), Ok(vec![]));
    assert!(RevocationList::all_from_pem("text", 1).is_err());
}

#[test]
fn a_renewed_issuer_keeps_what_it_issued_good() {
    let made = new_ca(1);
    let ca = LocalCa::open(made.issuer_key().clone(), made.chain_pem(), NOW).unwrap();
    let issued = issue(&ca, Profile::Client);
    let year = 365 * DAY;
    // After the issuing certificate has ended.
    let later = NOW + 11 * year;
    let renew = |key| LocalCa::renew_issuer(key, made.chain_pem(), &[3; 16], 5 * year, later);
    let renewed = renew(made.root_key()).unwrap();
    let again = LocalCa::open(made.issuer_key().clone(), renewed.chain_pem(), later).unwrap();
    assert_eq!(again.validity().not_after_unix(), later + 5 * year);
    let again = again
        .with_issuers_lists(vec![renewed.signer_list().clone()])
        .unwrap();
    assert_eq!(again.issuers_without_list(later + 5 * year).count(), 0);
    // What the old certificate signed verifies under the new one, and the root is the same.
    let leaf = Certificate::first_of_pem(issued.chain_pem()).unwrap();
    let chain = format!("{}{}", leaf.to_pem(), renewed.chain_pem());
    let verified = VerifiedChain::verify(&chain, made.root_pem(), Profile::Client, NOW + DAY);
    assert!(verified.is_err(), "the new certificate begins later");
    let serial = SerialNumber::from_entropy(&[5; 16]).unwrap();
    let validity = Validity::starting_at(later, DAY).unwrap();
    let terms = CertificateTerms::new(Profile::Client, serial, validity);
    let fresh = again.issue(&request(7), &terms).unwrap();
    let root = made.root_pem();
    let verified = VerifiedChain::verify(fresh.chain_pem(), root, Profile::Client, later);
    assert!(verified.is_ok(), "{verified:?}");

    assert_eq!(renew(made.issuer_key()).err(), Some(CaError::OtherKey));
    let root_alone = LocalCa::renew_issuer(made.root_key(), made.root_pem(), &[3; 16], DAY, NOW);
    assert_eq!(root_alone.err(), Some(CaError::OwnRoot));
    let zeros = LocalCa::renew_issuer(made.root_key(), made.chain_pem(), &[0; 16], DAY, NOW);
    assert_eq!(zeros.err(), Some(CaError::Entropy));
}

#[test]
fn a_certificate_from_before_the_renewal_verifies_under_the_renewed_issuer() {
    let made = new_ca(1);
    let ca = LocalCa::open(made.issuer_key().clone(), made.chain_pem(), NOW).unwrap();
    let issued = issue(&ca, Profile::Client);
    let soon = NOW + 30 * DAY;
    let (key, chain) = (made.root_key(), made.chain_pem());
    let renewed = LocalCa::renew_issuer(key, chain, &[3; 16], 900 * DAY, soon).unwrap();
    let leaf = Certificate::first_of_pem(issued.chain_pem()).unwrap();
    let chain = format!("{}{}", leaf.to_pem(), renewed.chain_pem());
    let verified = VerifiedChain::verify(&chain, made.root_pem(), Profile::Client, soon + DAY);
    assert!(verified.is_ok(), "{verified:?}");
}

#[test]
fn an_intermediate_below_the_intermediate_is_not_opened() {
    let made = new_ca(1);
    let settings = CaSettings::new("Below").unwrap();
    let (key, chain) = (made.issuer_key(), made.chain_pem());
    let below = LocalCa::create_issuer(key, chain, &[9; 48], &settings, NOW);
    assert_eq!(below.err(), Some(CaError::BrokenChain));
}

#[test]
fn a_ca_is_shared_between_threads_behind_its_trait() {
    fn check(ca: &(dyn CertificateAuthority + Send + Sync)) {
        assert!(ca.trust_anchor_pem().is_some());
    }
    check(&new_ca(1).into_ca());
}

#[test]
fn entropy_that_cannot_be_is_refused() {
    let settings = CaSettings::new("Test").unwrap();
    let check = |entropy: [u8; LocalCa::ENTROPY_LEN], expected| {
        let outcome = LocalCa::create(&entropy, &settings, NOW);
        assert_eq!(outcome.err(), Some(expected));
    };
    check([0; 96], CaError::Entropy);
    check([0xff; 96], CaError::Key(KeyError::InvalidScalar));
    let mut no_serial = [1; 96];
    no_serial[80..].fill(0);
    check(no_serial, CaError::Entropy);
    for name in ["", "a\nb", &"n".repeat(49)] {
        assert_eq!(CaSettings::new(name).err(), Some(CaError::Name));
    }
}

#[test]
fn nothing_prints_a_key() {
    let made = new_ca(1);
    let scalar = made.issuer_key().to_scalar();
    let [a, b, c, d, ..] = *scalar;
    let hex = format!("{a:02x}{b:02x}{c:02x}{d:02x}");
    let text = format!("{made:?} {:?}", made.issuer_key());
    assert!(!text.contains(&hex), "{text}");
    assert!(!text.contains(&format!("{a}, {b}, {c}, {d}")), "{text}");
}

#[test]
fn an_odd_device_id_gets_a_uri_and_both_sides_accept_it() {
    let ca = new_ca(1);
    let device = "esp 32:a@b".parse().unwrap();
    let mut buffer = [0; providore_pki::csr::MAX_DER_LEN];
    let der = providore_pki::csr::write_der(&mut key(7), &device, &mut buffer).unwrap();
    let csr = providore_pki::VerifiedCsr::check(der, &device).unwrap();
    let root = ca.root_pem().to_owned();
    let issued = ca
        .into_ca()
        .issue(&csr, &terms(Profile::Client, 3))
        .unwrap();
    let uri = b"urn:providore:device:esp%2032%3Aa%40b";
    let der = issued.certificate().der();
    assert!(der.windows(uri.len()).any(|window| window == uri));
    let chain = VerifiedChain::verify(issued.chain_pem(), &root, Profile::Client, NOW).unwrap();
    assert!(chain.belonging_to(&device, &key(7).public_key()).is_ok());
}

#[test]
fn a_list_is_signed_anew_after_half_its_life_and_read_back_as_it_was() {
    let ca = new_ca(1).into_ca();
    let serial = |byte| SerialNumber::from_entropy(&[byte; 16]).unwrap();
    let revoked = [9, 3, 9]
        .map(|byte| Revocation::new(serial(byte), NOW, NOW + DAY, RevocationReason::Superseded));
    let terms = RevocationTerms::new(7, NOW, 30 * DAY, &revoked).unwrap();
    let list = ca.sign_revocation_list(&terms).unwrap();
    assert_eq!(list.number(), 7);
    assert_eq!(list.serials(), [serial(3), serial(9)]);
    assert_eq!(list.next_update_unix(), NOW + 30 * DAY);
    assert!(!list.needs_reissue(NOW + 14 * DAY));
    assert!(list.needs_reissue(NOW + 15 * DAY));
    assert_eq!(RevocationList::from_pem(&list.to_pem()), Ok(list));
}

#[test]
fn a_long_list_is_signed() {
    let ca = new_ca(1).into_ca();
    let revoked: Vec<_> = (1..=3000_u32)
        .map(|number| {
            let serial = SerialNumber::from_be_bytes(&number.to_be_bytes()).unwrap();
            Revocation::new(serial, NOW, NOW + DAY, RevocationReason::KeyCompromise)
        })
        .collect();
    let terms = RevocationTerms::new(u64::MAX, NOW, DAY, &revoked).unwrap();
    let list = ca.sign_revocation_list(&terms).unwrap();
    assert!(list.der().len() > 0x1_0000);
    assert_eq!((list.serials().len(), list.number()), (3000, u64::MAX));
}

#[test]
fn expired_entries_leave_the_list_after_they_stood_on_one() {
    let check = |at: u64, expires: u64, kept: bool| {
        let serial = SerialNumber::from_entropy(&[1; 16]).unwrap();
        let entry = Revocation::new(serial, at, expires, RevocationReason::Unspecified);
        let mut revoked = vec![entry];
        prune(&mut revoked, NOW);
        assert_eq!(!revoked.is_empty(), kept, "revoked {at}, ends {expires}");
    };
    check(NOW - 9, NOW + 1, true);
    check(NOW - 9, NOW - 1, false);
    check(NOW + 1, NOW - 1, true);
}

#[test]
fn the_device_of_the_request_is_the_subject() {
    let issued = issue(&new_ca(1).into_ca(), Profile::Client);
    assert_eq!(issued.certificate().common_name(), Some(device().as_str()));
    assert_eq!(
        issued.certificate().public_key_spki_der(),
        key(7).public_key().to_spki_der()
    );
}
