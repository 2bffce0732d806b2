//! When a question is asked, and what makes it unique.

use providore_wire::{Timestamp, signed::Nonce};

use crate::Entropy;

/// What a question is signed with beside the key: time and randomness, which are arguments here.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers that drive the operations themselves write it as a literal"
)]
pub struct Moment {
    /// What the device's clock shows. In the `Signed` dialect it may be wrong, or not there; in the
    /// `Original` dialect it must be right within the server's skew (30 s by default).
    pub clock: Option<Timestamp>,
    /// Fresh random bytes, never the same twice: see [`Entropy`]. The `Original` dialect has no use
    /// for them.
    pub nonce: Nonce,
}

impl Moment {
    /// A moment with 16 bytes drawn from `entropy`.
    pub fn draw(clock: Option<Timestamp>, entropy: &mut (impl Entropy + ?Sized)) -> Self {
        let mut nonce = [0; 16];
        for word in nonce.chunks_exact_mut(4) {
            word.copy_from_slice(&entropy.next_u32().to_be_bytes());
        }
        let nonce = Nonce::new(nonce);
        Self { clock, nonce }
    }
}
