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
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            TransportKind::Unreachable => "server not reachable",
            TransportKind::TimedOut => "server did not answer in time",
            TransportKind::Interrupted => "connection broke",
            TransportKind::Request => "request cannot be sent",
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

    /// Keeps the cause.
    #[cfg(feature = "alloc")]
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.source = Some(source.into());
        self
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
        f.write_str(match self.kind {
            StoreKind::Failed => "storage failed",
            StoreKind::Full => "no room in storage",
            StoreKind::OutOfOrder => "storage was asked out of order",
            StoreKind::Mismatch => "storage holds something else than was verified",
        })
    }
}

impl core::error::Error for StoreError {
    #[cfg(feature = "alloc")]
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as _)
    }
}
