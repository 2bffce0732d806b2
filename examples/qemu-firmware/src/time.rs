//! The time since power came on, and the executor. The board has no clock.

use core::{
    pin::pin,
    task::{Context, Poll, Waker},
};

/// Milliseconds since power came on, or since the last restart.
#[must_use]
pub fn uptime_ms() -> u64 {
    ticks().div_euclid(TICKS_PER_MS)
}

/// Waits without doing anything else.
pub fn pause_ms(milliseconds: u64) {
    let end = uptime_ms().saturating_add(milliseconds);
    while uptime_ms() < end {
        sleep(PERIOD);
    }
}

/// Runs a future to its end, on the stack of the caller.
///
/// Everything that the program waits for is part of this one future, which is asked again after
/// [`PERIOD`]. So no interrupt has to be served: the network card is looked at, not heard. A program
/// for a battery takes the executor and the drivers that its chip's support crate brings.
pub fn run<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        sleep(PERIOD);
    }
}

/// How long the processor sleeps when there is nothing to do, in ticks: half a millisecond.
const PERIOD: u64 = TICKS_PER_MS.div_euclid(2);
const TICKS_PER_MS: u64 = 10_000;

/// The registers of the timer, each of two words, the lower one first.
const TIME: *const u32 = 0x0200_bff8 as *const u32;
const ALARM: *mut u32 = 0x0200_4000 as *mut u32;

fn ticks() -> u64 {
    loop {
        // SAFETY: registers that can be read at any time. Should the lower word overflow between
        // the reads, it is seen in the higher one.
        let (before, low, after) = unsafe {
            let high = TIME.add(1);
            (
                high.read_volatile(),
                TIME.read_volatile(),
                high.read_volatile(),
            )
        };
        if before == after {
            return u64::from(before) << 32 | u64::from(low);
        }
    }
}

#[expect(clippy::many_single_char_names, reason = "bytes of a number")]
fn sleep(period: u64) {
    let alarm = ticks().saturating_add(period).to_le_bytes();
    let [a, b, c, d, e, f, g, h] = alarm;
    // SAFETY: the alarm belongs to this function. It never rings in between, since the higher word
    // is out of reach until the lower one is right. Interrupts stay off as a whole (`mstatus`): one
    // that is pending wakes the processor and is not served.
    unsafe {
        let high = ALARM.add(1);
        high.write_volatile(u32::MAX);
        ALARM.write_volatile(u32::from_le_bytes([a, b, c, d]));
        high.write_volatile(u32::from_le_bytes([e, f, g, h]));
        riscv::register::mie::set_mtimer();
    }
    riscv::asm::wfi();
}

/// Tells embassy's crates the time. [`run`] asks all of them again soon enough, so that nobody has
/// to be woken.
struct Uptime;

embassy_time_driver::time_driver_impl!(static UPTIME: Uptime = Uptime);

impl embassy_time_driver::Driver for Uptime {
    fn now(&self) -> u64 {
        ticks().div_euclid(10)
    }

    fn schedule_wake(&self, _at: u64, _waker: &Waker) {}
}
