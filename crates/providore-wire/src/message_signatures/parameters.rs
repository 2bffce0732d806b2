//! Signature parameters (RFC 9421 section 2.3).
//!
//! ```text
//! ( component … ) [;created=integer] [;expires=integer] [;nonce="…"] [;alg="…"] [;keyid="…"] [;tag="…"]
//! ```

use super::{base::sealed::Lines, component::Component};
use crate::{
    ParseError, ParseErrorKind, Text,
    structured::{BareItem, InnerList, MAX_ITEMS, Parameters, QuotedString, is_key},
};

/// The parameters that section 2.3 defines.
pub(super) const KNOWN: [&str; 6] = ["created", "expires", "nonce", "alg", "keyid", "tag"];

/// The covered components of one signature and what it says of itself.
///
/// A claim: that the components are those of the message is for a verifier to find out.
#[derive(Debug, Clone, Copy)]
pub struct SignatureParameters<'a> {
    list: InnerList<'a>,
    created: Option<i64>,
    expires: Option<i64>,
    nonce: Option<QuotedString<'a>>,
    algorithm: Option<QuotedString<'a>>,
    key_id: Option<QuotedString<'a>>,
    tag: Option<QuotedString<'a>>,
    unknown: Option<&'a str>,
    /// Whether a known parameter has another type.
    mistyped: bool,
}

impl<'a> SignatureParameters<'a> {
    /// Parses one inner list: what [`Draft::to_text`](super::Draft::to_text) writes, and what
    /// stands behind the label in `Signature-Input`.
    ///
    /// # Errors
    /// What the grammar does not allow; [`ParseErrorKind::Duplicate`] for a component or a parameter
    /// that is repeated; [`ParseErrorKind::Unknown`] for a derived component that RFC 9421 does
    /// not define; [`ParseErrorKind::UnsupportedParameter`] for `sf`, `bs`, `tr` and others;
    /// [`ParseErrorKind::WrongType`] for a known parameter of another type.
    pub fn parse(value: &'a [u8]) -> Result<Self, ParseError> {
        Self::from_list(InnerList::parse(value)?)
    }

    /// Takes an inner list, such as a member that [`find_only`](crate::structured::find_only)
    /// found in a `Signature-Input` of several lines.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn from_list(list: InnerList<'a>) -> Result<Self, ParseError> {
        Self::read(list).check()
    }

    /// Looks at each parameter once. [`Self::check`] is yet to come.
    pub(crate) fn read(list: InnerList<'a>) -> Self {
        let mut read = Self {
            list,
            created: None,
            expires: None,
            nonce: None,
            algorithm: None,
            key_id: None,
            tag: None,
            unknown: None,
            mistyped: false,
        };
        for (name, value) in list.parameters() {
            match (name, value) {
                ("created", BareItem::Integer(value)) => read.created = Some(value),
                ("expires", BareItem::Integer(value)) => read.expires = Some(value),
                ("nonce", BareItem::String(value)) => read.nonce = Some(value),
                ("alg", BareItem::String(value)) => read.algorithm = Some(value),
                ("keyid", BareItem::String(value)) => read.key_id = Some(value),
                ("tag", BareItem::String(value)) => read.tag = Some(value),
                _ if KNOWN.contains(&name) => read.mistyped = true,
                _ => read.unknown = read.unknown.or(Some(name)),
            }
        }
        read
    }

    /// What makes parameters of an inner list.
    pub(crate) fn check(self) -> Result<Self, ParseError> {
        check_components(&self.list)?;
        if self.mistyped {
            let offset = self.list.offset();
            return Err(ParseError::new(ParseErrorKind::WrongType, offset));
        }
        Ok(self)
    }

    /// The covered components, in order, without repetition.
    pub fn components(&self) -> impl Iterator<Item = Component<'a>> + use<'a> {
        components(&self.list)
    }

    /// `created`: when the signature was made, in seconds since 1970.
    #[must_use]
    pub const fn created(&self) -> Option<i64> {
        self.created
    }

    /// `expires`: until when it counts, in seconds since 1970.
    #[must_use]
    pub const fn expires(&self) -> Option<i64> {
        self.expires
    }

    /// `nonce`: a value that makes the signature unique.
    #[must_use]
    pub const fn nonce(&self) -> Option<QuotedString<'a>> {
        self.nonce
    }

    /// `alg`: the algorithm, by its registered name.
    #[must_use]
    pub const fn algorithm(&self) -> Option<QuotedString<'a>> {
        self.algorithm
    }

    /// `keyid`: whose key it is.
    #[must_use]
    pub const fn key_id(&self) -> Option<QuotedString<'a>> {
        self.key_id
    }

    /// `tag`: which application the signature is for.
    #[must_use]
    pub const fn tag(&self) -> Option<QuotedString<'a>> {
        self.tag
    }

    /// The first parameter that section 2.3 does not define. It is signed like the others; a
    /// profile may refuse it.
    #[must_use]
    pub const fn unknown_parameter(&self) -> Option<&'a str> {
        self.unknown
    }

    /// The inner list in canonical form.
    ///
    /// # Errors
    /// [`ParseErrorKind::TooLong`] when it does not fit.
    pub fn to_text<const N: usize>(&self) -> Result<Text<N>, ParseError> {
        self.list.to_text()
    }

    /// The value of `Signature-Input` with this one label.
    ///
    /// # Errors
    /// [`ParseErrorKind::UnexpectedByte`] if the label is no key of a dictionary;
    /// [`ParseErrorKind::TooLong`] when the value does not fit.
    pub fn to_field<const N: usize>(&self, label: &str) -> Result<Text<N>, ParseError> {
        check_label(label)?;
        Text::collect(|sink| {
            sink(label.as_bytes())?;
            sink(b"=")?;
            self.list.pieces(sink)
        })
    }
}

impl<'a> Lines<'a> for SignatureParameters<'a> {
    fn covered(&self) -> impl Iterator<Item = Component<'a>> {
        self.components()
    }

    fn write_parameters<E: From<ParseError>>(
        &self,
        sink: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.list.write(sink)
    }
}

pub(super) fn components<'a>(
    list: &InnerList<'a>,
) -> impl Iterator<Item = Component<'a>> + use<'a> {
    list.items().filter_map(|item| Component::read(&item).ok())
}

/// That components can be read and are not repeated, nor are the parameters of the list.
pub(super) fn check_components(list: &InnerList<'_>) -> Result<(), ParseError> {
    if list.parameters().repeated_key().is_some() {
        return Err(ParseError::new(ParseErrorKind::Duplicate, list.offset()));
    }
    // Few components share a name, so that few are compared in full.
    let mut names = [""; MAX_ITEMS];
    for (count, item) in list.items().enumerate() {
        let component = Component::read(&item)?;
        component.check()?;
        let name = component.name().as_str();
        let name_seen = names.iter().take(count).any(|seen| *seen == name);
        if name_seen && components(list).take(count).any(|seen| seen == component) {
            return Err(component.fails(ParseErrorKind::Duplicate));
        }
        if let Some(slot) = names.get_mut(count) {
            *slot = name;
        }
    }
    Ok(())
}

pub(super) fn check_label(label: &str) -> Result<(), ParseError> {
    if is_key(label) {
        Ok(())
    } else {
        Err(ParseError::new(ParseErrorKind::UnexpectedByte, 0))
    }
}

pub(super) fn string<'a>(parameters: Parameters<'a>, name: &str) -> Option<QuotedString<'a>> {
    match parameters.get(name)? {
        BareItem::String(value) => Some(value),
        _ => None,
    }
}
