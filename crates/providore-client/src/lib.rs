//! The device's side of providore: configuration, firmware and certificates.
//!
//! It opens no socket, reads no clock, draws no random number and allocates nothing: it says what
//! to send, checks what comes back, and ends in a proof value. Sending, flashing and waiting are
//! traits that an application implements.
//!
//! ```
//! # use providore_client::{BorrowedHead, Config, ConfigOutcome, Device, Exchange};
//! # use providore_sign::{SoftwareKey, original::ResponseSigner};
//! # use providore_wire::{Dialect, Timestamp};
//! # let now = Timestamp::from_unix(1_767_323_045).ok_or("clock")?;
//! # let mut signer = ResponseSigner::begin(SoftwareKey::new(b"the device's secret")?)?;
//! # signer.update(b"{\"interval\":60}")?;
//! # let headers = signer.finish(now, 900)?;
//! # let fields: Vec<_> = headers.fields().map(|(n, v)| (n, v.as_bytes())).collect();
//! let key = SoftwareKey::new(b"the device's secret")?;
//! let mut device = Device::new(Dialect::Original, "d8fa0180".parse()?, "1.0.0".parse()?, key);
//! let exchange = Exchange::ask(Config::new(), &mut device, now)?;
//! let request = exchange.request(); // method, target, fields, body: send them
//! assert_eq!(request.target(), "/config");
//!
//! let head = BorrowedHead { status: 200, fields: &fields }; // what came back
//! let mut buffer = [0; 1024];
//! let mut receiving = exchange.receive(&mut device, &head, &mut buffer, now)?;
//! receiving.chunk(b"{\"interval\":60}")?;
//! let ConfigOutcome::Current(config) = receiving.finish()? else { return Ok(()) };
//! assert_eq!(config.bytes(), b"{\"interval\":60}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module or type | is |
//! |---|---|
//! | [`Device`] | who asks: id, version, key, dialect |
//! | [`Exchange`] | one question and its answer, without I/O; [`Receiving`], [`ReceivingImage`] |
//! | [`Config`], [`FirmwareCheck`], [`FirmwareDownload`], [`CertificateRequest`], [`CurrentCertificate`] | what can be asked |
//! | [`VerifiedConfig`], [`VerifiedImage`], [`VerifiedPem`] | proofs, which nobody else can make |
//! | [`Agent`] | the device's day on top of these, plain `async` |
//! | [`Platform`] | what the agent works with: [`Transport`], [`Locator`], [`FirmwareSlot`], [`Storage`], [`Clock`], [`Entropy`] |
//! | [`Error`], [`AgentError`], [`RetryPolicy`] | why not, and when again |
//! | `memory` | the platform in memory, with power cuts |
//!
//! Nothing unsigned is acted upon: an error that anybody can have sent delays, and no more. A
//! first Providore does not sign 204 and 302, so its firmware is not installed by this crate.
//!
//! | feature | adds |
//! |---|---|
//! | `alloc` | errors of transports and stores keep their cause |
//! | `certificates` | the agent's certificate step: request, chain check, renewal (needs an allocator) |
//! | `memory` | the module `memory` (needs an allocator) |
//! | `reqwest` | `ReqwestTransport` (needs `std` and tokio) |
//!
//! No feature is on by default.
#![no_std]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "reqwest")]
extern crate std;

mod agent;
mod certificate;
mod config;
mod device;
mod error;
mod exchange;
mod firmware;
mod head;
mod image;
#[cfg(feature = "memory")]
pub mod memory;
mod platform;
#[cfg(feature = "reqwest")]
mod reqwest;
mod retry;

pub use agent::{
    Agent, AgentError, Buffers, CertificateStep, ConfigStep, Day, Event, FirmwareStep, Settings,
    Step,
};
#[cfg(feature = "certificates")]
pub use agent::{CertificateFault, Identity};
pub use certificate::{CertificateRequest, CurrentCertificate, VerifiedPem};
pub use config::{Config, ConfigOutcome, VerifiedConfig};
pub use device::Device;
pub use error::{BodyFault, Error};
pub use exchange::{BufferedOperation, Exchange, Operation, Receiving, Request, SignedAnswer};
pub use firmware::{FirmwareCheck, FirmwareDownload, FirmwareOutcome};
pub use head::{BorrowedHead, EntityTag, Head};
pub use image::{ImageCheck, ReceivingImage, VerifiedImage};
pub use platform::{
    AddressError, AddressList, Answer, Body, Clock, FirmwareSlot, FixedAddress, Locator, Parts,
    Platform, PlatformOf, Record, ServerAddress, Storage, StoreError, Transport, TransportError,
};
#[cfg(feature = "reqwest")]
pub use reqwest::{ReqwestSettings, ReqwestTransport};
pub use retry::{Entropy, RetryPolicy};
