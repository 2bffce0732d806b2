//! One question and its answer, without I/O: the machine that every operation runs on.
//!
//! ```text
//! Exchange::ask ─▶ request() ─▶ (the transport sends) ─▶ receive(head) ─▶ chunk … ─▶ finish
//! ```

use providore_sign::{HeaderInstructions, KeyError, MacKey};
use providore_wire::{Method, Text, Timestamp};

use crate::{BodyFault, Device, EntityTag, Error, Head, device::Verifier, retry};

/// Something that a device asks of its server.
///
/// Sealed: [`Config`](crate::Config), [`FirmwareCheck`](crate::FirmwareCheck),
/// [`FirmwareDownload`](crate::FirmwareDownload), [`CertificateRequest`](crate::CertificateRequest)
/// and [`CurrentCertificate`](crate::CurrentCertificate).
pub trait Operation: sealed::Question {}

/// An operation whose answer fits a buffer.
pub trait BufferedOperation: Operation {
    /// What the operation ends in.
    type Outcome<'b>;

    /// What a signed answer means.
    #[doc(hidden)]
    fn conclude<'b>(
        self,
        answer: SignedAnswer<'b>,
        head: &impl Head,
    ) -> Result<Self::Outcome<'b>, Error>;
}

pub(crate) mod sealed {
    use super::{EntityTag, Method, Target};

    pub trait Question {
        fn method(&self) -> Method {
            Method::Get
        }
        fn target(&self) -> Target;
        fn unless(&self) -> Option<&EntityTag> {
            None
        }
        fn body(&self) -> &[u8] {
            b""
        }
    }
}

/// A target of ours: `/firmware?version=` and a version of 64 bytes, each escaped, is the longest.
pub(crate) type Target = Text<224>;

/// A request to send: everything that a transport needs beside the server's address.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    method: Method,
    target: &'a str,
    signed: Option<&'a HeaderInstructions>,
    unless: Option<&'a EntityTag>,
    body: &'a [u8],
}

impl<'a> Request<'a> {
    /// A request that is not signed, for what is public.
    #[cfg(feature = "certificates")]
    pub(crate) const fn public(target: &'a str) -> Self {
        Self {
            method: Method::Get,
            target,
            signed: None,
            unless: None,
            body: b"",
        }
    }

    /// The method.
    #[must_use]
    pub const fn method(&self) -> Method {
        self.method
    }

    /// Path and query. To be sent exactly so: the path is signed byte for byte.
    #[must_use]
    pub const fn target(&self) -> &'a str {
        self.target
    }

    /// The header fields to set, names in lower case. `host` and `content-length` are the
    /// transport's.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &'a str)> {
        let signed = self.signed.into_iter().flat_map(HeaderInstructions::fields);
        let unless = self.unless.map(|tag| ("if-none-match", tag.as_str()));
        // The deployed servers read a body only under this type.
        let kind = (!self.body.is_empty()).then_some(("content-type", "text/plain"));
        signed.chain(unless).chain(kind)
    }

    /// The body; empty for a GET.
    #[must_use]
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }
}

/// A question that has been signed.
///
/// The steps are [`ask`](Self::ask), sending [`request`](Self::request), and
/// [`receive`](Self::receive); each consumes what it must not be repeated with. Signing happens
/// once per attempt: an attempt that failed is asked anew.
#[derive(Debug)]
#[must_use]
pub struct Exchange<O> {
    operation: O,
    asked: Timestamp,
    target: Target,
    signed: HeaderInstructions,
}

impl<O: Operation> Exchange<O> {
    /// Signs the question. `now` must be right within the server's skew (30 s by default).
    ///
    /// # Errors
    /// What the key reports.
    pub fn ask<K: MacKey>(
        operation: O,
        device: &mut Device<K>,
        now: Timestamp,
    ) -> Result<Self, KeyError> {
        let target = operation.target();
        let path = target.as_str().split('?').next().unwrap_or_default();
        let signed = device.sign(operation.method(), path, operation.body(), now)?;
        Ok(Self {
            operation,
            asked: now,
            target,
            signed,
        })
    }

    /// The request to send.
    #[must_use]
    pub fn request(&self) -> Request<'_> {
        Request {
            method: self.operation.method(),
            target: self.target.as_str(),
            signed: Some(&self.signed),
            unless: self.operation.unless(),
            body: self.operation.body(),
        }
    }

    pub(crate) fn into_parts(self) -> (O, Timestamp) {
        (self.operation, self.asked)
    }
}

impl<O: BufferedOperation> Exchange<O> {
    /// Takes the head of the answer; its body will go to `buffer`, whose length is the limit.
    ///
    /// # Errors
    /// [`Error::Unsigned`], [`Error::Head`], [`Error::NotVerified`], if the head alone is reason
    /// enough; the body is then not worth reading.
    pub fn receive<'a, 'b, K: MacKey, H: Head>(
        self,
        device: &'a mut Device<K>,
        head: &'a H,
        buffer: &'b mut [u8],
        now: Timestamp,
    ) -> Result<Receiving<'a, 'b, K, O, H>, Error> {
        Ok(Receiving {
            verifier: begin(device, head, self.asked, now)?,
            retry_after_s: retry::after(head, now),
            operation: self.operation,
            head,
            buffer,
            length: 0,
        })
    }
}

/// An answer that is being received into a buffer.
#[derive(Debug)]
#[must_use]
pub struct Receiving<'a, 'b, K, O, H> {
    operation: O,
    head: &'a H,
    verifier: Verifier<'a, K>,
    retry_after_s: Option<u32>,
    buffer: &'b mut [u8],
    length: usize,
}

impl<'b, K: MacKey, O: BufferedOperation, H: Head> Receiving<'_, 'b, K, O, H> {
    /// Takes the next part of the body, of any length.
    ///
    /// # Errors
    /// [`BodyFault::TooLong`] in [`Error::Body`], or what the key reports.
    pub fn chunk(&mut self, chunk: &[u8]) -> Result<(), Error> {
        let end = self.length.saturating_add(chunk.len());
        let limit = self.buffer.len() as u64;
        self.buffer
            .get_mut(self.length..end)
            .ok_or(BodyFault::TooLong { limit })?
            .copy_from_slice(chunk);
        self.length = end;
        Ok(self.verifier.update(chunk)?)
    }

    /// Ends the body: only now does anything count.
    ///
    /// # Errors
    /// [`Error::NotVerified`], then [`Error::Declined`] or [`Error::Body`].
    pub fn finish(self) -> Result<O::Outcome<'b>, Error> {
        let created = self.verifier.finish()?;
        let buffer: &'b [u8] = self.buffer;
        let answer = SignedAnswer {
            status: self.head.status(),
            retry_after_s: self.retry_after_s,
            created,
            body: buffer.get(..self.length).unwrap_or_default(),
        };
        self.operation.conclude(answer, self.head)
    }
}

/// An answer with a good signature, of which the kind has not been looked at.
#[derive(Debug, Clone, Copy)]
pub struct SignedAnswer<'b> {
    pub(crate) status: u16,
    retry_after_s: Option<u32>,
    pub(crate) created: Timestamp,
    body: &'b [u8],
}

impl<'b> SignedAnswer<'b> {
    pub(crate) const fn declined(&self) -> Error {
        Error::Declined {
            status: self.status,
            retry_after_s: self.retry_after_s,
        }
    }

    /// The body, which must not be a problem document.
    pub(crate) fn body(&self) -> Result<&'b [u8], BodyFault> {
        if self.body.starts_with(PROBLEM) {
            return Err(BodyFault::Problem);
        }
        Ok(self.body)
    }

    pub(crate) fn without_body(&self) -> Result<(), BodyFault> {
        if self.body.is_empty() {
            Ok(())
        } else {
            Err(BodyFault::NotEmpty)
        }
    }
}

/// Begins to verify; an answer without signature ends here.
pub(crate) fn begin<'a, K: MacKey>(
    device: &'a mut Device<K>,
    head: &'a impl Head,
    asked: Timestamp,
    now: Timestamp,
) -> Result<Verifier<'a, K>, Error> {
    device
        .verifier(head, asked, now)?
        .ok_or_else(|| Error::Unsigned {
            status: head.status(),
            retry_after_s: retry::after(head, now),
        })
}

/// How every problem document of a providore server begins: not to be taken for a configuration,
/// although it is JSON and signed.
pub(crate) const PROBLEM: &[u8] = b"{\"type\":\"urn:providore:problem:";
