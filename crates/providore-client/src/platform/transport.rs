//! One request, one answer.

use super::{ServerAddress, TransportError};
use crate::{Head, Request};

/// Sends a request and hands out the answer, its body in parts.
///
/// # Contract
/// The target goes out byte for byte, the fields of the request are set as they are, beside them
/// `host` and `content-length`. Redirects are not followed and nothing is decompressed: signatures
/// are over bytes. A transport bounds the time and the size of a head; a body that ends before its
/// `content-length` is an error.
#[expect(
    async_fn_in_trait,
    reason = "no Send bound: executors of devices have one thread"
)]
pub trait Transport {
    /// Status and fields of an answer.
    type Head<'t>: Head
    where
        Self: 't;
    /// The body of an answer.
    type Body<'t>: Body
    where
        Self: 't;

    /// Sends a request to a server and receives the head of its answer. Dropping the answer ends
    /// the exchange.
    ///
    /// # Errors
    /// [`TransportError`].
    async fn send<'t>(
        &'t mut self,
        server: &ServerAddress,
        request: &Request<'_>,
    ) -> Result<Answer<Self::Head<'t>, Self::Body<'t>>, TransportError>;
}

/// An answer in its two parts, so that the head stays readable while the body streams.
#[derive(Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "an answer is a head and a body, and nothing else"
)]
pub struct Answer<H, B> {
    /// Status and fields.
    pub head: H,
    /// What follows.
    pub body: B,
}

/// The body of an answer.
#[expect(
    async_fn_in_trait,
    reason = "no Send bound: executors of devices have one thread"
)]
pub trait Body {
    /// Reads the next part into `buffer` and says how long it is; 0 at the end.
    ///
    /// # Errors
    /// [`TransportError::interrupted`], [`TransportError::timed_out`].
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, TransportError>;
}

impl<T: Transport + ?Sized> Transport for &mut T {
    type Head<'t>
        = T::Head<'t>
    where
        Self: 't;
    type Body<'t>
        = T::Body<'t>
    where
        Self: 't;

    async fn send<'t>(
        &'t mut self,
        server: &ServerAddress,
        request: &Request<'_>,
    ) -> Result<Answer<Self::Head<'t>, Self::Body<'t>>, TransportError> {
        (**self).send(server, request).await
    }
}
