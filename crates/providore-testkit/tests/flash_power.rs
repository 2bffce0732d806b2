//! Power that fails at any operation of a flash: before it, within it, after it.
#![expect(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::reversed_empty_ranges,
    clippy::std_instead_of_alloc,
    reason = "helpers of tests"
)]

use std::collections::BTreeMap;

use embedded_storage_async::nor_flash::ReadNorFlash as _;
use futures_lite::future::block_on;
use providore_client::{
    FirmwareSlot as _, Record, SlotState, Storage as _, StoreError,
    flash::{FlashLayout, FlashSlots, FlashStorage, Slot, TRIAL_BOOTS, start},
    memory::{Cut, MemoryFlash, Power},
};
use providore_testkit::conformance::{RECORDS, verified_image};

const CUTS: [Cut; 3] = [Cut::Before, Cut::During, Cut::After];

/// What is torn is torn in so many ways.
const TEARS: u64 = 5;

/// Every cut of a story of that many writes and erasures.
fn cuts(steps: u32) -> impl Iterator<Item = (u32, Cut, u64)> {
    (0..steps).flat_map(|step| {
        CUTS.into_iter().flat_map(move |cut| {
            let tears = if cut == Cut::During { TEARS } else { 1 };
            (0..tears).map(move |tears| (step, cut, tears))
        })
    })
}

// ---- slots -------------------------------------------------------------------------------------

type Flash = MemoryFlash<4, 256>;

const CAPACITY: u32 = 2048;

fn layout() -> FlashLayout {
    FlashLayout {
        boot: 0..512,
        slot_a: 512..512 + CAPACITY,
        slot_b: 512 + CAPACITY..512 + 2 * CAPACITY,
    }
}

/// An image as long as its name wants it, different from any other in every part.
fn image(name: u8) -> Vec<u8> {
    let length = 900 + 101 * usize::from(name);
    (0..length)
        .map(|at| u8::try_from(at % 97).unwrap() ^ (name * 16))
        .collect()
}

/// What a device does, over and over.
#[derive(Debug, Clone, Copy)]
enum Step {
    Install(u8),
    Confirm,
    RollBack,
    Restart,
}
use Step::{Confirm, Install, Restart, RollBack};

const STORY: [Step; 18] = [
    Install(1),
    Restart,
    Confirm,
    Restart,
    Install(2),
    Restart,
    RollBack,
    Restart,
    // The image of 3 never comes far enough to be confirmed.
    Install(3),
    Restart,
    Restart,
    Restart,
    Restart,
    Install(4),
    RollBack,
    Install(5),
    Restart,
    Confirm,
];

/// What should be so.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Model {
    runs: u8,
    before: u8,
    state: SlotState,
    boots: u8,
}

impl Model {
    fn after(&self, step: Step) -> Self {
        let mut next = self.clone();
        match step {
            Install(name) => {
                (next.runs, next.before, next.state, next.boots) =
                    (name, self.runs, SlotState::OnTrial, 0);
            }
            Confirm => next.state = SlotState::Settled,
            Restart if self.state != SlotState::OnTrial => {}
            Restart if self.boots < TRIAL_BOOTS => next.boots += 1,
            RollBack | Restart => (next.runs, next.state) = (self.before, SlotState::RolledBack),
        }
        next
    }
}

struct Device {
    flash: Flash,
    slots: FlashSlots<Flash>,
}

impl Device {
    fn new(flash: &Flash) -> Self {
        Self {
            flash: flash.clone(),
            slots: FlashSlots::new(flash.clone(), layout()).unwrap(),
        }
    }

    async fn take(&mut self, step: Step) -> Result<(), StoreError> {
        match step {
            Install(name) => {
                let image = image(name);
                let version = format!("{name}.0").parse().unwrap();
                self.slots.begin(&version, 0).await?;
                for part in image.chunks(150) {
                    self.slots.write(part).await?;
                }
                self.slots
                    .commit(verified_image(version.as_str(), &image))
                    .await
            }
            Confirm => self.slots.confirm().await,
            RollBack => self.slots.roll_back().await,
            Restart => {
                start(&mut self.flash, &layout(), TRIAL_BOOTS).await?;
                *self = Self::new(&self.flash);
                self.slots.state().await?;
                // Otherwise the bootloader would have gone on although there was no power.
                if self.flash.power().is_out() {
                    Err(StoreError::failed())
                } else {
                    Ok(())
                }
            }
        }
    }

    /// What runs, and why: one of the images as a whole.
    fn look(&mut self) -> (u8, SlotState) {
        let record = block_on(self.slots.record()).unwrap();
        let region = layout().slot(record.active()).clone();
        let content = self
            .flash
            .content(region.start as usize..region.end as usize);
        let whole = |name: &u8| content.starts_with(&image(*name));
        let name = (0..10).find(whole).expect("what runs is one of the images");
        let known = record.image(record.active()).length as usize;
        assert!(name == 0 || known == image(name).len());
        (name, record.state())
    }
}

fn new_device(power: &Power, tears: u64) -> Device {
    let sectors = usize::try_from((512 + 2 * CAPACITY) / 256).unwrap();
    let flash = Flash::new(sectors, power).with_tears(tears);
    flash.put(layout().slot(Slot::A).start as usize, &image(0));
    Device::new(&flash)
}

const NEW: Model = Model {
    runs: 0,
    before: 0,
    state: SlotState::Settled,
    boots: 0,
};

#[test]
fn a_device_always_has_an_image_that_is_whole_and_takes_the_next() {
    let power = Power::new();
    let mut device = new_device(&power, 0);
    let mut model = NEW;
    let mut tried = 0;
    for step in STORY {
        let (flash, steps) = (device.flash.clone(), power.steps());
        let before = flash.content(0..flash.capacity());
        block_on(device.take(step)).unwrap();
        for (at, cut, tears) in cuts(power.steps() - steps) {
            check_cut((&before, &model, step), at, cut, tears);
            tried += 1;
        }
        model = model.after(step);
        assert_eq!(device.look(), (model.runs, model.state), "{step:?}");
    }
    println!("{tried} cuts in {} writes and erasures", power.steps());
    assert!(tried > 1000);
}

/// One step from there, cut; then what a device does when the power is back.
fn check_cut((before, model, step): (&[u8], &Model, Step), at: u32, cut: Cut, tears: u64) {
    let power = Power::new();
    let mut device = new_device(&power, tears);
    device.flash.put(0, before);
    power.cut(at, cut);
    assert!(block_on(device.take(step)).is_err(), "every cut is noticed");
    power.restore();
    block_on(device.take(Restart)).unwrap();
    let found = device.look();
    let old = model.after(Restart);
    let new = model.after(step).after(Restart);
    // The beginning of a download ends the memory of one that did not last.
    let begun = match step {
        Install(_) => SlotState::Settled,
        _ => old.state,
    };
    let allowed = [
        (old.runs, old.state),
        (old.runs, begun),
        (new.runs, new.state),
    ];
    let place = format!("{cut:?} {at} in {step:?}, torn {tears}");
    assert!(allowed.contains(&found), "{place}: {found:?}");

    // The next one comes through.
    if found.1 == SlotState::OnTrial {
        block_on(device.take(Confirm)).unwrap();
    }
    for step in [Install(9), Restart, Confirm, Restart] {
        block_on(device.take(step)).unwrap();
    }
    assert_eq!(device.look(), (9, SlotState::Settled), "{place}");
}

/// A download that is cut off goes on in the sector where it was, and ends with the whole image.
#[test]
fn a_download_goes_on_after_any_cut() {
    let power = Power::new();
    let mut device = new_device(&power, 0);
    block_on(device.take(Install(1))).unwrap();
    let mut tried = 0;
    for (at, cut, tears) in cuts(power.steps()) {
        let power = Power::new();
        power.cut(at, cut);
        let mut device = new_device(&power, tears);
        assert!(block_on(device.take(Install(1))).is_err());
        power.restore();
        block_on(device.take(Restart)).unwrap();
        if device.look() == (1, SlotState::OnTrial) {
            continue;
        }
        resume(&mut device, 1);
        assert_eq!(
            device.look(),
            (1, SlotState::OnTrial),
            "{cut:?} {at}, torn {tears}"
        );
        tried += 1;
    }
    println!("{tried} downloads resumed");
    assert!(tried > 100);
}

/// As an agent does it: what is there counts as far as it is right.
fn resume(device: &mut Device, name: u8) {
    let image = image(name);
    let version = format!("{name}.0").parse().unwrap();
    let mut right = 0;
    let mut part = [0; 100];
    loop {
        let length = block_on(device.slots.read(right as u64, &mut part)).unwrap();
        let expected = &image[right..image.len().min(right + length)];
        if expected.is_empty() || part[..expected.len()] != *expected {
            break;
        }
        right += expected.len();
    }
    let from = block_on(device.slots.begin(&version, right as u64)).unwrap();
    assert!(
        right as u64 - from < 256,
        "at most one sector is written again"
    );
    let from = usize::try_from(from).unwrap();
    block_on(device.slots.write(&image[from..])).unwrap();
    block_on(
        device
            .slots
            .commit(verified_image(version.as_str(), &image)),
    )
    .unwrap();
}

fn is_out_of_order<T>(outcome: Result<T, StoreError>) -> bool {
    outcome.is_err_and(|error| error.is_out_of_order())
}

#[test]
fn nothing_is_judged_or_overwritten_before_the_restart() {
    let mut device = new_device(&Power::new(), 0);
    let version = "9.0".parse().unwrap();
    block_on(device.take(Install(1))).unwrap();
    assert!(
        is_out_of_order(block_on(device.take(Confirm))),
        "it never ran"
    );
    block_on(device.take(Restart)).unwrap();
    block_on(device.take(RollBack)).unwrap();
    let begun = block_on(device.slots.begin(&version, 0));
    assert!(is_out_of_order(begun), "it still runs");
    block_on(device.take(Restart)).unwrap();
    block_on(device.slots.begin(&version, 0)).unwrap();
}

#[test]
fn the_image_before_does_not_confirm_the_one_on_trial() {
    let mut device = new_device(&Power::new(), 0);
    block_on(device.take(Install(1))).unwrap();
    let slots = FlashSlots::new(device.flash.clone(), layout()).unwrap();
    device.slots = slots.with_running(Slot::A);
    assert!(is_out_of_order(block_on(device.take(Confirm))));
    block_on(device.take(RollBack)).unwrap();
    assert_eq!(device.look(), (0, SlotState::RolledBack));
}

#[test]
fn regions_that_do_not_fit_are_refused() {
    let good = layout();
    let refused = |change: fn(&mut FlashLayout)| {
        let mut layout = good.clone();
        change(&mut layout);
        let flash = Flash::new(2 + 2 * 8, &Power::new());
        is_out_of_order(FlashSlots::new(flash, layout))
    };
    assert!(!refused(|_| {}));
    assert!(refused(|layout| layout.boot = 0..256));
    assert!(refused(|layout| layout.boot = 0..768));
    assert!(refused(|layout| layout.slot_a = 256..2304));
    assert!(refused(|layout| layout.slot_a.end += 256));
    assert!(refused(|layout| layout.slot_a.start += 4));
    assert!(refused(|layout| layout.slot_b.end += 256));
    assert!(refused(|layout| layout.slot_b = 4608..2560));
    for region in [0..256, 0..300, 4..516, 4096..5120] {
        let flash = Flash::new(18, &Power::new());
        assert!(is_out_of_order(FlashStorage::new(flash, region)));
    }
}

// ---- storage -----------------------------------------------------------------------------------

type Records = BTreeMap<Record, Vec<u8>>;

/// What is stored, one after the other; nothing means that the record is removed.
fn changes() -> Vec<(Record, Option<Vec<u8>>)> {
    (0..60_u8)
        .map(|round| {
            let record = RECORDS[usize::from(round) * 5 % 8];
            let content = vec![round; usize::from(round) * 7 % 40];
            (record, Some(content).filter(|_| round % 9 != 8))
        })
        .collect()
}

async fn change(
    flash: &Flash,
    record: Record,
    content: Option<&[u8]>,
    sectors: u32,
) -> Result<(), StoreError> {
    let mut storage = FlashStorage::new(flash.clone(), 0..256 * sectors)?;
    match content {
        Some(content) => storage.store(record, content).await,
        None => storage.remove(record).await,
    }
}

fn found(flash: &Flash, sectors: u32) -> Records {
    let mut storage = FlashStorage::new(flash.clone(), 0..256 * sectors).unwrap();
    let mut found = Records::new();
    for record in RECORDS {
        let mut place = [0; 64];
        if let Some(content) = block_on(storage.load(record, &mut place)).unwrap() {
            found.insert(record, content.to_vec());
        }
    }
    found
}

fn apply(records: &mut Records, record: Record, content: Option<&Vec<u8>>) {
    match content {
        Some(content) => records.insert(record, content.clone()),
        None => records.remove(&record),
    };
}

#[test]
fn a_record_has_its_old_content_or_its_new_one() {
    for sectors in [4, 10] {
        let power = Power::new();
        let flash = Flash::new(sectors, &power);
        let (mut records, mut tried) = (Records::new(), 0);
        let sectors = u32::try_from(sectors).unwrap();
        let all = changes();
        for (nth, (record, content)) in all.iter().enumerate() {
            let (before, steps) = (flash.content(0..flash.capacity()), power.steps());
            block_on(change(&flash, *record, content.as_deref(), sectors)).unwrap();
            for (at, cut, tears) in cuts(power.steps() - steps) {
                check_storage_cut((&before, &records), &all[nth..], (at, cut, tears));
                tried += 1;
            }
            apply(&mut records, *record, content.as_ref());
            assert_eq!(found(&flash, sectors), records);
        }
        println!(
            "{tried} cuts in {} writes and erasures, {sectors} sectors",
            power.steps()
        );
        assert!(tried > 1000);
    }
}

/// The first of these changes is cut; some of the others follow when the power is back.
fn check_storage_cut(
    (before, records): (&[u8], &Records),
    changes: &[(Record, Option<Vec<u8>>)],
    (at, cut, tears): (u32, Cut, u64),
) {
    let power = Power::new();
    let flash = Flash::new(before.len() / 256, &power).with_tears(tears);
    flash.put(0, before);
    power.cut(at, cut);
    let sectors = u32::try_from(before.len() / 256).unwrap();
    let (record, content) = &changes[0];
    assert!(block_on(change(&flash, *record, content.as_deref(), sectors)).is_err());
    power.restore();
    let place = format!("{cut:?} {at} at {record:?}, torn {tears}, {sectors} sectors");
    let mut records = records.clone();
    let found_then = found(&flash, sectors);
    if found_then != records {
        apply(&mut records, *record, content.as_ref());
    }
    assert_eq!(found_then, records, "{place}");
    for (record, content) in changes.iter().take(8) {
        block_on(change(&flash, *record, content.as_deref(), sectors)).unwrap();
        apply(&mut records, *record, content.as_ref());
    }
    assert_eq!(found(&flash, sectors), records, "{place}, later");
}

#[test]
fn what_does_not_fit_leaves_what_is_there() {
    let flash = Flash::new(4, &Power::new());
    let mut storage = FlashStorage::new(flash.clone(), 0..1024).unwrap();
    for (record, length) in [(Record::Config, 200), (Record::Secret, 100)] {
        block_on(storage.store(record, &vec![7; length])).unwrap();
    }
    // Half the region is 512 bytes, its header 32, and each record has a head of 16.
    for (length, fits) in [
        (481, false),
        (348, true),
        (349, false),
        (0, true),
        (348, true),
    ] {
        let before = found_long(&flash);
        let outcome = block_on(storage.store(Record::Config, &vec![8; length]));
        assert_eq!(outcome.is_ok(), fits, "{length}");
        assert!(outcome.map_or_else(|error| error.is_full(), |()| true));
        let after = found_long(&flash);
        let expected = if fits { length } else { before[0].unwrap() };
        assert_eq!(after, [Some(expected), Some(100)], "{length}");
    }
}

/// How long the two records are.
fn found_long(flash: &Flash) -> [Option<usize>; 2] {
    let mut storage = FlashStorage::new(flash.clone(), 0..1024).unwrap();
    [Record::Config, Record::Secret].map(|record| {
        let mut place = [0; 512];
        let content = block_on(storage.load(record, &mut place)).unwrap();
        content.map(<[u8]>::len)
    })
}
