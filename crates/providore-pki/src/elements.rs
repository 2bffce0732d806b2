//! Walks over the elements of a DER value without leaving the caller's bytes.
//!
//! What was signed is a slice of the input, never a second encoding of what was parsed.

use der::{Decode, Reader, SliceReader, Tag, Tagged, asn1::AnyRef, asn1::BitStringRef};

/// Not DER, or not the element that must stand here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// The elements of a constructed value, one after the other.
pub(crate) struct Elements<'a>(SliceReader<'a>);

impl<'a> Elements<'a> {
    /// The elements of the one SEQUENCE that `der` is; trailing bytes are refused.
    pub(crate) fn of_sequence(der: &'a [u8]) -> Result<Self, Malformed> {
        let mut outer = Self::of(der)?;
        let content = outer.content(Tag::Sequence)?;
        outer.finish()?;
        Self::of(content)
    }

    /// The elements of the content of a SEQUENCE or SET.
    pub(crate) fn of(content: &'a [u8]) -> Result<Self, Malformed> {
        SliceReader::new(content).map(Self).map_err(|_| Malformed)
    }

    /// The next element with its tag and length.
    pub(crate) fn raw(&mut self) -> Result<&'a [u8], Malformed> {
        self.0.tlv_bytes().map_err(|_| Malformed)
    }

    /// Tag and content of the next element.
    pub(crate) fn any(&mut self) -> Result<(Tag, &'a [u8]), Malformed> {
        let element = AnyRef::from_der(self.raw()?).map_err(|_| Malformed)?;
        Ok((element.tag(), element.value()))
    }

    /// The content of the next element, which must have this tag.
    pub(crate) fn content(&mut self, tag: Tag) -> Result<&'a [u8], Malformed> {
        let (found, content) = self.any()?;
        if found == tag {
            Ok(content)
        } else {
            Err(Malformed)
        }
    }

    /// The next element, which must be a BIT STRING of whole bytes.
    pub(crate) fn bit_string(&mut self) -> Result<&'a [u8], Malformed> {
        let bits = BitStringRef::from_der(self.raw()?).map_err(|_| Malformed)?;
        bits.as_bytes().ok_or(Malformed)
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    /// Nothing may follow.
    pub(crate) fn finish(self) -> Result<(), Malformed> {
        self.0.finish().map_err(|_| Malformed)
    }
}

/// `SEQUENCE { body, AlgorithmIdentifier, BIT STRING }`: a request, certificate or list, taken apart.
pub(crate) struct SignedParts<'a> {
    pub(crate) body: &'a [u8],
    /// The content of the `AlgorithmIdentifier`.
    pub(crate) algorithm: &'a [u8],
    pub(crate) signature: &'a [u8],
}

impl<'a> SignedParts<'a> {
    pub(crate) fn parse(der: &'a [u8]) -> Result<Self, Malformed> {
        let mut elements = Elements::of_sequence(der)?;
        let parts = Self {
            body: elements.raw()?,
            algorithm: elements.content(Tag::Sequence)?,
            signature: elements.bit_string()?,
        };
        elements.finish()?;
        Ok(parts)
    }
}
