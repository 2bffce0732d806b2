//! The device as it speaks: the one place that knows dialects apart.

#[cfg_attr(not(feature = "original"), path = "device/no_original.rs")]
mod original;
mod signed;

#[cfg(feature = "notices")]
use providore_sign::notice::NoticeKey;
#[cfg(feature = "original")]
use providore_sign::original::ResponsePolicy;
use providore_sign::{KeyError, MacKey, Refusal, signed as sign};
use providore_wire::{
    DeviceId, Dialect, FirmwareVersion, Target, Timestamp, signed::ResponseFields,
};

use original::{Original, OriginalVerifier, SignedAt};
#[cfg(feature = "secret-rotation")]
pub(crate) use signed::RECORD_LEN;

use crate::{
    BodyFault, Error, Head, Moment,
    exchange::{Opened, sealed::Question},
};
use signed::{Sent, Session, SignedWith};

/// Who asks: id, running firmware, keys, dialect, and which answers are accepted.
///
/// In the `Signed` dialect it also keeps what its server told: the time, a challenge, and a secret
/// that is to replace the present one.
///
/// ```
/// use providore_client::Device;
/// use providore_sign::SoftwareKey;
/// use providore_wire::Dialect;
///
/// let key = SoftwareKey::new(b"32 random bytes of this device..")?;
/// let device = Device::new(Dialect::Signed, "d8fa0180".parse()?, "1.0.0".parse()?, key)?;
/// assert_eq!(device.version().as_str(), "1.0.0");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Device<K> {
    id: DeviceId,
    version: FirmwareVersion,
    voice: Voice<K>,
}

#[derive(Debug, Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one of it, and perhaps no allocator"
)]
enum Voice<K> {
    Original(Original<K>),
    Signed(Session),
}

/// How a question was signed: what its answer has to fit.
#[derive(Debug)]
pub(crate) struct Asked(How);

#[derive(Debug)]
enum How {
    Original(SignedAt),
    Signed(SignedWith),
}

impl<K: MacKey> Device<K> {
    /// A device that speaks this dialect, with the secret behind `key`.
    ///
    /// In the `Signed` dialect the sub-keys are derived here, and `key` is not used again: it may
    /// be locked in hardware. In the `Original` dialect `key` signs every message, and accepted is
    /// what [`ResponsePolicy::default`](providore_sign::original::ResponsePolicy::default) accepts.
    ///
    /// # Errors
    /// What the key reports; [`KeyError::Hardware`] for the `Original` dialect without the feature
    /// `original`.
    pub fn new(
        dialect: Dialect,
        id: DeviceId,
        version: FirmwareVersion,
        mut key: K,
    ) -> Result<Self, KeyError> {
        let voice = match dialect {
            Dialect::Original => Voice::Original(Original::new(key)?),
            Dialect::Signed => Voice::Signed(Session::begin(&mut key, &id)?),
            // The enumeration is open to additions; a dialect that this version cannot speak is
            // never replaced by another one.
            _ => return Err(UNSPOKEN),
        };
        Ok(Self { id, version, voice })
    }

    /// Accepts other answers of the `Original` dialect: more skew, or the dates of a first
    /// Providore. Changes nothing in the `Signed` dialect.
    #[cfg(feature = "original")]
    #[must_use]
    pub fn with_response_policy(mut self, accepted: ResponsePolicy) -> Self {
        if let Voice::Original(original) = &mut self.voice {
            original.policy = accepted;
        }
        self
    }

    /// The device's id.
    #[must_use]
    pub const fn id(&self) -> &DeviceId {
        &self.id
    }

    /// The firmware that runs, as the server is told.
    #[must_use]
    pub const fn version(&self) -> &FirmwareVersion {
        &self.version
    }

    /// Tells the server from now on that another firmware runs.
    pub fn set_version(&mut self, version: FirmwareVersion) {
        self.version = version;
    }

    /// The dialect that it speaks.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        match &self.voice {
            Voice::Original(_) => Dialect::Original,
            Voice::Signed(_) => Dialect::Signed,
        }
    }

    /// What it knows of the time from verified answers; nothing in the `Original` dialect.
    #[must_use]
    pub const fn server_time(&self) -> sign::ServerTime {
        match &self.voice {
            Voice::Original(_) => sign::ServerTime::new(),
            Voice::Signed(session) => session.time(),
        }
    }

    /// From now on signs with a secret that is to replace the present one, and with the present
    /// one again when that is refused. Once an answer shows that the server has it too, the present
    /// one is forgotten, and [`has_next_secret`](Self::has_next_secret) is false.
    ///
    /// Both have to be stored until then; [`Agent`](crate::Agent) does.
    ///
    /// # Errors
    /// [`KeyError::SecretLength`]; [`KeyError::Hardware`] in the `Original` dialect.
    #[cfg(feature = "secret-rotation")]
    pub fn set_next_secret(&mut self, secret: &[u8]) -> Result<(), KeyError> {
        let Self { id, voice, .. } = self;
        voice.session().ok_or(NO_ROTATION)?.set_next(secret, id)
    }

    /// Whether a secret waits to replace the present one.
    #[must_use]
    pub const fn has_next_secret(&self) -> bool {
        match &self.voice {
            Voice::Original(_) => false,
            Voice::Signed(session) => session.has_next(),
        }
    }

    /// Keeps to the present secret: the server took the next one back.
    #[cfg(feature = "secret-rotation")]
    pub fn forget_next_secret(&mut self) {
        if let Some(session) = self.session() {
            session.forget_next();
        }
    }

    /// Replaces the secret by one that succeeded it, after a restart.
    ///
    /// # Errors
    /// As [`set_next_secret`](Self::set_next_secret).
    #[cfg(feature = "secret-rotation")]
    pub fn set_secret(&mut self, secret: &[u8]) -> Result<(), KeyError> {
        let Self { id, voice, .. } = self;
        voice.session().ok_or(NO_ROTATION)?.set(secret, id)
    }

    /// What only the `Signed` dialect has.
    pub(crate) const fn session(&mut self) -> Option<&mut Session> {
        self.voice.session()
    }

    /// Signs a question: all header fields of the request, as lines at the beginning of `memory`.
    pub(crate) fn sign<'m>(
        &mut self,
        (question, target): (&dyn Question, &str),
        moment: Moment,
        memory: &'m mut [u8],
    ) -> Result<(&'m str, Asked), Error> {
        let target = &parsed(target)?;
        let Self { id, version, voice } = self;
        match voice {
            Voice::Original(original) => {
                let (of, what) = ((&*id, &*version), (question, target));
                let signed = original.sign(of, what, moment.clock, memory);
                signed.map(|(lines, at)| (lines, Asked(How::Original(at))))
            }
            Voice::Signed(session) => {
                let mut request = sign::RequestToSign::new(id, question.method(), *target);
                request = request.version(version);
                if let Some((kind, body)) = question.content() {
                    request = request.content(kind, body);
                }
                if let Some(tag) = question.unless() {
                    request = request.if_none_match(tag.as_str());
                }
                if let Some((range, tag)) = question.part() {
                    request = request.range(range).if_range(tag.as_str());
                }
                let (lines, how) = session.sign(&request, moment, memory)?;
                Ok((lines, Asked(How::Signed(how))))
            }
        }
    }

    /// Takes the head of the answer to a question: what it says, and the check of what follows.
    // A phase of its own: what it takes of the stack is free again when the body is read.
    #[inline(never)]
    pub(crate) fn open<'a, H: Head>(
        &'a mut self,
        (question, target, lines): (&dyn Question, &str, &str),
        asked: &Asked,
        head: &'a H,
        clock: Option<Timestamp>,
    ) -> Result<Opened<'a, K>, Error> {
        match (&mut self.voice, &asked.0) {
            (Voice::Original(original), How::Original(at)) => {
                let (verifier, told) = original.open(*at, head, clock)?;
                let proof = Proof::Original(verifier);
                Ok(Opened { proof, told })
            }
            (Voice::Signed(session), How::Signed(how)) => {
                let mut fields = ResponseFields::new();
                for (name, value) in head.fields() {
                    fields.push(name, value);
                }
                let sent = Sent {
                    method: question.method(),
                    target,
                    lines,
                    with: how,
                    is_secret: question.is_secret(),
                };
                let answer = (head.status(), &fields);
                open_signed(session, &self.id, &sent, answer, clock)
            }
            // The answer to a question of another device.
            _ => Err(Error::NotInDialect),
        }
    }
}

/// The same, in the `Signed` dialect: there once for any transport.
#[inline(never)]
fn open_signed<'a, K>(
    session: &'a mut Session,
    id: &DeviceId,
    sent: &Sent<'_>,
    answer: (u16, &ResponseFields<'a>),
    clock: Option<Timestamp>,
) -> Result<Opened<'a, K>, Error> {
    let (verified, told) = session.open(id, sent, answer, clock)?;
    if told.status == 200 && sent.is_secret && !told.encrypted {
        return Err(BodyFault::NotEncrypted.into());
    }
    let proof = Proof::Signed(verified, session.keys());
    Ok(Opened { proof, told })
}

#[cfg(feature = "notices")]
impl<K> Device<K> {
    /// The key of notices, and the time of the server's last answer. Only in the `Signed` dialect.
    pub(crate) fn notices(&self) -> Option<(&NoticeKey, Option<Timestamp>)> {
        match &self.voice {
            Voice::Original { .. } => None,
            Voice::Signed(session) => Some((session.notices(), session.time().now(None))),
        }
    }
}

impl<K> Voice<K> {
    const fn session(&mut self) -> Option<&mut Session> {
        match self {
            Self::Original(_) => None,
            Self::Signed(session) => Some(session),
        }
    }
}

/// What is proven when the head of an answer has been looked at, in the dialect of its question.
#[derive(Debug)]
pub(crate) enum Proof<'a, K> {
    Original(OriginalVerifier<'a, K>),
    Signed(sign::VerifiedHead, &'a sign::Keys),
}

impl<'a, K> Proof<'a, K> {
    /// Begins with the body.
    pub(crate) fn body(self) -> Verifier<'a, K> {
        match self {
            Self::Original(verifier) => Verifier::Original(verifier),
            Self::Signed(head, keys) => Verifier::Signed(head.body(), keys),
        }
    }
}

/// An answer on its way through the check, in the dialect of its question.
#[derive(Debug)]
pub(crate) enum Verifier<'a, K> {
    Original(OriginalVerifier<'a, K>),
    Signed(sign::ResponseVerifier, &'a sign::Keys),
}

impl<'a, K: MacKey> Verifier<'a, K> {
    pub(crate) fn update(&mut self, chunk: &[u8]) -> Result<(), KeyError> {
        match self {
            Self::Original(verifier) => verifier.update(chunk),
            Self::Signed(verifier, _) => {
                verifier.update(chunk);
                Ok(())
            }
        }
    }

    /// When the server made the answer, and the keys for what is encrypted in it.
    pub(crate) fn finish(self) -> Result<(Timestamp, Option<&'a sign::Keys>), Refusal> {
        Ok(match self {
            Self::Original(verifier) => (verifier.finish()?, None),
            Self::Signed(verifier, keys) => (verifier.finish()?.created(), Some(keys)),
        })
    }
}

/// Every target of ours can be parsed.
fn parsed(target: &str) -> Result<Target<'_>, KeyError> {
    Target::parse(target).map_err(|_| KeyError::Message)
}

const UNSPOKEN: KeyError = KeyError::Hardware(&"this version does not speak the dialect");

#[cfg(feature = "secret-rotation")]
const NO_ROTATION: KeyError = KeyError::Hardware(&"the dialect has no way to replace a secret");
