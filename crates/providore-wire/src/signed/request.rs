//! The head of a request.

#[cfg(feature = "any-spelling")]
use super::{CHALLENGE_FIELD, REQUEST_TAG, fields::Ours};
use super::{
    Challenge, Found, HeadError, Nonce, Question, REQUEST_FIELDS, base,
    canonical::{self, CanonicalRequest, Parameters},
};
#[cfg(feature = "any-spelling")]
use crate::message_signatures::{ComponentName, Derived, RequestParts, SignatureParameters};
use crate::{
    DeviceId, FirmwareVersion, Method, ParseError, Signature, Target, Timestamp,
    digest_fields::DigestField,
};

/// The signed part of a request's head: a claim, until `providore-sign` has verified it.
#[derive(Debug, Clone)]
pub struct RequestHead<'a> {
    method: Method,
    path: &'a str,
    query: Option<&'a str>,
    fields: Found<'a, 7>,
    label: &'a str,
    parameters: Parameters<'a>,
    signature: Signature,
    device: DeviceId,
    nonce: Nonce,
    validity: Validity,
    content_digest: Option<[u8; 32]>,
}

/// Why a request says that it is fresh.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the profile has these two; a third is another profile"
)]
pub enum Validity {
    /// By a clock.
    Window {
        /// When it was made.
        created: Timestamp,
        /// The last second at which it counts.
        expires: Timestamp,
    },
    /// By something that the server said a moment ago.
    Challenge(Challenge),
}

impl<'a> RequestHead<'a> {
    /// Finds and checks the signature of this profile among all the fields of a request. Fields may
    /// come in any order and case.
    ///
    /// # Errors
    /// [`HeadError`] names the first thing that is wrong.
    pub fn parse<F>(method: Method, target: &Target<'a>, fields: F) -> Result<Self, HeadError>
    where
        F: IntoIterator<Item = (&'a str, &'a [u8])> + Clone,
    {
        match Self::parse_canonical(method, target, &fields) {
            Some(head) => Ok(head),
            None => Self::parse_general(method, target, fields),
        }
    }

    /// Reads what this implementation writes, and nothing else.
    pub(super) fn parse_canonical<F>(
        method: Method,
        target: &Target<'a>,
        fields: &F,
    ) -> Option<Self>
    where
        F: IntoIterator<Item = (&'a str, &'a [u8])> + Clone,
    {
        let mut found = Found::none(&REQUEST_FIELDS);
        let mut ours = Found::none(&canonical::FIELDS);
        for (field, value) in fields.clone() {
            found.note(field, value).ok()?;
            ours.note(field, value).ok()?;
        }
        let ours = CanonicalRequest::read(&found, &ours)?;
        if !canonical::are_content(found.iter()) {
            return None;
        }
        Some(Self {
            method,
            path: target.path(),
            query: target.query(),
            label: ours.label,
            parameters: Parameters::Canonical(ours.list),
            signature: ours.signature,
            device: ours.device,
            nonce: ours.nonce,
            validity: ours.validity,
            content_digest: found.parse(&"content-digest", sha256).ok()?.flatten(),
            fields: found,
        })
    }

    /// The device that a request claims to come from, also if its head cannot be read: for the log.
    #[cfg(feature = "any-spelling")]
    pub fn claimed_device<F>(fields: &F) -> Option<DeviceId>
    where
        F: IntoIterator<Item = (&'a str, &'a [u8])> + Clone,
    {
        let ours = Ours::find(REQUEST_TAG, fields).ok()?;
        ours.parameters.key_id()?.as_plain()?.parse().ok()
    }

    /// The device that a request claims to come from, also if its head cannot be read: for the log.
    /// Without the feature `any-spelling` that is not looked for.
    #[cfg(not(feature = "any-spelling"))]
    #[must_use]
    pub fn claimed_device<F>(_: &F) -> Option<DeviceId> {
        None
    }

    /// Nothing else is read.
    #[cfg(not(feature = "any-spelling"))]
    fn parse_general<F>(_: Method, _: &Target<'a>, _: F) -> Result<Self, HeadError> {
        Err(HeadError::Unsigned)
    }

    /// Reads whatever the grammar and the profile allow.
    #[cfg(feature = "any-spelling")]
    pub(super) fn parse_general<F>(
        method: Method,
        target: &Target<'a>,
        fields: F,
    ) -> Result<Self, HeadError>
    where
        F: IntoIterator<Item = (&'a str, &'a [u8])> + Clone,
    {
        let ours = Ours::find(REQUEST_TAG, &fields)?;
        ours.check_parameters()?;
        let found = Found::among(&REQUEST_FIELDS, fields)?;
        check_coverage(&ours, &found)?;
        let parameter = |name| move || HeadError::Parameter { name };
        let device = ours.parameters.key_id().and_then(|id| id.as_plain());
        let device = device.and_then(|id| id.parse().ok());
        let nonce = ours.parameters.nonce().and_then(|nonce| nonce.as_plain());
        let nonce = nonce.and_then(|nonce| Nonce::parse(nonce).ok());
        Ok(Self {
            method,
            path: target.path(),
            query: target.query(),
            device: device.ok_or_else(parameter(&"keyid"))?,
            nonce: nonce.ok_or_else(parameter(&"nonce"))?,
            validity: validity(&ours, &found)?,
            content_digest: found.parse(&"content-digest", sha256)?.flatten(),
            fields: found,
            label: ours.label,
            parameters: Parameters::General(ours.parameters),
            signature: ours.signature,
        })
    }

    /// The device that the request claims to come from: `keyid`.
    #[must_use]
    pub const fn device(&self) -> &DeviceId {
        &self.device
    }

    /// The method.
    #[must_use]
    pub const fn method(&self) -> Method {
        self.method
    }

    /// What makes it unique.
    #[must_use]
    pub const fn nonce(&self) -> &Nonce {
        &self.nonce
    }

    /// Why it says that it is fresh.
    #[must_use]
    pub const fn validity(&self) -> &Validity {
        &self.validity
    }

    /// The SHA-256 of the content, as the request says; other algorithms are not looked at.
    #[must_use]
    pub const fn content_digest(&self) -> Option<&[u8; 32]> {
        self.content_digest.as_ref()
    }

    /// The version that runs; `None` if it sent none, or one that no server could hold.
    #[must_use]
    pub fn firmware_version(&self) -> Option<FirmwareVersion> {
        FirmwareVersion::parse(self.fields.get("x-firmware-version")?).ok()
    }

    /// The value of one of [`REQUEST_FIELDS`], all of which are covered.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'a [u8]> {
        self.fields.get(name)
    }

    /// The label of the signature.
    #[must_use]
    pub const fn label(&self) -> &'a str {
        self.label
    }

    /// The signature.
    #[must_use]
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The bytes under the signature, piece by piece.
    ///
    /// # Errors
    /// The first error of `sink`, and what [`RequestParts::signature_base`](crate::message_signatures::RequestParts::signature_base) refuses.
    pub fn signature_base<E: From<ParseError>>(
        &self,
        sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        #[cfg_attr(
            not(feature = "any-spelling"),
            expect(
                clippy::infallible_destructuring_match,
                reason = "the feature has another"
            )
        )]
        let list = match &self.parameters {
            Parameters::Canonical(list) => list,
            #[cfg(feature = "any-spelling")]
            Parameters::General(parameters) => return self.general_base(parameters, sink),
        };
        let target = (self.method, self.path, self.query);
        base::fallible(sink, |sink| {
            base::write_request_base(target, &self.fields, list, sink);
        })
    }

    #[cfg(feature = "any-spelling")]
    fn general_base<E: From<ParseError>>(
        &self,
        parameters: &SignatureParameters<'a>,
        sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let parts = RequestParts {
            method: self.method.as_str(),
            scheme: "",
            authority: "",
            path: self.path,
            query: self.query,
            fields: self.fields.iter(),
        };
        parts.signature_base(parameters, sink)
    }

    /// The question that a response is bound to.
    #[must_use]
    pub fn question(&self) -> Question<'a> {
        let target = (self.method.as_str(), self.path, self.query);
        Question::new(target, self.label, &self.signature)
    }
}

/// All of the profile that the request has, and nothing else.
#[cfg(feature = "any-spelling")]
fn check_coverage(ours: &Ours<'_>, found: &Found<'_, 7>) -> Result<(), HeadError> {
    const DERIVED: [Derived; 3] = [Derived::Method, Derived::Path, Derived::Query];
    const NAMES: [&str; 3] = ["@method", "@path", "@query"];
    let mut covered = 0_usize;
    for component in ours.parameters.components() {
        let known = match component.name() {
            ComponentName::Derived(derived) => DERIVED.contains(&derived),
            ComponentName::Field(name) if found.get(name).is_some() => true,
            ComponentName::Field(name) => match REQUEST_FIELDS.iter().find(|field| **field == name)
            {
                Some(component) => return Err(HeadError::Dropped { component }),
                None => false,
            },
        };
        if !known || component.is_of_request() || component.argument().is_some() {
            return Err(HeadError::UnknownComponent);
        }
        covered = covered.saturating_add(1);
    }
    ours.check_covered(covered, NAMES.iter().chain(found.names()))
}

#[cfg(feature = "any-spelling")]
fn validity(ours: &Ours<'_>, found: &Found<'_, 7>) -> Result<Validity, HeadError> {
    let challenge = found.parse(&CHALLENGE_FIELD, Challenge::parse)?;
    match (
        ours.parameters.created(),
        ours.parameters.expires(),
        challenge,
    ) {
        (Some(created), Some(expires), None) => Ok(Validity::Window {
            created: Timestamp::from_unix(created).ok_or(HeadError::Validity)?,
            expires: Timestamp::from_unix(expires).ok_or(HeadError::Validity)?,
        }),
        (None, None, Some(challenge)) => Ok(Validity::Challenge(challenge)),
        _ => Err(HeadError::Validity),
    }
}

fn sha256(value: &[u8]) -> Result<Option<[u8; 32]>, ParseError> {
    let mut digest = [0; 32];
    let there = DigestField::read_sha256(value, &mut digest)?;
    Ok(there.then_some(digest))
}
