//! The whole logic of a device, for any board: to be copied and changed.
//!
//! A program brings the board, as the traits of `providore-client` ask for it, and an
//! [`Application`]: what the device is there for. [`DeviceApp::run`] does the rest, and comes back
//! only when the device has to restart.
//!
//! ```
//! # use device_app::{Application, DeviceApp, Restart, Status};
//! # use providore_client::{Buffers, Device, ImageCheck, Parts, Settings};
//! # use providore_sign::MacKey;
//! struct Lamp; // holds what the hooks need: pins, channels to other tasks
//!
//! impl Application for Lamp {
//!     fn apply_config(&self, config: &[u8]) -> Result<(), &'static str> {
//!         if config.starts_with(b"{") || config.is_empty() { Ok(()) } else { Err("not JSON") }
//!     }
//!     fn status(&self, _: Status) {} // LED
//! }
//!
//! async fn main_task<K: MacKey, P: Parts>(device: Device<K>, platform: P) -> ! {
//!     let settings = Settings::new(ImageCheck::new(b"\xE9", 4096, 0x1A_0000));
//!     let (mut chunk, mut document) = ([0; 1024], [0; 4096]);
//!     let buffers = Buffers { chunk: &mut chunk, document: &mut document };
//!     let app = DeviceApp::new(device, platform, settings, buffers);
//!     match app.run(&Lamp).await {
//!         Restart::NewFirmware | Restart::PreviousFirmware | _ => restart(),
//!     }
//! }
//! # fn restart() -> ! { std::process::exit(0) }
//! ```
//!
//! | feature | adds |
//! |---|---|
//! | `certificates` | [`DeviceApp::with_identity`]: the device keeps a certificate (needs an allocator) |
#![no_std]

mod application;
mod led;
mod life;

pub use application::{Application, Restart, Status};
pub use life::DeviceApp;
