//! The head of a response.

use super::{
    CHALLENGE_FIELD, Challenge, Found, HeadError, Question, RESPONSE_FIELDS, ResponseFields, base,
    canonical::{self, CanonicalResponse, Parameters},
};
#[cfg(feature = "any-spelling")]
use super::{RESPONSE_TAG, fields::Ours};
#[cfg(feature = "any-spelling")]
use crate::message_signatures::{
    Component, ComponentName, Derived, ResponseParts, SignatureParameters,
};
use crate::{Name, ParseError, ParseErrorKind, Signature, Timestamp, digest_fields::DigestField};

/// The signed part of a response's head: a claim, until `providore-sign` has verified it.
#[derive(Debug, Clone)]
pub struct ResponseHead<'a> {
    status: u16,
    fields: Found<'a, 9>,
    parameters: Parameters<'a>,
    signature: Signature,
    device: Name<'a>,
    created: Timestamp,
}

impl<'a> ResponseHead<'a> {
    /// Finds and checks the signature of this profile among all the fields of a response to
    /// `question`.
    ///
    /// # Errors
    /// [`HeadError`] names the first thing that is wrong; [`HeadError::Unsigned`] is what anybody
    /// can send.
    pub fn parse<F>(status: u16, question: &Question<'_>, fields: F) -> Result<Self, HeadError>
    where
        F: IntoIterator<Item = (&'a str, &'a [u8])> + Clone,
    {
        match Self::parse_canonical(status, question, &fields) {
            Some(head) => Ok(head),
            None => Self::parse_general(status, question, fields),
        }
    }

    /// The same, of those fields that the profile looks at.
    ///
    /// # Errors
    /// As [`parse`](Self::parse); of more than 20 fields, [`ParseErrorKind::TooLong`].
    pub fn of_fields(
        status: u16,
        question: &Question<'_>,
        fields: &ResponseFields<'a>,
    ) -> Result<Self, HeadError> {
        if !fields.is_repeated {
            let head = Self::of_canonical(status, question, &fields.covered, &fields.ours);
            if let Some(head) = head {
                return Ok(head);
            }
        }
        #[cfg(feature = "any-spelling")]
        if fields.is_full {
            return Err(HeadError::Field {
                name: &"signature",
                cause: ParseError::new(ParseErrorKind::TooLong, 0),
            });
        }
        #[cfg(feature = "any-spelling")]
        let fields = fields.lines.iter().copied();
        Self::parse_general(status, question, fields)
    }

    /// Reads what this implementation writes, and nothing else.
    pub(super) fn parse_canonical<F>(
        status: u16,
        question: &Question<'_>,
        fields: &F,
    ) -> Option<Self>
    where
        F: IntoIterator<Item = (&'a str, &'a [u8])> + Clone,
    {
        let mut found = Found::none(&RESPONSE_FIELDS);
        let mut ours = Found::none(&canonical::FIELDS);
        for (field, value) in fields.clone() {
            found.note(field, value).ok()?;
            ours.note(field, value).ok()?;
        }
        Self::of_canonical(status, question, &found, &ours)
    }

    fn of_canonical(
        status: u16,
        question: &Question<'_>,
        found: &Found<'a, 9>,
        ours: &Found<'a, 2>,
    ) -> Option<Self> {
        let ours = CanonicalResponse::read(found, ours, question)?;
        let written = canonical::are_content(found.iter()) && question.is_visible();
        if !written || question.signature().is_none() || !matches!(status, 100..=999) {
            return None;
        }
        check_values(found).ok()?;
        Some(Self {
            status,
            parameters: Parameters::Canonical(ours.list),
            signature: ours.signature,
            device: ours.device,
            created: ours.created,
            fields: *found,
        })
    }

    /// Nothing else is read.
    #[cfg(not(feature = "any-spelling"))]
    fn parse_general<F>(_: u16, _: &Question<'_>, _: F) -> Result<Self, HeadError> {
        Err(HeadError::Unsigned)
    }

    /// Reads whatever the grammar and the profile allow.
    #[cfg(feature = "any-spelling")]
    pub(super) fn parse_general<F>(
        status: u16,
        question: &Question<'_>,
        fields: F,
    ) -> Result<Self, HeadError>
    where
        F: IntoIterator<Item = (&'a str, &'a [u8])> + Clone,
    {
        let ours = Ours::find(RESPONSE_TAG, &fields)?;
        ours.check_parameters()?;
        let found = Found::among(&RESPONSE_FIELDS, fields)?;
        check_coverage(&ours, &found, question)?;
        let parameter = |name| move || HeadError::Parameter { name };
        if ours.parameters.expires().is_some() {
            return Err(parameter(&"expires")());
        }
        if ours.parameters.nonce().is_some() {
            return Err(parameter(&"nonce")());
        }
        let device = ours.parameters.key_id().and_then(|id| id.as_plain());
        let device = device.and_then(|id| Name::parse(id.as_bytes()).ok());
        let created = ours.parameters.created().and_then(Timestamp::from_unix);
        let device = device.ok_or_else(parameter(&"keyid"))?;
        let created = created.ok_or_else(parameter(&"created"))?;
        check_values(&found)?;
        Ok(Self {
            status,
            device,
            created,
            fields: found,
            signature: ours.signature,
            parameters: Parameters::General(ours.parameters),
        })
    }

    /// The status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The device that it is for: `keyid`.
    #[must_use]
    pub const fn device(&self) -> Name<'a> {
        self.device
    }

    /// When the server made it.
    #[must_use]
    pub const fn created(&self) -> Timestamp {
        self.created
    }

    /// The SHA-256 of the content, as the response says; other algorithms are not looked at.
    #[must_use]
    pub fn content_digest(&self) -> Option<[u8; 32]> {
        let mut digest = [0; 32];
        self.read_content_digest(&mut digest).then_some(digest)
    }

    /// Whether it says one, which is in `digest` then.
    #[must_use]
    pub fn read_content_digest(&self, digest: &mut [u8; 32]) -> bool {
        let [_, _, field, ..] = *self.fields.values();
        field.is_some_and(|field| DigestField::read_sha256(field, digest) == Ok(true))
    }

    /// What a next request can show that it is fresh with.
    #[must_use]
    pub fn challenge(&self) -> Option<Challenge> {
        let [.., challenge] = *self.fields.values();
        Challenge::parse(challenge?).ok()
    }

    /// The value of one of [`RESPONSE_FIELDS`], all of which are covered.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'a [u8]> {
        self.fields.get(name)
    }

    /// All of them, each in the place of its name in [`RESPONSE_FIELDS`].
    #[must_use]
    pub const fn values(&self) -> &[Option<&'a [u8]>; RESPONSE_FIELDS.len()] {
        self.fields.values()
    }

    /// The signature.
    #[must_use]
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The bytes under the signature of a response to `question`, piece by piece.
    ///
    /// # Errors
    /// The first error of `sink`, and what [`Self::signature_pieces`] refuses.
    pub fn signature_base<E: From<ParseError>>(
        &self,
        question: &Question<'_>,
        mut sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut outcome = Ok(());
        self.signature_pieces(question, &mut |piece| {
            if outcome.is_ok() {
                outcome = sink(piece);
            }
        })?;
        outcome
    }

    /// The same, for a sink that cannot fail.
    ///
    /// # Errors
    /// What [`ResponseParts::signature_base`](crate::message_signatures::ResponseParts::signature_base) refuses.
    pub fn signature_pieces(
        &self,
        question: &Question<'_>,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<(), ParseError> {
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
            Parameters::General(parameters) => {
                return self.general_base(parameters, question, sink);
            }
        };
        let asked = question.signature();
        let asked = asked.ok_or(ParseError::new(ParseErrorKind::Missing, 0))?;
        base::write_response_base(self.status, (question, asked), &self.fields, list, sink);
        Ok(())
    }

    #[cfg(feature = "any-spelling")]
    fn general_base(
        &self,
        parameters: &SignatureParameters<'a>,
        question: &Question<'_>,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<(), ParseError> {
        let parts = ResponseParts {
            status: self.status,
            fields: self.fields.iter(),
            request: Some(question.parts()),
        };
        parts.signature_base(parameters, |piece| {
            sink(piece);
            Ok(())
        })
    }
}

/// That what is read when it is asked for can be read: a head that holds it would be twice as long.
#[cfg_attr(not(feature = "any-spelling"), inline(never))]
fn check_values(found: &Found<'_, 9>) -> Result<(), HeadError> {
    let fails = |name| move |cause| HeadError::Field { name, cause };
    let [_, _, digest, .., challenge] = *found.values();
    if let Some(value) = digest {
        let read = DigestField::read_sha256(value, &mut [0; 32]);
        read.map_err(fails(&"content-digest"))?;
    }
    if let Some(value) = challenge {
        Challenge::check(value).map_err(fails(&CHALLENGE_FIELD))?;
    }
    Ok(())
}

/// What is covered besides fields.
#[cfg(feature = "any-spelling")]
const DERIVED: [&str; 5] = ["@status", "@method", "@path", "@query", "signature"];

/// The status, all fields of the profile that the response has, the question, and nothing else.
#[cfg(feature = "any-spelling")]
fn check_coverage(
    ours: &Ours<'_>,
    found: &Found<'_, 9>,
    question: &Question<'_>,
) -> Result<(), HeadError> {
    const STATUS: Component<'static> = Component::derived(Derived::Status);
    let binding = question.components();
    let mut covered = 0_usize;
    for component in ours.parameters.components() {
        let of_response = !component.is_of_request() && component.argument().is_none();
        let known = match component.name() {
            ComponentName::Field(name) if of_response => found.get(name).is_some(),
            _ => component == STATUS || binding.contains(&component),
        };
        if !known {
            return Err(HeadError::UnknownComponent);
        }
        covered = covered.saturating_add(1);
    }
    let fields = found.names();
    ours.check_covered(covered, DERIVED.iter().chain(fields))
}
