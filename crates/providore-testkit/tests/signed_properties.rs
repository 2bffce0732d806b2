//! The `Signed` dialect: no covered bit can be changed, and no network makes a server do something
//! twice or leaves a device outside.
//!
//! Bits that are not flipped, because nothing is changed or because nobody can send it:
//! - the case of a field's name, which has no meaning (RFC 9110 section 5.1);
//! - what makes of a method, a target or an answer's value no UTF-8. The fuzz target
//!   `signed_exchange` flips those of answers, and the names of their fields;
//! - in lines of other signatures, what leaves no structured field: all of the field is void then
//!   (RFC 9651 section 4.2), ours with it.

#![expect(
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::sync::LazyLock;

use proptest::{prelude::*, sample::Index, test_runner::TestCaseResult};
use providore_server_core::{MemoryStore, Settings};
use providore_sign::{ReplayLimits, signed::RequestToSign};
use providore_testkit::{
    SharedStore,
    parties::{Answer, Fresh, Heard, Message, Peer, SignedPeer, Site, at, stocked_with},
};
use providore_wire::{
    Method, Timestamp,
    message_signatures::{SignatureInput, Signatures},
    signed::{Challenge, REQUEST_FIELDS, RESPONSE_FIELDS},
};

/// A device whose next secret waits, and a server that has room for a question for each bit.
fn scene() -> (SignedPeer, Site<MemoryStore>) {
    let peer = SignedPeer::new("dev1");
    let record = peer.record().with_next_secret(b"the next secret of it");
    let settings = Settings {
        replay: ReplayLimits {
            per_device: 100_000,
            ..ReplayLimits::DEFAULT
        },
        ..Settings::DEFAULT
    };
    let store = stocked_with(record.expect("a secret"));
    (peer, Site::with_settings(store, settings))
}

/// With a clock that nobody has set.
const UNSET: Fresh = Fresh::At(Timestamp::MIN);

/// A certificate request of the device.
static CSRS: LazyLock<[Vec<u8>; 3]> =
    LazyLock::new(|| [1, 2, 3].map(|seed| Peer::new("dev1").csr(seed)));

const REPORT: &[u8] = br#"{"what":"config","outcome":"applied"}"#;

#[derive(Debug, Clone, Copy)]
enum Kind {
    Config,
    ConfigByChallenge,
    ConfigUnchanged,
    FirmwarePart,
    CertificateRequest,
    Report,
    Time,
    Secret,
}

impl Kind {
    /// A question of this kind, and the status of its answer.
    fn ask(self, peer: &SignedPeer, site: &Site<MemoryStore>) -> (Message, u16) {
        let now = Fresh::At(at(0));
        let get = |target, fresh: &Fresh| peer.get(target, fresh);
        let etag = |target| {
            let answer = site.ask(&get(target, &now), at(0));
            answer.field("etag").expect("a tag").to_owned()
        };
        match self {
            Self::Config => (get("/config", &now), 200),
            Self::ConfigByChallenge => {
                let refusal = site.ask(&get("/config", &UNSET), at(0));
                (get("/config", &Fresh::Over(refusal.challenge())), 200)
            }
            Self::ConfigUnchanged => {
                let tag = etag("/config");
                let target = (Method::Get, "/config");
                (
                    peer.sign(target, &now, |request| request.if_none_match(&tag), b""),
                    304,
                )
            }
            Self::FirmwarePart => {
                let tag = etag("/firmware?version=2.0.0");
                let target = (Method::Get, "/firmware?version=2.0.0");
                let part = |request: _| part_of(request, &tag);
                (peer.sign(target, &now, part, b""), 206)
            }
            Self::CertificateRequest => (peer.post("/certificates/request", &now, &CSRS[0]), 200),
            Self::Report => (report(peer, &now), 204),
            Self::Time => (get("/time", &now), 204),
            Self::Secret => (get("/secret", &now), 200),
        }
    }
}

fn part_of<'a>(request: RequestToSign<'a>, tag: &'a str) -> RequestToSign<'a> {
    request.range("bytes=100-163").if_range(tag)
}

fn report(peer: &SignedPeer, fresh: &Fresh) -> Message {
    let target = (Method::Post, "/report");
    let json = "application/json";
    peer.sign(
        target,
        fresh,
        |request| request.content(json, REPORT),
        REPORT,
    )
}

/// Flips every bit of a question of this kind and of its answer, one at a time: nobody is served,
/// nothing is heard, and the question counts as if nothing had happened.
fn check(kind: Kind) {
    let (peer, site) = scene();
    let (question, status) = kind.ask(&peer, &site);
    site.heard();
    each_flip(&question, |what, bit, changed| {
        let answer = site.ask(changed, at(0));
        let refused = matches!(answer.status, 400 | 401) && answer.field("signature").is_none();
        assert!(refused, "{kind:?}, {what}, bit {bit}: {}", answer.status);
    });
    let mut heard = site.heard().into_iter();
    let nothing = heard.all(|event| match event {
        Heard::Unauthenticated(..) => true,
        Heard::Other(event) => event.starts_with("BadTarget"),
        _ => false,
    });
    assert!(nothing, "{kind:?}");

    let answer = site.ask(&question, at(0));
    assert_eq!(answer.status, status, "{kind:?}");
    let heard = peer.verify(&question, &answer);
    let heard = heard.expect("a good answer");
    each_flip_of(&answer, |what, bit, changed| {
        let verdict = peer.verify(&question, changed);
        if is_covered(what) {
            assert!(verdict.is_err(), "{kind:?}, answer, {what}, bit {bit}");
        } else {
            assert_eq!(verdict.as_ref(), Ok(&heard), "{kind:?}, {what}, bit {bit}");
        }
    });
    for index in 0..answer.fields.len() {
        let (name, value) = answer.fields[index].clone();
        let (mut without, mut doubled) = (answer.clone(), answer.clone());
        without.fields.remove(index);
        doubled.fields.push((name, value));
        for changed in [without, doubled] {
            let verdict = peer.verify(&question, &changed);
            assert_eq!(verdict.is_err(), is_covered(name), "{kind:?}, {name}");
        }
    }
}

/// Whether a part of an answer is one that the signature covers, or the signature.
fn is_covered(what: &str) -> bool {
    RESPONSE_FIELDS.contains(&what)
        || ["status", "body", "signature-input", "signature"].contains(&what)
}

/// Every request that differs from this in one bit.
fn each_flip(message: &Message, mut visit: impl FnMut(&str, usize, &Message)) {
    for bit in 0..message.method.len() * 8 {
        if let Some(method) = flip_text(&message.method, bit) {
            let changed = Message {
                method,
                ..message.clone()
            };
            visit("method", bit, &changed);
        }
    }
    for bit in 0..message.target.len() * 8 {
        if let Some(target) = flip_text(&message.target, bit) {
            visit("target", bit, &message.clone().to(&target));
        }
    }
    for (index, (name, value)) in message.fields.iter().enumerate() {
        for bit in 0..name.len() * 8 {
            let other = flip_text(name, bit).filter(|other| !other.eq_ignore_ascii_case(name));
            if let Some(other) = other {
                let mut changed = message.clone();
                changed.fields[index].0 = other;
                visit(name, bit, &changed);
            }
        }
        for bit in 0..value.len() * 8 {
            let mut changed = message.clone();
            flip(&mut changed.fields[index].1, bit);
            visit(name, bit, &changed);
        }
    }
    for bit in 0..message.body.len() * 8 {
        let mut changed = message.clone();
        flip(&mut changed.body, bit);
        visit("body", bit, &changed);
    }
}

/// Every answer that differs from this in one bit of its status, of a value or of its body.
fn each_flip_of(answer: &Answer, mut visit: impl FnMut(&str, usize, &Answer)) {
    let mut changed = answer.clone();
    for bit in 0..16 {
        changed.status ^= 1 << bit;
        visit("status", bit, &changed);
        changed.status = answer.status;
    }
    for (index, (name, value)) in answer.fields.iter().enumerate() {
        for bit in 0..value.len() * 8 {
            if let Some(other) = flip_text(value, bit) {
                changed.fields[index].1 = other;
                visit(name, bit, &changed);
            }
        }
        changed.fields[index].1.clone_from(value);
    }
    // Of a long body one bit of each byte, all eight in turn.
    let step = if answer.body.len() > 256 { 9 } else { 1 };
    for bit in (0..answer.body.len() * 8).step_by(step) {
        flip(&mut changed.body, bit);
        visit("body", bit, &changed);
        flip(&mut changed.body, bit);
    }
}

fn flip(bytes: &mut [u8], bit: usize) {
    bytes[bit / 8] ^= 1 << (bit % 8);
}

fn flip_text(text: &str, bit: usize) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    flip(&mut bytes, bit);
    String::from_utf8(bytes).ok()
}

#[test]
fn no_bit_of_a_configuration_and_its_question_can_be_changed() {
    check(Kind::Config);
}

#[test]
fn no_bit_of_what_is_asked_over_a_challenge_can_be_changed() {
    check(Kind::ConfigByChallenge);
}

#[test]
fn no_bit_of_what_is_there_already_can_be_changed() {
    check(Kind::ConfigUnchanged);
}

#[test]
fn no_bit_of_a_part_of_an_image_can_be_changed() {
    check(Kind::FirmwarePart);
}

#[test]
fn no_bit_of_a_certificate_and_its_request_can_be_changed() {
    check(Kind::CertificateRequest);
}

#[test]
fn no_bit_of_a_report_can_be_changed() {
    check(Kind::Report);
}

#[test]
fn no_bit_of_the_time_can_be_changed() {
    check(Kind::Time);
}

#[test]
fn no_bit_of_the_next_secret_can_be_changed() {
    check(Kind::Secret);
}

/// Flips every bit of what a proxy added to a question: whoever changes it changes nothing for us,
/// as long as it is a field of its kind.
fn check_foreign(name: &str, value: &str) {
    let (peer, site) = scene();
    let usual = |message: Message| {
        message
            .with("user-agent", "example/1")
            .with(
                "signature-input",
                r#"proxy=("@method" "x-a");keyid="p";tag="t""#,
            )
            .with("signature", "proxy=:AAECAw==:")
    };
    let mut served = 0;
    for bit in 0..value.len() * 8 {
        let Some(other) = flip_text(value, bit) else {
            continue;
        };
        let message = usual(peer.get("/config", &Fresh::At(at(0))));
        let at_first = message.fields.iter().rposition(|(field, _)| field == name);
        let mut changed = message;
        changed.fields[at_first.expect("added above")].1 = other.clone().into_bytes();
        let answer = site.ask(&changed, at(0));
        let void = match name {
            "signature-input" => SignatureInput::parse(other.as_bytes()).is_err(),
            "signature" => Signatures::parse(other.as_bytes()).is_err(),
            _ => false,
        };
        assert_eq!(answer.status, if void { 401 } else { 200 }, "{other}");
        if !void {
            served += 1;
            assert!(peer.verify(&changed, &answer).is_ok(), "{other}");
        }
    }
    assert!(served > value.len(), "{name}: {served}");
}

#[test]
fn what_others_add_and_change_does_no_harm() {
    check_foreign("user-agent", "example/1");
    check_foreign(
        "signature-input",
        r#"proxy=("@method" "x-a");keyid="p";tag="t""#,
    );
    check_foreign("signature", "proxy=:AAECAw==:");
    assert!(!REQUEST_FIELDS.contains(&"user-agent"));
}

/// What a device or the network does.
#[derive(Debug, Clone)]
enum Step {
    /// The device signs something, by a clock that is off by so many seconds or over the newest
    /// challenge that it has heard. It is on its way until it is delivered, if ever.
    Ask(What, Option<i64>),
    /// One of the messages arrives: late, out of order or once more.
    Deliver(Index),
    /// Seconds pass.
    Wait(i64),
    /// The server goes down for so many seconds, and forgets all but its store.
    Restart(i64),
}

#[derive(Debug, Clone, Copy)]
enum What {
    Report,
    Certificate(usize),
    Config,
}

fn step() -> impl Strategy<Value = Step> {
    let what = prop_oneof![
        6 => Just(What::Report),
        2 => Just(What::Config),
        1 => (0..3_usize).prop_map(What::Certificate),
    ];
    let clock = prop_oneof![Just(None), (-45..45_i64).prop_map(Some)];
    prop_oneof![
        5 => (what, clock).prop_map(|(what, clock)| Step::Ask(what, clock)),
        8 => any::<Index>().prop_map(Step::Deliver),
        2 => (0..70_i64).prop_map(Step::Wait),
        1 => (0..70_i64).prop_map(Step::Restart),
    ]
}

/// A device, its server, and all messages that there ever were with what came of each.
struct Network {
    peer: SignedPeer,
    store: SharedStore<MemoryStore>,
    settings: Settings,
    site: Site<SharedStore<MemoryStore>>,
    now: Timestamp,
    heard: Option<Challenge>,
    messages: Vec<(Message, usize)>,
}

impl Network {
    fn new(replay: ReplayLimits) -> Self {
        let peer = SignedPeer::new("dev1");
        let settings = Settings {
            replay,
            ..Settings::DEFAULT
        };
        let store = SharedStore::new(stocked_with(peer.record()));
        Self {
            site: Site::with_settings(store.clone(), settings),
            peer,
            store,
            settings,
            now: at(0),
            heard: None,
            messages: Vec::new(),
        }
    }

    fn take(&mut self, step: &Step) -> TestCaseResult {
        match step {
            Step::Ask(what, clock) => self.ask(*what, *clock),
            Step::Deliver(index) if !self.messages.is_empty() => {
                self.deliver(index.index(self.messages.len()))?;
            }
            Step::Deliver(_) => {}
            Step::Wait(seconds) => self.now = self.now.saturating_add(*seconds),
            Step::Restart(seconds) => {
                self.now = self.now.saturating_add(*seconds);
                self.site = Site::began(self.store.clone(), self.settings, self.now);
            }
        }
        Ok(())
    }

    fn ask(&mut self, what: What, clock: Option<i64>) {
        let challenge = self.heard.clone();
        let off_s = clock.unwrap_or_default();
        let by_clock = Fresh::At(self.now.saturating_add(off_s));
        let over = challenge.filter(|_| clock.is_none()).map(Fresh::Over);
        let fresh = over.unwrap_or(by_clock);
        let message = match what {
            What::Report => report(&self.peer, &fresh),
            What::Certificate(csr) => self.peer.post("/certificates/request", &fresh, &CSRS[csr]),
            What::Config => self.peer.get("/config", &fresh),
        };
        self.messages.push((message, 0));
    }

    /// Delivers a message; whatever the server then does, it does for this one and once.
    fn deliver(&mut self, index: usize) -> TestCaseResult {
        self.site.heard();
        let (message, effects) = &mut self.messages[index];
        let answer = self.site.ask(message, self.now);
        let answered = answer.status < 400;
        let changed = self.site.heard().into_iter().filter(|event| match event {
            Heard::Other(event) => event.starts_with("Issued") || event.starts_with("Reported"),
            _ => false,
        });
        *effects += changed.count();
        prop_assert!(*effects <= 1, "executed twice: {message:?}");
        if answered {
            prop_assert!(self.peer.verify(message, &answer).is_ok());
        }
        self.heard = Some(answer.challenge());
        Ok(())
    }

    /// Asks anew until it is served: refused at first, for it has no clock.
    fn is_served(&mut self, target: (Method, &str), body: &[u8]) -> TestCaseResult {
        for _ in 0..2 {
            let refusal = self.site.ask(&self.peer.get("/time", &UNSET), self.now);
            prop_assert_eq!(refusal.status, 401);
            let fresh = Fresh::Over(refusal.challenge());
            let message = self.peer.sign(target, &fresh, |request| request, body);
            let answer = self.site.ask(&message, self.now);
            prop_assert!(self.peer.verify(&message, &answer).is_ok());
            if answer.status == 200 {
                return Ok(());
            }
            prop_assert_eq!(answer.status, 429);
            let wait_s = answer
                .field("retry-after")
                .and_then(|text| text.parse().ok());
            let wait_s: i64 = wait_s.expect("a number");
            prop_assert!(wait_s <= i64::from(SignedPeer::LIFETIME_S) + 46, "{wait_s}");
            self.now = self.now.saturating_add(wait_s);
        }
        Err(TestCaseError::fail("not served"))
    }
}

/// Lets the network do its worst.
fn check_network(steps: &[Step], replay: ReplayLimits) -> TestCaseResult {
    let mut network = Network::new(replay);
    for step in steps {
        network.take(step)?;
    }
    network.is_served((Method::Get, "/config"), b"")?;
    network.is_served((Method::Post, "/certificates/request"), &CSRS[0])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_executed_twice_and_who_asks_anew_is_served(
        steps in prop::collection::vec(step(), 1..40),
    ) {
        check_network(&steps, ReplayLimits::DEFAULT)?;
    }

    /// The server says how long to wait, and no longer than a request counts.
    #[test]
    fn a_server_without_room_executes_nothing_twice_and_serves_later(
        steps in prop::collection::vec(step(), 1..40),
        per_device in 1..4_usize,
    ) {
        let replay = ReplayLimits { per_device, total: 3 };
        check_network(&steps, replay)?;
    }
}
