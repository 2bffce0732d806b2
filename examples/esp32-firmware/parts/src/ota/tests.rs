//! Updates on simulated flash, cut off at every operation, under the bootloader of ESP-IDF.

extern crate std;

use std::{boxed::Box, cell::RefCell, rc::Rc, vec, vec::Vec};

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use futures_lite::future::block_on;
use providore_client::{FirmwareSlot as _, SlotState};
use sha2::{Digest as _, Sha256};

use super::{BootRecord, Entry, ImageState, OtaSlots, SECTOR_LEN};

const SLOT_LEN: usize = 4 * SECTOR_LEN;
const RECORD: usize = 0;
const SLOTS: [usize; 2] = [2 * SECTOR_LEN, 2 * SECTOR_LEN + SLOT_LEN];

/// Flash of a board: programming only clears bits, and power goes when it is told to.
struct Board {
    bytes: Vec<u8>,
    /// How many operations succeed before one is cut off; none is, if it is `None`.
    left: Option<usize>,
    /// How much of that operation is done: nothing, half, or all of it.
    cut: Cut,
    operations: usize,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Cut {
    Before,
    Torn,
    After,
}

#[derive(Clone)]
struct Region {
    board: Rc<RefCell<Board>>,
    offset: usize,
    length: usize,
}

#[derive(Debug)]
struct PowerCut;

impl NorFlashError for PowerCut {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

impl ErrorType for Region {
    type Error = PowerCut;
}

impl ReadNorFlash for Region {
    const READ_SIZE: usize = 4;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), PowerCut> {
        let begin = self.place(offset, bytes.len());
        assert_eq!((offset % 4, bytes.len() % 4), (0, 0));
        bytes.copy_from_slice(&self.board.borrow().bytes[begin..begin + bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.length
    }
}

impl NorFlash for Region {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = SECTOR_LEN;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), PowerCut> {
        let length = (to - from) as usize;
        let begin = self.place(from, length);
        assert_eq!((from as usize % SECTOR_LEN, length % SECTOR_LEN), (0, 0));
        self.operate(length, |board, done| {
            board.bytes[begin..begin + done].fill(0xff)
        })
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), PowerCut> {
        let begin = self.place(offset, bytes.len());
        assert_eq!((offset % 4, bytes.len() % 4), (0, 0));
        self.operate(bytes.len(), |board, done| {
            for (cell, byte) in board.bytes[begin..].iter_mut().zip(&bytes[..done]) {
                *cell &= byte;
            }
        })
    }
}

impl Region {
    fn place(&self, offset: u32, length: usize) -> usize {
        assert!(
            offset as usize + length <= self.length,
            "outside of the partition"
        );
        self.offset + offset as usize
    }

    /// Does so many bytes of an operation, as many as power lasts for.
    fn operate(&self, length: usize, act: impl Fn(&mut Board, usize)) -> Result<(), PowerCut> {
        let mut board = self.board.borrow_mut();
        board.operations += 1;
        match board.left {
            Some(0) => {
                let done = match board.cut {
                    Cut::Before => 0,
                    Cut::Torn => length / 2 + 1,
                    Cut::After => length,
                };
                act(&mut board, done);
                // Nothing more is heard of this board until it starts again.
                board.cut = Cut::Before;
                return Err(PowerCut);
            }
            Some(left) => board.left = Some(left - 1),
            None => {}
        }
        act(&mut board, length);
        Ok(())
    }
}

/// A board, and what there is on it.
#[derive(Clone)]
struct Device(Rc<RefCell<Board>>);

impl Device {
    /// Fresh from the factory: an image in the first slot, an empty record.
    fn new() -> Self {
        let device = Self(Rc::new(RefCell::new(Board {
            bytes: vec![0xff; SLOTS[1] + SLOT_LEN],
            left: None,
            cut: Cut::Before,
            operations: 0,
        })));
        device.0.borrow_mut().bytes[SLOTS[0]..][..image(1).len()].copy_from_slice(&image(1));
        device
    }

    fn region(&self, offset: usize, length: usize) -> Region {
        Region {
            board: Rc::clone(&self.0),
            offset,
            length,
        }
    }

    fn record(&self) -> BootRecord<Region> {
        BootRecord::new(self.region(RECORD, 2 * SECTOR_LEN)).unwrap()
    }

    fn slots(&self, running: usize) -> OtaSlots<Region> {
        let slots = SLOTS.map(|offset| self.region(offset, SLOT_LEN));
        OtaSlots::new(self.region(RECORD, 2 * SECTOR_LEN), slots, running).unwrap()
    }

    /// Power comes back: what the bootloader of ESP-IDF does with
    /// CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE, after `bootloader_common_get_active_otadata`,
    /// `check_ota` and `set_actual_ota_seq`. Returns the slot that it starts.
    fn boot(&self, rolls_back: bool) -> usize {
        self.0.borrow_mut().left = None;
        let mut record = self.record();
        for sector in [0, 1] {
            let pending = record.read(sector).unwrap();
            if let Some(entry) =
                pending.filter(|e| e.state == ImageState::PendingVerify && rolls_back)
            {
                let state = ImageState::Aborted;
                record.write(sector, Entry { state, ..entry }).unwrap();
            }
        }
        let candidates = [0, 1].map(|sector| {
            let entry = record.read(sector).unwrap();
            let lost = [ImageState::Invalid, ImageState::Aborted];
            Some((sector, entry.filter(|entry| !lost.contains(&entry.state))?))
        });
        let newest = candidates
            .into_iter()
            .flatten()
            .max_by_key(|(_, entry)| entry.sequence);
        let Some((sector, entry)) = newest else {
            return 0;
        };
        if entry.state == ImageState::New && rolls_back {
            let state = ImageState::PendingVerify;
            record.write(sector, Entry { state, ..entry }).unwrap();
        }
        entry.slot()
    }

    /// The number of the image in a slot, if it is whole.
    fn image_in(&self, slot: usize) -> Option<u8> {
        let board = self.0.borrow();
        let bytes = &board.bytes[SLOTS[slot]..][..SLOT_LEN];
        (1..=4).find(|number| bytes.starts_with(&image(*number)))
    }
}

fn image(number: u8) -> Vec<u8> {
    let length = 2 * SECTOR_LEN + 1000 + usize::from(number);
    (0..length).map(|at| (at % 251) as u8 ^ number).collect()
}

fn version() -> providore_wire::FirmwareVersion {
    "2.0.0".parse().unwrap()
}

/// Writes an image from where it was left off, and switches to it.
fn install(
    slots: &mut OtaSlots<Region>,
    number: u8,
    keep: u64,
) -> Result<(), Box<dyn std::error::Error>> {
    let image = image(number);
    let from = block_on(slots.begin(&version(), keep))?;
    for chunk in image[from as usize..].chunks(777) {
        block_on(slots.write(chunk))?;
    }
    slots.switch(image.len() as u64, &Sha256::digest(&image).into())?;
    Ok(())
}

/// How much of an image a download left behind, as the agent finds it by the digests of chunks.
fn there_already(slots: &mut OtaSlots<Region>, image: &[u8]) -> u64 {
    let mut found = vec![0; image.len()];
    block_on(slots.read(0, &mut found)).unwrap();
    let differs = found
        .iter()
        .zip(image)
        .position(|(one, other)| one != other);
    differs.unwrap_or(image.len()) as u64
}

fn state(slots: &mut OtaSlots<Region>) -> SlotState {
    block_on(slots.state()).unwrap()
}

#[test]
fn entries_are_those_of_esp_idf() {
    // As `esp-bootloader-esp-idf` has them in its tests.
    let mut first = [0xff; 32];
    first[..4].copy_from_slice(&[1, 0, 0, 0]);
    first[24..].copy_from_slice(&[2, 0, 0, 0, 154, 152, 67, 71]);
    let entry = Entry::first(0);
    assert_eq!(entry.to_bytes(), first);
    assert_eq!(Entry::parse(&first), Some(entry));
    first[0] ^= 2;
    assert_eq!(Entry::parse(&first), None);
    assert_eq!(Entry::parse(&[0xff; 32]), None);
    assert_eq!(Entry::parse(&[0; 32]), None);
}

#[test]
fn a_good_image_is_tried_and_kept() {
    for rolls_back in [true, false] {
        let device = Device::new();
        let mut running = device.boot(rolls_back);
        for number in 2..=4 {
            let mut slots = device.slots(running);
            assert_eq!(state(&mut slots), SlotState::Settled);
            install(&mut slots, number, 0).unwrap();
            assert_eq!(state(&mut slots), SlotState::OnTrial);
            running = device.boot(rolls_back);
            assert_eq!(device.image_in(running), Some(number));
            let mut slots = device.slots(running);
            assert_eq!(state(&mut slots), SlotState::OnTrial);
            assert!(block_on(slots.begin(&version(), 0)).is_err());
            block_on(slots.confirm()).unwrap();
            assert_eq!(state(&mut slots), SlotState::Settled);
            assert_eq!(device.boot(rolls_back), running);
        }
    }
}

#[test]
fn an_image_that_does_not_confirm_is_left_by_the_bootloader() {
    let device = Device::new();
    for number in [2, 3] {
        let mut slots = device.slots(device.boot(true));
        install(&mut slots, number, 0).unwrap();
        let tried = device.boot(true);
        assert_eq!(device.image_in(tried), Some(number));
        let running = device.boot(true);
        assert_eq!(device.image_in(running), Some(1));
        let mut slots = device.slots(running);
        assert_eq!(state(&mut slots), SlotState::RolledBack);
        assert_eq!(device.boot(true), running);
        block_on(slots.begin(&version(), 0)).unwrap();
        assert_eq!(state(&mut slots), SlotState::Settled);
    }
}

#[test]
fn an_image_that_gives_up_is_left_whatever_the_bootloader() {
    for rolls_back in [true, false] {
        let device = Device::new();
        install(&mut device.slots(device.boot(rolls_back)), 2, 0).unwrap();
        let mut slots = device.slots(device.boot(rolls_back));
        block_on(slots.roll_back()).unwrap();
        assert_eq!(state(&mut slots), SlotState::RolledBack);
        assert!(block_on(slots.roll_back()).is_err());
        let running = device.boot(rolls_back);
        assert_eq!(device.image_in(running), Some(1));
        let mut slots = device.slots(running);
        assert_eq!(state(&mut slots), SlotState::RolledBack);
        install(&mut slots, 3, 0).unwrap();
        let running = device.boot(rolls_back);
        assert_eq!(device.image_in(running), Some(3));
        block_on(device.slots(running).confirm()).unwrap();
        assert_eq!(device.boot(rolls_back), running);
    }
}

#[test]
fn what_was_written_is_read_back_and_resumed() {
    let device = Device::new();
    let mut slots = device.slots(device.boot(true));
    block_on(slots.begin(&version(), 0)).unwrap();
    block_on(slots.write(&image(2)[..6000])).unwrap();
    let mut slots = device.slots(0);
    let mut buffer = [0; 5000];
    assert_eq!(block_on(slots.read(3, &mut buffer)).unwrap(), 5000);
    assert_eq!(buffer[..], image(2)[3..5003]);
    assert_eq!(
        block_on(slots.read(SLOT_LEN as u64 - 3, &mut buffer)).unwrap(),
        3
    );
    assert_eq!(
        block_on(slots.read(SLOT_LEN as u64, &mut buffer)).unwrap(),
        0
    );
    assert_eq!(block_on(slots.begin(&version(), 5003)).unwrap(), 4096);
    install(&mut slots, 2, 5003).unwrap();
    assert_eq!(device.image_in(device.boot(true)), Some(2));
}

#[test]
fn what_is_not_what_was_verified_is_not_switched_to() {
    let device = Device::new();
    let mut slots = device.slots(device.boot(true));
    let digest = Sha256::digest(image(2)).into();
    assert!(slots.switch(0, &digest).unwrap_err().is_out_of_order());
    for length in [image(2).len() - 1, image(2).len()] {
        block_on(slots.begin(&version(), 0)).unwrap();
        block_on(slots.write(&image(3)[..length])).unwrap();
        assert!(slots.switch(image(2).len() as u64, &digest).is_err());
        assert_eq!(state(&mut slots), SlotState::Settled);
    }
    block_on(slots.begin(&version(), 0)).unwrap();
    assert!(
        block_on(slots.write(&vec![0; SLOT_LEN + 1]))
            .unwrap_err()
            .is_full()
    );
    assert_eq!(device.boot(true), 0);
}

/// One update, confirmed or given up; where power is cut, the board starts again and goes on.
fn story(device: &Device, confirms: bool, cuts: &mut usize) {
    let mut running = device.boot(true);
    let mut given_up = false;
    for _ in 0..6 {
        let number = device.image_in(running).expect("a whole image");
        let mut slots = device.slots(running);
        let done = match state(&mut slots) {
            SlotState::OnTrial if confirms => block_on(slots.confirm()),
            SlotState::OnTrial => {
                given_up = true;
                block_on(slots.roll_back())
            }
            _ if number == 2 || given_up => return,
            _ => {
                let keep = there_already(&mut slots, &image(2));
                install(&mut slots, 2, keep).map_err(|_| providore_client::StoreError::failed())
            }
        };
        if done.is_err() {
            *cuts += 1;
        }
        running = device.boot(true);
        assert!(
            device.image_in(running).is_some(),
            "neither the old image nor the new one"
        );
    }
    panic!("the update does not end");
}

#[test]
fn power_may_be_cut_at_any_operation() {
    let mut tried = 0;
    for confirms in [true, false] {
        for already in 0..3 {
            // The slots change places, and the record is empty, half full and full.
            let prepare = || {
                let device = Device::new();
                for _ in 0..already {
                    let mut slots = device.slots(device.boot(true));
                    let number = if device.image_in(device.boot(true)) == Some(1) {
                        3
                    } else {
                        1
                    };
                    install(&mut slots, number, 0).unwrap();
                    block_on(device.slots(device.boot(true)).confirm()).unwrap();
                }
                device
            };
            for cut in [Cut::Before, Cut::Torn, Cut::After] {
                for at in 0.. {
                    let device = prepare();
                    let running = device.boot(true);
                    let mut cuts = 0;
                    // The cut comes in the first life of the image before, or of the image on trial.
                    let mut board = device.0.borrow_mut();
                    (board.left, board.cut) = (Some(at), cut);
                    drop(board);
                    let mut slots = device.slots(running);
                    let installed = install(&mut slots, 2, 0).is_ok();
                    if installed {
                        let left = device.0.borrow().left;
                        let running = device.boot(true);
                        assert_eq!(device.image_in(running), Some(2));
                        device.0.borrow_mut().left = left;
                        let mut slots = device.slots(running);
                        let judged = if confirms {
                            block_on(slots.confirm())
                        } else {
                            block_on(slots.roll_back())
                        };
                        if judged.is_ok() {
                            break;
                        }
                    }
                    tried += 1;
                    story(&device, confirms, &mut cuts);
                    let last = device.boot(true);
                    let number = device.image_in(last).expect("a whole image");
                    assert_eq!(number == 2, confirms, "{confirms} {already} {cut:?} {at}");
                }
            }
        }
    }
    std::println!("{tried} cuts");
    assert!(tried > 200);
}
