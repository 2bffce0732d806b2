//! What the server knows of a device.

use alloc::{boxed::Box, string::String, vec::Vec};
use core::{fmt, ops::RangeInclusive};

use providore_pki::{Profile, profile::AltName};
use providore_sign::{KeyError, MacKey as _, SoftwareKey, signed::Keys};
use providore_wire::{DeviceId, Dialect, FirmwareVersion, ParseError, ParseErrorKind};
use zeroize::Zeroizing;

/// A device's record.
///
/// The secret is inside as a key and never comes out again. A next secret, which the device is to
/// fetch, may wait beside it.
#[derive(Clone)]
#[non_exhaustive]
pub struct Device {
    /// Its name.
    pub id: DeviceId,
    /// The weakest dialect that is accepted from it.
    pub dialect: Dialect,
    /// A disabled device is refused like a stranger.
    pub enabled: bool,
    /// The releases meant for it, oldest first.
    pub releases: Vec<Release>,
    /// The certificate it may have.
    pub certificate: CertificatePolicy,
    key: SoftwareKey,
    /// None for a secret that is too short or too long for the `Signed` dialect.
    keys: Option<Keys>,
    key_check: [u8; 8],
    next: Option<Box<Next>>,
}

/// A secret that waits for the device to fetch it.
#[derive(Clone)]
struct Next {
    secret: Zeroizing<Vec<u8>>,
    key: SoftwareKey,
    keys: Keys,
    key_check: [u8; 8],
}

/// One firmware version of a device: what to run with it, and what comes after it.
///
/// What comes after a release is said by [`order`](Self::order), where the author of the firmware
/// has signed it, and by [`next`](Self::next) where it is not, and for devices of the `Original`
/// dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "stores write it as a literal")]
pub struct Release {
    /// The hardware type: the folder in which its images lie.
    pub hardware: FirmwareVersion,
    /// The version.
    pub version: FirmwareVersion,
    /// The name of the image's file, if the record names one.
    pub file: Option<FileName>,
    /// The name of the configuration's file for this version, if the record names one.
    pub config: Option<FileName>,
    /// The version that a device running this one shall install.
    pub next: Option<FirmwareVersion>,
    /// Its place among the releases for this hardware; `None` for a release without a manifest.
    pub order: Option<Order>,
}

/// The place of a release among those for its hardware, as its manifest says it.
///
/// ```
/// use providore_server_core::Order;
///
/// let order = Order::new(7, 4).unwrap(); // the seventh, for devices that have the fourth at least
/// assert!(order.may_follow(4) && order.may_follow(6));
/// assert!(!order.may_follow(3) && !order.may_follow(7));
/// assert_eq!(Order::new(7, 7), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Order {
    sequence: u64,
    minimum: u64,
}

impl Order {
    /// The sequence number, counted from 1, and the lowest one that may upgrade directly; `None`
    /// where no manifest says that: a release 0, or one that no lower one can reach.
    #[must_use]
    pub const fn new(sequence: u64, minimum: u64) -> Option<Self> {
        if minimum < sequence {
            return Some(Self { sequence, minimum });
        }
        None
    }

    /// The sequence number: what is newer has a higher one.
    #[must_use]
    pub const fn sequence(self) -> u64 {
        self.sequence
    }

    /// The lowest sequence number that may upgrade directly; 0 is any, also none.
    #[must_use]
    pub const fn minimum(self) -> u64 {
        self.minimum
    }

    /// Whether a device at `sequence` may install the release next; 0 is a device that has none.
    #[must_use]
    pub const fn may_follow(self, sequence: u64) -> bool {
        self.minimum <= sequence && sequence < self.sequence
    }
}

/// The certificate that a device may have. All of it is written by the server; nothing is copied
/// from a CSR.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "stores write it as a literal")]
pub struct CertificatePolicy {
    /// What the certificate is for.
    pub profile: Profile,
    /// Its life in days, 1 to 3650.
    pub days: u16,
    /// Subject alternative names, for a device that is a server.
    pub alt_names: Vec<AltName>,
}

impl CertificatePolicy {
    /// The default life in days. Renewal comes after two thirds: a device that is switched off for
    /// a month still renews in time.
    pub const DEFAULT_DAYS: u16 = 90;

    /// The longest life in days.
    pub const MAX_DAYS: u16 = 3650;

    /// The life in seconds.
    #[must_use]
    pub fn lifetime_s(&self) -> u64 {
        u64::from(self.days.clamp(1, Self::MAX_DAYS)).saturating_mul(86_400)
    }
}

impl Default for CertificatePolicy {
    fn default() -> Self {
        Self {
            profile: Profile::Client,
            days: Self::DEFAULT_DAYS,
            alt_names: Vec::new(),
        }
    }
}

impl Device {
    /// How long a secret of the `Signed` dialect is, in bytes.
    pub const SIGNED_SECRET_LEN: RangeInclusive<usize> = 16..=64;

    /// A device with nothing but a name and a secret, which speaks `dialect`.
    ///
    /// # Errors
    /// [`KeyError::SecretLength`].
    pub fn new(id: DeviceId, secret: &[u8], dialect: Dialect) -> Result<Self, KeyError> {
        let mut key = SoftwareKey::new(secret)?;
        let fits = Self::SIGNED_SECRET_LEN.contains(&secret.len());
        let keys = fits.then(|| Keys::derive(&mut key)).transpose()?;
        let key_check = key_check(key.clone())?;
        Ok(Self {
            id,
            dialect,
            enabled: true,
            releases: Vec::new(),
            certificate: CertificatePolicy::default(),
            key,
            keys,
            key_check,
            next: None,
        })
    }

    /// The same device with a next secret, which takes the place of one that waited. The present
    /// one is no next secret: then nothing waits.
    ///
    /// # Errors
    /// [`KeyError::SecretLength`] if it has fewer than 16 or more than 64 bytes.
    pub fn with_next_secret(mut self, secret: &[u8]) -> Result<Self, KeyError> {
        if !Self::SIGNED_SECRET_LEN.contains(&secret.len()) {
            return Err(KeyError::SecretLength);
        }
        let mut key = SoftwareKey::new(secret)?;
        let keys = Keys::derive(&mut key)?;
        let key_check = key_check(key.clone())?;
        let next = Next {
            secret: Zeroizing::new(secret.to_vec()),
            key,
            keys,
            key_check,
        };
        self.next = (key_check != self.key_check).then(|| Box::new(next));
        Ok(self)
    }

    /// Whether a next secret waits for the device to fetch it.
    #[must_use]
    pub const fn has_next_secret(&self) -> bool {
        self.next.is_some()
    }

    /// The key.
    pub(crate) const fn key(&self) -> &SoftwareKey {
        &self.key
    }

    /// Tells whether two records of one device hold the same secret; for implementors of
    /// [`DeviceStore`](crate::DeviceStore). Useless without the secret, yet who has it can try out
    /// guesses: it is for nobody outside the server.
    #[must_use]
    pub const fn key_check(&self) -> [u8; 8] {
        self.key_check
    }

    /// The keys of the `Signed` dialect.
    pub(crate) const fn keys(&self) -> Option<&Keys> {
        self.keys.as_ref()
    }

    /// The next secret: what the device is handed, encrypted.
    pub(crate) fn next_secret(&self) -> Option<&[u8]> {
        self.next.as_ref().map(|next| next.secret.as_slice())
    }

    /// The keys of the next secret.
    pub(crate) fn next_keys(&self) -> Option<&Keys> {
        self.next.as_ref().map(|next| &next.keys)
    }

    /// [`key_check`](Self::key_check) of the next secret.
    #[must_use]
    pub fn next_key_check(&self) -> Option<[u8; 8]> {
        self.next.as_ref().map(|next| next.key_check)
    }

    /// The same device with the next secret as its only one.
    pub(crate) fn promoted(mut self) -> Self {
        if let Some(next) = self.next.take() {
            self.key = next.key;
            self.keys = Some(next.keys);
            self.key_check = next.key_check;
        }
        self
    }

    /// The release for the version that runs; for one that is not in the record, or none, the
    /// newest.
    #[must_use]
    pub fn release_for(&self, running: Option<&FirmwareVersion>) -> Option<&Release> {
        running
            .and_then(|version| self.release(version))
            .or_else(|| self.releases.last())
    }

    /// What a device that runs this version, with this sequence number, shall install next, if it is
    /// none of those that failed on it.
    ///
    /// Of what its author has signed for its hardware it is the newest that may follow directly.
    /// From there the next question leads on: a release that needs another one first is reached
    /// over that one. A device at 0, which has nothing signed, and for which nothing signed waits, is
    /// led along [`Release::next`], or to the newest if its version is not in the record. From signed
    /// firmware no way leads to what nobody has signed.
    pub(crate) fn next_release(
        &self,
        running: Option<&FirmwareVersion>,
        sequence: u64,
        has_failed: impl Fn(&FirmwareVersion) -> bool,
    ) -> Option<&Release> {
        let is_open =
            |release: &&Release| running != Some(&release.version) && !has_failed(&release.version);
        let hardware = &self.release_for(running)?.hardware;
        let places = self
            .releases
            .iter()
            .filter(|release| release.hardware == *hardware);
        let signed = places
            .filter(is_open)
            .filter_map(|release| Some((release.order?, release)))
            .filter(|(order, _)| order.may_follow(sequence))
            .max_by_key(|(order, _)| order.sequence());
        if signed.is_some() || sequence > 0 {
            return signed.map(|(_, release)| release);
        }
        let unsigned = match running.and_then(|version| self.release(version)) {
            Some(known) => known.next.as_ref().and_then(|next| self.release(next)),
            None => self.releases.last(),
        };
        unsigned
            .filter(|release| release.order.is_none())
            .filter(is_open)
    }

    /// The release with this version.
    #[must_use]
    pub fn release(&self, version: &FirmwareVersion) -> Option<&Release> {
        self.releases
            .iter()
            .find(|release| release.version == *version)
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device")
            .field("id", &self.id)
            .field("dialect", &self.dialect)
            .field("enabled", &self.enabled)
            .field("releases", &self.releases)
            .field("certificate", &self.certificate)
            .finish_non_exhaustive()
    }
}

/// The name of a file below a folder: relative, at most 255 bytes, each part a plain name.
///
/// ```
/// use providore_server_core::FileName;
///
/// assert_eq!("v2/wifi.json".parse::<FileName>().unwrap().as_str(), "v2/wifi.json");
/// assert!("../devices.json".parse::<FileName>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FileName(String);

impl FileName {
    /// The longest name in bytes: what file systems allow for one part.
    pub const MAX_LEN: usize = 255;

    /// The name, parts separated by `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl core::str::FromStr for FileName {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let fail = |kind, offset| Err(ParseError::new(kind, offset));
        if text.len() > Self::MAX_LEN {
            return fail(ParseErrorKind::TooLong, Self::MAX_LEN);
        }
        if let Some(offset) = text.find(['\\', '\0']) {
            return fail(ParseErrorKind::UnexpectedByte, offset);
        }
        for part in text.split('/') {
            let offset = (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
            match part {
                "" => return fail(ParseErrorKind::Empty, offset),
                "." | ".." => return fail(ParseErrorKind::PathLike, offset),
                _ => {}
            }
        }
        Ok(Self(text.into()))
    }
}

/// A short tag over a constant: equal for equal keys, useless without the key.
fn key_check(mut key: SoftwareKey) -> Result<[u8; 8], KeyError> {
    key.begin()?;
    key.update(b"providore key check")?;
    let tag = key.finish()?.publish();
    let mut check = [0; 8];
    for (slot, byte) in check.iter_mut().zip(tag.as_bytes()) {
        *slot = *byte;
    }
    Ok(check)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, expected: Result<(), (ParseErrorKind, usize)>) {
        let outcome = name.parse::<FileName>().map(|_| ());
        assert_eq!(
            outcome.map_err(|e| (e.kind(), e.offset())),
            expected,
            "{name:?}"
        );
    }

    #[test]
    fn file_names_stay_below_their_folder() {
        check("config.json", Ok(()));
        check("v2/wifi.json", Ok(()));
        check("../devices.json", Err((ParseErrorKind::PathLike, 0)));
        check("a/../../b", Err((ParseErrorKind::PathLike, 2)));
        check("/etc/passwd", Err((ParseErrorKind::Empty, 0)));
        check("a//b", Err((ParseErrorKind::Empty, 2)));
        check("", Err((ParseErrorKind::Empty, 0)));
        check("a\\b", Err((ParseErrorKind::UnexpectedByte, 1)));
        check(&"a".repeat(256), Err((ParseErrorKind::TooLong, 255)));
    }

    #[test]
    fn a_next_secret_has_16_to_64_bytes_and_is_another_one() {
        let device = |next: &[u8]| {
            let id = "dev1".parse().unwrap();
            let device = Device::new(id, b"the present one!", Dialect::Signed).unwrap();
            device.with_next_secret(next)
        };
        for (length, is_good) in [(0, false), (15, false), (16, true), (64, true), (65, false)] {
            let next = alloc::vec![b'x'; length];
            let Ok(device) = device(&next) else {
                assert!(!is_good, "{length}");
                continue;
            };
            assert!(is_good && device.has_next_secret(), "{length}");
            assert_eq!(device.next_secret(), Some(&next[..]));
            let (now, then) = (device.key_check(), device.next_key_check());
            assert!(device.next_keys().is_some() && then != Some(now));
            let device = device.promoted();
            assert_eq!(
                (Some(device.key_check()), device.next_key_check()),
                (then, None)
            );
        }
        assert!(!device(b"the present one!").unwrap().has_next_secret());
    }

    #[test]
    fn a_record_never_shows_its_secret() {
        let id = "dev1".parse().unwrap();
        let device = Device::new(id, b"canary-secret", Dialect::Original).unwrap();
        let device = device.with_next_secret(b"canary-next-secret").unwrap();
        let shown = alloc::format!("{device:?}");
        assert!(
            !shown.contains("canary") && !shown.contains("key"),
            "{shown}"
        );
    }
}
