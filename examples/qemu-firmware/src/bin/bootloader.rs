//! Starts the image that the boot record names.
#![no_std]
#![no_main]

use qemu_firmware::{flash::Partition, image::Image, log, power};

#[riscv_rt::entry]
fn main() -> ! {
    let slot = Partition::SLOT_A;
    if let Some(image) = Image::find(&slot) {
        log!("bootloader: starts {image} from slot A");
        // SAFETY: this program lies elsewhere.
        unsafe { image.start() }
    }
    log!("bootloader: no image in slot A");
    power::off()
}
