//! The sub-keys of one device.

use core::fmt;

use zeroize::Zeroizing;

#[cfg(feature = "content-coding")]
use crate::content_coding::ContentKey;
use crate::{
    ComputedTag, KeyError, MacKey, SharedKey,
    mac::Keyed,
    subkeys::{self, Purpose, SubKey},
};

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

/// What there is a key for, in the order in which they are derived.
const PURPOSES: [Purpose; KEYS] = [
    Purpose::Request,
    Purpose::Response,
    #[cfg(feature = "content-coding")]
    Purpose::Content,
];

/// How many they are.
const KEYS: usize = if cfg!(feature = "content-coding") {
    3
} else {
    2
};

impl Keys {
    /// Derives them, with one HMAC for each.
    ///
    /// # Errors
    /// What the key reports.
    pub fn derive(secret: &mut (impl MacKey + ?Sized)) -> Result<Self, KeyError> {
        // Nothing is made of them before all are there: what is made would have to be dropped at each
        // failure.
        let mut tags = Zeroizing::new([[0; SubKey::LEN]; KEYS]);
        for (tag, purpose) in tags.iter_mut().zip(PURPOSES) {
            *tag = *subkeys::derive(secret, purpose)?.expose();
        }
        #[cfg(feature = "content-coding")]
        let [requests, responses, content] = &*tags;
        #[cfg(not(feature = "content-coding"))]
        let [requests, responses] = &*tags;
        Ok(Self {
            requests: Keyed::from_tag(requests),
            responses: Keyed::from_tag(responses),
            #[cfg(feature = "content-coding")]
            content: SubKey::from_bytes(content),
        })
    }

    /// The input keying material of encrypted content (RFC 8188), under no name.
    #[cfg(feature = "content-coding")]
    #[must_use]
    pub fn content_key(&self) -> ContentKey<'_> {
        ContentKey::new(self.content.expose())
    }

    /// The tag of a request of which `write` says the pieces.
    pub(super) fn request_tag(&self, write: impl FnOnce(&mut dyn FnMut(&[u8]))) -> ComputedTag {
        tag(&self.requests, write)
    }

    /// The tag of a response of which `write` says the pieces.
    pub(super) fn response_tag(&self, write: impl FnOnce(&mut dyn FnMut(&[u8]))) -> ComputedTag {
        tag(&self.responses, write)
    }

    pub(super) const fn requests(&self) -> SharedKey<'_> {
        SharedKey::new(&self.requests)
    }

    pub(super) const fn responses(&self) -> SharedKey<'_> {
        SharedKey::new(&self.responses)
    }
}

fn tag(key: &Keyed, write: impl FnOnce(&mut dyn FnMut(&[u8]))) -> ComputedTag {
    let mut running = key.begin();
    write(&mut |piece| running.update(piece));
    key.finish(running)
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(..)")
    }
}
