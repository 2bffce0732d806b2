//! The device's secret: in the flash, or in fuses that only the HMAC peripheral can read.

use esp_hal::hmac::{Hmac, HmacPurpose, KeyId};
use esp32_parts::provisioning::Secret;
use providore_sign::{ComputedTag, KeyError, MacKey, SoftwareKey};

/// The key that everything is derived from: one HMAC for each sub-key, at the start, and none later.
pub(crate) enum Key {
    Stored(SoftwareKey),
    Fuses(FuseKey),
}

impl Key {
    pub(crate) fn new(secret: Secret<'_>, hmac: Hmac<'static>) -> Result<Self, &'static str> {
        match secret {
            Secret::Stored(bytes) => SoftwareKey::new(bytes)
                .map(Self::Stored)
                .map_err(|_| "the secret in the flash cannot be used"),
            Secret::Fuses(block) => FuseKey::new(hmac, block)
                .map(Self::Fuses)
                .ok_or("there is no such block of fuses"),
        }
    }
}

impl MacKey for Key {
    fn begin(&mut self) -> Result<(), KeyError> {
        match self {
            Self::Stored(key) => key.begin(),
            Self::Fuses(key) => key.begin(),
        }
    }

    fn update(&mut self, data: &[u8]) -> Result<(), KeyError> {
        match self {
            Self::Stored(key) => key.update(data),
            Self::Fuses(key) => key.update(data),
        }
    }

    fn finish(&mut self) -> Result<ComputedTag, KeyError> {
        match self {
            Self::Stored(key) => key.finish(),
            Self::Fuses(key) => key.finish(),
        }
    }
}

/// A block of fuses with the purpose HMAC_UP, burned by `provision burn`: 32 bytes that the
/// peripheral uses and no software reads, whatever runs on the chip.
pub(crate) struct FuseKey {
    hmac: Hmac<'static>,
    block: u8,
    running: bool,
}

impl FuseKey {
    fn new(hmac: Hmac<'static>, block: u8) -> Option<Self> {
        key_id(block)?;
        let running = false;
        Some(Self {
            hmac,
            block,
            running,
        })
    }
}

impl MacKey for FuseKey {
    fn begin(&mut self) -> Result<(), KeyError> {
        let key = key_id(self.block).ok_or(KeyError::Hardware(&"no such block of fuses"))?;
        self.running = false;
        self.hmac.init();
        // Says so if the fuses are not burned, or for something else.
        nb::block!(self.hmac.configure(HmacPurpose::ToUser, key))
            .map_err(|_| KeyError::Hardware(&"the fuses hold no key for HMAC"))?;
        self.running = true;
        Ok(())
    }

    fn update(&mut self, data: &[u8]) -> Result<(), KeyError> {
        if !self.running {
            return Err(KeyError::NotStarted);
        }
        let mut rest = data;
        while !rest.is_empty() {
            let Ok(left) = nb::block!(self.hmac.update(rest));
            rest = left;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<ComputedTag, KeyError> {
        if !core::mem::take(&mut self.running) {
            return Err(KeyError::NotStarted);
        }
        let mut tag = [0; 32];
        let Ok(()) = nb::block!(self.hmac.finalize(&mut tag));
        Ok(ComputedTag::from_bytes(tag))
    }
}

fn key_id(block: u8) -> Option<KeyId> {
    Some(match block {
        0 => KeyId::Key0,
        1 => KeyId::Key1,
        2 => KeyId::Key2,
        3 => KeyId::Key3,
        4 => KeyId::Key4,
        5 => KeyId::Key5,
        _ => return None,
    })
}
