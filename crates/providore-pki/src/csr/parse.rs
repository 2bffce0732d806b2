//! Taking a request apart (RFC 2986, 4), within limits.

use der::Tag;

use super::CsrError;
use crate::elements::{Elements, SignedParts};

/// Most attributes in a request: OpenSSL writes up to three (extensions, challenge password,
/// unstructured name), Microsoft's tools about five.
pub const MAX_ATTRIBUTES: usize = 8;

/// Most requested extensions; they are counted and then ignored.
pub const MAX_EXTENSIONS: usize = 16;

/// Most parts of a subject: the deployed clients write up to eight.
pub const MAX_SUBJECT_PARTS: usize = 16;

/// A request whose structure is sound; nothing about it is believed yet.
pub(super) struct ParsedCsr<'a> {
    pub(super) parts: SignedParts<'a>,
    pub(super) common_name: &'a str,
    pub(super) public_key: &'a [u8],
}

impl<'a> ParsedCsr<'a> {
    pub(super) fn parse(der: &'a [u8]) -> Result<Self, CsrError> {
        let parts = SignedParts::parse(der)?;
        let mut info = Elements::of_sequence(parts.body)?;
        if info.content(Tag::Integer)? != [0] {
            return Err(CsrError::UnsupportedVersion);
        }
        let common_name = common_name(info.content(Tag::Sequence)?)?;
        let public_key = info.raw()?;
        check_attributes(info.content(ATTRIBUTES_TAG)?)?;
        info.finish()?;
        Ok(Self {
            parts,
            common_name,
            public_key,
        })
    }
}

/// The one common name of a `Name`: `SEQUENCE OF SET OF SEQUENCE { type, value }`.
///
/// The first Providore looked for the name in text that was split at slashes, so `O="x/CN=abc123"`
/// passed for the name of device abc123.
fn common_name(subject: &[u8]) -> Result<&str, CsrError> {
    let mut found = None;
    let mut rdns = Elements::of(subject)?;
    let mut count = 0_usize;
    while !rdns.is_finished() {
        count = count.saturating_add(1);
        if count > MAX_SUBJECT_PARTS {
            return Err(CsrError::TooManySubjectParts);
        }
        let mut rdn = Elements::of(rdns.content(Tag::Set)?)?;
        let mut attribute = Elements::of(rdn.content(Tag::Sequence)?)?;
        if !rdn.is_finished() {
            return Err(CsrError::MultiValuedSubject);
        }
        let kind = attribute.content(Tag::ObjectIdentifier)?;
        let (tag, value) = attribute.any()?;
        attribute.finish()?;
        if kind == ID_AT_COMMON_NAME && found.replace(text(tag, value)?).is_some() {
            return Err(CsrError::SeveralCommonNames);
        }
    }
    found.ok_or(CsrError::NoCommonName)
}

/// Strings of one byte a character; device ids are ASCII.
fn text(tag: Tag, value: &[u8]) -> Result<&str, CsrError> {
    match tag {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::TeletexString
            if value.is_ascii() =>
        {
            core::str::from_utf8(value).map_err(|_| CsrError::CommonNameEncoding)
        }
        _ => Err(CsrError::CommonNameEncoding),
    }
}

/// `[0] SET OF Attribute { type OBJECT IDENTIFIER, values SET OF ANY }`.
fn check_attributes(content: &[u8]) -> Result<(), CsrError> {
    let mut attributes = Elements::of(content)?;
    let mut count = 0_usize;
    while !attributes.is_finished() {
        count = count.saturating_add(1);
        if count > MAX_ATTRIBUTES {
            return Err(CsrError::TooManyAttributes);
        }
        let mut attribute = Elements::of(attributes.content(Tag::Sequence)?)?;
        let kind = attribute.content(Tag::ObjectIdentifier)?;
        let values = attribute.content(Tag::Set)?;
        attribute.finish()?;
        if kind == ID_EXTENSION_REQUEST {
            check_extensions(values)?;
        }
    }
    Ok(())
}

/// `SET OF SEQUENCE OF Extension`, of which there is one (RFC 2985, 5.4.2).
fn check_extensions(values: &[u8]) -> Result<(), CsrError> {
    let mut values = Elements::of(values)?;
    let mut extensions = Elements::of(values.content(Tag::Sequence)?)?;
    values.finish()?;
    let mut count = 0_usize;
    while !extensions.is_finished() {
        count = count.saturating_add(1);
        if count > MAX_EXTENSIONS {
            return Err(CsrError::TooManyExtensions);
        }
        extensions.content(Tag::Sequence)?;
    }
    Ok(())
}

const ATTRIBUTES_TAG: Tag = Tag::ContextSpecific {
    constructed: true,
    number: der::TagNumber(0),
};

// 2.5.4.3
const ID_AT_COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

// 1.2.840.113549.1.9.14
const ID_EXTENSION_REQUEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e];
