//! The update machine: its record, and the agent over a flash whose power fails, on a link that breaks,
//! asking a server that lies.

use core::cell::{Cell, RefCell};
use std::{rc::Rc, sync::LazyLock};

use providore_client::{
    SlotState, TransportError, UpdatePhase, UpdateState,
    memory::{Cut, MemoryAnswer, MemoryRequest},
};
use providore_testkit::simulator::{
    Bench, Flash as _, HARDWARE, MemoryParts, Offer, Publisher, author, image_of,
};

/// Records: what is read is written as the same bytes, and means one thing.
///
/// What is as long as a record gets the right checksum, so that the rest is read as well.
pub fn update_state(data: &[u8]) {
    let _ = UpdateState::decode(data).map(|state| check_state(&state, data));
    let Ok(mut record) = <[u8; UpdateState::LEN]>::try_from(data) else {
        return;
    };
    let (body, sum) = record.split_at_mut(UpdateState::LEN - 8);
    sum.copy_from_slice(&<sha2::Sha256 as sha2::Digest>::digest(body)[..8]);
    let _ = UpdateState::decode(&record).map(|state| check_state(&state, &record));
}

fn check_state(state: &UpdateState, record: &[u8]) {
    assert_eq!(state.encode(), record);
    assert!(state.failed().is_none_or(|(_, tries)| tries > 0));
    if let UpdatePhase::Ended { reason, .. } = state.phase() {
        assert!(reason.len() <= UpdateState::MAX_REASON);
    }
}

/// Releases that the device may install, and what it may not.
static OFFERS: LazyLock<Vec<Offer>> = LazyLock::new(|| {
    let [one, two, three] = IMAGES.each_ref();
    let stranger = Offer::by(&mut author(9), HARDWARE, ("2.0.0", 2), &two.1);
    let older = Offer::signed("1.0.0", 1, &one.1);
    let good = Offer::signed("2.0.0", 2, &two.1);
    let better = Offer::signed("3.0.0", 3, &three.1);
    let mut wrong = good.clone();
    wrong.image[1500] ^= 1;
    let short = Offer {
        image: two.1[..1400].to_vec(),
        ..good.clone()
    };
    let without = Offer {
        manifest: None,
        ..better.clone()
    };
    let swapped = Offer {
        manifest: better.manifest.clone(),
        ..good.clone()
    };
    vec![
        good, better, stranger, older, wrong, short, without, swapped,
    ]
});

static IMAGES: LazyLock<[(&str, Vec<u8>); 3]> =
    LazyLock::new(|| ["1.0.0", "2.0.0", "3.0.0"].map(|version| (version, image_of(version, 2100))));

/// Starts of a device, two bytes each: what waits and how it is disturbed.
///
/// Whatever happens: what runs is a whole image that an author has signed, a confirmed release is
/// never gone behind, and with the disturbance gone the device comes to rest.
pub fn update_agent(data: &[u8]) {
    let flash = MemoryParts::running(&IMAGES[0].1, 512);
    let mut bench = Bench::new(flash, Publisher::new(None));
    bench.settings.attempts = 1;
    let mut floor = 0;
    for step in data.chunks_exact(2).take(MOST_STEPS) {
        let [what, how] = [step[0], step[1]];
        bench.publisher.look(|inner| {
            inner.offer = OFFERS.get(usize::from(what & 0x0f)).cloned();
            inner.is_down = what & 0x10 != 0;
            inner.ignores_ranges = what & 0x20 != 0;
        });
        bench.self_test = if what & 0x40 != 0 { fails } else { passes };
        match how >> 6 {
            0 => break_after(&mut bench, Some(usize::from(how & 0x3f) * 50)),
            1 => bench.flash.cut(u32::from(how & 0x0f), cut(how)),
            2 => bench.flash.slot.fall_back(),
            _ => {}
        }
        bench.start(1);
        break_after(&mut bench, None);
        floor = check_device(&mut bench, floor);
    }
    bench.publisher.look(|inner| {
        inner.is_down = false;
        inner.offer = OFFERS.get(1).cloned();
    });
    bench.self_test = passes;
    for _ in 0..8 {
        bench.start(1);
        floor = check_device(&mut bench, floor);
        if floor == 3 && bench.state().phase() == UpdatePhase::Idle {
            break;
        }
    }
    let given_up = bench.state().failed() == Some((3, UpdateState::MAX_TRIES));
    assert!(floor == 3 || given_up, "{:#?}", bench.events);
    assert_ne!(bench.slot_state(), SlotState::OnTrial);
    assert_eq!(bench.state().phase(), UpdatePhase::Idle);
}

fn check_device(bench: &mut Bench<MemoryParts>, before: u64) -> u64 {
    let running = bench.flash.running();
    let known = IMAGES.iter().position(|(_, image)| *image == running);
    let sequence = known.expect("a whole image that an author has signed") as u64 + 1;
    let floor = bench.state().floor();
    assert!(floor >= before, "the floor fell from {before} to {floor}");
    assert!(sequence >= floor, "{sequence} runs, {floor} was confirmed");
    floor
}

/// Lets the next image end early, once.
fn break_after(bench: &mut Bench<MemoryParts>, bytes: Option<usize>) {
    let bytes = Cell::new(bytes);
    bench.link = Rc::new(RefCell::new(
        move |request: &MemoryRequest, mut answer: MemoryAnswer| {
            if request.target.starts_with("/firmware?")
                && let Some(bytes) = bytes.take()
            {
                answer.breaks_after = Some(bytes);
            }
            Ok::<_, TransportError>(answer)
        },
    ));
}

fn cut(how: u8) -> Cut {
    match how >> 4 & 3 {
        0 => Cut::Before,
        1 => Cut::During,
        _ => Cut::After,
    }
}

fn passes(_: &providore_wire::FirmwareVersion) -> Result<(), &'static str> {
    Ok(())
}

fn fails(version: &providore_wire::FirmwareVersion) -> Result<(), &'static str> {
    match version.as_str() {
        "1.0.0" => Ok(()),
        _ => Err("no sensor"),
    }
}

/// Each of them is a life of a device, with signatures to verify.
const MOST_STEPS: usize = 8;
