//! A device and a server that talk to each other in virtual time: no socket, no clock, no sleep.
//!
//! ```
//! use providore_server_core::MemoryStore;
//! use providore_testkit::parties::{Peer, Site, at};
//!
//! let peer = Peer::new("dev1");
//! let store = MemoryStore::default();
//! futures_lite::future::block_on(store.put_device(peer.record()));
//! let site = Site::new(store);
//!
//! let answer = site.ask(&peer.get("/config", at(0)), at(0));
//! assert_eq!(answer.status, 404); // nobody wrote one
//! peer.verify(&answer, at(0)).unwrap(); // and it is the server that says so
//! ```

mod signed;

pub use signed::{Doubt, Fresh, Heard as HeardAnswer, SignedPeer};

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use futures_lite::future::block_on;
use providore_pki::{CertificateAuthority as _, LocalCa, ca::CaSettings, csr};
use providore_server_core::{
    Audit, Body, CertificateLog, ConfigStore, Device, DeviceStore, Dialect, Event, FirmwareStore,
    Image as _, MemoryStore, Moment, Reason, Release, Request, Server, Settings, Start,
};
use providore_sign::{
    HeaderInstructions, Refusal, SoftwareKey,
    original::{RequestToSign, ResponsePolicy, ResponseVerifier, VerifiedResponse, sign_request},
};
use providore_wire::{DeviceId, FirmwareVersion, Method, Timestamp, original::ResponseHead};

/// The start of virtual time: 2026-01-02T03:04:05Z.
pub const START: i64 = 1_767_323_045;

/// So many seconds after [`START`].
///
/// # Panics
/// Never.
#[must_use]
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix(START)
        .expect("a date")
        .saturating_add(seconds)
}

/// The device's side: an id, a secret, and the version that runs.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "holds a secret")]
#[non_exhaustive]
pub struct Peer {
    /// Its id.
    pub id: DeviceId,
    /// Its secret.
    pub secret: String,
    /// The firmware that runs.
    pub version: FirmwareVersion,
    /// For how long a request counts, in seconds.
    pub lifetime_s: u32,
    /// The weakest dialect that a server accepts from it. What this type signs is `Original`;
    /// [`SignedPeer`] and the agent speak the other.
    pub dialect: Dialect,
}

impl Peer {
    /// A device that runs version 1.0.0, with a secret of its own.
    ///
    /// # Panics
    /// If `id` is no device id.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self {
            id: id.parse().expect("a device id"),
            secret: format!("the secret of {id}"),
            version: "1.0.0".parse().expect("a version"),
            lifetime_s: 900,
            dialect: Dialect::Original,
        }
    }

    /// The same device, running another version.
    ///
    /// # Panics
    /// If `version` is none.
    #[must_use]
    pub fn running(&self, version: &str) -> Self {
        Self {
            version: version.parse().expect("a version"),
            ..self.clone()
        }
    }

    /// What a server knows of it.
    ///
    /// # Panics
    /// If the secret is empty or too long.
    #[must_use]
    pub fn record(&self) -> Device {
        Device::new(self.id.clone(), self.secret.as_bytes(), self.dialect).expect("a secret")
    }

    /// Signs a request to `target` (of which the path is signed) at `created`.
    ///
    /// # Panics
    /// If the secret is empty or too long.
    #[must_use]
    pub fn sign(&self, method: Method, target: &str, body: &[u8], created: Timestamp) -> Message {
        let path = target.split('?').next().unwrap_or_default();
        let request = RequestToSign {
            device: &self.id,
            method,
            path,
            version: &self.version,
            body,
        };
        let mut memory = [0; HeaderInstructions::MAX_LEN];
        let headers = sign_request(
            &mut self.key(),
            &request,
            created,
            self.lifetime_s,
            &mut memory,
        )
        .expect("a software key always signs");
        Message {
            method: method.as_str().into(),
            target: target.into(),
            fields: headers
                .fields()
                .map(|(name, value)| (name.into(), value.as_bytes().to_vec()))
                .collect(),
            body: body.to_vec(),
        }
    }

    /// Signs a GET.
    #[must_use]
    pub fn get(&self, target: &str, created: Timestamp) -> Message {
        self.sign(Method::Get, target, b"", created)
    }

    /// Signs the POST of a CSR.
    #[must_use]
    pub fn post_csr(&self, csr: &[u8], created: Timestamp) -> Message {
        self.sign(Method::Post, "/certificates/request", csr, created)
            .with("content-type", "text/plain")
    }

    /// A CSR for this device with the key that belongs to `seed`.
    ///
    /// # Panics
    /// If `seed` is 0.
    #[must_use]
    pub fn csr(&self, seed: u8) -> Vec<u8> {
        let mut buffer = [0; csr::MAX_PEM_LEN];
        csr::write_pem(&mut device_key(seed), &self.id, &mut buffer)
            .expect("the buffer is long enough")
            .into()
    }

    /// Verifies an answer that came right away to a question asked at `asked`.
    ///
    /// # Errors
    /// The [`Refusal`] of `providore-sign`.
    ///
    /// # Panics
    /// If the answer is not signed at all.
    pub fn verify(&self, answer: &Answer, asked: Timestamp) -> Result<VerifiedResponse, Refusal> {
        let fields = answer.fields.iter();
        let fields = fields.map(|(name, value)| (*name, value.as_bytes()));
        let head = ResponseHead::parse(fields).expect("a signed answer");
        let policy = ResponsePolicy::default();
        let mut verifier = ResponseVerifier::begin(self.key(), head, &policy, asked, asked)?;
        verifier.update(&answer.signed)?;
        verifier.finish()
    }

    fn key(&self) -> SoftwareKey {
        SoftwareKey::new(self.secret.as_bytes()).expect("a secret")
    }
}

/// A store that knows `peer`, with two releases for hardware `board`: from 1.0.0 the way leads to
/// 2.0.0, the newest. Both have an image; 1.0.0 has a configuration of its own.
///
/// # Panics
/// Never.
#[must_use]
pub fn stocked(peer: &Peer) -> MemoryStore {
    stocked_with(peer.record())
}

/// The same for any device.
///
/// # Panics
/// Never.
#[must_use]
pub fn stocked_with(mut device: Device) -> MemoryStore {
    let id = device.id.clone();
    let name = |text: &str| text.parse::<FirmwareVersion>().expect("a version");
    let release = |version: &str, next: Option<&str>| Release {
        hardware: name("board"),
        version: name(version),
        file: None,
        config: None,
        next: next.map(name),
        order: None,
    };
    device.releases = vec![release("1.0.0", Some("2.0.0")), release("2.0.0", None)];
    let store = MemoryStore::default();
    block_on(async {
        store.put_device(device).await;
        for (version, config) in [(None, CONFIG), (Some(name("1.0.0")), CONFIG_1)] {
            store.put_config(id.clone(), version, config).await;
        }
        for version in ["1.0.0", "2.0.0"] {
            let image = image(version);
            store.put_image(name("board"), name(version), image).await;
        }
    });
    store
}

/// The configuration of a [`stocked`] device.
pub const CONFIG: &str = r#"{"interval":60}"#;

/// The configuration of a [`stocked`] device for version 1.0.0.
pub const CONFIG_1: &str = r#"{"interval":1}"#;

/// The image of a version in a [`stocked`] store: not UTF-8, and longer than what a server hashes
/// at a time.
#[must_use]
pub fn image(version: &str) -> Vec<u8> {
    let mut state = version.bytes().fold(7_u32, |state, byte| {
        state.wrapping_mul(31).wrapping_add(u32::from(byte))
    });
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    core::iter::repeat_with(next).take(262_151).collect()
}

/// The certificate key that belongs to `seed`.
///
/// # Panics
/// If `seed` is 0.
#[must_use]
pub fn device_key(seed: u8) -> providore_pki::SoftwareKey {
    providore_pki::SoftwareKey::from_scalar(&[seed; 32]).expect("a scalar")
}

/// A request on its way: everything an attacker there can change.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "tests write and change it")]
pub struct Message {
    /// The method.
    pub method: String,
    /// The request target.
    pub target: String,
    /// The header fields.
    pub fields: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Message {
    /// With one more header field.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    /// Without a header field.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(field, _)| field != name);
        self
    }

    /// With another value in a header field.
    #[must_use]
    pub fn replacing(self, name: &str, value: &str) -> Self {
        self.without(name).with(name, value)
    }

    /// The value of a header field as text.
    ///
    /// # Panics
    /// If there is none, or it is not text.
    #[must_use]
    pub fn value(&self, name: &str) -> String {
        let found = self.fields.iter().find(|(field, _)| field == name);
        String::from_utf8(found.expect("the field").1.clone()).expect("text")
    }

    /// Sent to another target.
    #[must_use]
    pub fn to(self, target: &str) -> Self {
        Self {
            target: target.into(),
            ..self
        }
    }
}

/// An answer as it arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The header fields.
    pub fields: Vec<(&'static str, String)>,
    /// The body that is sent.
    pub body: Vec<u8>,
    /// What the signature is over: of an image always the whole, else the body.
    pub signed: Vec<u8>,
}

impl Answer {
    /// The value of a header field, of which there is at most one.
    ///
    /// # Panics
    /// If there are two.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut values = self.fields.iter().filter(|(field, _)| *field == name);
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "two fields {name}");
        value
    }

    /// The body as text.
    ///
    /// # Panics
    /// If it is none.
    #[must_use]
    pub fn text(&self) -> &str {
        core::str::from_utf8(&self.body).expect("text")
    }
}

/// A server, what its operator hears, and the root that its devices trust.
#[derive(Debug)]
#[non_exhaustive]
pub struct Site<S> {
    /// The server.
    pub server: Server<S>,
    /// The root of its CA, as PEM.
    pub root_pem: String,
    heard: Arc<Mutex<Vec<Heard>>>,
    draws: AtomicU64,
}

/// An event that the operator heard of.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Heard {
    /// A request was not authenticated.
    Unauthenticated(Option<DeviceId>, Reason),
    /// Anything else, as `{:?}` shows it.
    Other(String),
}

impl<S> Site<S>
where
    S: DeviceStore + ConfigStore + FirmwareStore + CertificateLog,
{
    /// A server with the settings by default.
    #[must_use]
    pub fn new(store: S) -> Self {
        Self::with_settings(store, Settings::DEFAULT)
    }

    /// A server over `store` that has been up for an hour. Its CA is the same each time: two sites
    /// over one store are a restart.
    #[must_use]
    pub fn with_settings(store: S, settings: Settings) -> Self {
        Self::began(store, settings, at(-3600))
    }

    /// A server that was started at `began`.
    ///
    /// # Panics
    /// Never, with the keys that it is given.
    #[must_use]
    pub fn began(store: S, settings: Settings, began: Timestamp) -> Self {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ca: &'static LocalCa = ca();
        // Another start, other random bytes.
        let starts = STARTS.fetch_add(1, Ordering::Relaxed);
        let mut challenges = [9; 32];
        challenges[..8].copy_from_slice(&starts.to_be_bytes());
        let start = Start {
            at: began,
            stranger: [9; 32],
            challenges,
        };
        let server = Server::new(store, ca, settings, &start)
            .expect("32 bytes")
            .with_audit(Recorder(Arc::clone(&heard)));
        let draws = AtomicU64::new(starts << 32);
        Self {
            server,
            root_pem: ca.trust_anchor_pem().expect("a root").into(),
            heard,
            draws,
        }
    }

    /// Asks, and waits for the whole answer.
    pub fn ask(&self, message: &Message, now: Timestamp) -> Answer {
        block_on(self.ask_async(message, now))
    }

    /// Asks.
    ///
    /// # Panics
    /// If an image cannot be read.
    pub async fn ask_async(&self, message: &Message, now: Timestamp) -> Answer {
        let fields: Vec<_> = message
            .fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_slice()))
            .collect();
        let request = Request {
            method: &message.method,
            target: &message.target,
            fields: &fields,
            body: &message.body,
            peer: None,
        };
        let mut entropy = [0x5a; Moment::ENTROPY_LEN];
        let draw = self.draws.fetch_add(1, Ordering::Relaxed);
        entropy[8..16].copy_from_slice(&draw.to_be_bytes());
        let moment = Moment { now, entropy };
        let response = self.server.handle(&request, &moment).await;
        let (body, signed) = match &response.body {
            Body::Bytes(bytes) => (bytes.to_vec(), bytes.to_vec()),
            Body::Image {
                image,
                start,
                length,
            } => (
                read(image, *start, *length).await,
                read(image, 0, image.size()).await,
            ),
            _ => (Vec::new(), Vec::new()),
        };
        let fields = response.fields.into_iter();
        Answer {
            status: response.status,
            fields: fields
                .map(|(name, value)| (name, value.into_owned()))
                .collect(),
            body,
            signed,
        }
    }

    /// What the operator heard since the last call.
    pub fn heard(&self) -> Vec<Heard> {
        core::mem::take(&mut *self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the operator has heard, since the last call, of something whose `{:?}` holds `word`.
    pub fn heard_of(&self, word: &str) -> bool {
        format!("{:?}", self.heard()).contains(word)
    }
}

struct Recorder(Arc<Mutex<Vec<Heard>>>);

impl Audit for Recorder {
    fn record(&self, event: &Event<'_>) {
        let heard = match event {
            Event::Unauthenticated {
                claimed, reason, ..
            } => Heard::Unauthenticated(claimed.cloned(), *reason),
            other => Heard::Other(format!("{other:?}")),
        };
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(heard);
    }
}

static STARTS: AtomicU64 = AtomicU64::new(1);

/// The CA of all sites.
fn ca() -> &'static LocalCa {
    static CA: OnceLock<LocalCa> = OnceLock::new();
    CA.get_or_init(|| {
        let entropy = core::array::from_fn(|index| u8::try_from(index + 1).unwrap_or(1));
        let name = CaSettings::new("Test").expect("a name");
        let unix = u64::try_from(START).expect("after 1970");
        let made = LocalCa::create(&entropy, &name, unix).expect("a CA");
        made.into_ca()
    })
}

/// Reads in odd pieces, as an adapter might.
async fn read(image: &impl providore_server_core::Image, start: u64, length: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < length {
        let left = length - bytes.len() as u64;
        let piece = usize::try_from(left.min(100_003)).unwrap_or(1);
        let offset = start + bytes.len() as u64;
        let chunk = image.read(offset, piece).await.expect("a readable image");
        assert!(!chunk.is_empty(), "an image ends before its size");
        bytes.extend_from_slice(&chunk);
    }
    bytes
}
