//! The device's side of providore: configuration, firmware, certificates, time and secrets.
//!
//! It opens no socket, reads no clock, draws no random number and allocates nothing: it says what
//! to send, checks what comes back, and ends in a proof value. Sending, flashing and waiting are
//! traits that an application implements.
//!
//! ```
//! # use providore_client::{BorrowedHead, Device, Error, Exchange, FirmwareCheck, Moment, Request};
//! # use providore_sign::SoftwareKey;
//! # use providore_wire::{Dialect, Timestamp, signed::Nonce};
//! let key = SoftwareKey::new(b"32 random bytes of this device..")?;
//! let (id, version) = ("d8fa0180".parse()?, "1.0.0".parse()?);
//! let mut device = Device::new(Dialect::Signed, id, version, key)?;
//!
//! // The clock may be wrong, or None; the nonce is fresh from a generator, every time.
//! let clock = Timestamp::from_unix(12);
//! let moment = Moment { clock, nonce: Nonce::new([7; 16]) };
//! let mut memory = [0; Request::MAX_LEN];
//! let exchange = Exchange::ask(FirmwareCheck::new(), &mut device, moment, &mut memory)?;
//! let request = exchange.request(); // method, target, fields, body: send them
//! assert_eq!(request.target(), "/firmware/check");
//!
//! let head = BorrowedHead { status: 204, fields: &[] }; // what came back: anybody can say so
//! let mut buffer = [0; 256];
//! let outcome = exchange.receive(&mut device, &head, &mut buffer, clock).map(|_| ());
//! assert!(matches!(outcome, Err(Error::Unsigned { status: 204, .. })));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module or type | is |
//! |---|---|
//! | [`Device`] | who asks: id, version, key, dialect, and what its server told |
//! | [`Moment`] | when it asks: a clock and a nonce |
//! | [`Exchange`] | one question and its answer, without I/O; [`Receiving`], [`ReceivingImage`] |
//! | [`Config`], [`FirmwareCheck`], [`FirmwareDownload`], [`CertificateRequest`], [`CurrentCertificate`] | what can be asked |
//! | [`FirmwarePart`], [`TimeCheck`], [`Report`] ([`WrittenReport`]), [`NextSecret`] | what can be asked in the `Signed` dialect alone |
//! | [`VerifiedConfig`], [`VerifiedImage`], [`VerifiedPem`], [`VerifiedSecret`] | proofs, which nobody else can make |
//! | [`Agent`] | the device's day on top of these, plain `async` |
//! | [`Platform`] | what the agent works with: [`Transport`], [`Locator`], [`FirmwareSlot`], [`Storage`], [`Clock`], [`Entropy`] |
//! | [`Notices`] | the server's hints that something waits, and when to ask for it |
//! | [`DnsSd`] | the locator that asks the local network, over [`Multicast`]; [`Search`], its core without I/O |
//! | [`Error`], [`AgentError`], [`RetryPolicy`] | why not, and when again |
//! | `flash` | slots and storage on NOR flash |
//! | `UpdateState`, `Boot` | where an update stands (feature `update`) |
//! | `memory` | the platform in memory, with power cuts |
//!
//! Nothing unsigned is acted upon: an error that anybody can have sent delays, and no more. In the
//! `Signed` dialect an answer counts for one question alone, needs no clock, and is refused in clear
//! where it holds secrets. The `Original` dialect is for servers of a first Providore; these do not
//! sign 204 and 302, so that their firmware is not installed by this crate.
//!
//! | feature | adds |
//! |---|---|
//! | `any-spelling` | signatures in every spelling that RFC 9421 allows, on by default |
//! | `original` | the dialect `Original`, on by default |
//! | `config-trial` | another configuration is kept only once the server was reached with it, on by default |
//! | `notices` | a notice of the server cuts a rest short, on by default |
//! | `secret-rotation` | the agent takes another secret from its server, and keeps it, on by default |
//! | `alloc` | errors of transports and stores keep their cause |
//! | `certificates` | the agent's certificate step: request, chain check, renewal (needs an allocator) |
//! | `embedded-nal` | `NalTransport`: plain HTTP over the TCP stack of a microcontroller |
//! | `flash` | the module `flash`: storage and firmware slots on NOR flash, and a bootloader's decision |
//! | `server-trusted-firmware` | an agent without authors installs what its server has signed, on by default |
//! | `update` | firmware by an author's key: resumed, tried, rolled back, reported |
//! | `memory` | the module `memory` (needs an allocator) |
//! | `reqwest` | `ReqwestTransport` (needs `std` and tokio) |
//! | `tokio` | `TokioMulticast` (needs `std` and tokio) |
//!
//! A small device leaves those out that are on by default: docs/FOOTPRINT.md.
#![no_std]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(feature = "reqwest", feature = "tokio"))]
extern crate std;

mod agent;
mod certificate;
mod config;
mod device;
mod dns_sd;
#[cfg(feature = "embedded-nal")]
mod embedded_nal;
mod error;
mod exchange;
mod firmware;
#[cfg(feature = "flash")]
pub mod flash;
mod head;
mod image;
#[cfg(feature = "memory")]
pub mod memory;
mod moment;
#[cfg(feature = "notices")]
mod notices;
mod platform;
mod report;
#[cfg(feature = "reqwest")]
mod reqwest;
mod retry;
mod secret;
mod time;
#[cfg(feature = "tokio")]
mod tokio;
#[cfg(feature = "update")]
mod update;

#[cfg(feature = "embedded-nal")]
#[doc(no_inline)]
pub use embedded_hal_async;
#[cfg(feature = "embedded-nal")]
#[doc(no_inline)]
pub use embedded_nal_async;
#[cfg(feature = "flash")]
#[doc(no_inline)]
pub use embedded_storage_async;
#[cfg(any(feature = "certificates", feature = "update"))]
#[doc(no_inline)]
pub use providore_pki;
#[doc(no_inline)]
pub use {providore_sign, providore_wire};

#[cfg(feature = "secret-rotation")]
pub use agent::SecretStep;
pub use agent::{
    Agent, AgentError, Buffers, CertificateStep, ConfigStep, Day, Event, FirmwareStep, Settings,
    Step,
};
#[cfg(feature = "update")]
pub use agent::{Boot, FirmwareFault};
#[cfg(feature = "certificates")]
pub use agent::{CertificateFault, Identity};
#[cfg(feature = "config-trial")]
pub use agent::{ConfigTrial, ConfigUse};
pub use certificate::{CertificateRequest, CurrentCertificate, VerifiedPem};
pub use config::{Config, ConfigOutcome, VerifiedConfig};
pub use device::Device;
pub use dns_sd::{Datagram, DnsSd, Multicast, Search, SearchStep};
#[cfg(feature = "embedded-nal")]
pub use embedded_nal::{NalBody, NalHead, NalSettings, NalTransport, NoNames};
pub use error::{BodyFault, Error, HeadError};
pub use exchange::{BufferedOperation, Exchange, Operation, Receiving, Request, SignedAnswer};
pub use firmware::{FirmwareCheck, FirmwareDownload, FirmwareOutcome, FirmwarePart};
pub use head::{BorrowedHead, EntityTag, Head};
pub use image::{ImageCheck, ReceivingImage, VerifiedImage};
pub use moment::Moment;
#[cfg(feature = "notices")]
pub use notices::{NoticeFault, NoticePolicy, Notices};
pub use platform::{
    AddressError, AddressList, Answer, Body, Clock, FirmwareSlot, FixedAddress, Locator, Parts,
    Platform, PlatformOf, Record, ServerAddress, SlotState, Storage, StoreError, Transport,
    TransportError,
};
#[cfg(feature = "notices")]
pub use platform::{NoNotices, NoticeSource};
pub use report::{Outcome, Report, Subject, WrittenReport};
#[cfg(feature = "reqwest")]
pub use reqwest::{ReqwestBody, ReqwestHead, ReqwestSettings, ReqwestTransport};
pub use retry::{Entropy, RetryPolicy};
pub use secret::{NextSecret, VerifiedSecret};
pub use time::TimeCheck;
#[cfg(feature = "tokio")]
pub use tokio::TokioMulticast;
#[cfg(feature = "update")]
pub use update::{Release, UpdatePhase, UpdateState, UpdateStateError};
