//! The bytes of providore: header grammar, canonical strings, timestamps, identifiers and routes.
#![no_std]

mod error;
mod id;
mod text;

pub use error::{ParseError, ParseErrorKind};
pub use id::{DeviceId, FirmwareVersion};
pub use text::Text;
