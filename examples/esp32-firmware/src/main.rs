#![no_std]
#![no_main]
use embassy_executor::Spawner;
use esp_alloc as _;
use esp_println::println;
esp_bootloader_esp_idf::esp_app_desc!();
#[panic_handler]
fn panic(i: &core::panic::PanicInfo) -> ! { println!("{i}"); loop {} }
#[esp_rtos::main]
async fn main(_s: Spawner) { let _p = esp_hal::init(esp_hal::Config::default()); loop { embassy_time::Timer::after_secs(1).await } }
