//! A server of the `Signed` dialect made with `providore-sign`, and a device that asks it.
use providore_client::{BorrowedHead, BufferedOperation, Device, Error, Exchange, Moment, Request};
use providore_sign::{
    HeaderInstructions, Refusal, SoftwareKey,
    content_coding::{Encoder, RecordSize, Salt},
    signed::{ChallengeKey, Keys, RequestPolicy, ResponseToSign, sign_response, verify_request},
};
use providore_wire::{
    Dialect, Method, Target, Timestamp,
    signed::{Challenge, RequestHead},
};
use sha2::{Digest as _, Sha256};

use crate::support::{Reply, at};

pub(crate) const SECRET: &[u8] = b"a secret of a device, 32 bytes..";
pub(crate) const NEXT: &[u8] = b"the next secret, of 32 bytes too";
pub(crate) const DEVICE: &str = "d8fa0180";

pub(crate) fn keys(secret: &[u8]) -> Keys {
    Keys::derive(&mut SoftwareKey::new(secret).unwrap()).unwrap()
}

pub(crate) fn device() -> Device<SoftwareKey> {
    named(DEVICE, SECRET)
}

pub(crate) fn named(id: &str, secret: &[u8]) -> Device<SoftwareKey> {
    let key = SoftwareKey::new(secret).unwrap();
    let version = "1.0.0".parse().unwrap();
    Device::new(Dialect::Signed, id.parse().unwrap(), version, key).unwrap()
}

/// A request as it arrives.
#[derive(Debug, Clone)]
pub(crate) struct Delivered {
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Delivered {
    pub(crate) fn of<O: providore_client::Operation>(exchange: &Exchange<O>) -> Self {
        let request = exchange.request();
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self {
            method: request.method(),
            target: request.target().to_owned(),
            fields: request.fields().map(own).collect(),
            body: request.body().to_vec(),
        }
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(field, _)| field == name);
        found.map(|(_, value)| value.as_str())
    }
}

#[cfg(feature = "memory")]
impl From<providore_client::memory::MemoryRequest> for Delivered {
    fn from(request: providore_client::memory::MemoryRequest) -> Self {
        Self {
            method: request.method,
            target: request.target,
            fields: request.fields,
            body: request.body,
        }
    }
}

/// A server whose clock shows what it is told, and which started an hour before 0.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) policy: RequestPolicy,
    pub(crate) now: Timestamp,
    pub(crate) secret: Vec<u8>,
    /// What it hands out and does not use yet.
    pub(crate) next: Option<Vec<u8>>,
}

impl Server {
    pub(crate) fn new() -> Self {
        let challenges = ChallengeKey::new(&[9; 32]).unwrap();
        Self {
            policy: RequestPolicy::new(challenges, at(-3600)),
            now: at(0),
            secret: SECRET.to_vec(),
            next: None,
        }
    }

    /// What it accepts right after a restart.
    pub(crate) fn restarted() -> RequestPolicy {
        RequestPolicy::new(ChallengeKey::new(&[10; 32]).unwrap(), at(0))
    }

    pub(crate) fn challenge(&self) -> Challenge {
        let challenges = self.policy.challenges();
        challenges.issue(self.now, [1; 8]).unwrap()
    }

    /// What anybody gets who is not known, or not fresh.
    pub(crate) fn refusal(&self) -> Reply {
        Reply::unsigned(401, b"").with("providore-challenge", self.challenge().as_str())
    }

    /// Whether it is authentic with a secret of the device's; one signed with the next secret makes
    /// that the only one.
    pub(crate) fn admit(&mut self, request: &Delivered) -> Result<(), Refusal> {
        let target = Target::parse(&request.target).unwrap();
        let bytes = request.fields.iter();
        let bytes = bytes.map(|(name, value)| (name.as_str(), value.as_bytes()));
        let verify = |secret: &[u8]| {
            let head = RequestHead::parse(request.method, &target, bytes.clone());
            let head = head.map_err(|_| Refusal::WrongSignature)?;
            if head.device().as_str() != DEVICE {
                return Err(Refusal::OtherDevice);
            }
            let keys = keys(secret);
            verify_request(head, &request.body, &keys, &self.policy, self.now).map(|_| ())
        };
        let outcome = verify(&self.secret);
        if outcome == Err(Refusal::WrongSignature)
            && let Some(next) = &self.next
        {
            verify(next)?;
            self.secret.clone_from(next);
            self.next = None;
            return Ok(());
        }
        outcome
    }

    /// Signs an answer to a request, whatever that is worth.
    pub(crate) fn sign(&self, request: &Delivered, reply: Reply) -> Reply {
        self.sign_for(DEVICE, request, reply)
    }

    pub(crate) fn sign_for(&self, device: &str, request: &Delivered, mut reply: Reply) -> Reply {
        let target = Target::parse(&request.target).unwrap();
        let bytes = request.fields.iter();
        let bytes = bytes.map(|(name, value)| (name.as_str(), value.as_bytes()));
        let head = RequestHead::parse(request.method, &target, bytes).unwrap();
        let digest = (!reply.body.is_empty()).then(|| Sha256::digest(&reply.body).into());
        let response = ResponseToSign {
            device: &device.parse().unwrap(),
            status: reply.status,
            fields: reply.fields(),
            content_sha256: digest,
            challenge: &self.challenge(),
            created: self.now,
        };
        let mut memory = [0; HeaderInstructions::MAX_LEN];
        let headers = sign_response(
            &keys(&self.secret),
            &head.question(),
            &response,
            &mut memory,
        )
        .unwrap();
        for (name, value) in headers.fields() {
            reply = reply.with(name, value);
        }
        reply
    }
}

/// An answer in clear, not signed yet.
pub(crate) fn plain(status: u16, body: &[u8]) -> Reply {
    Reply::unsigned(status, body)
}

/// An answer of 200 that nobody else can read, not signed yet.
pub(crate) fn encrypted(secret: &[u8], body: &[u8]) -> Reply {
    let keys = keys(secret);
    let size = RecordSize::DEFAULT;
    let mut lent = vec![0; size.get()];
    let salt = Salt::take(&mut [7; 16]).unwrap();
    let (header, mut encoder) = Encoder::begin(&keys.content_key(), salt, size, &mut lent).unwrap();
    let mut coded = header.as_bytes().to_vec();
    let mut rest = body;
    while let Some(record) = encoder.update(&mut rest).unwrap() {
        coded.extend_from_slice(record);
    }
    coded.extend_from_slice(encoder.finish().unwrap());
    Reply::unsigned(200, &coded).with("content-encoding", "aes128gcm")
}

pub(crate) fn moment(clock: Option<Timestamp>, nonce: u8) -> Moment {
    Moment {
        clock,
        nonce: providore_wire::signed::Nonce::new([nonce; 16]),
    }
}

/// Hands an answer to the device that asked.
pub(crate) fn deliver<O: BufferedOperation>(
    exchange: Exchange<O>,
    device: &mut Device<SoftwareKey>,
    reply: &Reply,
    read: impl FnOnce(O::Outcome<'_>) -> String,
) -> Result<String, Error> {
    let fields = reply.fields();
    let head = BorrowedHead {
        status: reply.status,
        fields: &fields,
    };
    let mut buffer = vec![0; 1024];
    let mut receiving = exchange.receive(device, &head, &mut buffer, Some(at(0)))?;
    for chunk in reply.body.chunks(5) {
        receiving.chunk(chunk)?;
    }
    receiving.finish().map(read)
}

/// Asks, lets `answer` make of the request what it will, and receives that.
pub(crate) fn exchange<O: BufferedOperation>(
    operation: O,
    answer: impl FnOnce(&Delivered) -> Reply,
    read: impl FnOnce(O::Outcome<'_>) -> String,
) -> Result<String, Error> {
    let mut device = device();
    let mut memory = [0; Request::MAX_LEN];
    let exchange =
        Exchange::ask(operation, &mut device, moment(Some(at(0)), 7), &mut memory).unwrap();
    let reply = answer(&Delivered::of(&exchange));
    deliver(exchange, &mut device, &reply, read)
}
