//! Restart, switch off, and what happens after a panic.

use crate::log;

/// Restarts the board, as its reset pin does.
pub fn restart() -> ! {
    command(0x7777)
}

/// Switches the board off: the emulator ends with exit status 0.
pub fn off() -> ! {
    command(0x5555)
}

/// The device that the emulator has for this, by the name of `sifive_test`.
const CONTROL: *mut u32 = 0x0010_0000 as *mut u32;

fn command(word: u32) -> ! {
    // SAFETY: the register has no other use, and takes any word.
    unsafe { CONTROL.write_volatile(word) };
    loop {
        riscv::asm::wfi();
    }
}

/// A device in the field has nobody to press its button: it starts again, which also counts against
/// a firmware that is on trial.
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    log!("{info}");
    crate::time::pause_ms(1000);
    restart()
}

/// An instruction or an access that the processor refuses ends like a panic.
// SAFETY: the runtime calls it by this name, with such a frame.
#[unsafe(export_name = "ExceptionHandler")]
fn exception(_: &riscv_rt::TrapFrame) -> ! {
    let (cause, at) = (
        riscv::register::mcause::read(),
        riscv::register::mepc::read(),
    );
    panic!("exception {} at {at:#x}", cause.bits());
}
