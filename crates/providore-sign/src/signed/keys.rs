//! The sub-keys of one device.

use core::fmt;

use crate::{
    ComputedTag, KeyError, MacKey, SharedKey,
    mac::Keyed,
    subkeys::{self, Purpose},
};
#[cfg(feature = "content-coding")]
use crate::{content_coding::ContentKey, subkeys::SubKey};

/// The sub-keys with which one device and its server speak: erased when dropped, not printable.
///
/// Derived from the secret once; after that the secret is not needed, so that it may stay locked
/// in hardware.
#[derive(Clone)]
pub struct Keys {
    requests: Keyed,
    responses: Keyed,
    #[cfg(feature = "content-coding")]
    content: SubKey,
}

impl Keys {
    /// Derives them, with one HMAC for each.
    ///
    /// # Errors
    /// What the key reports.
    pub fn derive(secret: &mut (impl MacKey + ?Sized)) -> Result<Self, KeyError> {
        Ok(Self {
            requests: subkeys::derive(secret, Purpose::Request)?.to_keyed(),
            responses: subkeys::derive(secret, Purpose::Response)?.to_keyed(),
            #[cfg(feature = "content-coding")]
            content: subkeys::derive(secret, Purpose::Content)?,
        })
    }

    /// The input keying material of encrypted content (RFC 8188), under no name.
    #[cfg(feature = "content-coding")]
    #[must_use]
    pub fn content_key(&self) -> ContentKey<'_> {
        ContentKey::new(self.content.expose())
    }

    /// A name for what is encrypted: equal for equal digests, and of no use to who wants to find
    /// out by trying what it is the digest of.
    ///
    /// # Errors
    /// What the key reports.
    pub fn entity_tag(&self, sha256: &[u8; 32]) -> Result<[u8; 32], KeyError> {
        // No signature base begins so.
        let tag = self.responses.tag(&[b"providore/2 etag\0", sha256]);
        Ok(*tag.publish().as_bytes())
    }

    /// The tag of a response of which `write` says the pieces.
    pub(super) fn response_tag(&self, write: impl FnOnce(&mut dyn FnMut(&[u8]))) -> ComputedTag {
        let mut running = self.responses.begin();
        write(&mut |piece| running.update(piece));
        self.responses.finish(running)
    }

    pub(super) const fn requests(&self) -> SharedKey<'_> {
        SharedKey::new(&self.requests)
    }

    pub(super) const fn responses(&self) -> SharedKey<'_> {
        SharedKey::new(&self.responses)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(..)")
    }
}
