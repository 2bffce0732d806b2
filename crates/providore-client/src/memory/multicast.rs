//! A network that is a closure.

use alloc::vec::Vec;
use core::{fmt, net::SocketAddr};

use crate::{Datagram, Multicast, TransportError};

/// Hands every question to a closure, which says what is to be heard, and when. Time is virtual, and
/// passes only while somebody listens.
pub struct MemoryMulticast<H> {
    handler: H,
    now_ms: u64,
    asked_ms: Vec<u64>,
    coming: Vec<MemoryDatagram>,
    is_down: bool,
}

/// A datagram on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "tests write what is heard as a literal"
)]
pub struct MemoryDatagram {
    /// When it arrives, in milliseconds after the question that it follows.
    pub after_ms: u64,
    /// Who sent it.
    pub source: SocketAddr,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl<H: FnMut(&[u8]) -> Vec<MemoryDatagram>> MemoryMulticast<H> {
    /// A network on which a question is followed by what `handler` returns.
    pub const fn new(handler: H) -> Self {
        Self {
            handler,
            now_ms: 0,
            asked_ms: Vec::new(),
            coming: Vec::new(),
            is_down: false,
        }
    }

    /// When questions were sent, in milliseconds since the start.
    #[must_use]
    pub fn asked_ms(&self) -> &[u64] {
        &self.asked_ms
    }

    /// How long all listening together took, in milliseconds.
    #[must_use]
    pub const fn listened_ms(&self) -> u64 {
        self.now_ms
    }

    /// Takes the network down, or up again.
    pub const fn set_down(&mut self, is_down: bool) {
        self.is_down = is_down;
    }

    /// Sends a datagram that follows no question.
    pub fn announce(&mut self, mut datagram: MemoryDatagram) {
        datagram.after_ms = self.now_ms.saturating_add(datagram.after_ms);
        self.coming.push(datagram);
        self.coming.sort_by_key(|coming| coming.after_ms);
    }
}

impl<H> fmt::Debug for MemoryMulticast<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryMulticast")
            .field("now_ms", &self.now_ms)
            .field("asked_ms", &self.asked_ms)
            .finish_non_exhaustive()
    }
}

impl<H: FnMut(&[u8]) -> Vec<MemoryDatagram>> Multicast for MemoryMulticast<H> {
    async fn send(&mut self, datagram: &[u8]) -> Result<(), TransportError> {
        if self.is_down {
            return Err(TransportError::unreachable());
        }
        self.asked_ms.push(self.now_ms);
        for answer in (self.handler)(datagram) {
            self.announce(answer);
        }
        Ok(())
    }

    async fn receive(
        &mut self,
        buffer: &mut [u8],
        within_ms: u64,
    ) -> Result<Option<Datagram>, TransportError> {
        if self.is_down {
            return Err(TransportError::unreachable());
        }
        let until_ms = self.now_ms.saturating_add(within_ms);
        if self
            .coming
            .first()
            .is_none_or(|first| first.after_ms > until_ms)
        {
            self.now_ms = until_ms;
            return Ok(None);
        }
        let heard = self.coming.remove(0);
        let length = heard.bytes.len().min(buffer.len());
        for (place, byte) in buffer.iter_mut().zip(&heard.bytes) {
            *place = *byte;
        }
        let waited_ms = heard.after_ms.saturating_sub(self.now_ms);
        self.now_ms = self.now_ms.saturating_add(waited_ms);
        Ok(Some(Datagram {
            length,
            source: heard.source,
            waited_ms,
        }))
    }
}
