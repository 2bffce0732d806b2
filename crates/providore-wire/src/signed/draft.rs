//! Messages that are about to be signed.

use super::{
    Found, HeadError, Nonce, Question, REQUEST_FIELDS, RESPONSE_FIELDS, canonical::write_base,
};
use crate::{
    DeviceId, Method, ParseError, ParseErrorKind, Target, Text, Timestamp,
    message_signatures::is_content, structured::write_integer,
};

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
        Text::collect(|mut sink| {
            sink(br#"("@method" "@path" "@query""#)?;
            write_names(&self.fields, &mut sink)?;
            sink(b")")?;
            if let Some((created, expires)) = window {
                sink(b";created=")?;
                write_integer(created.unix(), &mut sink)?;
                sink(b";expires=")?;
                write_integer(expires.unix(), &mut sink)?;
            }
            sink(b";nonce=\"")?;
            sink(nonce.to_text().as_str().as_bytes())?;
            sink(b"\";alg=\"hmac-sha256\";keyid=\"")?;
            sink(device.as_str().as_bytes())?;
            sink(b"\";tag=\"providore-2\"")
        })
    }

    /// The bytes under the signature with these parameters, piece by piece.
    ///
    /// # Errors
    /// The first error of `sink`; [`ParseErrorKind::UnexpectedByte`] for what can stand in no field.
    pub fn signature_base<E: From<ParseError>>(
        &self,
        parameters: &str,
        sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut values = self.fields.iter().map(|(_, value)| value);
        if !values.all(is_content) {
            return Err(ParseError::new(ParseErrorKind::UnexpectedByte, 0).into());
        }
        let target = (self.target.path(), self.target.query());
        write_base((self.method, target), &self.fields, parameters, sink)
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
        Text::collect(|mut sink| {
            sink(b"(\"@status\"")?;
            write_names(&self.fields, &mut sink)?;
            sink(br#" "@method";req "@path";req "@query";req "signature";req;key=""#)?;
            sink(self.question.label().as_bytes())?;
            sink(b"\");created=")?;
            write_integer(created.unix(), &mut sink)?;
            sink(b";alg=\"hmac-sha256\";keyid=\"")?;
            sink(device.as_str().as_bytes())?;
            sink(b"\";tag=\"providore-2-response\"")
        })
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
        mut sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let fails = |kind| E::from(ParseError::new(kind, 0));
        if !matches!(self.status, 100..=999) {
            return Err(fails(ParseErrorKind::OutOfRange));
        }
        let (method, path, query) = self.question.target();
        let target = method.bytes().chain(path.bytes()).chain(query.bytes());
        let mut values = self.fields.iter().map(|(_, value)| value);
        if !values.all(is_content)
            || !target.fold(true, |all, byte| all & matches!(byte, b' '..=b'~'))
        {
            return Err(fails(ParseErrorKind::UnexpectedByte));
        }
        let asked = self.question.signature();
        let asked = asked.ok_or(fails(ParseErrorKind::Missing))?;
        sink(b"\"@status\": ")?;
        write_integer(i64::from(self.status), &mut sink)?;
        for (name, value) in self.fields.iter() {
            sink(b"\n\"")?;
            sink(name.as_bytes())?;
            sink(b"\": ")?;
            sink(value)?;
        }
        sink(b"\n\"@method\";req: ")?;
        sink(method.as_bytes())?;
        sink(b"\n\"@path\";req: ")?;
        sink(path.as_bytes())?;
        sink(b"\n\"@query\";req: ?")?;
        sink(query.as_bytes())?;
        sink(b"\n\"signature\";req;key=\"")?;
        sink(self.question.label().as_bytes())?;
        sink(b"\": ")?;
        sink(asked.as_bytes())?;
        sink(b"\n\"@signature-params\": ")?;
        sink(parameters.as_bytes())
    }
}

fn write_names<const N: usize, E>(
    fields: &Found<'_, N>,
    sink: &mut impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    for name in fields.names() {
        sink(b" \"")?;
        sink(name.as_bytes())?;
        sink(b"\"")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
