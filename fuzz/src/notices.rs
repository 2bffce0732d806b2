//! Notices: datagrams, and what a device makes of many of them.

use std::sync::LazyLock;

use providore_client::{
    BorrowedHead, Device, Exchange, Moment, NoticeFault, NoticePolicy, Notices, Request, TimeCheck,
};
use providore_sign::{
    HeaderInstructions, SoftwareKey,
    notice::NoticeKey,
    signed::{Keys, ResponseToSign, sign_response},
};
use providore_wire::{
    Dialect, Target, Timestamp,
    notice::{Notice, Waiting},
    signed::{Challenge, RequestHead},
};

const SECRET: &[u8] = b"the secret of a fuzzed device";
const DEVICE: &str = "d8fa0180";
const NOW: i64 = 1_767_323_045;

static KEY: LazyLock<NoticeKey> = LazyLock::new(|| {
    let mut secret = SoftwareKey::new(SECRET).expect("a key");
    NoticeKey::derive(&mut secret, &DEVICE.parse().expect("an id")).expect("derives")
});

/// A datagram.
///
/// What is read is written as the same bytes; what is verified is what the key signs, to the bit, and
/// whatever was read is verified once it has been signed.
pub fn notice(data: &[u8]) {
    let read = Notice::parse(data);
    if let Ok(verified) = KEY.verify(data) {
        let signed = KEY.sign(verified.waiting(), verified.counter());
        assert_eq!(data, signed.expect("signs"));
    }
    let Ok(read) = read else { return };
    assert_eq!(read.to_bytes(), data);
    assert_eq!(data.get(..Notice::COVERED_LEN), Some(&read.covered()[..]));
    let signed = KEY.sign(read.waiting, read.counter).expect("signs");
    let verified = KEY.verify(&signed).expect("our own");
    assert_eq!(
        (verified.waiting(), verified.counter()),
        (read.waiting, read.counter)
    );
}

/// Operations of three bytes: what comes, how much higher its counter is than the last, and after how
/// many seconds.
///
/// However many notices come, polls are an interval apart; a notice that counts is followed by a poll
/// within interval and jitter; what is old or forged changes nothing.
pub fn notices(data: &[u8]) {
    let policy = NoticePolicy::DEFAULT;
    let (interval_ms, jitter_ms) = (u64::from(policy.interval_ms), u64::from(policy.jitter_ms));
    let mut notices = Notices::new(policy);
    let device = heard();
    let mut counter = u64::try_from(NOW).expect("after 1970") * 1000;
    let (mut highest, mut now_ms, mut polled_ms) = (counter, 0_u64, None);
    for (index, operation) in data.chunks_exact(3).enumerate() {
        let [kind, step, seconds] = operation else {
            continue;
        };
        now_ms += u64::from(*seconds) * 1000;
        let due_ms = notices.due_ms();
        if kind % 4 == 3 {
            if due_ms.is_some_and(|due_ms| due_ms <= now_ms) {
                assert!(notices.poll(now_ms).is_some());
                let gap = polled_ms.map(|then| now_ms - then);
                assert!(gap.is_none_or(|gap| gap >= interval_ms), "{gap:?}");
                polled_ms = Some(now_ms);
            }
            continue;
        }
        counter = highest
            .saturating_add(u64::from(*step))
            .saturating_sub(u64::from(kind % 4 == 1));
        let mut datagram = KEY.sign(Waiting::CONFIG, counter).expect("signs");
        let forged = kind % 4 == 2;
        datagram[index % Notice::LEN] ^= u8::from(forged) << (step % 8);
        let mut random = || u32::from(*step).wrapping_mul(0x0101_0101);
        let outcome = notices.hear(&datagram, &device, now_ms, &mut random);
        if forged {
            assert!(matches!(outcome, Err(NoticeFault::Refused(_))));
        } else if counter > highest {
            assert_eq!(outcome, Ok(()));
            highest = counter;
        } else {
            assert_eq!(outcome, Err(NoticeFault::Old));
        }
        if outcome.is_err() || due_ms.is_some() {
            assert_eq!(notices.due_ms(), due_ms);
        } else {
            let earliest = polled_ms.map_or(now_ms, |then| now_ms.max(then + interval_ms));
            let due_ms = notices.due_ms().expect("one counts");
            assert!((earliest..=earliest + jitter_ms).contains(&due_ms));
        }
    }
}

/// A device that has had an answer of its server.
fn heard() -> Device<SoftwareKey> {
    static HEARD: LazyLock<Device<SoftwareKey>> = LazyLock::new(|| {
        let key = SoftwareKey::new(SECRET).expect("a key");
        let (id, version) = (
            DEVICE.parse().expect("an id"),
            "1".parse().expect("a version"),
        );
        let mut device = Device::new(Dialect::Signed, id, version, key).expect("a device");
        let created = Timestamp::from_unix(NOW).expect("a date");
        let moment = Moment {
            clock: Some(created),
            nonce: providore_wire::signed::Nonce::new([7; 16]),
        };
        let mut memory = [0; Request::MAX_LEN];
        let exchange =
            Exchange::ask(TimeCheck::new(), &mut device, moment, &mut memory).expect("asks");
        let request = exchange.request();
        let sent: Vec<_> = request.fields().map(|(n, v)| (n, v.as_bytes())).collect();
        let target = Target::parse(request.target()).expect("a target");
        let head = RequestHead::parse(request.method(), &target, sent.iter().copied());
        let question = head.expect("our own").question();
        let answer = ResponseToSign {
            device: &DEVICE.parse().expect("an id"),
            status: 204,
            fields: [],
            content_sha256: None,
            challenge: &Challenge::parse(&[b'A'; 64]).expect("a challenge"),
            created,
        };
        let keys = Keys::derive(&mut SoftwareKey::new(SECRET).expect("a key")).expect("derives");
        let mut memory = [0; HeaderInstructions::MAX_LEN];
        let headers = sign_response(&keys, &question, &answer, &mut memory).expect("signs");
        let fields: Vec<_> = headers.fields().map(|(n, v)| (n, v.as_bytes())).collect();
        let head = BorrowedHead {
            status: 204,
            fields: &fields,
        };
        let mut buffer = [0; 64];
        let receiving = exchange.receive(&mut device, &head, &mut buffer, Some(created));
        receiving.expect("verifies").finish().expect("an answer");
        device
    });
    HEARD.clone()
}
