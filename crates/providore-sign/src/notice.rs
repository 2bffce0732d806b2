//! The notice datagram: signed by a server, verified by its device.
//!
//! Under a sub-key of its own, so that no tag of a request, an answer or encrypted content is of use
//! here, nor the reverse. That a notice is *new* its receiver has to see: the counter must rise.

use core::fmt;

use providore_wire::{
    DeviceId, ParseError,
    notice::{Notice, Waiting},
};
use sha2::{Digest as _, Sha256};

use crate::{
    ComputedTag, KeyError, MacKey,
    subkeys::{self, Purpose, SubKey},
};

/// The key of one device's notices: erased when dropped, not printable.
///
/// ```
/// use providore_sign::{SoftwareKey, notice::NoticeKey};
/// use providore_wire::notice::Waiting;
///
/// let mut secret = SoftwareKey::new(b"32 random bytes of this device..")?;
/// let key = NoticeKey::derive(&mut secret, &"d8fa0180".parse().unwrap())?;
/// let datagram = key.sign(Waiting::FIRMWARE, 1_767_323_045_000)?;
///
/// let notice = key.verify(&datagram).unwrap();
/// assert_eq!(notice.waiting(), Waiting::FIRMWARE);
/// assert_eq!(notice.counter(), 1_767_323_045_000);
/// # Ok::<(), providore_sign::KeyError>(())
/// ```
#[derive(Clone)]
pub struct NoticeKey {
    key: SubKey,
    device: [u8; Notice::DEVICE_LEN],
}

/// A notice that the server made for this device. Whether it is new its counter tells.
///
/// Only [`NoticeKey::verify`] makes one.
///
/// ```compile_fail
/// let forged = providore_sign::notice::VerifiedNotice { counter: 0 };
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct VerifiedNotice {
    waiting: Waiting,
    counter: u64,
}

/// Why a datagram is not a notice for this device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoticeRefusal {
    /// It is not a notice.
    #[error("not a notice")]
    Malformed(#[source] ParseError),
    /// It is for another device.
    #[error("notice is for another device")]
    OtherDevice,
    /// The tag is not the one that this key makes over it.
    #[error("tag does not match")]
    WrongTag,
    /// The key could not be used.
    #[error("key could not be used")]
    Key(#[source] KeyError),
}

impl NoticeKey {
    /// Derives it from the secret of this device.
    ///
    /// # Errors
    /// What the key reports.
    pub fn derive(
        secret: &mut (impl MacKey + ?Sized),
        device: &DeviceId,
    ) -> Result<Self, KeyError> {
        Ok(Self {
            key: subkeys::derive(secret, Purpose::Notice)?,
            device: digest_of(device),
        })
    }

    /// A datagram to send. The counter must be higher than that of each notice before.
    ///
    /// # Errors
    /// What the key reports.
    pub fn sign(&self, waiting: Waiting, counter: u64) -> Result<[u8; Notice::LEN], KeyError> {
        let mut notice = Notice {
            waiting,
            device: self.device,
            counter,
            tag: [0; Notice::TAG_LEN],
        };
        let tag = self.tag(&notice)?.publish();
        if let Some((tag, _)) = tag.as_bytes().split_first_chunk() {
            notice.tag = *tag;
        }
        Ok(notice.to_bytes())
    }

    /// Verifies a datagram. A datagram that is not for this device costs no HMAC.
    ///
    /// # Errors
    /// [`NoticeRefusal`].
    pub fn verify(&self, datagram: &[u8]) -> Result<VerifiedNotice, NoticeRefusal> {
        let notice = Notice::parse(datagram).map_err(NoticeRefusal::Malformed)?;
        if notice.device != self.device {
            return Err(NoticeRefusal::OtherDevice);
        }
        let tag = self.tag(&notice).map_err(NoticeRefusal::Key)?;
        if !tag.begins_with(&notice.tag) {
            return Err(NoticeRefusal::WrongTag);
        }
        Ok(VerifiedNotice {
            waiting: notice.waiting,
            counter: notice.counter,
        })
    }

    fn tag(&self, notice: &Notice) -> Result<ComputedTag, KeyError> {
        let mut key = self.key.to_key();
        key.begin()?;
        key.update(&notice.covered())?;
        key.finish()
    }
}

impl VerifiedNotice {
    /// What waits.
    #[must_use]
    pub const fn waiting(&self) -> Waiting {
        self.waiting
    }

    /// Higher than that of each notice that the server made before: of our server the time in
    /// milliseconds since 1970.
    #[must_use]
    pub const fn counter(&self) -> u64 {
        self.counter
    }
}

impl fmt::Debug for NoticeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NoticeKey(..)")
    }
}

/// The first eight bytes of SHA-256(`"providore/2 notice" || 0x00 || id`).
fn digest_of(device: &DeviceId) -> [u8; Notice::DEVICE_LEN] {
    let mut digest = Sha256::new();
    digest.update(Purpose::Notice.info());
    digest.update([0]);
    digest.update(device.as_str());
    let digest: [u8; 32] = digest.finalize().into();
    let beginning = digest.first_chunk();
    beginning.copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    extern crate alloc;
    use alloc::format;

    use super::*;
    use crate::SoftwareKey;

    const SECRET: &[u8] = b"a secret of a device, 32 bytes..";

    fn key(secret: &[u8], device: &str) -> NoticeKey {
        let mut secret = SoftwareKey::new(secret).unwrap();
        NoticeKey::derive(&mut secret, &device.parse().unwrap()).unwrap()
    }

    fn check(datagram: &[u8], expected: Result<(Waiting, u64), NoticeRefusal>) {
        let verified = key(SECRET, "d8fa0180").verify(datagram);
        let verified = verified.map(|notice| (notice.waiting(), notice.counter()));
        assert_eq!(verified, expected);
    }

    #[test]
    fn a_notice_is_verified_by_its_device_alone() {
        let waiting = Waiting::CONFIG | Waiting::SECRET;
        let sign = |key: NoticeKey| key.sign(waiting, 7).unwrap();
        check(&sign(key(SECRET, "d8fa0180")), Ok((waiting, 7)));
        let other_device = sign(key(SECRET, "d8fa0181"));
        check(&other_device, Err(NoticeRefusal::OtherDevice));
        let other_key = sign(key(b"another secret of some device...", "d8fa0180"));
        check(&other_key, Err(NoticeRefusal::WrongTag));
    }

    #[test]
    fn any_flipped_bit_of_a_notice_is_refused() {
        let key = key(SECRET, "d8fa0180");
        let datagram = key.sign(Waiting::CONFIG, u64::MAX).unwrap();
        for bit in 0..datagram.len() * 8 {
            let mut changed = datagram;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(key.verify(&changed).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn the_key_is_of_notices_alone() {
        let mut covered = [0; Notice::COVERED_LEN];
        let datagram = key(SECRET, "d8fa0180").sign(Waiting::CONFIG, 1).unwrap();
        covered.copy_from_slice(&datagram[..Notice::COVERED_LEN]);
        for purpose in Purpose::ALL {
            let mut secret = SoftwareKey::new(SECRET).unwrap();
            let mut key = subkeys::derive(&mut secret, purpose).unwrap().to_key();
            key.begin().unwrap();
            key.update(&covered).unwrap();
            let tag = key.finish().unwrap().publish();
            let same = tag.as_bytes()[..16] == datagram[Notice::COVERED_LEN..];
            assert_eq!(same, purpose == Purpose::Notice, "{purpose:?}");
        }
    }

    #[test]
    fn printing_shows_nothing() {
        assert_eq!(format!("{:?}", key(SECRET, "x")), "NoticeKey(..)");
    }
}
