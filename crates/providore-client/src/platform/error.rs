//! What goes wrong in the parts that an application brings.

use core::fmt;

#[cfg(feature = "alloc")]
type Source = alloc::boxed::Box<dyn core::error::Error + Send + Sync>;

/// A request did not become an answer. Opaque: the kinds of transports differ and grow.
#[derive(Debug)]
pub struct TransportError {
    kind: TransportKind,
    #[cfg(feature = "alloc")]
    source: Option<Source>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TransportKind {
    Unreachable,
    TimedOut,
    Interrupted,
    Request,
    Malformed,
    Https,
}

impl TransportError {
    const fn of(kind: TransportKind) -> Self {
        Self {
            kind,
            #[cfg(feature = "alloc")]
            source: None,
        }
    }

    /// No connection: name, route, port or TLS.
    #[must_use]
    pub const fn unreachable() -> Self {
        Self::of(TransportKind::Unreachable)
    }

    /// Took longer than the transport waits.
    #[must_use]
    pub const fn timed_out() -> Self {
        Self::of(TransportKind::TimedOut)
    }

    /// The connection ended or broke within the exchange.
    #[must_use]
    pub const fn interrupted() -> Self {
        Self::of(TransportKind::Interrupted)
    }

    /// The transport cannot express the request or the address.
    #[must_use]
    pub const fn request() -> Self {
        Self::of(TransportKind::Request)
    }

    /// What came back is not HTTP, can be read in two ways, or is longer than the transport allows.
    #[must_use]
    pub const fn malformed() -> Self {
        Self::of(TransportKind::Malformed)
    }

    /// The address begins with `https://`, and the transport has no TLS.
    #[must_use]
    pub const fn https() -> Self {
        Self::of(TransportKind::Https)
    }

    /// Keeps the cause.
    #[cfg(feature = "alloc")]
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Whether no connection was made.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        self.kind == TransportKind::Unreachable
    }

    /// Whether time ran out.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.kind == TransportKind::TimedOut
    }

    /// Whether a connection broke.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.kind == TransportKind::Interrupted
    }

    /// Whether an answer was refused for its form.
    #[must_use]
    pub fn is_malformed(&self) -> bool {
        self.kind == TransportKind::Malformed
    }

    /// Whether TLS was asked for that the transport does not have.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.kind == TransportKind::Https
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            TransportKind::Unreachable => "server not reachable",
            TransportKind::TimedOut => "server did not answer in time",
            TransportKind::Interrupted => "connection broke",
            TransportKind::Request => "request cannot be sent",
            TransportKind::Malformed => "answer is not well-formed HTTP",
            TransportKind::Https => "https address, and no TLS in this transport",
        })
    }
}

impl core::error::Error for TransportError {
    #[cfg(feature = "alloc")]
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as _)
    }
}

/// Flash, a file system or a key store did not do what it was asked. Opaque.
#[derive(Debug)]
pub struct StoreError {
    kind: StoreKind,
    #[cfg(feature = "alloc")]
    source: Option<Source>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StoreKind {
    Failed,
    Full,
    OutOfOrder,
    Mismatch,
    Unsuitable,
}

impl StoreError {
    const fn of(kind: StoreKind) -> Self {
        Self {
            kind,
            #[cfg(feature = "alloc")]
            source: None,
        }
    }

    /// The medium reported a fault.
    #[must_use]
    pub const fn failed() -> Self {
        Self::of(StoreKind::Failed)
    }

    /// What is to be kept does not fit, or what is kept does not fit the caller's buffer.
    #[must_use]
    pub const fn full() -> Self {
        Self::of(StoreKind::Full)
    }

    /// Not now: a write without a begin, a roll-back without a previous image.
    #[must_use]
    pub const fn out_of_order() -> Self {
        Self::of(StoreKind::OutOfOrder)
    }

    /// What was written is not what was verified.
    #[must_use]
    pub const fn mismatch() -> Self {
        Self::of(StoreKind::Mismatch)
    }

    /// The medium can never do what it is asked: a file system without links, a read-only one.
    #[must_use]
    pub const fn unsuitable() -> Self {
        Self::of(StoreKind::Unsuitable)
    }

    /// Keeps the cause.
    #[cfg(feature = "alloc")]
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Whether the medium can never do what it was asked.
    #[must_use]
    pub fn is_unsuitable(&self) -> bool {
        self.kind == StoreKind::Unsuitable
    }

    /// What kind of error this is, in words.
    #[must_use]
    pub(crate) const fn what(&self) -> &'static str {
        match self.kind {
            StoreKind::Failed => "storage failed",
            StoreKind::Full => "no room in storage",
            StoreKind::OutOfOrder => "storage was asked out of order",
            StoreKind::Mismatch => "storage holds something else than was verified",
            StoreKind::Unsuitable => "storage cannot do what it is asked",
        }
    }

    /// Whether there was no room.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.kind == StoreKind::Full
    }

    /// Whether it was called when it cannot be.
    #[must_use]
    pub fn is_out_of_order(&self) -> bool {
        self.kind == StoreKind::OutOfOrder
    }

    /// Whether the medium holds something else than was verified.
    #[must_use]
    pub fn is_mismatch(&self) -> bool {
        self.kind == StoreKind::Mismatch
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what())
    }
}

impl core::error::Error for StoreError {
    #[cfg(feature = "alloc")]
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as _)
    }
}
