//! What goes out: status, header fields and a body that may be an image too large for memory.

use alloc::{borrow::Cow, vec::Vec};
use core::fmt;

use bytes::Bytes;

/// An answer, to be sent by the adapter exactly as it is: field names in lower case, the body byte
/// for byte, nothing compressed.
#[derive(Debug)]
#[must_use]
#[non_exhaustive]
pub struct Response<I> {
    /// The status code.
    pub status: u16,
    /// Header fields in order, names in lower case. `content-length` is among them.
    pub fields: Vec<(&'static str, Cow<'static, str>)>,
    /// The body.
    pub body: Body<I>,
}

/// The body of a [`Response`]. It may hold passwords: `{:?}` shows how long it is and nothing of it.
#[derive(Clone)]
#[non_exhaustive]
pub enum Body<I> {
    /// No body: also the answer to HEAD, whose `content-length` is that of the answer to GET.
    Empty,
    /// A body in memory.
    Bytes(Bytes),
    /// A part of an image, to be read in pieces with [`Image::read`](crate::Image::read).
    Image {
        /// The image.
        image: I,
        /// The first byte to send.
        start: u64,
        /// How many bytes to send.
        length: u64,
    },
}

impl<I> fmt::Debug for Body<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Self::Image { start, length, .. } => write!(f, "Image({length} bytes from {start})"),
        }
    }
}

impl<I> Response<I> {
    pub(crate) fn new(status: u16, body: Body<I>) -> Self {
        Self {
            status,
            fields: Vec::with_capacity(10),
            body,
        }
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self::new(status, Body::Empty)
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// The value of a header field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(field, _)| *field == name)
            .map(|(_, value)| &**value)
    }

    pub(crate) fn content_length(&self) -> u64 {
        match &self.body {
            Body::Empty => 0,
            Body::Bytes(bytes) => bytes.len() as u64,
            Body::Image { length, .. } => *length,
        }
    }
}
