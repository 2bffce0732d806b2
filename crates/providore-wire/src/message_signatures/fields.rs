//! The fields `Signature-Input` and `Signature` (RFC 9421 section 4).
//!
//! Both are dictionaries from a label to an inner list and to a byte sequence. Two signatures
//! under one label are refused, where a dictionary alone would let the last one count: a proxy and
//! a verifier that disagree on which it is would be an attack.

use super::parameters::{SignatureParameters, check_label};
use crate::{
    ParseError, ParseErrorKind, Text,
    structured::{BareItem, ByteSequence, Dictionary, Member, write_bytes},
};

/// `Signature-Input`: labels, and what the signature of each covers.
///
/// ```
/// use providore_wire::message_signatures::SignatureInput;
///
/// let input = SignatureInput::parse(br#"a=("@method");keyid="k", b=("x";sf)"#)?;
/// let ours = input.get("a")?.unwrap();
/// assert_eq!(ours.key_id().unwrap().as_plain(), Some("k"));
/// assert!(input.get("b").is_err());
/// assert!(input.get("c")?.is_none());
/// # Ok::<(), providore_wire::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct SignatureInput<'a>(Dictionary<'a>);

impl<'a> SignatureInput<'a> {
    /// Parses the value of the field. The signatures in it are looked at one by one, so that one
    /// that somebody else added with what is not supported here does no harm to the others.
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

    /// The signature of this label, if there is one.
    ///
    /// # Errors
    /// As [`SignatureParameters::parse`]; [`ParseErrorKind::WrongType`] if it is no inner list.
    pub fn get(&self, label: &str) -> Result<Option<SignatureParameters<'a>>, ParseError> {
        match self.0.get(label) {
            None => Ok(None),
            Some(Member::InnerList(list)) => SignatureParameters::from_list(list).map(Some),
            Some(Member::Item(item)) => {
                Err(ParseError::new(ParseErrorKind::WrongType, item.offset()))
            }
        }
    }
}

/// `Signature`: labels and signatures.
///
/// ```
/// use providore_wire::message_signatures::Signatures;
///
/// let signatures = Signatures::parse(b"a=:aGk=:, b=1")?;
/// assert_eq!(signatures.get("a")?.unwrap().to_array(), Some(*b"hi"));
/// assert!(signatures.get("b").is_err());
/// # Ok::<(), providore_wire::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Signatures<'a>(Dictionary<'a>);

impl<'a> Signatures<'a> {
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

    /// The signature of this label, if there is one.
    ///
    /// # Errors
    /// [`ParseErrorKind::WrongType`] if it is no byte sequence.
    pub fn get(&self, label: &str) -> Result<Option<ByteSequence<'a>>, ParseError> {
        let Some(member) = self.0.get(label) else {
            return Ok(None);
        };
        if let Member::Item(item) = member
            && let BareItem::Bytes(bytes) = item.bare()
        {
            return Ok(Some(bytes));
        }
        Err(ParseError::new(ParseErrorKind::WrongType, member.offset()))
    }
}

/// The value of `Signature` with this one label.
///
/// # Errors
/// [`ParseErrorKind::UnexpectedByte`] if the label is no key of a dictionary;
/// [`ParseErrorKind::TooLong`] when the value does not fit.
pub fn signature_field<const N: usize>(
    label: &str,
    signature: &[u8],
) -> Result<Text<N>, ParseError> {
    check_label(label)?;
    Text::collect(|sink| {
        sink(label.as_bytes())?;
        sink(b"=")?;
        write_bytes(signature, sink)
    })
}

pub(super) fn labels(value: &[u8]) -> Result<Dictionary<'_>, ParseError> {
    let dictionary = Dictionary::parse(value)?;
    match dictionary.repeated_key() {
        None => Ok(dictionary),
        Some(_) => Err(ParseError::new(ParseErrorKind::Duplicate, 0)),
    }
}
