//! HMAC-SHA-256 (RFC 2104): the library's, and a short one for where code is dear.

#[cfg(any(test, sha2_backend_soft = "compact"))]
mod compact;
#[cfg(any(test, not(sha2_backend_soft = "compact")))]
mod library;

#[cfg(sha2_backend_soft = "compact")]
pub(crate) use compact::{Keyed, Running};
#[cfg(not(sha2_backend_soft = "compact"))]
pub(crate) use library::{Keyed, Running};

impl Keyed {
    /// The tag of a message in pieces.
    #[cfg(feature = "content-coding")]
    #[inline(never)]
    pub(crate) fn tag(&self, pieces: &[&[u8]]) -> crate::ComputedTag {
        let mut running = self.begin();
        for piece in pieces {
            running.update(piece);
        }
        self.finish(running)
    }
}
