//! A short one over the library's SHA-256, for where code is dear: it hashes the key once more for
//! each message, and shares all of its code with what hashes alone.

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::ComputedTag;

/// A key, filled with zeros up to the block of the hash; erased when dropped. It lies at words: else it
/// would be copied byte by byte.
#[derive(Clone)]
#[repr(align(4))]
pub(crate) struct Keyed(Zeroizing<[u8; 64]>);

/// A computation; erased when dropped.
#[derive(Clone)]
pub(crate) struct Running(Sha256);

impl Keyed {
    /// A key of any length. One that is longer than a block is hashed (RFC 2104 section 2).
    #[expect(clippy::unnecessary_wraps, reason = "as the library's")]
    pub(crate) fn new(secret: &[u8]) -> Option<Self> {
        Some(Self(block(secret)))
    }

    pub(crate) fn from_tag(tag: &[u8; 32]) -> Self {
        Self(block(tag))
    }

    pub(crate) fn begin(&self) -> Running {
        let mut running = Running(Sha256::new());
        self.pad(&mut running, 0x36);
        running
    }

    /// Ends a computation of this key.
    #[inline(never)]
    pub(crate) fn finish(&self, running: Running) -> ComputedTag {
        let inner = running.0.finalize();
        let mut outer = Running(Sha256::new());
        self.pad(&mut outer, 0x5c);
        outer.update(&inner);
        ComputedTag::from_bytes(outer.0.finalize().into())
    }

    #[inline(never)]
    fn pad(&self, running: &mut Running, pad: u8) {
        let mut block = self.0.clone();
        for byte in block.iter_mut() {
            *byte ^= pad;
        }
        running.update(&*block);
    }
}

impl Running {
    #[inline(never)]
    pub(crate) fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }
}

#[inline(never)] // For each kind of key.
fn block(secret: &[u8]) -> Zeroizing<[u8; 64]> {
    let mut block = Zeroizing::new([0; 64]);
    if secret.len() > block.len() {
        fill(&mut *block, &Sha256::digest(secret));
    } else {
        fill(&mut *block, secret);
    }
    block
}

fn fill(slots: &mut [u8], bytes: &[u8]) {
    for (slot, byte) in slots.iter_mut().zip(bytes) {
        *slot = *byte;
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::{super::library, *};

    proptest! {
        #[test]
        fn it_is_that_of_the_library(
            secret in vec(any::<u8>(), 0..130),
            data in vec(any::<u8>(), 0..200),
            cut in any::<proptest::sample::Index>(),
        ) {
            let (front, back) = data.split_at(cut.index(data.len().max(1)).min(data.len()));
            let ours = Keyed::new(&secret).unwrap();
            let mut running = ours.begin();
            running.update(front);
            running.update(back);
            let ours = ours.finish(running);
            let theirs = library::Keyed::new(&secret).unwrap();
            let mut running = theirs.begin();
            running.update(&data);
            let theirs = theirs.finish(running);
            prop_assert_eq!(ours.as_bytes(), theirs.as_bytes());

            let (ours, theirs) = (Keyed::from_tag(ours.as_bytes()), library::Keyed::from_tag(theirs.as_bytes()));
            let (ours, theirs) = (ours.finish(ours.begin()), theirs.finish(theirs.begin()));
            prop_assert_eq!(ours.as_bytes(), theirs.as_bytes());
        }
    }
}
