//! The serial port, for the log.

use core::fmt;

/// Prints a line: the time since power came on in milliseconds, then the text.
#[macro_export]
macro_rules! log {
    ($($argument:tt)*) => {
        $crate::uart::line(::core::format_args!($($argument)*))
    };
}

/// What [`log!`](crate::log!) does.
pub fn line(text: fmt::Arguments<'_>) {
    let ms = crate::time::uptime_ms();
    let (s, ms) = (ms.div_euclid(1000), ms.rem_euclid(1000));
    plain(format_args!("[{s:>4}.{ms:03}] {text}"));
}

/// Prints a line as it is.
pub fn plain(text: fmt::Arguments<'_>) {
    use fmt::Write as _;
    // The port does not fail.
    let _ = writeln!(Uart, "{text}");
}

struct Uart;

/// A 16550: the register that sends, and the one that says whether it is free.
const TRANSMIT: *mut u8 = 0x1000_0000 as *mut u8;
const LINE_STATUS: *const u8 = 0x1000_0005 as *const u8;
const TRANSMITTER_EMPTY: u8 = 0x20;

impl fmt::Write for Uart {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            // SAFETY: the two registers of the board's serial port, which nothing else uses.
            unsafe {
                while LINE_STATUS.read_volatile() & TRANSMITTER_EMPTY == 0 {}
                TRANSMIT.write_volatile(byte);
            }
        }
        Ok(())
    }
}
