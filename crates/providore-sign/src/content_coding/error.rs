//! Why content was not encoded, or not decoded.

use crate::KeyError;

/// Why content could not be encoded. All but the last two are mistakes of the caller's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The record size is outside the limits of [`RecordSize`](super::RecordSize).
    #[error("record size of {size} bytes is not allowed")]
    RecordSize {
        /// What was asked for.
        size: u32,
    },
    /// The buffer that was lent is shorter than a record.
    #[error("lent buffer holds {length} bytes, less than a record")]
    Buffer {
        /// Its length.
        length: usize,
    },
    /// The key's name is longer than [`ContentKey::MAX_ID_LEN`](super::ContentKey::MAX_ID_LEN).
    #[error("name of the key is too long")]
    KeyIdLength,
    /// The salt was taken before, or the random generator left zeros.
    #[error("salt was used before")]
    SaltUsed,
    /// More than [`Encoder::MAX_RECORDS`](super::Encoder::MAX_RECORDS).
    #[error("content has too many records")]
    TooManyRecords,
    /// The key could not be used.
    #[error("key could not be used")]
    Key(#[from] KeyError),
}

/// Why received content is refused. Nothing of it may be acted upon, not even what came before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The header's record size is below what section 2.1 allows, or over ours, or over the buffer
    /// that was lent.
    #[error("record size of {size} bytes is not accepted")]
    RecordSize {
        /// What the header says.
        size: u32,
    },
    /// The header names another key.
    #[error("content is for another key")]
    OtherKey,
    /// A record's tag is wrong: it was changed, moved, cut short, or made with another key.
    #[error("tag of record {record} does not match")]
    WrongTag {
        /// Its number, from 0.
        record: u32,
    },
    /// A record has no delimiter, or one that is neither 1 nor 2.
    #[error("record {record} has no delimiter")]
    NoDelimiter {
        /// Its number, from 0.
        record: u32,
    },
    /// A record says that it is the last one, and more bytes follow it.
    #[error("content goes on behind its last record")]
    Extended,
    /// The content ends before its last record, or with a part of one.
    #[error("content ends before its last record")]
    Truncated,
    /// More than [`Encoder::MAX_RECORDS`](super::Encoder::MAX_RECORDS).
    #[error("content has too many records")]
    TooManyRecords,
    /// The key could not be used.
    #[error("key could not be used")]
    Key(#[from] KeyError),
}
