//! A server with firmware, in memory, that a test can make lie: it holds the secret of the device,
//! and whatever it takes for a manifest.

use alloc::rc::Rc;
use core::cell::RefCell;

use providore_client::{
    EntityTag, TransportError,
    memory::{MemoryAnswer, MemoryRequest},
};
use providore_pki::{
    SoftwareKey as AuthorKey,
    manifest::{ChunkSize, ManifestBuilder, Release},
};
use providore_sign::{
    HeaderInstructions, SoftwareKey,
    signed::{ChallengeKey, Keys, RequestPolicy, ResponseToSign, sign_response, verify_request},
};
use providore_wire::{DeviceId, Method, Target, Timestamp, signed::RequestHead};
use sha2::{Digest as _, Sha256};

use crate::parties::{Message, at};

/// The hardware of every device here.
pub const HARDWARE: &str = "board-1";

/// A release as a server hands it out.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "tests change single parts of it")]
pub struct Offer {
    /// Its name in the location.
    pub version: String,
    /// What the author said, if anybody did.
    pub manifest: Option<Vec<u8>>,
    /// What is sent as its image.
    pub image: Vec<u8>,
    /// The digest by which the server names the image.
    pub sha256: [u8; 32],
}

/// The key of the author whom devices trust, of another one whom they trust, of a stranger.
///
/// # Panics
/// If `number` is 0.
#[must_use]
pub fn author(number: u8) -> AuthorKey {
    AuthorKey::from_scalar(&[number; 32]).expect("a scalar")
}

/// An image of so many bytes that names its version, and of which no part is like another.
#[must_use]
pub fn image_of(version: &str, length: usize) -> Vec<u8> {
    let mut image = super::image(version);
    image.truncate(64);
    let mut block = 0_u32;
    while image.len() < length {
        let digest = Sha256::new().chain_update(version);
        image.extend(digest.chain_update(block.to_be_bytes()).finalize());
        block += 1;
    }
    image.truncate(length);
    image
}

impl Offer {
    /// What [`author`] 1 says of this image: chunks of 1 KiB, reachable from anywhere.
    ///
    /// # Panics
    /// If `version` is none, or `sequence` is 0.
    #[must_use]
    pub fn signed(version: &str, sequence: u64, image: &[u8]) -> Self {
        Self::by(&mut author(1), HARDWARE, (version, sequence), image)
    }

    /// The same, by another key or for other hardware.
    ///
    /// # Panics
    /// If anything of it is malformed.
    #[must_use]
    pub fn by(
        author: &mut AuthorKey,
        hardware: &str,
        (version, sequence): (&str, u64),
        image: &[u8],
    ) -> Self {
        let hardware = hardware.parse().expect("a hardware type");
        let release = Release::new(hardware, version.parse().expect("a version"), sequence);
        let release = release.with_chunk_size(ChunkSize::MIN);
        let mut builder = ManifestBuilder::new(release).expect("a release");
        builder.update(image).expect("an image");
        let manifest = builder.sign(author).expect("a key");
        Self {
            version: version.into(),
            manifest: Some(manifest),
            image: image.to_vec(),
            sha256: Sha256::digest(image).into(),
        }
    }
}

/// The server. A clone is the same one.
#[derive(Clone)]
pub struct Publisher(Rc<RefCell<Inner>>);

/// What a [`Publisher`] is told, and what it has seen.
#[expect(missing_debug_implementations, reason = "holds a secret")]
pub struct Inner {
    /// What waits for whoever runs another version.
    pub offer: Option<Offer>,
    /// Whether a part is answered with the whole.
    pub ignores_ranges: bool,
    /// Whether a proxy in front takes `Range` and `If-Range` out of requests.
    pub drops_ranges: bool,
    /// Whether nobody is answered.
    pub is_down: bool,
    /// What its clock shows.
    pub now: Timestamp,
    /// Each report that was acknowledged.
    pub reports: Vec<String>,
    /// Each image, or part of it, that was sent: its first byte, and how many.
    pub sent: Vec<(u64, u64)>,
    /// The versions of those who asked for anything.
    pub seen: Vec<String>,
    keys: Keys,
    id: DeviceId,
    policy: RequestPolicy,
}

impl core::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Publisher(..)")
    }
}

impl Publisher {
    /// The id of the one device that it knows.
    pub const DEVICE: &str = "dev1";

    /// The secret of that device.
    pub const SECRET: &[u8] = b"the secret of dev1, which is long enough";

    /// A server that has this for its device.
    ///
    /// # Panics
    /// Never, with these names.
    #[must_use]
    pub fn new(offer: Option<Offer>) -> Self {
        let mut secret = SoftwareKey::new(Self::SECRET).expect("a secret");
        let challenges = ChallengeKey::new(&[9; 32]).expect("32 bytes");
        Self(Rc::new(RefCell::new(Inner {
            offer,
            ignores_ranges: false,
            drops_ranges: false,
            is_down: false,
            now: at(0),
            reports: Vec::new(),
            sent: Vec::new(),
            seen: Vec::new(),
            keys: Keys::derive(&mut secret).expect("a software key"),
            id: Self::DEVICE.parse().expect("an id"),
            policy: RequestPolicy::new(challenges, at(-3600)),
        })))
    }

    /// Looks into it.
    ///
    /// # Panics
    /// Within another look.
    pub fn look<T>(&self, look: impl FnOnce(&mut Inner) -> T) -> T {
        look(&mut self.0.borrow_mut())
    }

    /// Answers a request.
    ///
    /// # Errors
    /// If it is down.
    ///
    /// # Panics
    /// At a request that is none.
    pub fn answer(&self, request: &MemoryRequest) -> Result<MemoryAnswer, TransportError> {
        self.look(|inner| inner.answer(request))
    }
}

impl Inner {
    fn answer(&mut self, request: &MemoryRequest) -> Result<MemoryAnswer, TransportError> {
        if self.is_down {
            return Err(TransportError::unreachable());
        }
        let mut request = request.clone();
        if self.drops_ranges {
            let is_dropped = |name: &str| matches!(name, "range" | "if-range");
            request.fields.retain(|(name, _)| !is_dropped(name));
        }
        let request = &request;
        let target = Target::parse(&request.target).expect("a target");
        let bytes = request.fields.iter();
        let bytes = bytes.map(|(name, value)| (name.as_str(), value.as_bytes()));
        let Ok(head) = RequestHead::parse(request.method, &target, bytes) else {
            return Ok(self.stranger());
        };
        let question = head.question();
        if verify_request(
            head.clone(),
            &request.body,
            &self.keys,
            &self.policy,
            self.now,
        )
        .is_err()
        {
            return Ok(self.stranger());
        }
        let mut answer = self.serve(request, &target);
        let digest = (!answer.body.is_empty()).then(|| Sha256::digest(&answer.body).into());
        let fields = answer.fields.iter();
        let response = ResponseToSign {
            device: &self.id,
            status: answer.status,
            fields: fields.map(|(name, value)| (name.as_str(), value.as_slice())),
            content_sha256: digest,
            challenge: &self
                .policy
                .challenges()
                .issue(self.now, [1; 8])
                .expect("a challenge"),
            created: self.now,
        };
        let mut memory = [0; HeaderInstructions::MAX_LEN];
        let headers =
            sign_response(&self.keys, &question, &response, &mut memory).expect("an answer");
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.as_bytes().to_vec());
        let headers: Vec<_> = headers.fields().map(own).collect();
        answer.fields.extend(headers);
        Ok(answer)
    }

    fn stranger(&self) -> MemoryAnswer {
        let challenge = self.policy.challenges().issue(self.now, [1; 8]);
        let challenge = challenge.expect("a challenge");
        plain(401, b"").with("providore-challenge", challenge.as_str())
    }

    fn serve(&mut self, request: &MemoryRequest, target: &Target<'_>) -> MemoryAnswer {
        let field = |name: &str| {
            let mut fields = request.fields.iter();
            fields
                .find(|(field, _)| field == name)
                .map(|(_, value)| value.clone())
        };
        let running = field("x-firmware-version").unwrap_or_default();
        self.seen.push(running.clone());
        match (request.method, target.path()) {
            (Method::Get, "/firmware/check") => self.check(&running),
            (Method::Get, "/firmware") => self.image(field("range"), field("if-range")),
            (Method::Post, "/report") => {
                let text = String::from_utf8_lossy(&request.body);
                self.reports.push(text.into_owned());
                plain(204, b"")
            }
            (Method::Get, "/time" | "/secret") => plain(204, b""),
            _ => plain(404, b""),
        }
    }

    fn check(&self, running: &str) -> MemoryAnswer {
        let Some(offer) = self.offer.as_ref().filter(|it| it.version != running) else {
            return plain(204, b"");
        };
        let location = format!("/firmware?version={}", offer.version);
        match &offer.manifest {
            Some(manifest) => plain(200, manifest)
                .with("content-type", "application/cose; cose-type=\"cose-sign1\"")
                .with("location", &location),
            None => plain(302, b"").with("location", &location),
        }
    }

    fn image(&mut self, range: Option<String>, if_range: Option<String>) -> MemoryAnswer {
        let Some(offer) = &self.offer else {
            return plain(404, b"");
        };
        let tag = EntityTag::of_image(&offer.sha256);
        let length = offer.image.len();
        let same = if_range.is_none_or(|wanted| wanted == tag.as_str());
        let from = range
            .filter(|_| same && !self.ignores_ranges)
            .map_or(0, |range| {
                let number = range
                    .strip_prefix("bytes=")
                    .and_then(|it| it.strip_suffix('-'));
                number.and_then(|it| it.parse().ok()).expect("one range")
            });
        if from >= length {
            return plain(416, b"");
        }
        self.sent.push((from as u64, (length - from) as u64));
        let answer = plain(if from > 0 { 206 } else { 200 }, &offer.image[from..]);
        let answer = answer.with("etag", tag.as_str());
        let answer = answer.with("content-type", "application/octet-stream");
        if from == 0 {
            return answer;
        }
        answer.with(
            "content-range",
            &format!("bytes {from}-{}/{length}", length - 1),
        )
    }
}

/// An answer that is not signed yet.
fn plain(status: u16, body: &[u8]) -> MemoryAnswer {
    MemoryAnswer {
        status,
        fields: Vec::new(),
        body: body.to_vec(),
        breaks_after: None,
    }
}

trait With: Sized {
    fn with(self, name: &str, value: &str) -> Self;
}

impl With for MemoryAnswer {
    fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.into(), value.as_bytes().to_vec()));
        self
    }
}

/// How many bytes a request has on the wire.
#[must_use]
pub fn request_len(request: &MemoryRequest) -> usize {
    super::link::request_len(&Message {
        method: request.method.as_str().into(),
        target: request.target.clone(),
        fields: request
            .fields
            .iter()
            .map(|(name, value)| (name.clone(), value.clone().into_bytes()))
            .collect(),
        body: request.body.clone(),
    })
}

/// How many bytes the head of an answer has on the wire.
#[must_use]
pub fn head_len(answer: &MemoryAnswer) -> usize {
    super::link::head_len(answer)
}
