//! The LED, the serial port, and what the device is there for.

use core::sync::atomic::{AtomicU8, Ordering};

use device_app::{Application, Status};
use embassy_time::Timer;
use esp_hal::{
    gpio::Output,
    peripherals::TIMG1,
    time::Duration,
    timer::timg::{MwdtStage, Wdt},
};
use esp_println::println;
use providore_client::Event;

/// The chip that this image is for.
pub(crate) const CHIP: &str = if cfg!(feature = "esp32s2") {
    "esp32s2"
} else {
    "esp32c3"
};

/// Its number in the header of an image (ESP-IDF, `esp_chip_id_t`).
pub(crate) const CHIP_ID: u16 = if cfg!(feature = "esp32s2") { 2 } else { 5 };

/// How long the executor may be busy with one thing before the board is reset. Erasing a sector of
/// flash takes up to half a second.
const WATCHDOG_S: u64 = 30;

/// How often the LED blinks in two seconds; 0 is off.
static BLINKS: AtomicU8 = AtomicU8::new(1);

/// Shows the status, and resets a board on which nothing runs any more: an image on trial that hangs
/// is then left by the bootloader.
#[embassy_executor::task]
pub(crate) async fn blink(mut led: Output<'static>, mut watchdog: Wdt<TIMG1<'static>>) {
    watchdog.set_timeout(MwdtStage::Stage0, Duration::from_secs(WATCHDOG_S));
    watchdog.enable();
    loop {
        watchdog.feed();
        let blinks = u64::from(BLINKS.load(Ordering::Relaxed));
        for _ in 0..blinks {
            led.set_high();
            Timer::after_millis(100).await;
            led.set_low();
            Timer::after_millis(100).await;
        }
        Timer::after_millis(2000 - 200 * blinks).await;
    }
}

/// Shows that somebody has to come, for a minute; the restart after it may help.
pub(crate) async fn give_up() {
    BLINKS.store(9, Ordering::Relaxed);
    Timer::after_secs(60).await;
}

/// What the device is there for: here, to show what it is told.
pub(crate) struct Board;

impl Application for Board {
    fn apply_config(&self, config: &[u8]) -> Result<(), &'static str> {
        println!("config: {} bytes in use", config.len());
        Ok(())
    }

    fn status(&self, status: Status) {
        println!("status: {status:?}");
        let blinks = match status {
            Status::Starting => 1,
            Status::Working => 2,
            Status::Updating => 5,
            Status::Resting => 0,
            Status::Failing => 3,
            _ => 1,
        };
        BLINKS.store(blinks, Ordering::Relaxed);
    }

    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Server(address) => println!("server: {address}"),
            Event::Failed { step, error } => println!("{step:?} failed: {error}"),
            Event::Resting { milliseconds } => println!("resting {} s", milliseconds / 1000),
            Event::FirmwareProgress { written } => println!("firmware: {written} bytes"),
            other => println!("{other:?}"),
        }
    }
}
