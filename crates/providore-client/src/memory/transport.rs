//! A server that is a closure.

use alloc::{borrow::ToOwned as _, string::String, vec::Vec};
use core::fmt;

use providore_wire::Method;

use crate::{Answer, Body, Head, Request, ServerAddress, Transport, TransportError};

/// Hands every request to a closure.
pub struct MemoryTransport<H> {
    handler: H,
}

/// A request as it would arrive.
#[derive(Debug, Clone)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a request is these parts, and nothing else"
)]
pub struct MemoryRequest {
    /// Where it was sent to.
    pub server: ServerAddress,
    /// The method.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// Names and values.
    pub fields: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// What the closure answers.
#[derive(Debug, Clone, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "tests change single parts of an answer"
)]
pub struct MemoryAnswer {
    /// The status.
    pub status: u16,
    /// Names and values.
    pub fields: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
    /// The connection breaks after so many bytes of the body.
    pub breaks_after: Option<usize>,
}

impl<H: FnMut(MemoryRequest) -> Result<MemoryAnswer, TransportError>> MemoryTransport<H> {
    /// A server that answers with `handler`.
    pub const fn new(handler: H) -> Self {
        Self { handler }
    }
}

impl<H> fmt::Debug for MemoryTransport<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryTransport(..)")
    }
}

impl<H: FnMut(MemoryRequest) -> Result<MemoryAnswer, TransportError>> Transport
    for MemoryTransport<H>
{
    type Head<'t>
        = MemoryHead
    where
        Self: 't;
    type Body<'t>
        = MemoryBody
    where
        Self: 't;

    async fn send(
        &mut self,
        server: &ServerAddress,
        request: &Request<'_>,
    ) -> Result<Answer<MemoryHead, MemoryBody>, TransportError> {
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let answer = (self.handler)(MemoryRequest {
            server: server.clone(),
            method: request.method(),
            target: request.target().to_owned(),
            fields: request.fields().map(own).collect(),
            body: request.body().to_owned(),
        })?;
        Ok(Answer {
            head: MemoryHead {
                status: answer.status,
                fields: answer.fields,
            },
            body: MemoryBody {
                bytes: answer.body,
                position: 0,
                breaks_after: answer.breaks_after,
            },
        })
    }
}

/// The head of an answer in memory.
#[derive(Debug)]
pub struct MemoryHead {
    status: u16,
    fields: Vec<(String, Vec<u8>)>,
}

impl Head for MemoryHead {
    fn status(&self) -> u16 {
        self.status
    }

    fn fields(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_slice()))
    }
}

/// The body of an answer in memory.
#[derive(Debug)]
pub struct MemoryBody {
    bytes: Vec<u8>,
    position: usize,
    breaks_after: Option<usize>,
}

impl Body for MemoryBody {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, TransportError> {
        if self.breaks_after.is_some_and(|at| self.position >= at) {
            return Err(TransportError::interrupted());
        }
        let end = self.breaks_after.unwrap_or(usize::MAX);
        let rest = self.bytes.get(self.position..end.min(self.bytes.len()));
        let rest = rest.unwrap_or_default();
        let length = rest.len().min(buffer.len());
        for (slot, byte) in buffer.iter_mut().zip(rest) {
            *slot = *byte;
        }
        self.position = self.position.saturating_add(length);
        Ok(length)
    }
}
