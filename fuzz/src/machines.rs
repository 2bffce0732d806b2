//! State machines, driven by sequences of operations.

use std::collections::BTreeMap;

use providore_sign::{
    BoundedReplayGuard, HeaderInstructions, Refusal, ReplayGuard as _, ReplayLimits, SoftwareKey,
    Use,
    original::{ResponsePolicy, ResponseSigner, ResponseVerifier},
};
use providore_testkit::{PeripheralKey, with_verified};
use providore_wire::{Timestamp, original::ResponseHead};

/// An answer: how to chunk it, what to change on the way, then the body.
///
/// Whatever the chunks, the unchanged body is accepted, unless it reads like a request, and any
/// change is refused. The device verifies with the model of a hardware key.
pub fn response_verifier(data: &[u8]) {
    let [change, at, sign_len, verify_len, body @ ..] = data else {
        return;
    };
    let created = Timestamp::from_unix(1_767_323_045).expect("a date");
    let key = SoftwareKey::new(b"secret").expect("a key");
    let mut signer = ResponseSigner::begin(key).expect("begins");
    for chunk in body.chunks(usize::from(*sign_len) + 1) {
        signer.update(chunk).expect("takes data");
    }
    let mut memory = [0; HeaderInstructions::MAX_LEN];
    let headers = signer.finish(created, 900, &mut memory).expect("finishes");
    let mut fields: Vec<(String, Vec<u8>)> = headers
        .fields()
        .map(|(name, value)| (name.into(), value.into()))
        .collect();

    let mut received = body.to_vec();
    let mut secret = *b"secret";
    let position = usize::from(*at) % body.len().max(1);
    let changed = match change % 8 {
        1 if !body.is_empty() => {
            received[position] ^= 1 << (at % 8);
            true
        }
        2 if !body.is_empty() => {
            received.truncate(position);
            true
        }
        3 => {
            received.insert(position, *at);
            true
        }
        4 => {
            secret[usize::from(*at) % secret.len()] ^= 1;
            true
        }
        5 => {
            fields[0].1 = b"2026-01-02T03:04:06Z".to_vec();
            true
        }
        6 => {
            fields[1].1 = b"2026-01-02T03:04:06Z".to_vec();
            true
        }
        7 => {
            let signature = &mut fields[2].1;
            let index = usize::from(*at) % 42;
            signature[index] = if signature[index] == b'A' { b'B' } else { b'A' };
            true
        }
        _ => false,
    };

    let bytes = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_slice()));
    let head = ResponseHead::parse(bytes).expect("well formed");
    let policy = ResponsePolicy::default();
    let key = PeripheralKey::new(&secret);
    let mut verifier =
        ResponseVerifier::begin(key, head, &policy, created, created).expect("fresh");
    for chunk in received.chunks(usize::from(*verify_len) + 1) {
        verifier.update(chunk).expect("takes data");
    }
    let expected = match (changed, reads_like_a_request(body)) {
        (true, _) => Err(Refusal::WrongSignature),
        (false, true) => Err(Refusal::Reflected),
        (false, false) => Ok(body.len() as u64),
    };
    assert_eq!(
        verifier.finish().map(|verified| verified.length()),
        expected
    );
}

/// Seven letters are the longest method; a longer word is none.
fn reads_like_a_request(body: &[u8]) -> bool {
    let Some(line) = body.iter().position(|byte| *byte == b'\n') else {
        return false;
    };
    (1..=7).contains(&line)
        && body[..line].iter().all(u8::is_ascii_uppercase)
        && body.get(line + 1) == Some(&b'/')
}

/// Limits, then operations of three bytes: who asks what, how much later, and valid for how long;
/// or a repetition of an earlier request.
///
/// The guard agrees with a naive model at each step, and the wait that it names is exactly as long
/// as needed.
pub fn replay_guard(data: &[u8]) {
    let [per_device, total, operations @ ..] = data else {
        return;
    };
    let limits = ReplayLimits {
        per_device: usize::from(per_device % 4) + 1,
        total: usize::from(total % 8) + 1,
    };
    let mut guard = BoundedReplayGuard::new(limits);
    let mut model = Model {
        limits,
        until: BTreeMap::new(),
    };
    let mut now = Timestamp::from_unix(1_767_323_045).expect("a date");
    let mut asked: Vec<Asked> = Vec::new();
    for operation in operations.chunks_exact(3).take(64) {
        let [what, later_s, lifetime_s] = [operation[0], operation[1], operation[2]];
        now = now.saturating_add(i64::from(later_s));
        let repeated = asked
            .get(usize::from(what & 0x7f))
            .filter(|_| what & 0x80 != 0);
        let ask = repeated.copied().unwrap_or(Asked {
            device: what & 0x03,
            path: (what >> 2) & 0x03,
            created: now,
            lifetime_s: u32::from(lifetime_s),
        });
        asked.push(ask);
        let (device, path) = (format!("dev{}", ask.device), format!("/{}", ask.path));
        with_verified(&device, &path, ask.created, ask.lifetime_s, |request| {
            if request.valid_until() < now {
                return; // Such a request is refused before it comes to a guard.
            }
            let token = (ask.device, *request.replay_token().value());
            let answer = guard.first_use(&request.replay_token(), now);
            assert_eq!(
                kind(answer),
                kind(model.first_use(token, request.replay_token().until(), now))
            );
            if let Use::NoRoom { retry_after_s } = answer {
                let then = now.saturating_add(i64::from(retry_after_s));
                assert!(model.has_room(ask.device, then));
                assert!(!model.has_room(ask.device, then.saturating_add(-1)));
            }
        });
        assert!(guard.len() <= limits.total);
    }
}

#[derive(Clone, Copy)]
struct Asked {
    device: u8,
    path: u8,
    created: Timestamp,
    lifetime_s: u32,
}

/// Everything that was ever recorded, looked through from beginning to end each time.
struct Model {
    limits: ReplayLimits,
    until: BTreeMap<(u8, [u8; 16]), Timestamp>,
}

impl Model {
    fn first_use(&mut self, token: (u8, [u8; 16]), until: Timestamp, now: Timestamp) -> Use {
        if self.until.get(&token).is_some_and(|until| *until >= now) {
            return Use::Repeated;
        }
        if !self.has_room(token.0, now) {
            return Use::NoRoom { retry_after_s: 1 };
        }
        self.until.insert(token, until);
        Use::First
    }

    fn has_room(&self, device: u8, now: Timestamp) -> bool {
        let live = || self.until.iter().filter(|(_, until)| **until >= now);
        let own = live().filter(|((owner, _), _)| *owner == device).count();
        own < self.limits.per_device && live().count() < self.limits.total
    }
}

fn kind(answer: Use) -> &'static str {
    match answer {
        Use::First => "first",
        Use::Repeated => "repeated",
        Use::NoRoom { .. } => "no room",
        _ => "something new",
    }
}
