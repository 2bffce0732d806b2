//! Devices, a server and a network that the fuzzer directs, in the `Signed` dialect.

use std::sync::LazyLock;

use providore_sign::{
    BoundedReplayGuard, HeaderInstructions, ReplayGuard as _, ReplayLimits, SoftwareKey, Use,
    signed::{
        ChallengeKey, Keys, RequestPolicy, RequestToSign, ResponseToSign, ResponseVerifier,
        Validity, sign_request, sign_response, verify_request,
    },
};
use providore_testkit::parties::Message;
use providore_wire::{
    DeviceId, Method, Target, Timestamp,
    signed::{Challenge, Nonce, Question, RequestHead, ResponseHead},
};

use crate::tampering::{flip_one, flip_request};

/// Operations of three bytes: a device asks, a message arrives or is changed on its way, an answer
/// arrives for some question or is changed, time passes, the server starts again. What is never
/// delivered is lost, what is delivered twice is a duplicate, and any order is one.
///
/// At each step a request is executed if and only if it deserves to be, and once at most; an
/// answer is accepted by nothing but its own question; and one changed bit spoils either.
pub fn signed_exchange(data: &[u8]) {
    let mut world = World::new();
    for operation in data.chunks_exact(3).take(32) {
        let [what, a, b] = [operation[0], operation[1], operation[2]];
        let (first, second) = (usize::from(a), usize::from(b));
        let bit = first + (usize::from(what >> 3) << 8);
        match what % 8 {
            0 | 1 => world.ask(a, b),
            2 => world.deliver(first),
            3 => world.deliver_changed(second, bit),
            4 => world.wait(a, b),
            5 => world.restart(b),
            6 => world.answer(first, second),
            _ => world.answer_changed(second, bit),
        }
    }
}

struct Party {
    id: DeviceId,
    keys: Keys,
}

static DEVICES: LazyLock<[Party; 2]> = LazyLock::new(|| {
    ["dev1", "dev2"].map(|id| {
        let secret = format!("the secret of the device {id}");
        let mut secret = SoftwareKey::new(secret.as_bytes()).expect("a key");
        Party {
            id: id.parse().expect("an id"),
            keys: Keys::derive(&mut secret).expect("derives"),
        }
    })
});

/// A question on its way, and what the fuzzer knows of it.
struct Asked {
    device: &'static Party,
    message: Message,
    fresh: Fresh,
    executed: bool,
}

enum Fresh {
    Window { created: Timestamp, lifetime_s: u32 },
    Challenge { issued: Timestamp, start: u64 },
}

/// An answer on its way.
struct Answer {
    question: usize,
    status: u16,
    fields: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

struct World {
    now: Timestamp,
    /// The latest time there was: a server starts no earlier.
    latest: Timestamp,
    started: Timestamp,
    starts: u64,
    policy: RequestPolicy,
    guard: BoundedReplayGuard,
    /// What every device has heard last, when that was made, and since which start.
    challenge: (Challenge, Timestamp, u64),
    asked: Vec<Asked>,
    answers: Vec<Answer>,
}

const LIMITS: ReplayLimits = ReplayLimits {
    per_device: 4,
    total: 6,
};

impl World {
    fn new() -> Self {
        let now = Timestamp::from_unix(1_767_323_045).expect("a date");
        let started = now.saturating_add(-3600);
        let policy = policy(0, started);
        let challenge = policy.challenges().issue(now, [0; 8]).expect("issues");
        Self {
            now,
            latest: now,
            started,
            starts: 0,
            policy,
            guard: BoundedReplayGuard::new(LIMITS),
            challenge: (challenge, now, 0),
            asked: Vec::new(),
            answers: Vec::new(),
        }
    }

    /// Who, what and with which kind of freshness is in `how`, as is how far its clock is off.
    fn ask(&mut self, how: u8, lifetime: u8) {
        let device = &DEVICES[usize::from(how & 1)];
        let (method, target, content): (_, _, &[u8]) = match (how >> 1) & 3 {
            0 => (Method::Get, "/config", b""),
            1 => (Method::Get, "/firmware?version=2.0.0", b""),
            2 => (Method::Post, "/report", b"{}"),
            _ => (Method::Post, "/certificates/request", b"a CSR"),
        };
        let parsed = Target::parse(target).expect("a target");
        let mut request = RequestToSign::new(&device.id, method, parsed);
        if !content.is_empty() {
            request = request.content("text/plain", content);
        }
        let off_s = i64::from(how.cast_signed() >> 4) * 8;
        let lifetime_s = u32::from(lifetime) * 2;
        let created = self.now.saturating_add(off_s);
        let (challenge, issued, start) = &self.challenge;
        let (validity, fresh) = if how & 8 == 0 {
            let fresh = Fresh::Window {
                created,
                lifetime_s,
            };
            (Validity::window(created, lifetime_s), fresh)
        } else {
            let fresh = Fresh::Challenge {
                issued: *issued,
                start: *start,
            };
            (Validity::Challenge(challenge), fresh)
        };
        let mut nonce = [0; Nonce::LEN];
        nonce[0] = u8::try_from(self.asked.len()).expect("few questions");
        let mut memory = [0; HeaderInstructions::MAX_LEN];
        let headers = sign_request(
            &device.keys,
            &request,
            validity,
            &Nonce::new(nonce),
            &mut memory,
        );
        let headers = headers.expect("a software key signs");
        self.asked.push(Asked {
            device,
            message: Message {
                method: method.as_str().into(),
                target: target.into(),
                fields: owned(headers.fields()),
                body: content.into(),
            },
            fresh,
            executed: false,
        });
    }

    /// Whether a genuine request is to be accepted now, if it has not been before.
    fn deserves(&self, fresh: &Fresh) -> bool {
        let since = |then: Timestamp| self.now.seconds_since(then);
        match *fresh {
            Fresh::Window {
                created,
                lifetime_s,
            } => {
                let age_s = since(created);
                lifetime_s <= 300
                    && (-30..=i64::from(lifetime_s)).contains(&age_s)
                    && created.seconds_since(self.started) > 30
            }
            Fresh::Challenge { issued, start } => {
                start == self.starts && (0..=60).contains(&since(issued))
            }
        }
    }

    fn deliver(&mut self, which: usize) {
        let Some(index) = which.checked_rem(self.asked.len()) else {
            return;
        };
        let deserved = self.deserves(&self.asked[index].fresh);
        let message = self.asked[index].message.clone();
        let verdict = self.receive(&message);
        assert_eq!(verdict.is_some(), deserved, "{verdict:?}");
        match verdict {
            Some(Use::First) => {
                assert!(!self.asked[index].executed, "executed twice");
                self.asked[index].executed = true;
                self.reply(index);
            }
            Some(Use::Repeated) => assert!(self.asked[index].executed, "a new one is refused"),
            // It may wait; it may not be executed. A refusal brings the next challenge.
            _ => self.hand_out(),
        }
    }

    fn deliver_changed(&mut self, which: usize, bit: usize) {
        let Some(index) = which.checked_rem(self.asked.len()) else {
            return;
        };
        if let Some(changed) = flip_request(&self.asked[index].message, bit) {
            let verdict = self.receive(&changed);
            assert!(verdict.is_none(), "bit {bit} of {changed:?}: {verdict:?}");
        }
    }

    /// What the server makes of a message; `None` if it is nobody's.
    fn receive(&mut self, message: &Message) -> Option<Use> {
        let target = Target::parse(&message.target).ok()?;
        let head = request_head(message, &target)?;
        let device = DEVICES.iter().find(|device| device.id == *head.device())?;
        let verified = verify_request(head, &message.body, &device.keys, &self.policy, self.now);
        let verified = verified.ok()?;
        Some(self.guard.first_use(&verified.replay_token(), self.now))
    }

    /// Answers a question that was executed.
    fn reply(&mut self, index: usize) {
        self.hand_out();
        let asked = &self.asked[index];
        let body = match asked.message.method.as_str() {
            "GET" => format!("answer {index}").into_bytes(),
            _ => Vec::new(),
        };
        let fields = [("content-type", "text/plain"), ("etag", "\"1\"")];
        let response = ResponseToSign {
            device: &asked.device.id,
            status: if body.is_empty() { 204 } else { 200 },
            fields: fields.map(|(name, value)| (name, value.as_bytes())),
            content_sha256: (!body.is_empty()).then(|| sha256(&body)),
            challenge: &self.challenge.0,
            created: self.now,
        };
        let target = Target::parse(&asked.message.target).expect("ours");
        let head = request_head(&asked.message, &target).expect("ours");
        let mut memory = [0; HeaderInstructions::MAX_LEN];
        let headers = sign_response(&asked.device.keys, &head.question(), &response, &mut memory);
        let headers = headers.expect("a software key signs");
        let all = owned(fields.into_iter().chain(headers.fields()));
        self.answers.push(Answer {
            question: index,
            status: response.status,
            fields: all,
            body,
        });
    }

    /// All devices hear of the challenge of this second.
    fn hand_out(&mut self) {
        let challenges = self.policy.challenges();
        let challenge = challenges.issue(self.now, [1; 8]).expect("issues");
        self.challenge = (challenge, self.now, self.starts);
    }

    /// An answer reaches a device that waits for that of some question.
    fn answer(&self, which: usize, question: usize) {
        let picked = (
            which.checked_rem(self.answers.len()),
            question.checked_rem(self.asked.len()),
        );
        let (Some(which), Some(question)) = picked else {
            return;
        };
        let answer = &self.answers[which];
        let accepted = self.accepts(question, answer);
        assert_eq!(accepted, answer.question == question, "{question}");
    }

    fn answer_changed(&self, which: usize, bit: usize) {
        let Some(which) = which.checked_rem(self.answers.len()) else {
            return;
        };
        let answer = &self.answers[which];
        let (mut fields, mut body) = (answer.fields.clone(), answer.body.clone());
        let mut status = answer.status.to_be_bytes().to_vec();
        if flip_one(vec![&mut status], &mut fields, &mut body, bit).is_some() {
            let status = u16::from_be_bytes([status[0], status[1]]);
            let changed = Answer {
                question: answer.question,
                status,
                fields,
                body,
            };
            assert!(!self.accepts(answer.question, &changed), "bit {bit}");
        }
    }

    fn accepts(&self, question: usize, answer: &Answer) -> bool {
        let asked = &self.asked[question];
        let target = Target::parse(&asked.message.target).expect("ours");
        let head = request_head(&asked.message, &target).expect("ours");
        hears(asked.device, &head.question(), answer).is_some()
    }

    fn wait(&mut self, seconds: u8, how: u8) {
        let seconds = i64::from(seconds);
        // The clock of a server may be set back while it runs.
        let seconds = if how == 255 { -seconds } else { seconds };
        self.now = self.now.saturating_add(seconds);
        self.latest = self.latest.max(self.now);
    }

    /// The server forgets what it has heard, and draws another key for its challenges.
    fn restart(&mut self, after_s: u8) {
        self.now = self.latest.saturating_add(i64::from(after_s % 64));
        self.latest = self.now;
        self.started = self.now;
        self.starts += 1;
        self.policy = policy(self.starts, self.started);
        self.guard = BoundedReplayGuard::new(LIMITS);
    }
}

fn hears(device: &Party, question: &Question<'_>, answer: &Answer) -> Option<u64> {
    let fields = answer.fields.iter();
    let fields = fields.map(|(name, value)| (name.as_str(), value.as_slice()));
    let head = ResponseHead::parse(answer.status, question, fields).ok()?;
    let verifier = ResponseVerifier::begin(&device.keys, &head, question, &device.id);
    let mut verifier = verifier.ok()?;
    verifier.update(&answer.body);
    verifier.finish().ok().map(|verified| verified.length())
}

fn request_head<'a>(message: &'a Message, target: &Target<'a>) -> Option<RequestHead<'a>> {
    let fields = message.fields.iter();
    let fields = fields.map(|(name, value)| (name.as_str(), value.as_slice()));
    RequestHead::parse(message.method.parse().ok()?, target, fields).ok()
}

fn policy(start: u64, started: Timestamp) -> RequestPolicy {
    let mut random = [1; 32];
    random[..8].copy_from_slice(&start.to_be_bytes());
    RequestPolicy::new(ChallengeKey::new(&random).expect("32 bytes"), started)
}

fn owned<'n, 'v>(fields: impl Iterator<Item = (&'n str, &'v str)>) -> Vec<(String, Vec<u8>)> {
    fields
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

fn sha256(body: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(body).into()
}
