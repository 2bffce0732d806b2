//! The agent's certificate: first use, renewal, and who tries to be the CA.

use alloc::rc::Rc;
use core::cell::RefCell;

use providore_client::{
    Agent, AgentError, Buffers, CertificateFault, CertificateStep, Identity, Record, Storage as _,
    memory::{MemoryRequest, MemoryStorage},
};
use providore_pki::{
    CertificateAuthority as _, LocalCa, Profile, SerialNumber, SoftwareKey, Validity, VerifiedCsr,
    ca::{CaSettings, CertificateTerms},
    chain::ChainError,
};
use providore_wire::DeviceId;

use crate::{
    agent::{Handler, MemoryPlatform, answer, platform, run, settings},
    support::{NOW, Reply, device, verify},
};

const DAY_S: u64 = 86_400;

fn days_ago(days: u64) -> u64 {
    let now: u64 = NOW.try_into().unwrap();
    now.saturating_sub(days.saturating_mul(DAY_S))
}

/// A CA and the PEM of its root.
pub(crate) fn authority(seed: u8) -> (LocalCa, String) {
    let entropy = [seed; LocalCa::ENTROPY_LEN];
    let settings = CaSettings::new("test").unwrap();
    let begin = days_ago(100);
    let new = LocalCa::create(&entropy, &settings, begin).unwrap();
    let root = new.root_pem().to_owned();
    (new.into_ca(), root)
}

/// A chain for 90 days, of which `age_days` have passed.
pub(crate) fn issue(ca: &LocalCa, csr: &[u8], age_days: u64, serial: u8) -> Vec<u8> {
    let device: DeviceId = "d8fa0180".parse().unwrap();
    let csr = VerifiedCsr::check(csr, &device).unwrap();
    let validity = Validity::starting_at(days_ago(age_days), 90 * DAY_S).unwrap();
    let serial = SerialNumber::from_entropy(&[serial; 16]).unwrap();
    let terms = CertificateTerms::new(Profile::Client, serial, validity);
    ca.issue(&csr, &terms)
        .unwrap()
        .chain_pem()
        .as_bytes()
        .to_vec()
}

/// A server with a CA; `shown` is what it shows as its root, unsigned.
fn server(seed: u8, shown: String, asked: Rc<RefCell<Vec<String>>>) -> Handler {
    aged_server(seed, shown, asked, 0)
}

/// One whose certificates are as old as that when they are made.
fn aged_server(seed: u8, shown: String, asked: Rc<RefCell<Vec<String>>>, age_days: u64) -> Handler {
    let (ca, _) = authority(seed);
    Box::new(move |request: MemoryRequest| {
        asked.borrow_mut().push(request.target.clone());
        if request.target == "/certificates/ca.pem" {
            assert!(
                request.fields.is_empty(),
                "nothing is signed for what is public"
            );
            return Ok(answer(Reply::unsigned(200, shown.as_bytes())));
        }
        verify(
            request.method,
            &request.target,
            &request.fields,
            &request.body,
        );
        let serial = u8::try_from(asked.borrow().len()).unwrap();
        let chain = issue(&ca, &request.body, age_days, serial);
        Ok(answer(Reply::signed(200, &chain)))
    })
}

type DeviceAgent<'b> = Agent<'b, providore_sign::SoftwareKey, MemoryPlatform>;

fn with_agent(platform: MemoryPlatform, roots: Option<&str>, story: impl FnOnce(&mut DeviceAgent)) {
    let mut key = SoftwareKey::from_scalar(&[7; 32]).unwrap();
    let (mut chunk, mut document) = ([0; 512], [0; 4096]);
    let buffers = Buffers {
        chunk: &mut chunk,
        document: &mut document,
    };
    let mut identity = Identity::new(&mut key);
    if let Some(roots) = roots {
        identity = identity.with_roots(roots);
    }
    let mut agent = Agent::new(device(), platform, settings(), buffers).with_identity(identity);
    story(&mut agent);
}

fn content(agent: &mut DeviceAgent, record: Record) -> Option<Vec<u8>> {
    let content = agent.platform_mut().storage.content(record);
    content.map(<[u8]>::to_vec)
}

fn refused(agent: &mut DeviceAgent, expected: ChainError) {
    let error = run(agent.check_certificate()).unwrap_err();
    let AgentError::Certificate(CertificateFault::Chain(error)) = error else {
        panic!("{error:?}");
    };
    assert_eq!(error, expected);
}

#[test]
fn the_ca_is_pinned_when_a_signed_chain_leads_to_it() {
    let asked = Rc::default();
    let (_, root) = authority(1);
    let platform = platform(server(1, root.clone(), Rc::clone(&asked)));
    with_agent(platform, None, |agent| {
        let step = run(agent.check_certificate()).unwrap();
        assert!(matches!(step, CertificateStep::Stored { .. }));
        assert_eq!(content(agent, Record::Authority), Some(root.into_bytes()));
        let step = run(agent.check_certificate()).unwrap();
        assert!(matches!(step, CertificateStep::Kept { .. }));
    });
    assert_eq!(
        *asked.borrow(),
        ["/certificates/request", "/certificates/ca.pem"]
    );
}

#[test]
fn a_stranger_cannot_have_another_ca_pinned() {
    let (_, forged) = authority(2);
    for shown in [forged, String::from("<html>"), String::new()] {
        let platform = platform(server(1, shown, Rc::default()));
        with_agent(platform, None, |agent| {
            let error = run(agent.check_certificate()).unwrap_err();
            assert!(matches!(error, AgentError::Certificate(_)), "{error:?}");
            assert_eq!(content(agent, Record::Authority), None);
            assert_eq!(content(agent, Record::Certificate), None);
        });
    }
}

#[test]
fn given_roots_are_the_only_ones() {
    let (_, root) = authority(1);
    let (_, other) = authority(2);
    let asked: Rc<RefCell<Vec<_>>> = Rc::default();
    let platform = platform(server(1, root, Rc::clone(&asked)));
    with_agent(platform, Some(&other), |agent| {
        refused(agent, ChainError::UnknownIssuer);
        assert_eq!(content(agent, Record::Certificate), None);
    });
    assert_eq!(*asked.borrow(), ["/certificates/request"]);
}

#[test]
fn a_certificate_for_another_key_does_not_replace_the_old() {
    let (ca, root) = authority(1);
    let mut other = SoftwareKey::from_scalar(&[8; 32]).unwrap();
    let mut buffer = [0; providore_pki::csr::MAX_PEM_LEN];
    let id = "d8fa0180".parse().unwrap();
    let csr = providore_pki::csr::write_pem(&mut other, &id, &mut buffer).unwrap();
    let chain = issue(&ca, csr.as_bytes(), 0, 1);
    let platform = platform(Box::new(move |_| Ok(answer(Reply::signed(200, &chain)))));
    with_agent(platform, Some(&root), |agent| {
        refused(agent, ChainError::OtherKey);
        assert_eq!(content(agent, Record::Certificate), None);
    });
}

#[test]
fn renewal_keeps_the_old_chain_and_follows_a_new_ca() {
    let asked = Rc::default();
    let (_, root) = authority(1);
    let first = platform(aged_server(1, root, Rc::clone(&asked), 80));
    let mut storage = MemoryStorage::new();
    with_agent(first, None, |agent| {
        run(agent.check_certificate()).unwrap();
        storage = agent.platform_mut().storage.clone();
    });
    let old = storage.content(Record::Certificate).map(<[u8]>::to_vec);

    // Its 80 days are over two thirds of 90, and the server has another CA by now.
    let (_, root) = authority(2);
    let mut second = platform(server(2, root.clone(), asked));
    second.storage = storage;
    with_agent(second, None, |agent| {
        let step = run(agent.check_certificate()).unwrap();
        assert!(matches!(step, CertificateStep::Stored { .. }));
        assert_eq!(content(agent, Record::Authority), Some(root.into_bytes()));
        assert_eq!(content(agent, Record::PreviousCertificate), old);
        assert_ne!(content(agent, Record::Certificate), old);
        let step = run(agent.check_certificate()).unwrap();
        assert!(matches!(step, CertificateStep::Kept { .. }));
    });
}

#[test]
fn what_is_stored_and_is_no_certificate_of_this_device_is_replaced() {
    let (_, root) = authority(1);
    for stored in [&b""[..], b"not PEM", b"\xff", root.as_bytes()] {
        let mut platform = platform(server(1, root.clone(), Rc::default()));
        run(platform.storage.store(Record::Certificate, stored)).unwrap();
        with_agent(platform, None, |agent| {
            let step = run(agent.check_certificate()).unwrap();
            assert!(matches!(step, CertificateStep::Stored { .. }));
        });
    }
}

#[test]
fn a_lost_power_before_the_certificate_keeps_the_old() {
    let (_, root) = authority(1);
    let mut platform = platform(server(1, root, Rc::default()));
    // The pin is stored, the certificate is not.
    platform.storage.power_mut().cut_after(1);
    with_agent(platform, None, |agent| {
        assert!(run(agent.check_certificate()).is_err());
        assert!(content(agent, Record::Authority).is_some());
        assert_eq!(content(agent, Record::Certificate), None);
        agent.platform_mut().storage.power_mut().restore();
        assert!(run(agent.check_certificate()).is_ok());
    });
}
