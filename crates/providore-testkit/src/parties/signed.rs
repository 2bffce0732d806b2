//! The device's side in the `Signed` dialect.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};

use providore_server_core::{Device, Dialect};
use providore_sign::{
    HeaderInstructions, Refusal, SoftwareKey,
    content_coding::decode_in_place,
    signed::{Keys, RequestToSign, ResponseVerifier, Validity, sign_request},
};
use providore_wire::{
    DeviceId, FirmwareVersion, Method, Target, Timestamp,
    signed::{Challenge, HeadError, Nonce, RequestHead, ResponseHead},
};

use super::{Answer, Message};

/// A device that speaks `Signed`: an id, a secret, the version that runs, and nonces that it has
/// not used.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "holds a secret")]
#[non_exhaustive]
pub struct SignedPeer {
    /// Its id.
    pub id: DeviceId,
    /// Its secret.
    pub secret: String,
    /// The firmware that runs.
    pub version: FirmwareVersion,
    nonces: Arc<AtomicU64>,
}

/// With what a request shows that it is fresh.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_enums, reason = "the profile has these two")]
pub enum Fresh {
    /// A clock, which shows this.
    At(Timestamp),
    /// What the server said.
    Over(Challenge),
}

/// An answer that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Heard {
    /// The body, decrypted where it was encrypted.
    pub plain: Vec<u8>,
    /// Whether it was.
    pub encrypted: bool,
    /// When the server made it.
    pub created: Timestamp,
    /// What to show next.
    pub challenge: Challenge,
}

/// Why an answer does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "tests match on it")]
pub enum Doubt {
    /// Its head is not one of the dialect.
    Head(HeadError),
    /// It was not made for this question.
    Refused(Refusal),
    /// It cannot be decrypted.
    Undecipherable,
}

impl SignedPeer {
    /// For how long its requests count, in seconds.
    pub const LIFETIME_S: u32 = 120;

    /// A device that runs version 1.0.0, with a secret of its own.
    ///
    /// # Panics
    /// If `id` is no device id.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self {
            id: id.parse().expect("a device id"),
            secret: format!("the secret of the device {id}"),
            version: "1.0.0".parse().expect("a version"),
            nonces: Arc::default(),
        }
    }

    /// The same device with another secret.
    #[must_use]
    pub fn with_secret(&self, secret: &str) -> Self {
        Self {
            secret: secret.into(),
            ..self.clone()
        }
    }

    /// What a server knows of it.
    ///
    /// # Panics
    /// If the secret is empty or too long.
    #[must_use]
    pub fn record(&self) -> Device {
        Device::new(self.id.clone(), self.secret.as_bytes(), Dialect::Signed).expect("a secret")
    }

    /// The sub-keys.
    ///
    /// # Panics
    /// If the secret is empty or too long.
    #[must_use]
    pub fn keys(&self) -> Keys {
        let mut secret = SoftwareKey::new(self.secret.as_bytes()).expect("a secret");
        Keys::derive(&mut secret).expect("a software key derives")
    }

    /// Signs a request as `change` made it.
    ///
    /// # Panics
    /// If `target` is none.
    pub fn sign<'s>(
        &'s self,
        (method, target): (Method, &'s str),
        fresh: &Fresh,
        change: impl FnOnce(RequestToSign<'s>) -> RequestToSign<'s>,
        body: &'s [u8],
    ) -> Message {
        let parsed = Target::parse(target).expect("a target");
        let mut request = RequestToSign::new(&self.id, method, parsed).version(&self.version);
        if !body.is_empty() {
            request = request.content("text/plain", body);
        }
        let validity = match fresh {
            Fresh::At(created) => Validity::window(*created, Self::LIFETIME_S),
            Fresh::Over(challenge) => Validity::Challenge(challenge),
        };
        let mut nonce = [0; Nonce::LEN];
        let count = self.nonces.fetch_add(1, Ordering::Relaxed);
        nonce[..8].copy_from_slice(&count.to_be_bytes());
        let mut memory = [0; HeaderInstructions::MAX_LEN];
        let headers = sign_request(
            &self.keys(),
            &change(request),
            validity,
            &Nonce::new(nonce),
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
    pub fn get(&self, target: &str, fresh: &Fresh) -> Message {
        self.sign((Method::Get, target), fresh, |request| request, b"")
    }

    /// Signs a POST of text.
    #[must_use]
    pub fn post(&self, target: &str, fresh: &Fresh, body: &[u8]) -> Message {
        self.sign((Method::Post, target), fresh, |request| request, body)
    }

    /// Verifies an answer to `question`, and decrypts it.
    ///
    /// # Errors
    /// [`Doubt`].
    ///
    /// # Panics
    /// If `question` is none of ours, or an answer of the server's has no challenge.
    pub fn verify(&self, question: &Message, answer: &Answer) -> Result<Heard, Doubt> {
        let keys = self.keys();
        let target = Target::parse(&question.target).expect("a target");
        let fields = question.fields.iter();
        let fields = fields.map(|(name, value)| (name.as_str(), value.as_slice()));
        let method = question.method.parse().expect("a method");
        let asked = RequestHead::parse(method, &target, fields).expect("a question of ours");
        let bound = asked.question();

        let fields = answer.fields.iter();
        let fields = fields.map(|(name, value)| (*name, value.as_bytes()));
        let head = ResponseHead::parse(answer.status, &bound, fields).map_err(Doubt::Head)?;
        let verifier = ResponseVerifier::begin(&keys, &head, &bound, &self.id);
        let mut verifier = verifier.map_err(Doubt::Refused)?;
        verifier.update(&answer.body);
        let response = verifier.finish().map_err(Doubt::Refused)?;
        let encrypted = head.field("content-encoding") == Some(b"aes128gcm");
        let mut plain = answer.body.clone();
        if encrypted {
            let decoded = decode_in_place(keys.content_key(), &mut plain);
            plain = decoded.map_err(|_| Doubt::Undecipherable)?.to_vec();
        }
        Ok(Heard {
            plain,
            encrypted,
            created: response.created(),
            challenge: head.challenge().expect("a challenge"),
        })
    }
}

impl Answer {
    /// The challenge that it carries.
    ///
    /// # Panics
    /// If it carries none.
    #[must_use]
    pub fn challenge(&self) -> Challenge {
        let value = self.field("providore-challenge").expect("a challenge");
        Challenge::parse(value.as_bytes()).expect("a challenge")
    }
}
