//! What was wrong with the bytes, and where.

/// A parse failure: the kind of fault and the byte at which it was noticed.
///
/// The offset counts from the start of the value that was handed to the parser (a header value,
/// a request target), never from the start of the message. Beyond 65,535 it is 65,535: what is parsed
/// here is shorter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at byte {offset}")]
pub struct ParseError {
    kind: ParseErrorKind,
    offset: u16,
}

impl ParseError {
    /// For parsers built on this crate.
    #[must_use]
    pub const fn new(kind: ParseErrorKind, offset: usize) -> Self {
        let [low, high, ..] = offset.to_le_bytes();
        let offset = if offset > 0xffff {
            u16::MAX
        } else {
            u16::from_le_bytes([low, high])
        };
        Self { kind, offset }
    }

    /// What was wrong.
    #[must_use]
    pub const fn kind(&self) -> ParseErrorKind {
        self.kind
    }

    /// The byte at which it was noticed, counted from the start of the parsed value.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset as usize
    }
}

/// The kinds of [`ParseError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// The value is empty where something is needed.
    #[error("empty value")]
    Empty,
    /// The value is longer than its limit, which the type documents.
    #[error("value over its length limit")]
    TooLong,
    /// A byte that the grammar does not allow at this place.
    #[error("unexpected byte")]
    UnexpectedByte,
    /// The value ends where the grammar needs more.
    #[error("value ends too early")]
    UnexpectedEnd,
    /// `Authorization` carries another scheme than `Hmac`.
    #[error("authorization scheme is not Hmac")]
    WrongScheme,
    /// A parameter or header that must be there is not.
    #[error("a mandatory part is missing")]
    Missing,
    /// A parameter or header that may be there once is there twice.
    #[error("a part that may occur once is repeated")]
    Duplicate,
    /// Not the standard base64 of 32 bytes.
    #[error("not the base64 of a 32 byte tag")]
    InvalidBase64,
    /// A date or time with a field outside its range, such as 30 February or second 61.
    #[error("not a date that exists")]
    OutOfRange,
    /// A name that would mean something to a file system, such as `..`.
    #[error("name could be read as a path")]
    PathLike,
    /// A word that is not one of the known ones.
    #[error("unknown name")]
    Unknown,
    /// More members, items or parameters than the limit, which the module documents.
    #[error("more parts than the limit")]
    TooMany,
    /// A structured field type that no field here uses: a decimal, a date or a display string.
    #[error("type of structured field is not supported")]
    UnsupportedType,
    /// A component parameter of RFC 9421 that is not supported, or not where it stands.
    #[error("component parameter is not supported here")]
    UnsupportedParameter,
    /// A structured field value of another type than the one that belongs there.
    #[error("value of another type is needed")]
    WrongType,
    /// A byte sequence that is not base64, or not of the length that is needed.
    #[error("not the base64 that is needed")]
    InvalidBytes,
}
