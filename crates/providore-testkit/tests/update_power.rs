//! Power that fails at any write of an update: the device boots, and the next start goes on.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use core::ops::Range;

use futures_lite::future::block_on;
use providore_client::{SlotState, UpdatePhase, memory::Cut};
use providore_client::{
    flash::{FlashLayout, FlashSlots, FlashStorage, TRIAL_BOOTS, start},
    memory::{MemoryFlash, Power},
};
use providore_testkit::simulator::{Bench, Flash, MemoryParts, Offer, Publisher, image_of};

const CUTS: [Cut; 3] = [Cut::Before, Cut::During, Cut::After];

/// What a device is to live through: a version that works, or one that does not.
#[derive(Debug, Clone, Copy)]
struct Story {
    self_test: fn(&providore_wire::FirmwareVersion) -> Result<(), &'static str>,
    ends_as: &'static str,
    floor: u64,
    told: &'static str,
}

const WORKS: Story = Story {
    self_test: |_| Ok(()),
    ends_as: "2.0.0",
    floor: 2,
    told: r#""outcome":"applied","version":"2.0.0""#,
};

const DOES_NOT_WORK: Story = Story {
    self_test: |version| match version.as_str() {
        "2.0.0" => Err("no sensor"),
        _ => Ok(()),
    },
    ends_as: "1.0.0",
    floor: 1,
    told: r#""outcome":"rolled-back","version":"2.0.0""#,
};

fn bench<F: Flash>(story: Story, flash: F) -> Bench<F> {
    let image = image_of("2.0.0", 4500);
    let publisher = Publisher::new(Some(Offer::signed("2.0.0", 2, &image)));
    let mut bench = Bench::new(flash, publisher);
    bench.self_test = story.self_test;
    bench
}

/// What must hold whenever the device is started, whatever happened before.
fn boots<F: Flash>(bench: &mut Bench<F>, what: &str) {
    let image = bench.flash.running();
    let whole = [image_of("1.0.0", 3000), image_of("2.0.0", 4500)];
    assert!(whole.contains(&image), "{what}: neither old nor new");
}

/// Whether all is said and done.
fn is_done<F: Flash>(story: Story, bench: &mut Bench<F>) -> bool {
    let publisher = bench.publisher.clone();
    let told = publisher.look(|inner| inner.reports.iter().any(|it| it.contains(story.told)));
    if told && story.floor == 1 {
        // A server that was told of a failure does not offer it again.
        publisher.look(|inner| inner.offer = None);
    }
    told && bench.state().phase() == UpdatePhase::Idle && bench.slot_state() != SlotState::OnTrial
}

/// Starts the device until all is said and done, or the power fails; says whether it did.
fn live<F: Flash>(story: Story, bench: &mut Bench<F>, what: &str) -> bool {
    for _ in 0..10 {
        boots(bench, what);
        bench.start(1);
        if bench.flash.watch()() {
            boots(bench, what);
            return true;
        }
        if is_done(story, bench) {
            return false;
        }
    }
    panic!("{what}: never done: {:#?}", bench.events);
}

/// That it ended as it should.
fn ended<F: Flash>(story: Story, bench: &mut Bench<F>, what: &str) {
    assert_eq!(
        bench.version().as_str(),
        story.ends_as,
        "{what}: {:#?}",
        bench.events
    );
    assert_eq!(bench.state().floor().max(1), story.floor, "{what}");
    // Whoever was cut off between two words says them again, and no more often than that.
    let reports = bench.publisher.look(|inner| inner.reports.clone());
    assert!(
        reports.iter().all(|it| it.contains(story.told)),
        "{what}: {reports:?}"
    );
}

/// Cuts once at every write, in every way; with `pairs` once more at each of the next writes.
fn check<F: Flash>(story: Story, mut flash: impl FnMut() -> F, pairs: u32) {
    let mut untouched = bench(story, flash());
    assert!(!live(story, &mut untouched, "without a cut"));
    ended(story, &mut untouched, "without a cut");
    let operations = untouched.flash.operations();
    let mut tried = 0;
    for first in 0..operations {
        for cut in CUTS {
            for second in 0..=pairs {
                let what = format!("{cut:?} write {first} of {operations}, then {second}");
                let mut device = bench(story, flash());
                device.flash.cut(first, cut);
                assert!(live(story, &mut device, &what), "{what}: never reached");
                tried += 1;
                if second > 0 {
                    device.flash.cut(second - 1, cut);
                    if live(story, &mut device, &what) {
                        tried += 1;
                    }
                }
                live(story, &mut device, &what);
                ended(story, &mut device, &what);
            }
        }
    }
    println!(
        "{}: {tried} power cuts, at each of {operations} writes",
        story.ends_as
    );
    assert!(tried >= operations * 3);
}

fn memory(sector: u64) -> impl FnMut() -> MemoryParts {
    move || MemoryParts::running(&image_of("1.0.0", 3000), sector)
}

#[test]
fn an_update_that_works_is_there_after_any_cut() {
    for sector in [1, 4096] {
        check(WORKS, memory(sector), 0);
    }
}

#[test]
fn an_update_that_does_not_work_is_gone_after_any_cut() {
    for sector in [1, 4096] {
        check(DOES_NOT_WORK, memory(sector), 0);
    }
}

#[test]
fn two_cuts_are_as_good_as_one() {
    check(WORKS, memory(512), 2);
    check(DOES_NOT_WORK, memory(512), 2);
}

/// Everything in one NOR flash, with the bootloader that belongs to it.
struct NorParts {
    flash: Nor,
    slots: FlashSlots<Nor>,
    storage: FlashStorage<Nor>,
}

type Nor = MemoryFlash<4, 1024>;

const SLOT: u32 = 8 * 1024;
const RECORDS: Range<u32> = 2048 + 2 * SLOT..2048 + 2 * SLOT + 4096;

fn layout() -> FlashLayout {
    FlashLayout {
        boot: 0..2048,
        slot_a: 2048..2048 + SLOT,
        slot_b: 2048 + SLOT..2048 + 2 * SLOT,
    }
}

impl NorParts {
    fn new(tears: u64) -> Self {
        let flash = Nor::new(22, &Power::new()).with_tears(tears);
        flash.put(2048, &image_of("1.0.0", 3000));
        Self::of(flash)
    }

    fn of(flash: Nor) -> Self {
        Self {
            slots: FlashSlots::new(flash.clone(), layout()).expect("it fits"),
            storage: FlashStorage::new(flash.clone(), RECORDS).expect("it fits"),
            flash,
        }
    }
}

impl Flash for NorParts {
    type Slot = FlashSlots<Nor>;
    type Storage = FlashStorage<Nor>;

    fn start(&mut self) {
        if self.flash.power().is_out() {
            self.flash.power().restore();
        }
        // The power may fail in here as well; the device then does not come far.
        let _ = block_on(start(&mut self.flash, &layout(), TRIAL_BOOTS));
        *self = Self::of(self.flash.clone());
    }

    fn parts(&mut self) -> (&mut Self::Slot, &mut Self::Storage) {
        (&mut self.slots, &mut self.storage)
    }

    fn cut(&mut self, operations: u32, cut: Cut) {
        self.flash.power().cut(operations, cut);
    }

    fn watch(&self) -> Box<dyn Fn() -> bool> {
        let power = self.flash.power().clone();
        Box::new(move || power.is_out())
    }

    fn operations(&self) -> u32 {
        self.flash.power().steps()
    }

    fn running(&mut self) -> Vec<u8> {
        // What the bootloader would start, found out on a copy.
        let mut copy = Nor::new(22, &Power::new());
        copy.put(0, &self.flash.content(0..22 * 1024));
        let slot = block_on(start(&mut copy, &layout(), TRIAL_BOOTS)).expect("it boots");
        let Range { start, end } = layout().slot(slot).clone();
        let content = copy.content(start as usize..end as usize);
        let mut images = [image_of("1.0.0", 3000), image_of("2.0.0", 4500)].into_iter();
        let whole = images.find(|image| content.starts_with(image));
        whole.unwrap_or(content)
    }
}

#[test]
fn nor_flash_with_its_bootloader_is_as_good() {
    for story in [WORKS, DOES_NOT_WORK] {
        let mut tears = 0;
        let flash = move || {
            tears += 1;
            NorParts::new(tears)
        };
        check(story, flash, 0);
    }
}
