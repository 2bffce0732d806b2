//! Connections that break: an update always gets there, and fetches nothing twice but the chunk that
//! was under way.

use core::cell::{Cell, RefCell};

use alloc::rc::Rc;
use providore_client::{
    TransportError,
    memory::{MemoryAnswer, MemoryRequest},
};
use providore_testkit::simulator::{
    Bench, Flash as _, LinkFault, MemoryFlash, Offer, Prng, Publisher, head_len, image_of,
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

fn bench(length: usize, link: Rc<RefCell<LinkFault>>) -> Bench<MemoryFlash> {
    let flash = MemoryFlash::running(&image_of("1.0.0", 3000), 1);
    let image = image_of("2.0.0", length);
    let publisher = Publisher::new(Some(Offer::signed("2.0.0", 2, &image)));
    let mut bench = Bench::new(flash, publisher);
    bench.link = link;
    bench
}

/// Breaks the connection once, after so many bytes of all that is sent; returns how many there
/// are without a break.
fn check(length: usize, breaks_at: usize) -> usize {
    let meter = Meter::default();
    let (inner, broken) = (meter.clone(), Cell::new(false));
    let link = move |request: &MemoryRequest, answer: MemoryAnswer| {
        let until = breaks_at.checked_sub(inner.wire.get());
        let until = until.filter(|_| !broken.get());
        let whole = request_len(request) + head_len(&answer) + answer.body.len();
        broken.set(broken.get() || until.is_some_and(|until| until < whole));
        inner.pass(request, answer, until)
    };
    let mut bench = bench(length, Rc::new(RefCell::new(link)));
    bench.live(6);
    assert_eq!(bench.version().as_str(), "2.0.0", "{breaks_at}");
    let wasted = meter.image.get() - length as u64;
    assert!(
        wasted <= CHUNK * meter.broken.get(),
        "{breaks_at}: {wasted} bytes"
    );
    meter.wire.get()
}

#[test]
fn a_break_at_any_byte_of_a_short_update_costs_one_chunk_at_most() {
    let whole = check(1300, usize::MAX);
    // What follows the download is told again and again: the switch has happened.
    for at in (0..whole).step_by(7) {
        check(1300, at);
    }
    println!(
        "a break at {} of {whole} bytes, and each time 2.0.0 runs",
        whole.div_ceil(7)
    );
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
        let mut bench = bench(15_000, Rc::new(RefCell::new(link)));
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

#[test]
fn a_server_that_ignores_ranges_is_not_written_over() {
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
    let mut bench = bench(4500, Rc::new(RefCell::new(link)));
    bench.publisher.look(|inner| inner.ignores_ranges = true);
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
    let mut bench = bench(6000, Rc::new(RefCell::new(link)));
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
