//! The system's random numbers.

use providore_client::Entropy;

use crate::exit::Failure;

/// The system's generator, which has been seen to work.
#[derive(Debug)]
pub(crate) struct SystemRandom {
    /// What follows should the generator fail later: unlike that of any other start.
    reserve: u64,
}

impl SystemRandom {
    pub(crate) fn new() -> Result<Self, Failure> {
        let failed = |error| Failure::local("the system has no random numbers", error);
        let reserve = getrandom::u64().map_err(failed)?;
        Ok(Self { reserve })
    }
}

impl Entropy for SystemRandom {
    fn next_u32(&mut self) -> u32 {
        getrandom::u32().unwrap_or_else(|_| {
            // Knuth's: it has to repeat nothing, and to hide nothing.
            let next = self.reserve.wrapping_mul(6_364_136_223_846_793_005);
            self.reserve = next.wrapping_add(1_442_695_040_888_963_407);
            let [a, b, c, d, ..] = self.reserve.to_be_bytes();
            u32::from_be_bytes([a, b, c, d])
        })
    }
}
