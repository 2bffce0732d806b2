//! The server's side of device provisioning: a signed request in, a signed response out.
//!
//! It opens no socket, reads no clock, and decides nothing about transport or storage: an adapter
//! hands it requests, and four small async traits stand for what it must look up and write down.
//!
//! ```
//! use providore_server_core::{
//!     Device, Dialect, MemoryStore, Moment, Request, Server, Settings, Start,
//! };
//! # use providore_pki::{LocalCa, ca::CaSettings};
//! # use providore_wire::Timestamp;
//!
//! # futures_lite::future::block_on(async {
//! let store = MemoryStore::default();
//! store.put_device(Device::new("dev1".parse()?, b"32 random bytes of this device..", Dialect::Signed)?).await;
//! # let entropy = [7; LocalCa::ENTROPY_LEN];
//! let ca = LocalCa::create(&entropy, &CaSettings::new("Example")?, 1_767_323_045)?.into_ca();
//! let now = Timestamp::from_unix(1_767_323_045).ok_or("clock")?;
//! let start = Start { at: now, stranger: [8; 32], challenges: [9; 32] }; // random
//! let server = Server::new(store, ca, Settings::DEFAULT, &start)?;
//!
//! let request = Request { method: "GET", target: "/config", fields: &[], body: b"", peer: None };
//! let moment = Moment { now, entropy: [1; Moment::ENTROPY_LEN] }; // random
//! let answer = server.handle(&request, &moment).await;
//! assert_eq!(answer.status, 401); // nobody signed it
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module or type | is |
//! |---|---|
//! | [`Server`], [`Settings`] | the whole service behind one call |
//! | [`Request`], [`Moment`], [`Response`], [`Body`] | what goes in and what comes out |
//! | [`Start`] | when a server began: what it cannot remember is older |
//! | [`DeviceStore`], [`ConfigStore`], [`FirmwareStore`], [`CertificateLog`] | what to implement for a storage of your own |
//! | [`Device`], [`Release`], [`Failure`], [`Issued`], [`Document`] | what is stored |
//! | [`MemoryStore`] | all stores in memory |
//! | `json_files` | all stores in the files of the first Providore |
//! | [`Audit`], [`Event`] | what the operator learns |
//! | [`Admission`] | how often a device may ask |
//!
//! | feature | adds |
//! |---|---|
//! | `json-files` | `json_files::JsonStore`; needs `std`, Unix only |
//! | `std` | what builds on `std` |
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod admission;
mod audit;
mod device;
mod failure;
#[cfg(feature = "json-files")]
pub mod json_files;
mod memory;
mod problem;
mod range;
mod request;
mod response;
mod server;
mod store;

pub use providore_wire::Dialect;
#[doc(no_inline)]
pub use {bytes, providore_pki, providore_sign, providore_wire};

pub use admission::{Admission, Unlimited};
pub use audit::{Audit, Event, Reason, Unheard};
pub use device::{CertificatePolicy, Device, FileName, Order, Release};
pub use failure::Failure;
pub use memory::{MemoryImage, MemoryStore};
pub use request::{Moment, Request, Start};
pub use response::{Body, Response};
pub use server::{Server, Settings};
pub use store::{
    CertificateLog, ConfigStore, DeviceStore, Document, FirmwareStore, Image, Issued, ListRules,
    StoreError, key_sha256, not_revoked, revoked_at,
};
