//! Signature parameters that are to be written.

use super::{
    base::sealed::Lines,
    component::{Component, Place},
};
use crate::{
    ParseError, ParseErrorKind, Text,
    structured::{QuotedString, write_integer},
};

/// What a signature is to cover, and what it says of itself.
///
/// ```
/// use providore_wire::message_signatures::{Component, Derived, Draft};
///
/// let components = [
///     Component::derived(Derived::Status),
///     Component::derived(Derived::Path).of_request(),
///     Component::member("signature", "sig1").of_request(),
/// ];
/// let text = Draft::new(&components).created(1).algorithm("hmac-sha256").to_text::<128>()?;
/// assert_eq!(
///     text.as_str(),
///     "(\"@status\" \"@path\";req \"signature\";req;key=\"sig1\");created=1;alg=\"hmac-sha256\"",
/// );
/// # Ok::<(), providore_wire::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Draft<'a> {
    components: &'a [Component<'a>],
    created: Option<i64>,
    expires: Option<i64>,
    nonce: Option<&'a str>,
    key_id: Option<&'a str>,
    algorithm: Option<&'a str>,
    tag: Option<&'a str>,
}

impl<'a> Draft<'a> {
    /// A signature that covers these components, in this order.
    #[must_use]
    pub const fn new(components: &'a [Component<'a>]) -> Self {
        Self {
            components,
            created: None,
            expires: None,
            nonce: None,
            key_id: None,
            algorithm: None,
            tag: None,
        }
    }

    /// With `created`, in seconds since 1970.
    #[must_use]
    pub const fn created(mut self, unix: i64) -> Self {
        self.created = Some(unix);
        self
    }

    /// With `expires`, in seconds since 1970.
    #[must_use]
    pub const fn expires(mut self, unix: i64) -> Self {
        self.expires = Some(unix);
        self
    }

    /// With `nonce`.
    #[must_use]
    pub const fn nonce(mut self, nonce: &'a str) -> Self {
        self.nonce = Some(nonce);
        self
    }

    /// With `keyid`.
    #[must_use]
    pub const fn key_id(mut self, key_id: &'a str) -> Self {
        self.key_id = Some(key_id);
        self
    }

    /// With `alg`.
    #[must_use]
    pub const fn algorithm(mut self, algorithm: &'a str) -> Self {
        self.algorithm = Some(algorithm);
        self
    }

    /// With `tag`.
    #[must_use]
    pub const fn tag(mut self, tag: &'a str) -> Self {
        self.tag = Some(tag);
        self
    }

    /// The inner list. The parameters stand in the order of RFC 9421 section 2.3: `created`,
    /// `expires`, `nonce`, `alg`, `keyid`, `tag`. Any order may be signed, but there are verifiers
    /// that know only this one.
    ///
    /// # Errors
    /// [`ParseErrorKind::TooLong`] when it does not fit; [`ParseErrorKind::UnexpectedByte`] for a
    /// name or text that cannot stand there, and what else
    /// [`SignatureParameters::parse`](super::SignatureParameters::parse) refuses of a component;
    /// [`ParseErrorKind::Duplicate`] for a component that is repeated;
    /// [`ParseErrorKind::OutOfRange`] for a time of more than 15 digits.
    pub fn to_text<const N: usize>(&self) -> Result<Text<N>, ParseError> {
        Text::collect(|sink| self.pieces(sink))
    }

    /// The inner list, piece by piece.
    ///
    /// # Errors
    /// As [`Self::to_text`]; the first error of `sink`.
    pub fn pieces<E: From<ParseError>>(
        &self,
        mut sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.write_parameters(&mut sink)
    }

    fn check(&self) -> Result<(), ParseError> {
        for (count, component) in self.components.iter().enumerate() {
            component.check()?;
            let mut before = self.components.iter().take(count);
            if before.any(|seen| seen == component) {
                return Err(component.fails(ParseErrorKind::Duplicate));
            }
        }
        Ok(())
    }
}

impl<'a> Lines<'a> for Draft<'a> {
    fn covered(&self) -> impl Iterator<Item = Component<'a>> {
        self.components.iter().copied()
    }

    fn write_parameters<E: From<ParseError>>(
        &self,
        sink: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.check()?;
        let mut before: &[u8] = b"(\"";
        for component in self.components {
            component.write(before, Place::List, sink)?;
            before = b" \"";
        }
        sink(if self.components.is_empty() {
            b"()"
        } else {
            b")"
        })?;
        for (name, value) in [(";created=", self.created), (";expires=", self.expires)] {
            if let Some(value) = value {
                if value.unsigned_abs() > MAX_INTEGER {
                    return Err(ParseError::new(ParseErrorKind::OutOfRange, 0).into());
                }
                sink(name.as_bytes())?;
                write_integer(value, sink)?;
            }
        }
        let strings = [
            (";nonce=", self.nonce),
            (";alg=", self.algorithm),
            (";keyid=", self.key_id),
            (";tag=", self.tag),
        ];
        for (name, value) in strings {
            if let Some(value) = value {
                sink(name.as_bytes())?;
                QuotedString::plain(value)?.write(sink)?;
            }
        }
        Ok(())
    }
}

/// The largest integer of a structured field (RFC 9651 section 3.3.1): 15 digits.
const MAX_INTEGER: u64 = 999_999_999_999_999;
