//! QEMU's Xtensa machine: its console, its exit, and what compiled code calls there.

use core::{fmt, panic::PanicInfo};

unsafe extern "C" {
    /// In xtensa/start.S.
    fn xtensa_simcall(number: u32, a: u32, b: u32, c: u32) -> u32;
}

const EXIT: u32 = 1;
const WRITE: u32 = 4;
const STDOUT: u32 = 1;

struct Console;

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let (address, length) = (text.as_ptr() as u32, text.len() as u32);
        // SAFETY: the text lives until QEMU has copied it.
        let written = unsafe { xtensa_simcall(WRITE, STDOUT, address, length) };
        if written == length {
            Ok(())
        } else {
            Err(fmt::Error)
        }
    }
}

fn exit(status: u32) -> ! {
    // SAFETY: QEMU ends here.
    unsafe { xtensa_simcall(EXIT, status, 0, 0) };
    loop {}
}

/// Called by xtensa/start.S.
#[unsafe(no_mangle)]
extern "C" fn xtensa_main() -> ! {
    exit(u32::from(!crate::run(&mut Console)))
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let _ = fmt::Write::write_fmt(&mut Console, format_args!("{info}\n"));
    exit(101)
}

/// Called by xtensa/u128.ll: quotient and remainder by shifts and subtraction, since a division here
/// would call itself.
///
/// # Safety
/// The pointers are valid for four words each.
#[unsafe(no_mangle)]
unsafe extern "C" fn xtensa_divide(
    quotient: *mut [u32; 4],
    remainder: *mut [u32; 4],
    dividend: *const [u32; 4],
    divisor: *const [u32; 4],
) {
    // SAFETY: as the caller promises.
    let (dividend, divisor) = unsafe { (join(*dividend), join(*divisor)) };
    let (mut rest, mut found) = (0_u128, 0_u128);
    for bit in (0..128).rev() {
        let carry = rest >> 127 != 0;
        rest = rest << 1 | dividend >> bit & 1;
        if carry || rest >= divisor {
            rest = rest.wrapping_sub(divisor);
            found |= 1 << bit;
        }
    }
    // SAFETY: as the caller promises.
    unsafe {
        *quotient = split(found);
        *remainder = split(rest);
    }
}

fn join(words: [u32; 4]) -> u128 {
    words
        .iter()
        .rev()
        .fold(0, |sum, word| sum << 32 | u128::from(*word))
}

fn split(value: u128) -> [u32; 4] {
    [0, 32, 64, 96].map(|shift| (value >> shift) as u32)
}
