//! Connections that break: an update always gets there, and fetches nothing twice but the chunk that
//! was under way.

#![expect(clippy::arithmetic_side_effects, reason = "a test fails by panicking")]

use core::cell::{Cell, RefCell};

use alloc::rc::Rc;
use providore_client::{
    TransportError,
    memory::{MemoryAnswer, MemoryRequest},
};
use providore_testkit::simulator::{
    Bench, Flash as _, Inner, LinkFault, MemoryParts, Offer, Prng, Publisher, head_len, image_of,
    request_len,
};

extern crate alloc;

const CHUNK: u64 = 1024;

/// What a link has done.
#[derive(Debug, Clone, Default)]
struct Meter {
    /// Bytes of all requests and answers so far.
    wire: Rc<Cell<usize>>,
    /// Bytes of images that arrived.
    image: Rc<Cell<u64>>,
    /// How often the link broke while an image was under way.
    broken: Rc<Cell<u64>>,
}

impl Meter {
    /// Lets an exchange happen up to so many bytes of it.
    fn pass(
        &self,
        request: &MemoryRequest,
        mut answer: MemoryAnswer,
        until: Option<usize>,
    ) -> Result<MemoryAnswer, TransportError> {
        let before = request_len(request) + head_len(&answer);
        let whole = before + answer.body.len();
        let until = until.filter(|until| *until < whole);
        self.wire.set(self.wire.get() + until.unwrap_or(whole));
        let is_image = request.target.starts_with("/firmware?");
        let body = until.map_or(Some(answer.body.len()), |until| until.checked_sub(before));
        if is_image {
            let arrived = body.unwrap_or(0) as u64;
            self.image.set(self.image.get() + arrived);
            self.broken
                .set(self.broken.get() + u64::from(until.is_some()));
        }
        if until.is_some() {
            answer.breaks_after = Some(body.ok_or_else(TransportError::interrupted)?);
        }
        Ok(answer)
    }
}

fn offer(length: usize) -> Offer {
    Offer::signed("2.0.0", 2, &image_of("2.0.0", length))
}

fn bench(offer: Offer, link: Rc<RefCell<LinkFault>>) -> Bench<MemoryParts> {
    let flash = MemoryParts::running(&image_of("1.0.0", 3000), 1);
    let mut bench = Bench::new(flash, Publisher::new(Some(offer)));
    bench.link = link;
    bench
}

/// Breaks the connection of one exchange, counted from 0, after so many bytes. Returns the length of
/// each exchange: up to the body, and the body.
fn check(offer: &Offer, exchange: usize, breaks_at: usize) -> Vec<(usize, usize)> {
    let meter = Meter::default();
    let lengths = Rc::new(RefCell::new(Vec::new()));
    let (inner, seen) = (meter.clone(), Rc::clone(&lengths));
    let link = move |request: &MemoryRequest, answer: MemoryAnswer| {
        let until = (seen.borrow().len() == exchange).then_some(breaks_at);
        let head = request_len(request) + head_len(&answer);
        seen.borrow_mut().push((head, answer.body.len()));
        inner.pass(request, answer, until)
    };
    let mut bench = bench(offer.clone(), Rc::new(RefCell::new(link)));
    bench.live(6);
    let what = format!("exchange {exchange} after {breaks_at} bytes");
    assert_eq!(bench.version().as_str(), "2.0.0", "{what}");
    let wasted = meter.image.get() - offer.image.len() as u64;
    assert!(
        wasted <= CHUNK * meter.broken.get(),
        "{what}: {wasted} bytes"
    );
    lengths.take()
}

/// Breaks each exchange of an update at every byte of its body, and of what comes before at every
/// 32nd: to the device these are all the same.
fn check_all(length: usize, step: usize) {
    let offer = offer(length);
    let exchanges = check(&offer, usize::MAX, 0);
    let (mut tried, mut bytes) = (0, 0);
    for (exchange, (head, body)) in exchanges.into_iter().enumerate() {
        let head_places = (0..head).step_by(32);
        let places = head_places.chain((head..head + body).step_by(step));
        for at in places {
            check(&offer, exchange, at);
            tried += 1;
        }
        bytes += head + body;
    }
    println!("an image of {length}: {tried} breaks within {bytes} bytes, and each time 2.0.0 runs");
}

#[test]
fn a_break_at_any_byte_of_a_short_update_is_survived() {
    check_all(100, 1);
}

#[test]
fn a_break_within_any_chunk_costs_that_chunk_and_no_more() {
    check_all(3000, 101);
}

#[test]
fn an_update_through_a_storm_fetches_one_chunk_twice_for_each_break() {
    let (mut breaks, mut wasted) = (0, 0);
    for seed in 0..12 {
        let meter = Meter::default();
        let (inner, prng) = (meter.clone(), Prng::new(seed));
        let link = move |request: &MemoryRequest, answer: MemoryAnswer| match prng.below(5) {
            0 => Err(TransportError::timed_out()),
            1 => inner.pass(request, answer, None),
            _ => {
                let until = prng.index(9000);
                inner.pass(request, answer, Some(until))
            }
        };
        let mut bench = bench(offer(15_000), Rc::new(RefCell::new(link)));
        for _ in 0..200 {
            bench.start(5);
            if bench.version().as_str() == "2.0.0" && bench.state().floor() == 2 {
                break;
            }
        }
        assert_eq!(
            bench.version().as_str(),
            "2.0.0",
            "{seed}: {:#?}",
            bench.events
        );
        assert_eq!(bench.state().floor(), 2, "{seed}");
        let over = meter.image.get() - 15_000;
        assert!(over <= CHUNK * meter.broken.get(), "{seed}: {over}");
        breaks += meter.broken.get();
        wasted += over;
    }
    println!("{breaks} breaks within 12 downloads of 15000 bytes, {wasted} bytes fetched twice");
    assert!(breaks > 12);
}

/// Breaks one download on a way that knows no ranges: the whole image comes again, and nothing of it is
/// written twice.
fn check_without_ranges(way: impl FnOnce(&mut Inner)) {
    let meter = Meter::default();
    let (inner, first) = (meter.clone(), Cell::new(true));
    let link = move |request: &MemoryRequest, answer: MemoryAnswer| {
        let is_image = request.target.starts_with("/firmware?");
        let until = (is_image && first.get()).then(|| {
            first.set(false);
            request_len(request) + head_len(&answer) + 2500
        });
        inner.pass(request, answer, until)
    };
    let mut bench = bench(offer(4500), Rc::new(RefCell::new(link)));
    bench.publisher.look(way);
    bench.live(4);
    assert_eq!(bench.flash.running(), image_of("2.0.0", 4500));
    assert_eq!(bench.flash.slot.written(), 4500, "nothing twice");
    assert_eq!(
        bench.publisher.look(|inner| inner.sent.clone()),
        [(0, 4500), (0, 4500)]
    );
    assert_eq!(bench.version().as_str(), "2.0.0");
}

#[test]
fn a_server_that_ignores_ranges_is_not_written_over() {
    check_without_ranges(|server| server.ignores_ranges = true);
}

#[test]
fn a_proxy_that_drops_ranges_costs_a_whole_download_and_no_update() {
    check_without_ranges(|server| server.drops_ranges = true);
}

#[test]
fn a_download_goes_on_after_a_restart_from_the_last_whole_chunk() {
    let meter = Meter::default();
    let (inner, left) = (meter.clone(), Cell::new(4));
    let link = move |request: &MemoryRequest, answer: MemoryAnswer| {
        let is_image = request.target.starts_with("/firmware?");
        let until = (is_image && left.get() > 0).then(|| {
            left.set(left.get() - 1);
            request_len(request) + head_len(&answer) + 1500
        });
        inner.pass(request, answer, until)
    };
    let mut bench = bench(offer(6000), Rc::new(RefCell::new(link)));
    bench.settings.attempts = 1;
    for _ in 0..8 {
        bench.start(1);
    }
    assert_eq!(bench.version().as_str(), "2.0.0");
    let sent: Vec<_> = bench
        .publisher
        .look(|inner| inner.sent.iter().map(|it| it.0).collect());
    assert_eq!(sent, [0, 1024, 2048, 3072, 4096]);
}
