//! How many instructions it takes. QEMU counts one for each cycle (`-icount shift=0`).

use core::{arch::asm, hint::black_box};

/// Prints one row for each.
pub(crate) fn rows(head: &[u8], body: &mut [u8], record: &mut [u8]) -> Option<()> {
    let mut passed = true;
    let mut row = |name, work: &mut dyn FnMut() -> Option<()>| {
        let before = cycles();
        passed &= black_box(work()).is_some();
        let after = cycles();
        semihosting::println!("| {name} | {} |", after.wrapping_sub(before));
    };
    row("keys derived from the secret", &mut || {
        crate::signed::keys().map(drop)
    });
    let keys = crate::signed::keys()?;
    let device = "d8fa0180".parse().ok()?;
    row("request signed", &mut || {
        crate::signed::ask(&keys, &device, record).map(drop)
    });
    row("keys derived, request signed, answer verified", &mut || {
        crate::signed::device(head, body, record)
    });
    row(
        "manifest verified, two chunks of 1 KiB compared",
        &mut crate::manifest::device,
    );
    passed.then_some(())
}

fn cycles() -> u32 {
    let cycles;
    // SAFETY: reading the counter changes nothing.
    unsafe { asm!("csrr {}, mcycle", out(reg) cycles, options(nomem, nostack)) };
    cycles
}
