//! No bit of what is signed can be changed, and no bytes at all make a server panic.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use futures_lite::future::block_on;
use proptest::{prelude::*, sample::Index, test_runner::TestCaseResult};
use providore_server_core::{MemoryStore, Moment, Request, Settings};
use providore_sign::original::RequestPolicy;
use providore_testkit::parties::{Message, Peer, Site, at, stocked};
use providore_wire::Method;

/// A server that knows three devices, of which each has a configuration that names it.
fn site() -> Site<MemoryStore> {
    let store = stocked(&Peer::new("dev1"));
    block_on(async {
        for id in ["dev0", "dev3"] {
            let peer = Peer::new(id);
            store.put_device(peer.record()).await;
            store
                .put_config(peer.id.clone(), None, id.as_bytes().to_vec())
                .await;
        }
    });
    // The older form has no version that is signed: the part that an attacker may leave away.
    let settings = Settings {
        original: RequestPolicy {
            allow_unversioned: true,
            ..RequestPolicy::default()
        },
        ..Settings::DEFAULT
    };
    Site::with_settings(store, settings)
}

fn flip(bytes: &mut [u8], bit: usize) {
    bytes[bit / 8] ^= 1 << (bit % 8);
}

fn flip_text(text: &mut String, bit: usize) -> bool {
    let mut bytes = text.clone().into_bytes();
    flip(&mut bytes, bit);
    match String::from_utf8(bytes) {
        Ok(changed) => {
            *text = changed;
            true
        }
        // No HTTP library hands over such a method or target.
        Err(_) => false,
    }
}

/// Flips every bit of every signed part, one at a time, and expects that nobody is served.
fn check_every_bit(message: &Message) {
    let site = site();
    assert!(site.ask(message, at(0)).status < 400);
    let refused = |changed: &Message, what: &str, bit: usize| {
        let answer = site.ask(changed, at(0));
        // Blanks around a value are not part of it, and a target must be a target.
        assert!(
            matches!(answer.status, 400 | 401),
            "{what}, bit {bit}: {}",
            answer.status
        );
        assert!(answer.field("signature").is_none());
    };
    for bit in 0..message.method.len() * 8 {
        let mut changed = message.clone();
        if flip_text(&mut changed.method, bit) {
            refused(&changed, "method", bit);
        }
    }
    for bit in 0..message.target.len() * 8 {
        let mut changed = message.clone();
        if flip_text(&mut changed.target, bit) {
            refused(&changed, "target", bit);
        }
    }
    for (index, (name, value)) in message.fields.iter().enumerate() {
        for bit in 0..value.len() * 8 {
            let mut changed = message.clone();
            flip(&mut changed.fields[index].1, bit);
            if is_spelling(name, value, &changed.fields[index].1) {
                continue;
            }
            refused(&changed, name, bit);
        }
    }
    for bit in 0..message.body.len() * 8 {
        let mut changed = message.clone();
        flip(&mut changed.body, bit);
        refused(&changed, "body", bit);
    }
}

/// Whether a changed `Authorization` still names the same device and signature: quotes, blanks and
/// the media type are no part of what is signed.
fn is_spelling(name: &str, value: &[u8], changed: &[u8]) -> bool {
    use providore_wire::original::Authorization;
    match name {
        "authorization" => match (Authorization::parse(value), Authorization::parse(changed)) {
            (Ok(ours), Ok(theirs)) => {
                ours.device() == theirs.device()
                    && ours.signature().as_bytes() == theirs.signature().as_bytes()
            }
            _ => false,
        },
        "content-type" => true,
        _ => false,
    }
}

#[test]
fn no_bit_of_a_get_can_be_changed() {
    check_every_bit(&Peer::new("dev1").get("/config", at(0)));
    check_every_bit(
        &Peer::new("dev1")
            .get("/firmware/check", at(0))
            .to("/firmware/check?"),
    );
}

#[test]
fn no_bit_of_a_csr_under_its_headers_can_be_changed() {
    let peer = Peer::new("dev1");
    check_every_bit(&peer.post_csr(&peer.csr(1), at(0)));
}

/// One field more, as it might come.
fn field() -> impl Strategy<Value = (String, Vec<u8>)> {
    let name = prop_oneof![
        Just("authorization".to_owned()),
        Just("Created-At".to_owned()),
        Just("expiry".to_owned()),
        Just("x-firmware-version".to_owned()),
        Just("content-type".to_owned()),
        Just("range".to_owned()),
        Just("if-range".to_owned()),
        Just("if-none-match".to_owned()),
        ".{0,12}",
    ];
    let value = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300),
        "Hmac (key-id=\"?[a-z0-9.]{0,5}\"?|signature=[A-Za-z0-9+/=]{0,50}|, |=){0,5}"
            .prop_map(String::into_bytes),
        "[0-9TZ:+.-]{0,40}".prop_map(String::into_bytes),
        "bytes=[0-9]{0,22}-[0-9]{0,22}".prop_map(String::into_bytes),
    ];
    (name, value)
}

fn target() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("/config".to_owned()),
        Just("/certificates/request".to_owned()),
        "/(config|firmware|certificate|CRL|/|\\.\\.|%2e){0,4}(\\?version=[0-9.%+a-z]{0,70})?",
        ".{0,40}",
        "[!-~]{0,1100}",
    ]
}

fn ask_raw(
    site: &Site<MemoryStore>,
    (method, target): (&str, &str),
    fields: &[(String, Vec<u8>)],
    body: &[u8],
) -> u16 {
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_slice()))
        .collect();
    let request = Request {
        method,
        target,
        fields: &fields,
        body,
        peer: None,
    };
    let moment = Moment {
        now: at(0),
        entropy: [3; Moment::ENTROPY_LEN],
    };
    block_on(site.server.handle(&request, &moment)).status
}

/// Without a device's key nobody gets more than what is public.
fn refused(status: u16, target: &str) -> TestCaseResult {
    let public = target.to_ascii_lowercase().contains("/certificates/c");
    prop_assert!(matches!(status, 400 | 401 | 413) || public, "{status}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_requests_are_refused_and_never_panic(
        method in prop_oneof![Just("GET".to_owned()), Just("POST".to_owned()), ".{0,8}"],
        target in target(),
        fields in prop::collection::vec(field(), 0..8),
        body in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        SITE.with(|site| {
            let status = ask_raw(site, (&method, &target), &fields, &body);
            refused(status, &target)
        })?;
    }

    /// What the device itself sends may be nonsense, too.
    #[test]
    fn arbitrary_signed_requests_are_answered_and_never_panic(
        method in prop::sample::select(vec![
            Method::Get, Method::Head, Method::Post, Method::Put, Method::Patch, Method::Delete,
            Method::Options,
        ]),
        target in target(),
        fields in prop::collection::vec(field(), 0..4),
        body in prop_oneof![
            Just(Vec::new()),
            prop::collection::vec(any::<u8>(), 0..600),
        ],
        lifetime_s in prop_oneof![0..901_u32, any::<u32>()],
    ) {
        let mut peer = Peer::new("dev1");
        peer.lifetime_s = lifetime_s;
        let mut message = peer.sign(method, &target, &body, at(0));
        let own: Vec<_> = message.fields.iter().map(|(name, _)| name.clone()).collect();
        let more = fields.into_iter().filter(|(name, _)| !own.contains(&name.to_lowercase()));
        message.fields.extend(more);
        SITE.with(|site| {
            let answer = site.ask(&message, at(0));
            let known = [
                200, 204, 206, 302, 304, 400, 401, 404, 405, 415, 416, 422, 429,
            ];
            prop_assert!(known.contains(&answer.status), "{}", answer.status);
            let unsigned = matches!(answer.status, 400 | 401)
                || target.to_ascii_lowercase().contains("/certificates/c");
            if !unsigned && method != Method::Head {
                prop_assert!(peer.verify(&answer, at(0)).is_ok());
            }
            Ok(())
        })?;
    }

    /// Parts of two good requests of two devices make none.
    #[test]
    fn parts_of_two_requests_make_none(
        swaps in prop::collection::vec(any::<Index>(), 1..4),
        seconds in 0..5_i64,
    ) {
        let mut ours = Peer::new("dev1").get("/config", at(seconds));
        let theirs = Peer::new("dev3").get("/firmware", at(seconds + 1));
        let names: Vec<_> = ours.fields.iter().map(|(name, _)| name.clone()).collect();
        let mut swapped: Vec<_> = swaps.iter().map(|index| index.index(names.len())).collect();
        swapped.sort_unstable();
        swapped.dedup();
        for index in &swapped {
            ours.fields[*index] = theirs.fields[*index].clone();
        }
        // The version is the same in both.
        let harmless = swapped == [3];
        SITE.with(|site| {
            let answer = site.ask(&ours, at(5));
            prop_assert_eq!(answer.status == 401, !harmless, "{:?}", swapped);
            Ok(())
        })?;
    }
}

thread_local! {
    static SITE: Site<MemoryStore> = site();
}
