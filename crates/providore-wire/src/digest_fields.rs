//! Digest fields (RFC 9530): the hash of what is sent, next to it.
//!
//! ```text
//! Content-Digest: sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:
//! Repr-Digest:    sha-256=:…:, sha-512=:…:
//! ```
//!
//! `Content-Digest` is of the content as it is sent, coded and cut; `Repr-Digest` is of the whole
//! representation. Both are dictionaries from an algorithm to a byte sequence. Only `sha-256` is
//! looked at; other algorithms may stand beside it. Nothing is hashed here.

use crate::{
    ParseError, ParseErrorKind, Signature, Text,
    structured::{BareItem, Dictionary, Member},
};

/// The value of `Content-Digest` or `Repr-Digest`.
///
/// ```
/// use providore_wire::digest_fields::DigestField;
///
/// let sent = b"md5=:AA==:, sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
/// let digest = DigestField::parse(sent)?.sha256().unwrap();
/// assert_eq!(
///     DigestField::write_sha256(&digest).as_str(),
///     "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:",
/// );
/// # Ok::<(), providore_wire::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct DigestField<'a> {
    all: Dictionary<'a>,
    sha256: Option<[u8; 32]>,
}

impl<'a> DigestField<'a> {
    /// The length of a value with one SHA-256 digest.
    pub const TEXT_LEN: usize = 54;

    /// Parses the value of the field.
    ///
    /// # Errors
    /// What the grammar does not allow; [`ParseErrorKind::Duplicate`] for an algorithm that is
    /// repeated; for `sha-256`, [`ParseErrorKind::WrongType`] if it is no byte sequence and
    /// [`ParseErrorKind::InvalidBytes`] if there are not 32 bytes.
    pub fn parse(value: &'a [u8]) -> Result<Self, ParseError> {
        let mut sha256 = None;
        let all = Dictionary::visit(value, &mut |algorithm, member| {
            if algorithm == SHA_256 {
                sha256 = Some(*member);
            }
        })?;
        if all.repeated_key().is_some() {
            return Err(ParseError::new(ParseErrorKind::Duplicate, 0));
        }
        let sha256 = sha256.map(digest).transpose()?;
        Ok(Self { all, sha256 })
    }

    /// Whether this value has a digest, which is in `digest` then; at once if nothing else stands
    /// in it.
    #[cfg_attr(not(feature = "any-spelling"), inline(never))]
    pub(crate) fn read_sha256(value: &'a [u8], digest: &mut [u8; 32]) -> Result<bool, ParseError> {
        let alone = value.strip_prefix(b"sha-256=:");
        let alone = alone.and_then(|digits| digits.strip_suffix(b":"));
        if alone.is_some_and(|digits| Signature::read(digits, digest)) {
            return Ok(true);
        }
        #[cfg(feature = "any-spelling")]
        return match Self::parse(value)?.sha256 {
            Some(found) => {
                *digest = found;
                Ok(true)
            }
            None => Ok(false),
        };
        #[cfg(not(feature = "any-spelling"))]
        Err(ParseError::new(ParseErrorKind::InvalidBytes, 0))
    }

    /// The SHA-256 digest, if there is one.
    #[must_use]
    pub const fn sha256(&self) -> Option<[u8; 32]> {
        self.sha256
    }

    /// The names of all algorithms, in order.
    pub fn algorithms(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.all.iter().map(|(algorithm, _)| algorithm)
    }

    /// The value of a field with this SHA-256 digest.
    #[must_use]
    pub fn write_sha256(digest: &[u8; 32]) -> Text<{ DigestField::TEXT_LEN }> {
        let digits = Signature::new(*digest).to_base64();
        // Name, equals sign, colons and 44 digits always fit.
        Text::of_pieces(&["sha-256=:", digits.as_str(), ":"])
    }
}

/// The name of the algorithm in the registry of RFC 9530 section 5.
const SHA_256: &str = "sha-256";

fn digest(member: Member<'_>) -> Result<[u8; 32], ParseError> {
    let fails = |kind| ParseError::new(kind, member.offset());
    if let Member::Item(item) = member
        && let BareItem::Bytes(bytes) = item.bare()
    {
        return bytes.to_array().ok_or(fails(ParseErrorKind::InvalidBytes));
    }
    Err(fails(ParseErrorKind::WrongType))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: &[u8] = b"sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";

    fn check(value: &[u8], expected: Result<bool, (ParseErrorKind, usize)>) {
        let seen = DigestField::parse(value).map(|field| {
            let written = field.sha256().as_ref().map(DigestField::write_sha256);
            written.is_some_and(|written| written.as_str().as_bytes() == SENT)
        });
        assert_eq!(seen.map_err(|e| (e.kind(), e.offset())), expected);
    }

    #[test]
    fn sha_256_is_found_among_others() {
        check(SENT, Ok(true));
        check(
            b"sha-512=1, sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE:, x",
            Ok(true),
        );
        check(b"sha-512=:AA==:", Ok(false));
        check(b"", Ok(false));
        let field = DigestField::parse(b"a=1, b=2").unwrap();
        assert!(field.algorithms().eq(["a", "b"]));
    }

    #[test]
    #[cfg(feature = "any-spelling")]
    fn a_digest_alone_is_read_as_by_the_grammar() {
        let both = |value: &[u8]| {
            let general = DigestField::parse(value).map(|field| field.sha256());
            let mut digest = [0; 32];
            let there = DigestField::read_sha256(value, &mut digest);
            assert_eq!(there.map(|there| there.then_some(digest)), general);
        };
        both(SENT);
        for at in 0..SENT.len() {
            let mut value = SENT.to_vec();
            for byte in 0..=255 {
                value[at] = byte;
                both(&value);
            }
            value.remove(at);
            both(&value);
            value.insert(at, SENT[at]);
            value.insert(at, b'A');
            both(&value);
        }
    }

    #[test]
    fn a_digest_that_is_none_is_refused() {
        check(b"sha-256=:AA==:", Err((ParseErrorKind::InvalidBytes, 8)));
        check(b"sha-256=1", Err((ParseErrorKind::WrongType, 8)));
        check(b"sha-256", Err((ParseErrorKind::WrongType, 7)));
        check(b"a=1, a=1", Err((ParseErrorKind::Duplicate, 0)));
        check(b"a=1 b", Err((ParseErrorKind::UnexpectedByte, 4)));
    }
}
