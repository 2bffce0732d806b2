//! The source of randomness.

use virtio_drivers::{device::rng::VirtIORng, transport::DeviceType};

use crate::virtio::{Memory, Port, find};

/// The random number generator of the board (`virtio-rng`).
pub struct Random(VirtIORng<Memory, Port>);

impl Random {
    /// The generator.
    ///
    /// # Panics
    /// On a board without one: there is nothing that a device could do instead.
    #[must_use]
    pub fn new() -> Self {
        let port = find(DeviceType::EntropySource).expect("the board has no virtio-rng-device");
        Self(VirtIORng::new(port).expect("virtio-rng"))
    }

    /// Fills `bytes` with randomness.
    ///
    /// # Panics
    /// If the generator fails: a nonce must never be guessable.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let length = self.0.request_entropy(rest).expect("virtio-rng");
            rest = rest.split_at_mut(length).1;
        }
    }
}

impl Default for Random {
    fn default() -> Self {
        Self::new()
    }
}
