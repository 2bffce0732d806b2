//! One question and its answer, without I/O: the machine that every operation runs on.
//!
//! ```text
//! Exchange::ask ─▶ request() ─▶ (the transport sends) ─▶ receive(head) ─▶ chunk … ─▶ finish
//! ```

use providore_sign::{HeaderInstructions, KeyError, MacKey, content_coding::decode_in_place};
use providore_wire::{FirmwareVersion, Method, Route, Timestamp};
use zeroize::Zeroize as _;

use crate::{
    BodyFault, Device, EntityTag, Error, Head, Moment,
    device::{Asked, Proof, Verifier},
    head::Told,
};

/// Something that a device asks of its server.
///
/// Sealed: [`Config`](crate::Config), [`FirmwareCheck`](crate::FirmwareCheck),
/// [`FirmwareDownload`](crate::FirmwareDownload), [`FirmwarePart`](crate::FirmwarePart),
/// [`CertificateRequest`](crate::CertificateRequest)
/// and [`CurrentCertificate`](crate::CurrentCertificate); in the `Signed` dialect also
/// [`TimeCheck`](crate::TimeCheck), [`WrittenReport`](crate::WrittenReport) and [`NextSecret`](crate::NextSecret).
pub trait Operation: sealed::Question {}

/// An operation whose answer fits a buffer.
pub trait BufferedOperation: Operation {
    /// What the operation ends in.
    type Outcome<'b>;

    /// What a signed answer means.
    #[doc(hidden)]
    fn conclude<'b>(self, answer: SignedAnswer<'_, 'b>) -> Result<Self::Outcome<'b>, Error>;
}

pub(crate) mod sealed {
    use super::{EntityTag, Method, Target};

    pub trait Question {
        fn method(&self) -> Method {
            Method::Get
        }
        fn target(&self) -> Target<'_>;
        fn unless(&self) -> Option<&EntityTag> {
            None
        }
        /// The part that is asked for, of the representation of this tag.
        fn part(&self) -> Option<(&str, &EntityTag)> {
            None
        }
        /// Media type and body.
        fn content(&self) -> Option<(&'static str, &[u8])> {
            None
        }
        /// Whether only the `Signed` dialect has this question.
        fn is_signed_only(&self) -> bool {
            false
        }
        /// Whether the answer holds what nobody else may read.
        fn is_secret(&self) -> bool {
            false
        }
    }
}

/// A target of ours: that of a route, or of an image of a version.
#[derive(Debug, Clone, Copy)]
pub struct Target<'q> {
    pub(crate) route: Route,
    pub(crate) version: Option<&'q FirmwareVersion>,
}

impl Target<'_> {
    /// `/firmware?version=` and a version of 64 bytes, each escaped, is the longest.
    const MAX_LEN: usize = 18 + 3 * FirmwareVersion::MAX_LEN;

    /// As it is sent, at the beginning of `memory` if it has to be put together, and what is left.
    fn write<'m>(&self, memory: &'m mut [u8]) -> Result<(&'m str, &'m mut [u8]), KeyError> {
        let path = self.route.path();
        let Some(version) = self.version else {
            return Ok((path, memory));
        };
        let mut length = 0_usize;
        let mut put = |piece: &[u8]| {
            let free = memory.get_mut(length..).unwrap_or_default();
            for (slot, byte) in free.iter_mut().zip(piece) {
                *slot = *byte;
            }
            length = length.saturating_add(piece.len());
        };
        put(path.as_bytes());
        put(b"?version=");
        for byte in version.as_str().as_bytes() {
            match byte {
                b'+' => put(b"%2B"),
                b':' => put(b"%3A"),
                b' ' => put(b"%20"),
                byte => put(core::slice::from_ref(byte)),
            }
        }
        let (written, rest) = memory
            .split_at_mut_checked(length)
            .ok_or(KeyError::Memory)?;
        let target = core::str::from_utf8(written).map_err(|_| KeyError::Message)?;
        Ok((target, rest))
    }
}

/// A request to send: everything that a transport needs beside the server's address.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    method: Method,
    target: &'a str,
    lines: &'a str,
    body: &'a [u8],
}

impl<'a> Request<'a> {
    /// How much memory is always enough for target and header fields, in bytes: for each as long as
    /// it may be. Most requests take less than half of it.
    pub const MAX_LEN: usize = Target::MAX_LEN + HeaderInstructions::MAX_LEN;

    /// A request that is not signed, for what is public.
    #[cfg(feature = "certificates")]
    pub(crate) const fn public(target: &'a str) -> Self {
        Self {
            method: Method::Get,
            target,
            lines: "",
            body: b"",
        }
    }

    /// The method.
    #[must_use]
    pub const fn method(&self) -> Method {
        self.method
    }

    /// Path and query. To be sent exactly so: it is signed byte for byte.
    #[must_use]
    pub const fn target(&self) -> &'a str {
        self.target
    }

    /// The header fields to set, names in lower case. `host` and `content-length` are the
    /// transport's.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &'a str)> {
        HeaderInstructions::fields_in(self.lines)
    }

    /// The same fields as they stand in a message of HTTP/1.1: each a name, a colon, a blank, a
    /// value, and CR LF.
    #[must_use]
    pub const fn lines(&self) -> &'a str {
        self.lines
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
/// once per attempt: an attempt that failed is asked anew. One that failed with
/// [`Error::Unsigned`] and `challenged` is asked anew at once, and only once.
///
/// ```
/// # use providore_client::{BorrowedHead, Device, Exchange, FirmwareCheck, FirmwareOutcome, Moment, Request};
/// # use providore_sign::{HeaderInstructions, SoftwareKey, signed::{self, Keys}};
/// # use providore_wire::{Dialect, Target, Timestamp, signed::{Challenge, Nonce, RequestHead}};
/// let key = SoftwareKey::new(b"32 random bytes of this device..")?;
/// let (id, version) = ("d8fa0180".parse()?, "1.0.0".parse()?);
/// let mut device = Device::new(Dialect::Signed, id, version, key)?;
///
/// // The clock may be wrong, or None; the nonce is fresh from a generator, every time.
/// let clock = Timestamp::from_unix(12);
/// let moment = Moment { clock, nonce: Nonce::new([7; 16]) };
/// let mut memory = [0; Request::MAX_LEN];
/// let exchange = Exchange::ask(FirmwareCheck::new(), &mut device, moment, &mut memory)?;
/// let request = exchange.request(); // method, target, fields, body: send them
/// assert_eq!(request.target(), "/firmware/check");
///
/// # let target = Target::parse(request.target())?;
/// # let sent: Vec<_> = request.fields().map(|(n, v)| (n, v.as_bytes())).collect();
/// # let asked = RequestHead::parse(request.method(), &target, sent.iter().copied())?;
/// # let keys = Keys::derive(&mut SoftwareKey::new(b"32 random bytes of this device..")?)?;
/// # let location = [("location", &b"/firmware?version=1.1.0"[..])];
/// # let answer = signed::ResponseToSign {
/// #     device: &"d8fa0180".parse()?, status: 302, fields: location, content_sha256: None,
/// #     challenge: &Challenge::parse(&[b'A'; 64])?,
/// #     created: Timestamp::from_unix(1_767_323_045).ok_or("clock")?,
/// # };
/// # let mut memory = [0; HeaderInstructions::MAX_LEN];
/// # let headers = signed::sign_response(&keys, &asked.question(), &answer, &mut memory)?;
/// # let ours = headers.fields().map(|(n, v)| (n, v.as_bytes()));
/// # let fields: Vec<_> = ours.chain(location).collect();
/// let head = BorrowedHead { status: 302, fields: &fields }; // what came back
/// let mut buffer = [0; 256];
/// let receiving = exchange.receive(&mut device, &head, &mut buffer, clock)?;
/// let FirmwareOutcome::Offered(version) = receiving.finish()? else { return Ok(()) };
/// assert_eq!(version.as_str(), "1.1.0");
/// assert_eq!(device.server_time().now(clock), Timestamp::from_unix(1_767_323_045));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct Exchange<'m, O> {
    operation: O,
    target: &'m str,
    lines: &'m str,
    asked: Asked,
}

impl<'m, O: Operation> Exchange<'m, O> {
    /// Signs the question. Its target and header fields are written to `memory`, of which
    /// [`Request::MAX_LEN`] bytes always suffice; it is free again when the head of the answer has
    /// been taken.
    ///
    /// # Errors
    /// [`Error::Key`], with [`KeyError::Memory`] if that is too short; [`Error::ClockNotSet`] and
    /// [`Error::NotInDialect`] in the `Original` dialect.
    pub fn ask<K: MacKey>(
        operation: O,
        device: &mut Device<K>,
        moment: Moment,
        memory: &'m mut [u8],
    ) -> Result<Self, Error> {
        let (target, memory) = operation.target().write(memory)?;
        let (lines, asked) = device.sign((&operation, target), moment, memory)?;
        Ok(Self {
            operation,
            target,
            lines,
            asked,
        })
    }

    /// The request to send.
    #[must_use]
    pub fn request(&self) -> Request<'_> {
        Request {
            method: self.operation.method(),
            target: self.target,
            lines: self.lines,
            body: self.operation.content().map_or(b"", |(_, body)| body),
        }
    }

    /// What was asked.
    pub(crate) const fn operation(&self) -> &O {
        &self.operation
    }

    /// The operation, to be asked anew.
    pub(crate) fn into_operation(self) -> O {
        self.operation
    }

    /// Verifies the head of the answer as far as the dialect can.
    pub(crate) fn open<'a, K: MacKey>(
        &self,
        device: &'a mut Device<K>,
        head: &'a impl Head,
        clock: Option<Timestamp>,
    ) -> Result<Opened<'a, K>, Error> {
        let question = (&self.operation as _, self.target, self.lines);
        device.open(question, &self.asked, head, clock)
    }
}

/// An answer of which the head has been looked at.
#[derive(Debug)]
pub(crate) struct Opened<'a, K> {
    pub(crate) proof: Proof<'a, K>,
    pub(crate) told: Told<'a>,
}

impl<'a, K: MacKey> Opened<'a, K> {
    pub(crate) fn into_buffer<'b, O>(
        self,
        operation: O,
        buffer: &'b mut [u8],
    ) -> Receiving<'a, 'b, K, O> {
        Receiving {
            operation,
            verifier: self.proof.body(),
            told: self.told,
            buffer,
            length: 0,
        }
    }
}

impl<O: BufferedOperation> Exchange<'_, O> {
    /// Takes the head of the answer, which arrived when the device's clock showed `clock`; its body
    /// will go to `buffer`, whose length is the limit.
    ///
    /// In the `Signed` dialect the head has been verified when this returns, and the device has
    /// learned from it. The buffer needs room for what is encrypted: 21 bytes more than the content,
    /// and 17 for each of its records.
    ///
    /// # Errors
    /// [`Error::Unsigned`], [`Error::Head`], [`Error::NotVerified`], [`Error::Body`], if the head
    /// alone is reason enough; the body is then not worth reading.
    pub fn receive<'a, 'b, K: MacKey>(
        self,
        device: &'a mut Device<K>,
        head: &'a impl Head,
        buffer: &'b mut [u8],
        clock: Option<Timestamp>,
    ) -> Result<Receiving<'a, 'b, K, O>, Error> {
        let opened = self.open(device, head, clock)?;
        Ok(opened.into_buffer(self.operation, buffer))
    }
}

/// An answer that is being received into a buffer.
#[derive(Debug)]
#[must_use]
pub struct Receiving<'a, 'b, K, O> {
    operation: O,
    verifier: Verifier<'a, K>,
    told: Told<'a>,
    buffer: &'b mut [u8],
    length: usize,
}

impl<'a, 'b, K: MacKey, O> Receiving<'a, 'b, K, O> {
    /// Takes the next part of the body, of any length.
    ///
    /// # Errors
    /// [`BodyFault::TooLong`] in [`Error::Body`], or what the key reports.
    pub fn chunk(&mut self, chunk: &[u8]) -> Result<(), Error> {
        let end = self.length.saturating_add(chunk.len());
        let limit = self.buffer.len() as u64;
        self.buffer
            .get_mut(self.length..end)
            .ok_or(BodyFault::too_long(limit))?
            .copy_from_slice(chunk);
        self.length = end;
        Ok(self.verifier.update(chunk)?)
    }

    /// Where the next part of the body goes; empty once the buffer is full.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        self.buffer.get_mut(self.length..).unwrap_or_default()
    }

    /// Takes what was written to the beginning of the room, or more than there was room for.
    pub(crate) fn take(&mut self, length: usize) -> Result<(), Error> {
        let limit = self.buffer.len() as u64;
        let end = self.length.saturating_add(length);
        let part = self.buffer.get(self.length..end);
        self.length = end;
        Ok(self
            .verifier
            .update(part.ok_or(BodyFault::too_long(limit))?)?)
    }

    /// The answer, proven, and the operation that it is of.
    pub(crate) fn answer(self) -> Result<(O, SignedAnswer<'a, 'b>), Error> {
        let told = self.told;
        let (created, keys) = self.verifier.finish()?;
        let received = self.buffer.get_mut(..self.length).unwrap_or_default();
        let mut length = received.len();
        if let Some(keys) = keys.filter(|_| told.encrypted) {
            let plain = decode_in_place(keys.content_key(), received);
            length = plain.map_err(BodyFault::NotDecrypted)?.len();
        }
        let answer = SignedAnswer {
            told,
            created,
            received,
            length,
        };
        Ok((self.operation, answer))
    }
}

impl<'b, K: MacKey, O: BufferedOperation> Receiving<'_, 'b, K, O> {
    /// Ends the body: only now does anything count. What is encrypted is decrypted in the buffer.
    ///
    /// # Errors
    /// [`Error::NotVerified`], then [`Error::Declined`] or [`Error::Body`].
    pub fn finish(self) -> Result<O::Outcome<'b>, Error> {
        let (operation, answer) = self.answer()?;
        operation.conclude(answer)
    }
}

/// An answer with a good signature, of which the kind has not been looked at.
#[derive(Debug)]
pub struct SignedAnswer<'h, 'b> {
    pub(crate) told: Told<'h>,
    pub(crate) created: Timestamp,
    /// All that was received; what was in it stands at its beginning.
    received: &'b mut [u8],
    length: usize,
}

impl<'b> SignedAnswer<'_, 'b> {
    pub(crate) const fn declined(&self) -> Error {
        Error::Declined {
            status: self.told.status,
            retry_after_s: self.told.retry_after_s,
        }
    }

    /// The body, which must not be a problem document.
    pub(crate) fn body(self) -> Result<&'b [u8], BodyFault> {
        let received: &'b [u8] = self.received;
        let body = received.get(..self.length).unwrap_or_default();
        if body.starts_with(PROBLEM) {
            return Err(BodyFault::Problem);
        }
        Ok(body)
    }

    /// Hands the body to `read`, then erases it.
    pub(crate) fn erased_after<T>(self, read: impl FnOnce(&[u8]) -> T) -> T {
        let outcome = read(self.received.get(..self.length).unwrap_or_default());
        self.received.zeroize();
        outcome
    }

    pub(crate) const fn without_body(&self) -> Result<(), BodyFault> {
        if self.length == 0 {
            Ok(())
        } else {
            Err(BodyFault::NotEmpty)
        }
    }
}

/// How every problem document of a providore server begins: not to be taken for a configuration,
/// although it is JSON and signed.
pub(crate) const PROBLEM: &[u8] = b"{\"type\":\"urn:providore:problem:";
