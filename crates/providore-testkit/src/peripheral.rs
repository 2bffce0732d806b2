//! A model of a MAC key that is locked in hardware.

use core::fmt;

use providore_sign::{ComputedTag, KeyError, MacKey};
use sha2::{Digest as _, Sha256};

const BLOCK: usize = 64;

/// HMAC-SHA-256 as the ESP32-S2's peripheral offers it: whole blocks of 64 bytes in, the rest at
/// the end, one computation at a time, and a unit that may be busy.
///
/// Written from RFC 2104 and not with the `hmac` crate, so that it is a second opinion on
/// [`SoftwareKey`](providore_sign::SoftwareKey) as well.
pub struct PeripheralKey {
    inner_pad: [u8; BLOCK],
    outer_pad: [u8; BLOCK],
    running: Option<Running>,
    calls_until_fault: Option<usize>,
}

struct Running {
    hash: Sha256,
    block: [u8; BLOCK],
    filled: usize,
}

impl PeripheralKey {
    /// The fault that [`Self::fail_after`] arms.
    pub const BUSY: KeyError = KeyError::Hardware(&"busy");

    /// A peripheral with this secret burnt in.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        let mut key = [0; BLOCK];
        if secret.len() > BLOCK {
            key[..32].copy_from_slice(&Sha256::digest(secret));
        } else {
            key[..secret.len()].copy_from_slice(secret);
        }
        Self {
            inner_pad: key.map(|byte| byte ^ 0x36),
            outer_pad: key.map(|byte| byte ^ 0x5c),
            running: None,
            calls_until_fault: None,
        }
    }

    /// Lets so many calls succeed and the next one fail, once, with [`Self::BUSY`]. The
    /// computation that ran is lost, as on a unit that was reset.
    pub const fn fail_after(&mut self, calls: usize) {
        self.calls_until_fault = Some(calls);
    }

    fn tick(&mut self) -> Result<(), KeyError> {
        match self.calls_until_fault {
            Some(0) => {
                self.calls_until_fault = None;
                self.running = None;
                Err(Self::BUSY)
            }
            Some(calls) => {
                self.calls_until_fault = Some(calls - 1);
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl MacKey for PeripheralKey {
    fn begin(&mut self) -> Result<(), KeyError> {
        self.tick()?;
        self.running = Some(Running {
            hash: Sha256::new_with_prefix(self.inner_pad),
            block: [0; BLOCK],
            filled: 0,
        });
        Ok(())
    }

    fn update(&mut self, data: &[u8]) -> Result<(), KeyError> {
        self.tick()?;
        let running = self.running.as_mut().ok_or(KeyError::NotStarted)?;
        for byte in data {
            running.block[running.filled] = *byte;
            running.filled += 1;
            if running.filled == BLOCK {
                running.hash.update(running.block);
                running.filled = 0;
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<ComputedTag, KeyError> {
        self.tick()?;
        let mut running = self.running.take().ok_or(KeyError::NotStarted)?;
        running.hash.update(&running.block[..running.filled]);
        let mut outer = Sha256::new_with_prefix(self.outer_pad);
        outer.update(running.hash.finalize());
        Ok(ComputedTag::from_bytes(outer.finalize().into()))
    }
}

impl fmt::Debug for PeripheralKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PeripheralKey(..)")
    }
}
