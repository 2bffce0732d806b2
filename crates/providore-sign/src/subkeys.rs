//! Keys from keys: one for each purpose, and one for each device of a group.
//!
//! Nothing is signed or encrypted with a device's secret `K` itself. Each purpose has a sub-key of
//! its own, by HKDF-Expand (RFC 5869 section 2.3) with `K` as its pseudorandom key:
//!
//! ```text
//! T(1) = HMAC-SHA-256(K, info || 0x01)
//! ```
//!
//! 32 bytes are one block of SHA-256, so one HMAC is all of HKDF-Expand, and a [`MacKey`] whose
//! secret is locked in hardware can derive. A request that is reflected as an answer, or as a
//! notice, carries the tag of another key.
//!
//! ```
//! use providore_sign::{MacKey, SoftwareKey, subkeys::{self, Purpose}};
//!
//! let mut group = SoftwareKey::new(b"32 random bytes of the factory's")?;
//! let device = "d8fa0180".parse().unwrap();
//! let secret = subkeys::device_key(&mut group, &device)?;
//!
//! let mut requests = subkeys::derive(&mut secret.to_key(), Purpose::Request)?.to_key();
//! requests.begin()?;
//! # Ok::<(), providore_sign::KeyError>(())
//! ```

use core::fmt;

use providore_wire::DeviceId;

use crate::{ComputedTag, KeyError, MacKey, SoftwareKey};

/// Begins the derivation of a device's secret from its group's.
const DEVICE: &[u8] = b"providore/2 device";

/// Ends the constant part of a text that somebody's name follows; no name contains it.
const SEPARATOR: &[u8] = b"\0";

/// The number of the first block of HKDF-Expand, which is the only one that is needed here.
pub(crate) const FIRST_BLOCK: &[u8] = &[1];

/// What a sub-key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Purpose {
    /// Signatures of requests.
    Request,
    /// Signatures of answers.
    Response,
    /// Input keying material of encrypted content (RFC 8188).
    Content,
    /// Tags of notice datagrams.
    Notice,
    /// Entity tags of encrypted content.
    EntityTag,
}

impl Purpose {
    /// All purposes.
    pub const ALL: [Self; 5] = [
        Self::Request,
        Self::Response,
        Self::Content,
        Self::Notice,
        Self::EntityTag,
    ];

    /// The `info` of HKDF-Expand.
    #[must_use]
    pub const fn info(self) -> &'static str {
        match self {
            Self::Request => "providore/2 request",
            Self::Response => "providore/2 response",
            Self::Content => "providore/2 content",
            Self::Notice => "providore/2 notice",
            Self::EntityTag => "providore/2 etag",
        }
    }
}

/// A key of 32 bytes that another key derived: erased when dropped, not printable.
pub struct SubKey(ComputedTag);

impl Clone for SubKey {
    fn clone(&self) -> Self {
        Self(ComputedTag::from_bytes(*self.expose()))
    }
}

impl SubKey {
    /// The length in bytes: one block of HKDF with SHA-256.
    pub const LEN: usize = 32;

    /// The key to sign and verify with, or to derive from.
    #[must_use]
    pub fn to_key(&self) -> SoftwareKey {
        SoftwareKey::from_tag(&self.0)
    }

    #[cfg(feature = "content-coding")]
    pub(crate) fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        Self(ComputedTag::from_bytes(*bytes))
    }

    /// The secret itself: input keying material, or what a factory writes into a device.
    #[must_use]
    pub fn expose(&self) -> &[u8; Self::LEN] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for SubKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SubKey(..)")
    }
}

/// The sub-key of a device's secret for one purpose.
///
/// # Errors
/// What the key reports.
pub fn derive(secret: &mut (impl MacKey + ?Sized), purpose: Purpose) -> Result<SubKey, KeyError> {
    expand(secret, purpose.info().as_bytes()).map(SubKey)
}

/// The secret of a device from that of its group: `HMAC(G, "providore/2 device" || 0x00 || id)`.
///
/// A server keeps `G` alone; the device gets its own secret and learns nothing about its sisters'.
///
/// # Errors
/// What the key reports.
pub fn device_key(
    group: &mut (impl MacKey + ?Sized),
    device: &DeviceId,
) -> Result<SubKey, KeyError> {
    mac(group, &[DEVICE, SEPARATOR, device.as_str().as_bytes()]).map(SubKey)
}

/// The entity tag of content with this SHA-256 that is sent encrypted: equal for equal digests, and
/// of no use to somebody who tries out what the content may be.
///
/// A server makes it, under a sub-key of its own; a device sends it back as it came.
///
/// # Errors
/// What the key reports.
pub fn entity_tag(
    secret: &mut (impl MacKey + ?Sized),
    sha256: &[u8; 32],
) -> Result<[u8; 32], KeyError> {
    let mut key = derive(secret, Purpose::EntityTag)?.to_key();
    Ok(*mac(&mut key, &[sha256])?.publish().as_bytes())
}

/// HKDF-Expand of one block: RFC 5869 section 2.3 with `L` = 32.
fn expand(key: &mut (impl MacKey + ?Sized), info: &[u8]) -> Result<ComputedTag, KeyError> {
    mac(key, &[info, FIRST_BLOCK])
}

fn mac(key: &mut (impl MacKey + ?Sized), pieces: &[&[u8]]) -> Result<ComputedTag, KeyError> {
    key.begin()?;
    for piece in pieces {
        key.update(piece)?;
    }
    key.finish()
}

#[cfg(test)]
mod tests {
    extern crate alloc;
    use alloc::{collections::BTreeSet, format};

    use super::*;

    const SECRET: &[u8] = b"a secret of a device, 32 bytes..";

    fn check(key: &[u8], message: &[u8], derived: &SubKey) {
        let mut key = SoftwareKey::new(key).unwrap();
        let expected = mac(&mut key, &[message]).unwrap();
        assert_eq!(derived.expose(), expected.as_bytes());
    }

    #[test]
    fn one_block_is_that_of_rfc_5869_appendix_a_1() {
        let pseudorandom = [
            0x07, 0x77, 0x09, 0x36, 0x2c, 0x2e, 0x32, 0xdf, 0x0d, 0xdc, 0x3f, 0x0d, 0xc4, 0x7b,
            0xba, 0x63, 0x90, 0xb6, 0xc7, 0x3b, 0xb5, 0x0f, 0x9c, 0x31, 0x22, 0xec, 0x84, 0x4a,
            0xd7, 0xc2, 0xb3, 0xe5,
        ];
        let info = [0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9];
        // The first 32 of the 42 bytes that the appendix asks for.
        let expected = [
            0x3c, 0xb2, 0x5f, 0x25, 0xfa, 0xac, 0xd5, 0x7a, 0x90, 0x43, 0x4f, 0x64, 0xd0, 0x36,
            0x2f, 0x2a, 0x2d, 0x2d, 0x0a, 0x90, 0xcf, 0x1a, 0x5a, 0x4c, 0x5d, 0xb0, 0x2d, 0x56,
            0xec, 0xc4, 0xc5, 0xbf,
        ];
        // The extraction before it, which is an HMAC with the salt as its key (section 2.2).
        let salt = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
        let extracted = mac(&mut SoftwareKey::new(&salt).unwrap(), &[&[0x0b; 22]]).unwrap();
        assert_eq!(extracted.as_bytes(), &pseudorandom);
        let mut key = SoftwareKey::from_tag(&extracted);
        assert_eq!(expand(&mut key, &info).unwrap().as_bytes(), &expected);
    }

    #[test]
    fn a_sub_key_is_one_mac_over_its_purpose() {
        let derive = |purpose| derive(&mut SoftwareKey::new(SECRET).unwrap(), purpose).unwrap();
        check(
            SECRET,
            b"providore/2 request\x01",
            &derive(Purpose::Request),
        );
        check(
            SECRET,
            b"providore/2 response\x01",
            &derive(Purpose::Response),
        );
        check(
            SECRET,
            b"providore/2 content\x01",
            &derive(Purpose::Content),
        );
        check(SECRET, b"providore/2 notice\x01", &derive(Purpose::Notice));
        check(SECRET, b"providore/2 etag\x01", &derive(Purpose::EntityTag));
    }

    #[test]
    fn a_device_key_is_one_mac_over_the_id() {
        let device = "d8fa0180".parse().unwrap();
        let derived = device_key(&mut SoftwareKey::new(SECRET).unwrap(), &device).unwrap();
        check(SECRET, b"providore/2 device\0d8fa0180", &derived);
    }

    #[test]
    fn a_derived_key_is_the_key_of_its_bytes() {
        let derived = derive(&mut SoftwareKey::new(SECRET).unwrap(), Purpose::Content).unwrap();
        let from_bytes = &mut SoftwareKey::new(derived.expose()).unwrap();
        let expected = mac(from_bytes, &[b"message"]).unwrap();
        let tag = mac(&mut derived.to_key(), &[b"message"]).unwrap();
        assert_eq!(tag.as_bytes(), expected.as_bytes());
    }

    #[test]
    fn no_two_purposes_and_no_two_devices_share_a_key() {
        let mut key = SoftwareKey::new(SECRET).unwrap();
        let mut seen: BTreeSet<[u8; 32]> = Purpose::ALL
            .into_iter()
            .map(|purpose| *derive(&mut key, purpose).unwrap().expose())
            .collect();
        for id in ["d8fa0180", "d8fa0181", "d8fa018", "request"] {
            let derived = device_key(&mut key, &id.parse().unwrap()).unwrap();
            seen.insert(*derived.expose());
        }
        assert_eq!(seen.len(), 9);
    }

    #[test]
    fn printing_shows_nothing() {
        let derived = derive(&mut SoftwareKey::new(SECRET).unwrap(), Purpose::Content).unwrap();
        assert_eq!(format!("{derived:?}"), "SubKey(..)");
    }
}
