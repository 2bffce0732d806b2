//! Messages that are about to be signed.

use super::{
    Found, HeadError, Nonce, Question, REQUEST_FIELDS, RESPONSE_FIELDS, base,
    canonical::are_content,
};
use crate::{DeviceId, Method, ParseError, ParseErrorKind, Target, Text, Timestamp};

/// What the signature of a request covers, in the order of the profile.
///
/// ```
/// use providore_wire::{Method, Target, signed::{Nonce, RequestDraft}};
///
/// let fields = [("providore-challenge", &b"0123456789abcdef"[..]), ("date", b"now")];
/// let draft = RequestDraft::new(Method::Get, Target::parse("/config")?, fields)?;
/// assert_eq!(
///     draft.parameters::<256>(&"dev1".parse()?, &Nonce::new([7; 16]), None)?.as_str(),
///     r#"("@method" "@path" "@query" "providore-challenge");nonce="BwcHBwcHBwcHBwcHBwcHBw";alg="hmac-sha256";keyid="dev1";tag="providore-2""#,
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct RequestDraft<'a> {
    method: Method,
    target: Target<'a>,
    fields: Found<'a, 7>,
}

impl<'a> RequestDraft<'a> {
    /// A request that has those of [`REQUEST_FIELDS`] that are among `fields`.
    ///
    /// # Errors
    /// [`HeadError::Field`] for one that is repeated.
    pub fn new<'f: 'a>(
        method: Method,
        target: Target<'a>,
        fields: impl IntoIterator<Item = (&'f str, &'f [u8])>,
    ) -> Result<Self, HeadError> {
        Ok(Self {
            method,
            target,
            fields: Found::among(&REQUEST_FIELDS, fields)?,
        })
    }

    /// A request that has these values, each in the place of its name in [`REQUEST_FIELDS`].
    #[must_use]
    pub fn of_values(method: Method, target: Target<'a>, values: &[Option<&'a str>; 7]) -> Self {
        Self {
            method,
            target,
            fields: Found::of_values(&REQUEST_FIELDS, values),
        }
    }

    /// The parameters of the signature, of one that has a `window` from `created` to `expires` or
    /// a challenge among its fields.
    ///
    /// # Errors
    /// [`ParseErrorKind::TooLong`] when they do not fit.
    pub fn parameters<const N: usize>(
        &self,
        device: &DeviceId,
        nonce: &Nonce,
        window: Option<(Timestamp, Timestamp)>,
    ) -> Result<Text<N>, ParseError> {
        base::text(|sink| {
            base::write_request_list(&self.fields, device.as_str(), nonce, window, sink);
        })
    }

    /// The same, piece by piece.
    pub fn parameter_pieces(
        &self,
        device: &DeviceId,
        nonce: &Nonce,
        window: Option<(Timestamp, Timestamp)>,
        sink: &mut dyn FnMut(&str),
    ) {
        base::write_request_list(&self.fields, device.as_str(), nonce, window, sink);
    }

    /// The bytes under the signature with these parameters, piece by piece.
    ///
    /// # Errors
    /// The first error of `sink`, and what [`Self::check`] refuses.
    pub fn signature_base<E: From<ParseError>>(
        &self,
        parameters: &str,
        sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.check()?;
        base::fallible(sink, |sink| self.signature_pieces(parameters, sink))
    }

    /// Whether all of it can be signed.
    ///
    /// # Errors
    /// [`ParseErrorKind::UnexpectedByte`] for what can stand in no field.
    pub fn check(&self) -> Result<(), ParseError> {
        if !are_content(self.fields.iter()) {
            return Err(ParseError::new(ParseErrorKind::UnexpectedByte, 0));
        }
        Ok(())
    }

    /// The bytes under the signature of what [`check`](Self::check) lets pass, for a sink that cannot
    /// fail.
    pub fn signature_pieces(&self, parameters: &str, sink: &mut dyn FnMut(&[u8])) {
        let target = (self.method, self.target.path(), self.target.query());
        base::write_request_base(target, &self.fields, parameters, sink);
    }
}

/// What the signature of a response covers, in the order of the profile: what a
/// [`Draft`](crate::message_signatures::Draft) of the same components would write, without asking
/// for each of them what it is.
///
/// ```
/// use providore_wire::{Signature, Timestamp, signed::{Question, ResponseDraft}};
///
/// let question = Question::new(("GET", "/config", None), "q", &Signature::new([0; 32]));
/// let draft = ResponseDraft::new(204, &question, [("ETag", &b"\"1\""[..]), ("date", b"now")])?;
/// let created = Timestamp::from_unix(1).unwrap();
/// assert_eq!(
///     draft.parameters::<256>(&"dev1".parse()?, created)?.as_str(),
///     r#"("@status" "etag" "@method";req "@path";req "@query";req "signature";req;key="q");created=1;alg="hmac-sha256";keyid="dev1";tag="providore-2-response""#,
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct ResponseDraft<'a> {
    status: u16,
    fields: Found<'a, 9>,
    question: &'a Question<'a>,
}

impl<'a> ResponseDraft<'a> {
    /// A response to `question` that has those of [`RESPONSE_FIELDS`] that are among `fields`.
    ///
    /// # Errors
    /// [`HeadError::Field`] for one that is repeated.
    pub fn new<'f: 'a>(
        status: u16,
        question: &'a Question<'a>,
        fields: impl IntoIterator<Item = (&'f str, &'f [u8])>,
    ) -> Result<Self, HeadError> {
        Ok(Self {
            status,
            fields: Found::among(&RESPONSE_FIELDS, fields)?,
            question,
        })
    }

    /// The parameters of the signature.
    ///
    /// # Errors
    /// [`ParseErrorKind::TooLong`] when they do not fit.
    pub fn parameters<const N: usize>(
        &self,
        device: &DeviceId,
        created: Timestamp,
    ) -> Result<Text<N>, ParseError> {
        base::text(|sink| self.parameter_pieces(device, created, sink))
    }

    /// The same, piece by piece.
    pub fn parameter_pieces(
        &self,
        device: &DeviceId,
        created: Timestamp,
        sink: &mut dyn FnMut(&str),
    ) {
        base::write_response_components(&self.fields, self.question.label(), sink);
        sink(";created=");
        base::write_number(created.unix(), sink);
        sink(";alg=\"hmac-sha256\";keyid=\"");
        sink(device.as_str());
        sink("\";tag=\"providore-2-response\"");
    }

    /// The bytes under the signature with these parameters, piece by piece.
    ///
    /// # Errors
    /// The first error of `sink`; [`ParseErrorKind::OutOfRange`] for a status that has not three
    /// digits, [`ParseErrorKind::UnexpectedByte`] for what can stand in no field or target,
    /// [`ParseErrorKind::Missing`] for a question under what is no label.
    pub fn signature_base<E: From<ParseError>>(
        &self,
        parameters: &str,
        sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let fails = |kind| E::from(ParseError::new(kind, 0));
        if !matches!(self.status, 100..=999) {
            return Err(fails(ParseErrorKind::OutOfRange));
        }
        if !are_content(self.fields.iter()) || !self.question.is_visible() {
            return Err(fails(ParseErrorKind::UnexpectedByte));
        }
        let asked = self.question.signature();
        let asked = asked.ok_or(fails(ParseErrorKind::Missing))?;
        base::fallible(sink, |sink| {
            let question = (self.question, asked);
            base::write_response_base(self.status, question, &self.fields, parameters, sink);
        })
    }
}

#[cfg(test)]
mod tests;
