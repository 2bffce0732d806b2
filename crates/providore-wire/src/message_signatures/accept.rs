//! `Accept-Signature` (RFC 9421 section 5.1): signatures that are asked for.
//!
//! The grammar of `Signature-Input`, but `created` and `expires` have no value: they ask the
//! signer to put one in.

use super::{
    component::Component,
    fields::labels,
    parameters::{KNOWN, check_components, components, string},
};
use crate::{
    ParseError, ParseErrorKind,
    structured::{BareItem, Dictionary, InnerList, Member, QuotedString},
};

/// `Accept-Signature`: labels, and what the signature of each should cover.
///
/// ```
/// use providore_wire::message_signatures::AcceptSignature;
///
/// let accept = AcceptSignature::parse(br#"sig1=("@status");created;tag="app""#)?;
/// let wanted = accept.get("sig1")?.unwrap();
/// assert!(wanted.wants_created() && !wanted.wants_expires());
/// assert_eq!(wanted.tag().unwrap().as_plain(), Some("app"));
/// # Ok::<(), providore_wire::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct AcceptSignature<'a>(Dictionary<'a>);

impl<'a> AcceptSignature<'a> {
    /// Parses the value of the field.
    ///
    /// # Errors
    /// What the grammar does not allow; [`ParseErrorKind::Duplicate`] for a repeated label.
    pub fn parse(value: &'a [u8]) -> Result<Self, ParseError> {
        labels(value).map(Self)
    }

    /// The labels, in order.
    pub fn labels(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.0.iter().map(|(label, _)| label)
    }

    /// The signature that is asked for under this label, if there is one.
    ///
    /// # Errors
    /// As [`SignatureParameters::parse`](super::SignatureParameters::parse);
    /// [`ParseErrorKind::WrongType`] if it is no inner list, or if `created` or `expires` has a
    /// value.
    pub fn get(&self, label: &str) -> Result<Option<RequestedSignature<'a>>, ParseError> {
        match self.0.get(label) {
            None => Ok(None),
            Some(Member::InnerList(list)) => RequestedSignature::of_list(list).map(Some),
            Some(Member::Item(item)) => {
                Err(ParseError::new(ParseErrorKind::WrongType, item.offset()))
            }
        }
    }
}

/// One signature that is asked for.
#[derive(Debug, Clone, Copy)]
pub struct RequestedSignature<'a> {
    list: InnerList<'a>,
}

impl<'a> RequestedSignature<'a> {
    /// The components to cover, in order, without repetition.
    pub fn components(&self) -> impl Iterator<Item = Component<'a>> + use<'a> {
        components(&self.list)
    }

    /// Whether the signature should say when it was made.
    #[must_use]
    pub fn wants_created(&self) -> bool {
        self.list.parameters().get("created").is_some()
    }

    /// Whether the signature should say until when it counts.
    #[must_use]
    pub fn wants_expires(&self) -> bool {
        self.list.parameters().get("expires").is_some()
    }

    /// The nonce that the signature must carry.
    #[must_use]
    pub fn nonce(&self) -> Option<QuotedString<'a>> {
        string(self.list.parameters(), "nonce")
    }

    /// The algorithm to use.
    #[must_use]
    pub fn algorithm(&self) -> Option<QuotedString<'a>> {
        string(self.list.parameters(), "alg")
    }

    /// The key to use.
    #[must_use]
    pub fn key_id(&self) -> Option<QuotedString<'a>> {
        string(self.list.parameters(), "keyid")
    }

    /// The application that the signature is for.
    #[must_use]
    pub fn tag(&self) -> Option<QuotedString<'a>> {
        string(self.list.parameters(), "tag")
    }

    fn of_list(list: InnerList<'a>) -> Result<Self, ParseError> {
        check_components(&list)?;
        for (name, value) in list.parameters() {
            let fits = match name {
                "created" | "expires" => value == BareItem::Boolean(true),
                _ if KNOWN.contains(&name) => matches!(value, BareItem::String(_)),
                _ => true,
            };
            if !fits {
                return Err(ParseError::new(ParseErrorKind::WrongType, list.offset()));
            }
        }
        Ok(Self { list })
    }
}
