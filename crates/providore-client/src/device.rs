//! The device as it speaks: the one place that knows dialects apart.

use providore_sign::{HeaderInstructions, KeyError, MacKey, Refusal, original};
use providore_wire::{
    DeviceId, Dialect, FirmwareVersion, Method, Timestamp, original::ResponseHead,
};

use crate::{Error, Head};

/// Who asks: id, running firmware, key, dialect, and which answers are accepted.
///
/// ```
/// use providore_client::Device;
/// use providore_sign::SoftwareKey;
/// use providore_wire::Dialect;
///
/// let key = SoftwareKey::new(b"the device's secret")?;
/// let device = Device::new(Dialect::Original, "d8fa0180".parse()?, "1.0.0".parse()?, key);
/// assert_eq!(device.version().as_str(), "1.0.0");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Device<K> {
    dialect: Dialect,
    id: DeviceId,
    version: FirmwareVersion,
    key: K,
    policy: original::ResponsePolicy,
}

impl<K: MacKey> Device<K> {
    /// How long a request counts after it was signed, in seconds: what deployed servers accept.
    pub const REQUEST_LIFETIME_S: u32 = 900;

    /// A device that accepts what [`original::ResponsePolicy::default`] does.
    pub fn new(dialect: Dialect, id: DeviceId, version: FirmwareVersion, key: K) -> Self {
        Self {
            dialect,
            id,
            version,
            key,
            policy: original::ResponsePolicy::default(),
        }
    }

    /// Accepts other answers: more skew, or the dates of a first Providore.
    #[must_use]
    pub fn with_response_policy(mut self, policy: original::ResponsePolicy) -> Self {
        self.policy = policy;
        self
    }

    /// The device's id.
    pub const fn id(&self) -> &DeviceId {
        &self.id
    }

    /// The firmware that runs, as the server is told.
    pub const fn version(&self) -> &FirmwareVersion {
        &self.version
    }

    /// Tells the server from now on that another firmware runs.
    pub fn set_version(&mut self, version: FirmwareVersion) {
        self.version = version;
    }

    pub(crate) fn sign(
        &mut self,
        method: Method,
        path: &str,
        body: &[u8],
        now: Timestamp,
    ) -> Result<HeaderInstructions, KeyError> {
        match self.dialect {
            Dialect::Original => {
                let request = original::RequestToSign {
                    device: &self.id,
                    method,
                    path,
                    version: &self.version,
                    body,
                };
                original::sign_request(&mut self.key, &request, now, Self::REQUEST_LIFETIME_S)
            }
            _ => Err(NOT_SPOKEN),
        }
    }

    /// Begins to verify an answer to a question of `asked`; `None` if it carries no signature.
    pub(crate) fn verifier<'a>(
        &'a mut self,
        head: &'a impl Head,
        asked: Timestamp,
        now: Timestamp,
    ) -> Result<Option<Verifier<'a, K>>, Error> {
        match self.dialect {
            Dialect::Original => {
                if head.field("signature").is_none() {
                    return Ok(None);
                }
                let parsed = ResponseHead::parse(head.fields())?;
                let verifier = original::ResponseVerifier::begin(
                    &mut self.key,
                    parsed,
                    &self.policy,
                    asked,
                    now,
                )?;
                Ok(Some(Verifier::Original(verifier)))
            }
            _ => Err(Error::Key(NOT_SPOKEN)),
        }
    }
}

/// An answer on its way through the check, in the dialect of its question.
#[derive(Debug)]
pub(crate) enum Verifier<'a, K> {
    Original(original::ResponseVerifier<'a, &'a mut K>),
}

impl<K: MacKey> Verifier<'_, K> {
    pub(crate) fn update(&mut self, chunk: &[u8]) -> Result<(), KeyError> {
        match self {
            Self::Original(verifier) => verifier.update(chunk),
        }
    }

    /// When the server made the answer.
    pub(crate) fn finish(self) -> Result<Timestamp, Refusal> {
        match self {
            Self::Original(verifier) => verifier.finish().map(|response| response.created()),
        }
    }
}

// `Dialect` is open to additions; a dialect that this version cannot speak is never replaced by
// another one.
const NOT_SPOKEN: KeyError = KeyError::Hardware("this version does not speak the dialect");
