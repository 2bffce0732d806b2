//! The library's: the key is hashed once, for any number of computations.

use hmac::{Hmac, KeyInit as _, Mac as _, digest::Key};
use sha2::Sha256;

use crate::ComputedTag;

type HmacSha256 = Hmac<Sha256>;

/// A key that is ready for computations; erased when dropped.
#[derive(Clone)]
pub(crate) struct Keyed(HmacSha256);

/// A computation; erased when dropped.
#[derive(Clone)]
pub(crate) struct Running(HmacSha256);

impl Keyed {
    /// A key of any length, which the library does not refuse.
    pub(crate) fn new(secret: &[u8]) -> Option<Self> {
        HmacSha256::new_from_slice(secret).ok().map(Self)
    }

    /// HMAC fills a short key with zeros up to the block of its hash (RFC 2104 section 2), so this
    /// is [`Self::new`] for a length that cannot be wrong.
    pub(crate) fn from_tag(tag: &[u8; 32]) -> Self {
        let mut block = Key::<HmacSha256>::default();
        for (slot, byte) in block.iter_mut().zip(tag) {
            *slot = *byte;
        }
        let keyed = HmacSha256::new(&block);
        block.fill(0);
        Self(keyed)
    }

    #[inline]
    pub(crate) fn begin(&self) -> Running {
        Running(self.0.clone())
    }

    /// Ends a computation of this key.
    #[inline]
    #[expect(clippy::unused_self, reason = "the short one needs the key again")]
    pub(crate) fn finish(&self, running: Running) -> ComputedTag {
        ComputedTag::from_bytes(running.0.finalize().into_bytes().into())
    }
}

impl Running {
    #[inline]
    pub(crate) fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }
}
