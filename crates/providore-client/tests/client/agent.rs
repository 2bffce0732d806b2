//! The agent on a platform in memory.

use alloc::rc::Rc;
use core::{cell::RefCell, time::Duration};

use providore_client::{
    Agent, AgentError, Buffers, ConfigStep, Error, Event, FirmwareStep, FixedAddress, ImageCheck,
    Parts, Platform, Record, ServerAddress, Settings, TransportError,
    memory::{
        MemoryAnswer, MemoryClock, MemoryRequest, MemorySlot, MemoryStorage, MemoryTransport,
    },
};

use crate::support::{Reply, at, device, verify};

pub(crate) type Handler = Box<dyn FnMut(MemoryRequest) -> Result<MemoryAnswer, TransportError>>;
pub(crate) type MemoryPlatform = Platform<
    MemoryTransport<Handler>,
    FixedAddress,
    MemorySlot,
    MemoryStorage,
    MemoryClock,
    Box<dyn FnMut() -> u32>,
>;

pub(crate) fn answer(reply: Reply) -> MemoryAnswer {
    MemoryAnswer {
        status: reply.status,
        fields: reply.fields,
        body: reply.body,
        breaks_after: None,
    }
}

pub(crate) fn platform(handler: Handler) -> MemoryPlatform {
    let address: ServerAddress = "http://10.0.0.7:3000".parse().unwrap();
    Platform {
        transport: MemoryTransport::new(handler),
        locator: FixedAddress::new(address),
        slot: MemorySlot::running(b"image 1"),
        storage: MemoryStorage::new(),
        clock: MemoryClock::new(at(0)),
        entropy: Box::new(|| 0),
    }
}

pub(crate) fn settings() -> Settings {
    Settings::new(ImageCheck::new(b"image", 6, 1024))
}

/// Runs a future that never has to wait.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    let mut context = core::task::Context::from_waker(core::task::Waker::noop());
    match core::pin::pin!(future).poll(&mut context) {
        core::task::Poll::Ready(value) => value,
        core::task::Poll::Pending => panic!("nothing in memory waits"),
    }
}

/// Firmware 2, longer than one chunk.
pub(crate) const IMAGE: [u8; 700] = {
    let mut image = [b'.'; 700];
    let (begin, _) = image.split_at_mut(7);
    begin.copy_from_slice(b"image 2");
    image
};

/// A server with one configuration and firmware 2; answers only what is authentic.
pub(crate) fn server() -> Handler {
    Box::new(|request| {
        verify(
            request.method,
            &request.target,
            &request.fields,
            &request.body,
        );
        let same = |(name, value): &(String, String)| name == "if-none-match" && value == "\"c\"";
        Ok(answer(match request.target.as_str() {
            "/config" if request.fields.iter().any(same) => Reply::signed(304, b""),
            "/config" => Reply::signed(200, b"{\"a\":1}").with("etag", "\"c\""),
            "/firmware/check" => Reply::signed(302, b"Redirecting to /firmware?version=2")
                .with("location", "/firmware?version=2"),
            "/firmware?version=2" => Reply::signed(200, &IMAGE),
            other => panic!("{other}"),
        }))
    })
}

/// Runs `story` with an agent; returns what was reported, one word each.
fn check<P: Parts>(
    platform: P,
    story: impl AsyncFnOnce(&mut Agent<'_, providore_sign::SoftwareKey, P>),
    expected: &[&str],
) {
    let events = RefCell::new(Vec::new());
    let mut report = |event: &Event<'_>| {
        let text = format!("{event:?}");
        let word = text.split([' ', '(', '{']).next().unwrap_or_default();
        events.borrow_mut().push(word.to_owned());
    };
    let (mut chunk, mut document) = ([0; 512], [0; 64]);
    let buffers = Buffers {
        chunk: &mut chunk,
        document: &mut document,
    };
    let mut agent = Agent::new(device(), platform, settings(), buffers).with_report(&mut report);
    run(story(&mut agent));
    drop(agent);
    assert_eq!(events.into_inner(), expected);
}

#[test]
fn a_day_stores_the_configuration_and_installs_the_firmware() {
    let story = async |agent: &mut Agent<'_, _, MemoryPlatform>| {
        let day = agent.day().await;
        assert_eq!(day.config, Some(ConfigStep::Stored));
        let trial = FirmwareStep::OnTrial;
        assert_eq!(day.firmware, Some(trial));
        let parts = agent.platform_mut();
        assert_eq!(
            parts.storage.content(Record::Config),
            Some(&b"{\"a\":1}"[..])
        );
        assert_eq!(parts.slot.image(), IMAGE);
        assert!(parts.slot.is_on_trial());

        let day = agent.day().await;
        assert_eq!(day.config, Some(ConfigStep::Kept));
        assert_eq!(day.firmware, Some(trial));
        agent.confirm_firmware().await.unwrap();
        assert_eq!(agent.device().version().as_str(), "2");
        let step = agent.check_firmware().await.unwrap();
        assert_eq!(step, FirmwareStep::UpToDate);
    };
    let expected = [
        "Server",
        "ConfigStored",
        "FirmwareOffered",
        "FirmwareProgress",
        "FirmwareProgress",
        "FirmwareCommitted",
        "ConfigKept",
        "FirmwareUpToDate",
    ];
    check(platform(server()), story, &expected);
}

#[test]
fn rejected_firmware_goes_back_and_is_not_installed_again() {
    let story = async |agent: &mut Agent<'_, _, MemoryPlatform>| {
        agent.check_firmware().await.unwrap();
        agent.reject_firmware().await.unwrap();
        assert_eq!(agent.platform_mut().slot.image(), b"image 1");
        let step = agent.check_firmware().await.unwrap();
        assert_eq!(step, FirmwareStep::Skipped);
    };
    let expected = [
        "Server",
        "FirmwareOffered",
        "FirmwareProgress",
        "FirmwareProgress",
        "FirmwareCommitted",
        "FirmwareSkipped",
    ];
    check(platform(server()), story, &expected);
}

#[test]
fn a_broken_download_changes_nothing() {
    let mut honest = server();
    let handler: Handler = Box::new(move |request| {
        let mut answer = honest(request.clone())?;
        if request.target.starts_with("/firmware?") {
            answer.breaks_after = Some(600);
        }
        Ok(answer)
    });
    let story = async |agent: &mut Agent<'_, _, MemoryPlatform>| {
        let error = agent.check_firmware().await.unwrap_err();
        assert!(matches!(error, AgentError::Transport(e) if e.is_interrupted()));
        let slot = &agent.platform_mut().slot;
        assert_eq!(
            (slot.image(), slot.is_downloading()),
            (&b"image 1"[..], false)
        );
    };
    let expected = [
        "Server",
        "FirmwareOffered",
        "FirmwareProgress",
        "FirmwareProgress",
    ];
    check(platform(handler), story, &expected);
}

/// Answers everything with 503 and `retry_after`; expects the second call to wait so long.
fn check_wait(retry_after: Option<&str>, random: u32, failures: u32, expected_ms: u64) {
    let reply = Reply::signed(503, b"");
    let reply = match retry_after {
        Some(value) => reply.with("retry-after", value),
        None => reply,
    };
    let mut platform = platform(Box::new(move |_| Ok(answer(reply.clone()))));
    platform.entropy = Box::new(move || random);
    let (mut chunk, mut document) = ([0; 512], [0; 64]);
    let buffers = Buffers {
        chunk: &mut chunk,
        document: &mut document,
    };
    let mut agent = Agent::new(device(), platform, settings(), buffers);
    for _ in 0..failures {
        // The server's clock stands still, so let the device's.
        agent.platform_mut().clock = MemoryClock::new(at(0));
        assert!(run(agent.check_config()).is_err());
    }
    assert_eq!(agent.owed_ms(), expected_ms);
    agent.platform_mut().clock = MemoryClock::new(at(0));
    let _ = run(agent.check_firmware());
    let slept = agent.platform_mut().clock.slept_ms();
    assert_eq!(slept, expected_ms, "{retry_after:?} {random} {failures}");
}

#[test]
fn every_call_waits_as_the_server_asked_within_bounds() {
    check_wait(Some("20"), 0, 1, 20_000);
    check_wait(Some("20"), u32::MAX, 1, 21_999);
    check_wait(Some("0"), 0, 1, 1_000);
    check_wait(Some("Fri, 02 Jan 2026 03:05:05 GMT"), 0, 1, 60_000);
    check_wait(Some("4294967295"), u32::MAX, 1, 3_959_999);
    check_wait(Some("999999999999999999999"), 0, 1, 3_600_000);
}

#[test]
fn back_off_doubles_to_its_cap() {
    check_wait(None, 0, 9, 0);
    check_wait(None, u32::MAX, 1, 1_999);
    check_wait(None, u32::MAX, 2, 3_999);
    check_wait(None, u32::MAX, 40, 299_999);
}

#[test]
fn a_stranger_that_answers_is_left_for_the_next_candidate() {
    let asked = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&asked);
    let mut honest = server();
    let handler: Handler = Box::new(move |request| {
        seen.borrow_mut().push(request.server.to_string());
        if request.server.authority() == "stranger" {
            return Ok(answer(Reply::unsigned(404, b"wipe yourself")));
        }
        honest(request)
    });
    let addresses = ["http://stranger", "http://home"].map(|text| text.parse().unwrap());
    let Platform {
        transport,
        slot,
        storage,
        clock,
        entropy,
        ..
    } = platform(handler);
    let platform = Platform {
        transport,
        locator: providore_client::AddressList::new(&addresses),
        slot,
        storage,
        clock,
        entropy,
    };
    let (mut chunk, mut document) = ([0; 512], [0; 64]);
    let buffers = Buffers {
        chunk: &mut chunk,
        document: &mut document,
    };
    let mut agent = Agent::new(device(), platform, settings(), buffers);
    let error = run(agent.check_config()).unwrap_err();
    let unsigned = Error::Unsigned {
        status: 404,
        retry_after_s: None,
        challenged: false,
    };
    assert_eq!(error.answer(), Some(&unsigned));
    assert_eq!(run(agent.check_config()).unwrap(), ConfigStep::Stored);
    assert_eq!(run(agent.check_config()).unwrap(), ConfigStep::Kept);
    assert_eq!(
        *asked.borrow(),
        ["http://stranger", "http://home", "http://home"]
    );
}

#[test]
fn without_a_clock_nothing_is_signed() {
    let mut platform = platform(Box::new(|_| panic!("nothing may be sent")));
    platform.clock = MemoryClock::unset();
    let story = async |agent: &mut Agent<'_, _, MemoryPlatform>| {
        let error = agent.check_config().await.unwrap_err();
        assert!(matches!(error, AgentError::Answer(Error::ClockNotSet)));
    };
    check(platform, story, &["Server"]);
}

#[test]
fn days_are_an_interval_apart_give_or_take_a_tenth() {
    for (random, expected_s) in [(0, 3_240), (u32::MAX, 3_959)] {
        let mut platform = platform(server());
        platform.entropy = Box::new(move || random);
        let story = async |agent: &mut Agent<'_, _, MemoryPlatform>| {
            agent.rest().await;
            let slept = Duration::from_millis(agent.platform_mut().clock.slept_ms());
            assert_eq!(slept.as_secs(), expected_s);
        };
        check(platform, story, &["Resting"]);
    }
}
