//! A device on an ESP32-S2 or an ESP32-C3: README.md says how one comes to life.
//!
//! | module | is |
//! |---|---|
//! | [`board`] | the LED, the serial port, and what the device is there for |
//! | [`device`] | the parts, put together |
//! | [`flash`] | the partitions |
//! | [`key`] | the secret: in the flash, or in fuses that only hardware reads |
//! | [`network`] | Wi-Fi, TCP, multicast, notices |
//! | [`time`] | the clock |
#![no_std]
#![no_main]

mod board;
mod device;
mod flash;
mod key;
mod network;
mod time;

use embassy_executor::Spawner;
use esp_hal::{
    clock::CpuClock,
    gpio::{Level, Output, OutputConfig},
    hmac::Hmac,
    system::{reset_reason, software_reset},
    timer::timg::TimerGroup,
};
use esp_println::println;

esp_bootloader_esp_idf::esp_app_desc!();

/// What this image is, as the server is told: that of Cargo.toml.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The number of this release, as its author signs it: rises with the version.
const SEQUENCE: u64 = 1;

#[esp_rtos::main]
async fn main(spawner: Spawner) -> ! {
    let chip = esp_hal::init(esp_hal::Config::default().with_cpu_clock(CpuClock::max()));
    println!(
        "providore {VERSION} on {}, reset: {:?}",
        board::CHIP,
        reset_reason()
    );
    // For the radio alone: nothing of providore allocates.
    esp_alloc::heap_allocator!(size: 72 * 1024);
    let (group_0, group_1) = (TimerGroup::new(chip.TIMG0), TimerGroup::new(chip.TIMG1));
    esp_rtos::start(group_0.timer0, chip.FROM_CPU_INTR0);

    // GPIO 2 is free on both chips; docs of a board say where its LED is.
    let led = Output::new(chip.GPIO2, Level::Low, OutputConfig::default());
    start(&spawner, board::blink(led, group_1.wdt));

    let life = async {
        let flash = flash::open(chip.FLASH)?;
        let told = flash.provisioning()?;
        println!("I am {}, a {}", told.id, told.hardware);
        let key = key::Key::new(told.secret, Hmac::new(chip.HMAC))?;
        let network = network::join(&spawner, chip.WIFI, &told)?;
        device::run(flash, told, key, network).await
    };
    match life.await {
        Ok(restart) => println!("restarting: {restart:?}"),
        // There is nobody to ask for help but the reader of this line.
        Err(fault) => {
            println!("cannot go on: {fault}");
            board::give_up().await;
        }
    }
    software_reset()
}

/// Spawns a task, of which there is room for one each.
fn start<S>(
    spawner: &Spawner,
    task: Result<embassy_executor::SpawnToken<S>, embassy_executor::SpawnError>,
) {
    match task {
        Ok(token) => spawner.spawn(token),
        Err(error) => println!("a task was started twice: {error:?}"),
    }
}

/// The bootloader goes back from an image on trial that ends here.
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    println!("{info}");
    software_reset()
}
