//! The agent of a device that speaks `Signed`, on a platform in memory.

use alloc::rc::Rc;
use core::cell::RefCell;

use providore_client::{
    Agent, AgentError, Buffers, ConfigStep, Error, Event, FirmwareStep, Record, SecretStep,
    Settings, Storage as _, TransportError,
    memory::{MemoryAnswer, MemoryClock, MemoryRequest, MemoryStorage},
};
use providore_wire::Timestamp;

use crate::{
    agent::{MemoryPlatform, answer, platform, run, settings},
    signed_support::{Delivered, NEXT, SECRET, Server, device, encrypted, named, plain},
    support::{Reply, at},
};

/// A server that a test can look into, with what it was asked.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) asked: Vec<Delivered>,
    /// This many answers are lost on their way, after those that are not.
    pub(crate) loses: Option<u32>,
}

impl World {
    pub(crate) fn new() -> Rc<RefCell<Self>> {
        Rc::new(RefCell::new(Self {
            server: Server::new(),
            asked: Vec::new(),
            loses: None,
        }))
    }

    pub(crate) fn reply(&mut self, request: &Delivered) -> Reply {
        self.asked.push(request.clone());
        if self.server.admit(request).is_err() {
            return self.server.refusal();
        }
        let known = request.field("if-none-match") == Some("\"c\"");
        let secret = self.server.secret.clone();
        let reply = match request.target.as_str() {
            "/config" if known => plain(304, b""),
            "/config" => encrypted(&secret, b"{\"a\":1}").with("etag", "\"c\""),
            "/firmware/check" => plain(302, b"").with("location", "/firmware?version=2"),
            "/firmware?version=2" => plain(200, b"image 2, longer than one chunk"),
            "/time" | "/report" => plain(204, b""),
            "/secret" => match &self.server.next {
                Some(next) => encrypted(&secret, next),
                None => plain(204, b""),
            },
            other => panic!("{other}"),
        };
        self.server.sign(request, reply)
    }

    pub(crate) fn deliver(
        &mut self,
        request: MemoryRequest,
    ) -> Result<MemoryAnswer, TransportError> {
        let request = Delivered::from(request);
        let reply = self.reply(&request);
        match &mut self.loses {
            Some(0) => return Err(TransportError::interrupted()),
            Some(more) => *more = more.saturating_sub(1),
            None => {}
        }
        Ok(answer(reply))
    }

    pub(crate) fn targets(&self) -> Vec<&str> {
        let asked = self.asked.iter();
        asked.map(|request| request.target.as_str()).collect()
    }
}

/// A device in this world whose clock shows that; its nonces never repeat.
pub(crate) fn platform_in(world: &Rc<RefCell<World>>, clock: MemoryClock) -> MemoryPlatform {
    let there = Rc::clone(world);
    let mut platform = platform(Box::new(move |request| there.borrow_mut().deliver(request)));
    platform.clock = clock;
    let mut count = 0_u32;
    platform.entropy = Box::new(move || {
        count = count.saturating_add(1);
        count.wrapping_mul(0x9E37_79B9)
    });
    platform
}

type DeviceAgent<'b> = Agent<'b, providore_sign::SoftwareKey, MemoryPlatform>;

/// Runs `story` with an agent; returns what was reported, one word each.
pub(crate) fn with_agent(
    device: providore_client::Device<providore_sign::SoftwareKey>,
    platform: MemoryPlatform,
    settings: Settings,
    story: impl FnOnce(&mut DeviceAgent<'_>),
) -> Vec<String> {
    let events = RefCell::new(Vec::new());
    let mut report = |event: &Event<'_>| {
        let text = format!("{event:?}");
        let word = text.split([' ', '(', '{']).next().unwrap_or_default();
        events.borrow_mut().push(word.to_owned());
    };
    let (mut chunk, mut document) = ([0; 512], [0; 256]);
    let buffers = Buffers {
        chunk: &mut chunk,
        document: &mut document,
    };
    let mut agent = Agent::new(device, platform, settings, buffers).with_report(&mut report);
    story(&mut agent);
    drop(agent);
    events.into_inner()
}

fn check_day(clock: MemoryClock, expected: &[&str]) {
    let world = World::new();
    with_agent(device(), platform_in(&world, clock), settings(), |agent| {
        let day = run(agent.day());
        assert_eq!(day.config, Some(ConfigStep::Stored));
        let trial = FirmwareStep::OnTrial;
        assert_eq!(day.firmware, Some(trial));
        assert_eq!(day.secret, Some(SecretStep::Kept));
    });
    assert_eq!(world.borrow().targets(), expected);
}

#[test]
fn a_day_needs_no_clock() {
    let day = [
        "/config",
        "/firmware/check",
        "/firmware?version=2",
        "/secret",
    ];
    let twice = [&["/config"][..], &day].concat();
    check_day(MemoryClock::new(at(0)), &day);
    check_day(MemoryClock::new(Timestamp::from_unix(0).unwrap()), &twice);
    check_day(
        MemoryClock::new(Timestamp::from_unix(4_102_444_800).unwrap()),
        &twice,
    );
    check_day(MemoryClock::unset(), &twice);
}

#[test]
fn a_server_that_always_refuses_is_asked_once_more_and_no_more() {
    let world = World::new();
    world.borrow_mut().server.secret = b"another secret than the device's".to_vec();
    let platform = platform_in(&world, MemoryClock::new(at(0)));
    with_agent(device(), platform, settings(), |agent| {
        let error = run(agent.check_config()).unwrap_err();
        let refused = matches!(error.answer(), Some(Error::Unsigned { status: 401, .. }));
        assert!(refused, "{error:?}");
    });
    assert_eq!(world.borrow().targets(), ["/config", "/config"]);
    let by_challenge = |request: &Delivered| request.field("providore-challenge").is_some();
    let asked = world
        .borrow()
        .asked
        .iter()
        .map(by_challenge)
        .collect::<Vec<_>>();
    assert_eq!(asked, [false, true]);
}

#[test]
fn a_download_that_is_refused_with_a_challenge_is_asked_for_once_more() {
    let world = World::new();
    let platform = platform_in(&world, MemoryClock::new(at(0)));
    with_agent(device(), platform, settings(), |agent| {
        run(agent.check_config()).unwrap();
        // Between the offer and the image, all that was signed by clock is void.
        let there = Rc::clone(&world);
        let restarting = move |request: MemoryRequest| {
            let mut world = there.borrow_mut();
            if request.target == "/firmware?version=2" {
                world.server.policy = Server::restarted();
            }
            world.deliver(request)
        };
        let mut other = platform_in(&world, MemoryClock::new(at(0)));
        other.transport = providore_client::memory::MemoryTransport::new(Box::new(restarting));
        *agent.platform_mut() = other;
        let step = run(agent.check_firmware()).unwrap();
        assert_eq!(step, FirmwareStep::OnTrial);
    });
    let image = "/firmware?version=2";
    let expected = ["/config", "/firmware/check", image, image];
    assert_eq!(world.borrow().targets(), expected);
}

fn check_report(story: impl FnOnce(&mut DeviceAgent<'_>), settings: Settings, expected: &str) {
    let world = World::new();
    let platform = platform_in(&world, MemoryClock::new(at(0)));
    let events = with_agent(device(), platform, settings, story);
    assert_eq!(events.last().map(String::as_str), Some("Reported"));
    let world = world.borrow();
    let report = world
        .asked
        .iter()
        .find(|request| request.target == "/report");
    assert_eq!(String::from_utf8_lossy(&report.unwrap().body), expected);
}

#[test]
fn the_server_is_told_what_became_of_it() {
    let applied = |agent: &mut DeviceAgent<'_>| {
        run(agent.check_firmware()).unwrap();
        run(agent.confirm_firmware()).unwrap();
    };
    let expected = r#"{"what":"firmware","outcome":"applied","version":"2"}"#;
    check_report(applied, settings(), expected);
    let rejected = |agent: &mut DeviceAgent<'_>| {
        run(agent.check_firmware()).unwrap();
        run(agent.reject_firmware()).unwrap();
    };
    let expected = r#"{"what":"firmware","outcome":"rolled-back","version":"2"}"#;
    check_report(rejected, settings(), expected);
    let refused = |agent: &mut DeviceAgent<'_>| assert!(run(agent.check_config()).is_err());
    let mut picky = settings();
    picky.config_check = Some(|_| false);
    let reason = "refused by the application's check";
    let expected = format!(r#"{{"what":"config","outcome":"failed","reason":"{reason}"}}"#);
    check_report(refused, picky, &expected);
}

#[test]
fn a_report_that_fails_is_an_event_and_no_more() {
    let world = World::new();
    let platform = platform_in(&world, MemoryClock::new(at(0)));
    let events = with_agent(device(), platform, settings(), |agent| {
        run(agent.check_firmware()).unwrap();
        world.borrow_mut().loses = Some(0);
        run(agent.confirm_firmware()).unwrap();
        assert_eq!(agent.owed_ms(), 0);
        // A server that is not to be asked now is not asked.
        assert!(run(agent.check_config()).is_err());
        run(agent.confirm_firmware()).unwrap();
    });
    assert_eq!(events[events.len() - 2..], ["Failed", "ReportDropped"]);
}

#[test]
fn a_server_that_names_a_time_is_asked_again_without_end_to_the_attempts() {
    let check = |retry_after: Option<&str>, expected: usize| {
        let mut reply = Reply::unsigned(503, b"");
        if let Some(value) = retry_after {
            reply = reply.with("retry-after", value);
        }
        let platform = platform(Box::new(move |_| Ok(answer(reply.clone()))));
        let mut only_config = settings();
        (only_config.firmware, only_config.secret) = (false, false);
        let events = with_agent(device(), platform, only_config, |agent| {
            let _ = run(agent.day());
        });
        let failed = events.iter().filter(|event| *event == "Failed").count();
        assert_eq!(failed, expected);
    };
    check(None, 3);
    check(Some("5"), 3 + 8);
}

#[test]
fn the_server_of_a_device_with_two_secrets_may_have_either() {
    let clocks = [MemoryClock::new(at(0)), MemoryClock::unset()];
    for (clock, secret) in clocks.into_iter().flat_map(|c| [(c, SECRET), (c, NEXT)]) {
        let world = World::new();
        world.borrow_mut().server.secret = secret.to_vec();
        let mut device = device();
        device.set_next_secret(NEXT).unwrap();
        let platform = platform_in(&world, clock);
        with_agent(device, platform, settings(), |agent| {
            assert!(run(agent.check_config()).is_ok());
            assert!(run(agent.check_config()).is_ok());
        });
        assert!(world.borrow().asked.len() <= 4);
    }
}

fn content(agent: &mut DeviceAgent<'_>, record: Record) -> Option<Vec<u8>> {
    let content = agent.platform_mut().storage.content(record);
    content.map(<[u8]>::to_vec)
}

#[test]
fn a_secret_that_waits_replaces_the_present_one() {
    let world = World::new();
    world.borrow_mut().server.next = Some(NEXT.to_vec());
    let platform = platform_in(&world, MemoryClock::new(at(0)));
    let mut storage = MemoryStorage::new();
    let events = with_agent(device(), platform, settings(), |agent| {
        assert_eq!(run(agent.check_secret()).unwrap(), SecretStep::Replaced);
        assert_eq!(content(agent, Record::NextSecret), None);
        let stored = content(agent, Record::Secret).unwrap();
        assert!(stored.ends_with(NEXT) && stored.len() == NEXT.len() + 17);
        assert_eq!(run(agent.check_secret()).unwrap(), SecretStep::Kept);
        storage = agent.platform_mut().storage.clone();
    });
    assert_eq!(events, ["Server", "SecretReceived", "SecretReplaced"]);
    assert_eq!(world.borrow().server.secret, NEXT);
    assert_eq!(world.borrow().targets(), ["/secret", "/time", "/secret"]);

    // After a restart the application gives the old secret, and the storage has the new one.
    let mut restarted = platform_in(&world, MemoryClock::new(at(0)));
    restarted.storage = storage.clone();
    with_agent(device(), restarted, settings(), |agent| {
        assert_eq!(run(agent.check_config()).unwrap(), ConfigStep::Stored);
    });

    // Somebody gave device and server another secret by hand: what is stored no longer counts.
    let by_hand = b"a third secret, given by hand...";
    world.borrow_mut().server.secret = by_hand.to_vec();
    let mut given = platform_in(&world, MemoryClock::new(at(0)));
    given.storage = storage;
    let device = named("d8fa0180", by_hand);
    with_agent(device, given, settings(), |agent| {
        assert_eq!(run(agent.check_config()).unwrap(), ConfigStep::Stored);
    });
}

#[test]
fn a_secret_that_was_taken_back_is_forgotten() {
    let world = World::new();
    world.borrow_mut().server.next = Some(NEXT.to_vec());
    let platform = platform_in(&world, MemoryClock::new(at(0)));
    let events = with_agent(device(), platform, settings(), |agent| {
        // The answer to the question after it is lost, and nothing arrived there either.
        world.borrow_mut().loses = Some(1);
        assert!(run(agent.check_secret()).is_err());
        assert!(content(agent, Record::NextSecret).is_some());
        let mut there = world.borrow_mut();
        there.loses = None;
        there.server.secret = SECRET.to_vec();
        there.server.next = None;
        drop(there);
        // It tries the next secret, and then the present one.
        assert!(run(agent.check_secret()).is_ok());
        assert_eq!(content(agent, Record::NextSecret), None);
        assert!(run(agent.check_config()).is_ok());
    });
    assert!(events.contains(&"SecretForgotten".to_owned()), "{events:?}");
}

#[test]
fn a_record_that_holds_no_secret_is_not_looked_at() {
    for record in [&b""[..], b"x", &[b'x'; 17], &[b'x'; 500]] {
        let world = World::new();
        let mut platform = platform_in(&world, MemoryClock::new(at(0)));
        run(platform.storage.store(Record::Secret, record)).unwrap();
        run(platform.storage.store(Record::NextSecret, record)).unwrap();
        with_agent(device(), platform, settings(), |agent| {
            assert!(run(agent.check_config()).is_ok());
            assert!(!agent.device().has_next_secret());
        });
    }
}

#[test]
fn a_storage_that_cannot_be_read_keeps_the_device_from_asking() {
    struct Broken;
    impl providore_client::Storage for Broken {
        async fn load<'b>(
            &mut self,
            _: Record,
            _: &'b mut [u8],
        ) -> Result<Option<&'b [u8]>, providore_client::StoreError> {
            Err(providore_client::StoreError::failed())
        }
        async fn store(&mut self, _: Record, _: &[u8]) -> Result<(), providore_client::StoreError> {
            Err(providore_client::StoreError::failed())
        }
        async fn remove(&mut self, _: Record) -> Result<(), providore_client::StoreError> {
            Err(providore_client::StoreError::failed())
        }
    }
    let world = World::new();
    let whole = platform_in(&world, MemoryClock::new(at(0)));
    let broken = providore_client::Platform {
        transport: whole.transport,
        locator: whole.locator,
        slot: whole.slot,
        storage: Broken,
        clock: whole.clock,
        entropy: whole.entropy,
    };
    let (mut chunk, mut document) = ([0; 512], [0; 256]);
    let buffers = Buffers {
        chunk: &mut chunk,
        document: &mut document,
    };
    let mut agent = Agent::new(device(), broken, settings(), buffers);
    let error = run(agent.check_config()).unwrap_err();
    assert!(matches!(error, AgentError::Storage(_)), "{error:?}");
    assert!(world.borrow().asked.is_empty());
}

/// Power fails after so many writes, or answers get lost after so many, while a secret is being
/// replaced; then all is well again.
fn check_cut(writes: Option<u32>, answers: Option<u32>) {
    let world = World::new();
    world.borrow_mut().server.next = Some(NEXT.to_vec());
    world.borrow_mut().loses = answers;
    let mut platform = platform_in(&world, MemoryClock::new(at(0)));
    if let Some(writes) = writes {
        platform.storage.power_mut().cut_after(writes);
    }
    let mut storage = MemoryStorage::new();
    with_agent(device(), platform, settings(), |agent| {
        let _ = run(agent.check_secret());
        storage = agent.platform_mut().storage.clone();
    });
    world.borrow_mut().loses = None;
    storage.power_mut().restore();

    let mut restarted = platform_in(&world, MemoryClock::new(at(0)));
    restarted.storage = storage;
    with_agent(device(), restarted, settings(), |agent| {
        // One secret in common, whatever happened.
        run(agent.check_config()).unwrap();
        run(agent.check_secret()).unwrap();
        assert_eq!(content(agent, Record::NextSecret), None);
        assert!(content(agent, Record::Secret).unwrap().ends_with(NEXT));
    });
    assert_eq!(world.borrow().server.secret, NEXT);
}

#[test]
fn a_cut_at_any_step_of_a_replacement_leaves_a_common_secret() {
    // Storing the next, storing it as the present, removing the next.
    for writes in 0..=3 {
        check_cut(Some(writes), None);
    }
    for answers in 0..=2 {
        check_cut(None, Some(answers));
        for writes in 0..=3 {
            check_cut(Some(writes), Some(answers));
        }
    }
}

#[test]
fn a_replacement_that_another_agent_ended_is_ended() {
    let world = World::new();
    world.borrow_mut().server.next = Some(NEXT.to_vec());
    let platform = platform_in(&world, MemoryClock::new(at(0)));
    let events = with_agent(device(), platform, settings(), |agent| {
        world.borrow_mut().loses = Some(1);
        assert!(run(agent.check_secret()).is_err());
        world.borrow_mut().loses = None;
        let storage = &mut agent.platform_mut().storage;
        let record = storage.content(Record::NextSecret).unwrap().to_vec();
        run(storage.store(Record::Secret, &record)).unwrap();
        run(storage.remove(Record::NextSecret)).unwrap();
        assert!(run(agent.check_config()).is_ok());
        assert!(run(agent.check_config()).is_ok());
    });
    assert_eq!(events.iter().filter(|event| *event == "Failed").count(), 0);
}

#[test]
fn a_proxy_that_drops_if_none_match_does_not_keep_a_device_from_its_configuration() {
    let world = World::new();
    let there = Rc::clone(&world);
    let mut platform = platform_in(&world, MemoryClock::new(at(0)));
    platform.transport = providore_client::memory::MemoryTransport::new(Box::new(
        move |mut request: MemoryRequest| {
            request.fields.retain(|(name, _)| name != "if-none-match");
            there.borrow_mut().deliver(request)
        },
    ));
    with_agent(device(), platform, settings(), |agent| {
        let step = run(agent.check_config()).unwrap();
        assert_eq!(step, ConfigStep::Stored);
        // The second names the tag of the first: refused, over a challenge too, and then asked without.
        let step = run(agent.check_config()).unwrap();
        assert_eq!(step, ConfigStep::Kept);
    });
    let asked = world.borrow().asked.len();
    assert!((3..=4).contains(&asked), "{asked} questions");
}
