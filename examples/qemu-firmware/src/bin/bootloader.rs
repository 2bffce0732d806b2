//! Starts the image that the boot record names, or the one before if that one fails.
#![no_std]
#![no_main]

use providore_client::flash::{
    BootDecision, BootRecord, BootSectors, BootWrite, Slot, TRIAL_BOOTS,
};
use qemu_firmware::{
    flash::{FIRMWARE, Fault, Flash, SECTOR},
    image::Image,
    log, power,
};

#[riscv_rt::entry]
fn main() -> ! {
    let sectors = BootSectors::read(&record(0), &record(1));
    let chosen = start(&sectors.decide(TRIAL_BOOTS));
    log!("bootloader: the image in slot {chosen:?} is damaged");
    if let Some(boot) = sectors.decide_without_active() {
        start(&boot);
    }
    log!("bootloader: nothing to start");
    power::off()
}

/// Comes back, with its slot, only if there is nothing to start.
fn start(boot: &BootDecision) -> Slot {
    if let Some(image) = Image::find(boot.slot).filter(|image| image.is(&boot.image)) {
        if let Some(write) = &boot.write
            && let Err(fault) = write_record(write)
        {
            // Nor does it keep the device from starting.
            log!("bootloader: the record was not written: {fault:?}");
        }
        log!("bootloader: starts {image} from slot {:?}", boot.slot);
        // SAFETY: layout/bootloader.x and layout/firmware.x have nothing in common.
        unsafe { image.start() }
    }
    boot.slot
}

/// What stands at the beginning of a sector of the boot record.
fn record(sector: usize) -> [u8; BootRecord::LEN] {
    let mut bytes = [0; BootRecord::LEN];
    match Flash.read_now(place(sector), &mut bytes) {
        Ok(()) => bytes,
        Err(_) => [0; BootRecord::LEN],
    }
}

fn write_record(write: &BootWrite) -> Result<(), Fault> {
    let at = place(write.sector);
    Flash.erase_now(at, at.saturating_add(SECTOR))?;
    Flash.write_now(at, &write.bytes)
}

/// Where a sector of the boot record begins.
fn place(sector: usize) -> u32 {
    let first = FIRMWARE.boot.start;
    if sector == 0 {
        first
    } else {
        first.saturating_add(SECTOR)
    }
}
