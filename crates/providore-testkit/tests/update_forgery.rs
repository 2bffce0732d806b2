//! What a server installs that holds the device's secret and not the author's key: nothing. Each
//! attempt is refused at the first byte that shows it.

use core::cell::{Cell, RefCell};

use alloc::rc::Rc;
use providore_client::{
    SlotState,
    memory::{MemoryAnswer, MemoryRequest},
};
use providore_testkit::simulator::{
    Bench, Flash as _, HARDWARE, MemoryParts, Offer, Publisher, author, image_of,
};

extern crate alloc;

/// Lives with this offer for some days; nothing but `written` bytes may reach the slot, and what
/// runs stays. Returns the events.
fn check(offer: Offer, written: u64, why: &str) {
    refused(bench(offer), written, why);
}

fn bench(offer: Offer) -> Bench<MemoryParts> {
    let flash = MemoryParts::running(&image_of("1.0.0", 3000), 1);
    Bench::new(flash, Publisher::new(Some(offer)))
}

fn refused(mut bench: Bench<MemoryParts>, written: u64, why: &str) {
    let restarted = bench.start(2);
    let events = bench.events.join("\n");
    assert!(!restarted, "{events}");
    assert!(events.contains(why), "no {why} in {events}");
    assert_eq!(bench.flash.slot.written(), written, "{events}");
    assert_eq!(bench.flash.running(), image_of("1.0.0", 3000));
    assert_eq!(bench.slot_state(), SlotState::Settled);
    assert_eq!(bench.state().floor(), 0, "nothing was confirmed");
    println!("{why}: {written} bytes written");
}

fn image() -> Vec<u8> {
    image_of("2.0.0", 4500)
}

fn good() -> Offer {
    Offer::signed("2.0.0", 2, &image())
}

#[test]
fn a_server_without_an_authors_key_installs_nothing() {
    let offer = Offer {
        manifest: None,
        ..good()
    };
    check(offer, 0, "NoManifest");
}

#[test]
fn a_strangers_signature_is_refused_before_a_byte_is_asked_for() {
    let offer = Offer::by(&mut author(9), HARDWARE, ("2.0.0", 2), &image());
    let bench = bench(offer);
    let publisher = bench.publisher.clone();
    refused(bench, 0, "UnknownAuthor");
    publisher.look(|inner| {
        assert_eq!(inner.sent, []);
        assert!(inner.reports[0].contains("\"outcome\":\"failed\",\"version\":\"2.0.0\""));
        assert!(inner.reports[0].contains("is not that of a trusted author"));
    });
}

#[test]
fn an_author_who_was_revoked_is_a_stranger() {
    let mut bench = bench(Offer::by(&mut author(2), HARDWARE, ("2.0.0", 2), &image()));
    bench.authors.pop();
    refused(bench, 0, "UnknownAuthor");
}

#[test]
fn the_second_author_counts_as_much_as_the_first() {
    let mut bench = bench(Offer::by(&mut author(2), HARDWARE, ("2.0.0", 2), &image()));
    bench.live(4);
    assert_eq!(bench.version().as_str(), "2.0.0");
}

#[test]
fn firmware_for_other_hardware_is_refused() {
    check(
        Offer::by(&mut author(1), "board-2", ("2.0.0", 2), &image()),
        0,
        "OtherHardware",
    );
}

#[test]
fn an_older_release_is_refused_and_so_is_the_same_one() {
    for sequence in [1, 2] {
        let mut bench = bench(Offer::by(
            &mut author(1),
            HARDWARE,
            ("0.9.0", sequence),
            &image_of("0.9.0", 3000),
        ));
        bench.installed = 2;
        refused(bench, 0, "NotNewer");
    }
}

#[test]
fn what_was_confirmed_once_is_never_gone_behind() {
    let mut bench = bench(good());
    bench.live(4);
    assert_eq!(
        (bench.version().as_str(), bench.state().floor()),
        ("2.0.0", 2)
    );
    let older = image_of("1.9.0", 3000);
    for sequence in [1, 2] {
        let offer = Offer::signed("1.9.0", sequence, &older);
        bench.publisher.look(|inner| inner.offer = Some(offer));
        let written = bench.flash.slot.written();
        assert!(!bench.start(2));
        assert_eq!(bench.flash.slot.written(), written);
        assert!(bench.events.iter().any(|event| event.contains("NotNewer")));
    }
    assert_eq!(
        (bench.version().as_str(), bench.state().floor()),
        ("2.0.0", 2)
    );
}

#[test]
fn wrong_bytes_in_any_chunk_are_never_written() {
    for chunk in 0..5 {
        for byte in [0, 200, if chunk == 4 { 403 } else { 1023 }] {
            let mut offer = good();
            offer.image[chunk * 1024 + byte] ^= 1;
            check(offer, chunk as u64 * 1024, "Chunk(Digest");
        }
    }
}

#[test]
fn the_manifest_of_another_release_is_refused() {
    // Under the name of this one: before a byte is asked for.
    let other = Offer::signed("1.5.0", 2, &image_of("1.5.0", 3000));
    let offer = Offer {
        version: "2.0.0".into(),
        ..other.clone()
    };
    check(offer, 0, "OtherVersion");
    // With the image of this one, which the server names truly: at the head of its answer.
    let swapped = Offer {
        manifest: Offer::signed("2.0.0", 2, &image_of("2.0.0", 3000)).manifest,
        ..good()
    };
    check(swapped.clone(), 0, "OtherImage");
    // Or falsely: at its first chunk that differs.
    let lied = Offer {
        manifest: Offer::signed("2.0.0", 2, &image_of("1.0.0", 3000)).manifest,
        sha256: Offer::signed("2.0.0", 2, &image_of("1.0.0", 3000)).sha256,
        ..good()
    };
    check(lied, 0, "Chunk(Digest");
}

#[test]
fn a_manifest_with_any_other_byte_is_refused() {
    let manifest = good().manifest.unwrap();
    // Every byte is the manifest test's; here one of each part: tag, header, payload, signature.
    for at in [0, 2, 20, 60, 100, manifest.len() - 1] {
        let mut changed = manifest.clone();
        changed[at] ^= 1;
        let offer = Offer {
            manifest: Some(changed),
            ..good()
        };
        check(offer, 0, "Manifest(");
    }
    for length in [0, 1, manifest.len() / 2, manifest.len() - 1] {
        let offer = Offer {
            manifest: Some(manifest[..length].to_vec()),
            ..good()
        };
        // Of no length at all it is an answer without a body.
        check(offer, 0, "");
    }
}

#[test]
fn a_truncated_image_is_never_switched_to() {
    for length in [1, 1023, 1024, 4096, 4499] {
        let mut offer = good();
        offer.image.truncate(length);
        let mut bench = bench(offer);
        assert!(!bench.start(2));
        let whole = length as u64 / 1024 * 1024;
        assert_eq!(bench.flash.slot.written(), whole, "{length}");
        assert_eq!(bench.version().as_str(), "1.0.0");
        assert_eq!(bench.slot_state(), SlotState::Settled);
    }
}

#[test]
fn of_an_image_that_is_longer_than_said_nothing_more_is_read() {
    let mut offer = good();
    offer.image.extend(image_of("3.0.0", 5000));
    let mut bench = bench(offer);
    bench.live(4);
    // What its author signed, and not a byte of what follows.
    assert_eq!(bench.flash.running(), image());
    assert_eq!(bench.flash.slot.written(), 4500);
}

#[test]
fn a_part_that_goes_on_for_longer_than_said_is_refused_at_its_head() {
    let mut bench = bench(good());
    let (publisher, cut) = (bench.publisher.clone(), Cell::new(false));
    bench.link = Rc::new(RefCell::new(
        move |request: &MemoryRequest, mut answer: MemoryAnswer| {
            if request.target.starts_with("/firmware?") && !cut.replace(true) {
                answer.breaks_after = Some(2500);
                publisher.look(|inner| inner.offer.as_mut().unwrap().image.push(0));
            }
            Ok(answer)
        },
    ));
    refused(bench, 2048, "OtherPart");
}

#[test]
fn an_image_that_does_not_fit_is_refused_before_it_is_asked_for() {
    let long = image_of("2.0.0", 17 * 1024);
    check(Offer::signed("2.0.0", 2, &long), 0, "TooLarge");
    let mut bench = bench(good());
    bench.chunk_len = 1023;
    refused(bench, 0, "ChunkTooLarge { needed: 1024, available: 1023 }");
}

#[test]
fn an_image_that_names_another_version_is_not_written() {
    let offer = Offer::signed("2.0.0", 2, &image_of("2.0.1", 3000));
    check(offer, 0, "Image(CheckedOut)");
}

#[test]
fn a_release_that_fails_is_tried_three_times_in_all() {
    let mut bench = bench(good());
    bench.self_test = |version| match version.as_str() {
        "2.0.0" => Err("no sensor"),
        _ => Ok(()),
    };
    // The server offers it again and again, whatever it is told.
    for _ in 0..20 {
        bench.start(1);
    }
    let commits = bench
        .events
        .iter()
        .filter(|event| event.contains("FirmwareCommitted"));
    assert_eq!(commits.count(), 3);
    assert!(bench.events.last().unwrap().contains("Resting"));
    assert!(
        bench
            .events
            .iter()
            .any(|event| event.contains("FirmwareSkipped"))
    );
    assert_eq!(bench.version().as_str(), "1.0.0");
    let reports = bench.publisher.look(|inner| inner.reports.clone());
    assert_eq!(reports.len(), 3, "{reports:?}");
    assert!(reports[0].contains("no sensor"), "{reports:?}");
}

#[test]
fn a_release_that_goes_back_does_not_keep_those_before_it_away() {
    let newest = Offer::signed("3.0.0", 3, &image_of("3.0.0", 3000));
    let mut bench = bench(newest);
    bench.all_know_their_number = true;
    bench.self_test = |version| match version.as_str() {
        "3.0.0" => Err("no sensor"),
        _ => Ok(()),
    };
    assert!(bench.start(1), "into 3.0.0");
    assert!(bench.start(1), "back into 1.0.0");
    assert_eq!(bench.state().floor(), 1);
    bench.publisher.look(|inner| inner.offer = Some(good()));
    bench.live(4);
    assert_eq!(
        (bench.version().as_str(), bench.state().floor()),
        ("2.0.0", 2)
    );
}

#[test]
fn firmware_that_does_not_reach_the_server_is_taken_back() {
    // By the clock, in one start; or by starts, if it never runs for so long.
    for days in [100, 1] {
        let mut bench = bench(good());
        bench.settings.attempts = 1;
        assert!(bench.start(1), "into 2.0.0");
        bench.publisher.look(|inner| inner.is_down = true);
        let mut starts = 0;
        while bench.version().as_str() == "2.0.0" {
            bench.start(days);
            starts += 1;
        }
        assert_eq!(starts, if days == 1 { 4 } else { 1 }, "{:#?}", bench.events);
        assert_eq!(bench.slot_state(), SlotState::RolledBack);
        // Nothing is installed before the server knows.
        assert!(!bench.start(3));
        assert!(matches!(bench.state().failed(), Some((2, 1))));
        bench.publisher.look(|inner| {
            inner.is_down = false;
            inner.offer = None;
        });
        assert!(!bench.start(1));
        let reports = bench.publisher.look(|inner| inner.reports.clone());
        let reason = if days == 1 { "starts" } else { "in time" };
        assert!(
            reports.len() == 1 && reports[0].contains(reason),
            "{reports:?}"
        );
    }
}

#[test]
fn a_bootloader_that_gives_up_is_a_verdict_too() {
    let mut bench = bench(good());
    assert!(bench.start(1), "into 2.0.0");
    bench.flash.slot.fall_back();
    bench.publisher.look(|inner| inner.is_down = true);
    assert!(!bench.start(1));
    bench.publisher.look(|inner| inner.is_down = false);
    assert_eq!(bench.version().as_str(), "1.0.0");
    bench.start(1);
    let reports = bench.publisher.look(|inner| inner.reports.clone());
    assert!(
        reports[0].contains("given up by the bootloader"),
        "{reports:?}"
    );
}
