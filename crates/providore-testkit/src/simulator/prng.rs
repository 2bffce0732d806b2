//! Numbers that look random and are the same for the same seed.

use alloc::rc::Rc;
use core::cell::Cell;

use providore_client::Entropy;

/// `SplitMix64`. A clone goes on where the original is, and the other way round.
#[derive(Debug, Clone)]
pub struct Prng(Rc<Cell<u64>>);

impl Prng {
    /// Begins with a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Rc::new(Cell::new(seed)))
    }

    /// The next 64 bits.
    #[must_use]
    pub fn next_u64(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to, not including, `bound`; 0 if that is 0.
    #[must_use]
    pub fn below(&self, bound: u64) -> u64 {
        self.next_u64().checked_rem(bound).unwrap_or(0)
    }

    /// As [`below`](Self::below), for places in something.
    ///
    /// # Panics
    /// Never: the result is below `bound`.
    #[must_use]
    pub fn index(&self, bound: usize) -> usize {
        usize::try_from(self.below(bound as u64)).expect("it is below bound")
    }
}

impl Entropy for Prng {
    fn next_u32(&mut self) -> u32 {
        u32::try_from(self.next_u64() >> 32).unwrap_or(0)
    }
}
