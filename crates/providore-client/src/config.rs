//! `GET /config`.

use providore_wire::{Route, Timestamp};

use crate::{
    BodyFault, BufferedOperation, EntityTag, Error, Operation,
    exchange::{SignedAnswer, Target, sealed::Question},
    firmware::target_of,
};

/// Asks for the configuration, optionally only if it changed.
///
/// In the `Signed` dialect the answer is encrypted, and one in clear is refused.
///
/// ```
/// use providore_client::{Config, EntityTag};
///
/// let tag = EntityTag::parse(b"\"5e3f\"").ok_or("no tag")?;
/// let operation = Config::new().unless(&tag).with_check(|bytes| bytes.starts_with(b"{"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[must_use]
pub struct Config<'q> {
    unless: Option<&'q EntityTag>,
    check: Option<fn(&[u8]) -> bool>,
}

impl<'q> Config<'q> {
    /// Asks without conditions.
    pub const fn new() -> Self {
        Self {
            unless: None,
            check: None,
        }
    }

    /// Asks for a configuration with another tag than this one.
    pub const fn unless(mut self, tag: &'q EntityTag) -> Self {
        self.unless = Some(tag);
        self
    }

    /// Adds the application's own check, such as parsing; the body has been verified by then.
    ///
    /// Without one, a body must look like a JSON object or array at both ends. With one, the
    /// check alone decides what a configuration looks like; a problem document never does.
    pub const fn with_check(mut self, check: fn(&[u8]) -> bool) -> Self {
        self.check = Some(check);
        self
    }
}

/// What the server said about the configuration.
#[derive(Debug)]
#[must_use]
#[non_exhaustive]
pub enum ConfigOutcome<'b> {
    /// This is it.
    Current(VerifiedConfig<'b>),
    /// The one with the tag that was named is still right: keep it.
    Unchanged,
}

/// A configuration whose signature, freshness and kind have been checked.
///
/// Only [`Receiving::finish`](crate::Receiving::finish) makes one.
///
/// ```compile_fail
/// let forged = providore_client::VerifiedConfig { bytes: b"{}" };
/// ```
#[derive(Debug)]
#[must_use]
pub struct VerifiedConfig<'b> {
    bytes: &'b [u8],
    created: Timestamp,
    tag: Option<EntityTag>,
}

impl<'b> VerifiedConfig<'b> {
    /// The configuration, byte for byte as signed.
    #[must_use]
    pub const fn bytes(&self) -> &'b [u8] {
        self.bytes
    }

    /// When the server made the answer.
    #[must_use]
    pub const fn created(&self) -> Timestamp {
        self.created
    }

    /// The tag to name the next time. The `Original` dialect does not sign it: who changes it on
    /// the way can make a later "unchanged" wrong, so ask without it now and then.
    #[must_use]
    pub const fn tag(&self) -> Option<&EntityTag> {
        self.tag.as_ref()
    }
}

impl Question for Config<'_> {
    fn target(&self) -> Target<'_> {
        target_of(Route::Config)
    }

    fn unless(&self) -> Option<&EntityTag> {
        self.unless
    }

    fn is_secret(&self) -> bool {
        true
    }
}

impl Operation for Config<'_> {}

impl BufferedOperation for Config<'_> {
    type Outcome<'b> = ConfigOutcome<'b>;

    fn conclude<'b>(self, answer: SignedAnswer<'_, 'b>) -> Result<ConfigOutcome<'b>, Error> {
        match answer.told.status {
            200 => {
                let (created, tag) = (answer.created, answer.told.etag);
                let bytes = answer.body()?;
                match self.check {
                    Some(check) if !check(bytes) => return Err(BodyFault::CheckedOut.into()),
                    None if !looks_like_json(bytes) => return Err(BodyFault::NotJson.into()),
                    _ => {}
                }
                Ok(ConfigOutcome::Current(VerifiedConfig {
                    bytes,
                    created,
                    tag: tag.and_then(EntityTag::parse),
                }))
            }
            // Only an answer to a question that named a tag can say "as you have it".
            304 if self.unless.is_some() => {
                answer.without_body()?;
                Ok(ConfigOutcome::Unchanged)
            }
            _ => Err(answer.declined()),
        }
    }
}

/// The ends of the text. Parsing is the application's part; this tells it from every other answer.
fn looks_like_json(bytes: &[u8]) -> bool {
    let text = bytes.trim_ascii();
    let ends = (text.first(), text.last());
    matches!(ends, (Some(b'{'), Some(b'}')) | (Some(b'['), Some(b']'))) && text.len() >= 2
}
