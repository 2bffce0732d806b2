//! The notice datagram: a server's hint that something waits for a device.
//!
//! ```text
//! offset  bytes
//!  0       4     magic    "pvdn"
//!  4       1     version  1
//!  5       1     waiting  bit 0 configuration, 1 firmware, 2 certificate, 3 secret; at least one
//!  6       8     device   the beginning of a digest of the device's id
//! 14       8     counter  big-endian; rises from notice to notice
//! 22      16     tag      the beginning of an HMAC over the 22 bytes before
//! ```
//!
//! All of it is the content of one UDP datagram, which has nothing else.

use core::{fmt, ops::BitOr};

use crate::{ParseError, ParseErrorKind};

/// A notice as it is on the wire. Well formed, and nobody's word: `providore-sign` verifies it.
///
/// ```
/// use providore_wire::notice::{Notice, Waiting};
///
/// let notice = Notice {
///     waiting: Waiting::CONFIG | Waiting::FIRMWARE,
///     device: [0x5a; 8],
///     counter: 1_767_323_045_000,
///     tag: [7; 16],
/// };
/// let bytes = notice.to_bytes();
/// assert_eq!(Notice::parse(&bytes)?, notice);
/// assert!(Notice::parse(&bytes[1..]).is_err());
/// # Ok::<(), providore_wire::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the layout is fixed; another one is another version"
)]
pub struct Notice {
    /// What waits.
    pub waiting: Waiting,
    /// Tells whose it is: the beginning of a digest of the device's id.
    pub device: [u8; Self::DEVICE_LEN],
    /// Rises from notice to notice: of our server the time in milliseconds since 1970.
    pub counter: u64,
    /// The beginning of an HMAC over what comes before.
    pub tag: [u8; Self::TAG_LEN],
}

impl Notice {
    /// The length of a datagram in bytes. One of another length is not a notice.
    pub const LEN: usize = Self::COVERED_LEN + Self::TAG_LEN;

    /// How many bytes the tag covers: all before it.
    pub const COVERED_LEN: usize = 22;

    /// The length of the digest of the device's id in bytes: enough to tell devices apart, of which
    /// each has a key of its own.
    pub const DEVICE_LEN: usize = 8;

    /// The length of the tag in bytes: half of HMAC-SHA-256, as short as RFC 2104 section 5 allows.
    pub const TAG_LEN: usize = 16;

    /// Reads a datagram. There is one spelling of each notice.
    ///
    /// # Errors
    /// [`ParseErrorKind::UnexpectedEnd`] and [`ParseErrorKind::TooLong`] for another length,
    /// [`ParseErrorKind::Unknown`] for another magic number or version,
    /// [`ParseErrorKind::UnexpectedByte`] for a bit without a meaning, and
    /// [`ParseErrorKind::Missing`] if nothing waits.
    pub fn parse(datagram: &[u8]) -> Result<Self, ParseError> {
        if datagram.len() > Self::LEN {
            return Err(ParseError::new(ParseErrorKind::TooLong, Self::LEN));
        }
        let mut rest = datagram;
        let mut at = 0;
        let magic = take::<4>(&mut rest, &mut at)?;
        if magic != *MAGIC {
            return Err(ParseError::new(ParseErrorKind::Unknown, 0));
        }
        let [version, waiting] = take(&mut rest, &mut at)?;
        if version != VERSION {
            return Err(ParseError::new(ParseErrorKind::Unknown, 4));
        }
        Ok(Self {
            waiting: Waiting::from_bits(waiting).map_err(|kind| ParseError::new(kind, 5))?,
            device: take(&mut rest, &mut at)?,
            counter: u64::from_be_bytes(take(&mut rest, &mut at)?),
            tag: take(&mut rest, &mut at)?,
        })
    }

    /// The bytes that the tag covers.
    #[must_use]
    pub fn covered(&self) -> [u8; Self::COVERED_LEN] {
        let parts = [
            &MAGIC[..],
            &[VERSION, self.waiting.bits()],
            &self.device,
            &self.counter.to_be_bytes(),
        ];
        joined(&parts)
    }

    /// The datagram.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        joined(&[&self.covered(), &self.tag])
    }
}

const MAGIC: &[u8; 4] = b"pvdn";
const VERSION: u8 = 1;

fn take<const N: usize>(rest: &mut &[u8], at: &mut usize) -> Result<[u8; N], ParseError> {
    let end = ParseError::new(ParseErrorKind::UnexpectedEnd, at.saturating_add(rest.len()));
    let (taken, left) = rest.split_first_chunk::<N>().ok_or(end)?;
    *rest = left;
    *at = at.saturating_add(N);
    Ok(*taken)
}

/// The parts one behind the other; what is missing is zero.
fn joined<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    let mut bytes = [0; N];
    for (slot, byte) in bytes.iter_mut().zip(parts.iter().copied().flatten()) {
        *slot = *byte;
    }
    bytes
}

/// What waits for a device: at least one of four things.
///
/// ```
/// use providore_wire::notice::Waiting;
///
/// let waiting = Waiting::CONFIG | Waiting::SECRET;
/// assert!(waiting.contains(Waiting::SECRET) && !waiting.contains(Waiting::FIRMWARE));
/// assert_eq!(waiting.to_string(), "config, secret");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Waiting(u8);

impl Waiting {
    /// Another configuration.
    pub const CONFIG: Self = Self(1);
    /// Firmware.
    pub const FIRMWARE: Self = Self(1 << 1);
    /// A certificate that should be renewed.
    pub const CERTIFICATE: Self = Self(1 << 2);
    /// A secret that is to replace the present one.
    pub const SECRET: Self = Self(1 << 3);
    /// Each by its name.
    pub const NAMED: [(Self, &'static str); 4] = [
        (Self::CONFIG, "config"),
        (Self::FIRMWARE, "firmware"),
        (Self::CERTIFICATE, "certificate"),
        (Self::SECRET, "secret"),
    ];

    const ALL: u8 = 0b1111;

    const fn from_bits(bits: u8) -> Result<Self, ParseErrorKind> {
        match bits {
            0 => Err(ParseErrorKind::Missing),
            1..=Self::ALL => Ok(Self(bits)),
            _ => Err(ParseErrorKind::UnexpectedByte),
        }
    }

    /// The byte on the wire.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether all of these wait.
    #[must_use]
    pub const fn contains(self, these: Self) -> bool {
        self.0 & these.0 == these.0
    }
}

impl BitOr for Waiting {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (_, name) in Self::NAMED.iter().filter(|(it, _)| self.contains(*it)) {
            write!(f, "{separator}{name}")?;
            separator = ", ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTICE: Notice = Notice {
        waiting: Waiting(0b0101),
        device: *b"deviceid",
        counter: 0x0102_0304_0506_0708,
        tag: *b"tag of 16 bytes.",
    };

    /// Parses the notice above with one byte changed.
    fn check(at: usize, byte: u8, expected: Result<(), ParseErrorKind>) {
        let mut bytes = NOTICE.to_bytes();
        bytes[at] = byte;
        let parsed = Notice::parse(&bytes);
        let kind = parsed.map(|_| ()).map_err(|error| error.kind());
        assert_eq!(kind, expected, "byte {at}: {byte}");
        if let Ok(notice) = parsed {
            assert_eq!(notice.to_bytes(), bytes);
        }
    }

    #[test]
    fn a_notice_has_the_layout_of_the_page() {
        let bytes = *b"pvdn\x01\x05deviceid\x01\x02\x03\x04\x05\x06\x07\x08tag of 16 bytes.";
        assert_eq!(NOTICE.to_bytes(), bytes);
        assert_eq!(Notice::parse(&bytes), Ok(NOTICE));
        assert_eq!(NOTICE.covered(), bytes[..22]);
    }

    #[test]
    fn another_magic_number_version_or_unknown_bit_is_refused() {
        check(0, b'P', Err(ParseErrorKind::Unknown));
        check(4, 0, Err(ParseErrorKind::Unknown));
        check(4, 2, Err(ParseErrorKind::Unknown));
        check(5, 0, Err(ParseErrorKind::Missing));
        check(5, 0b1111, Ok(()));
        for bit in 4..8 {
            check(5, 1 << bit | 1, Err(ParseErrorKind::UnexpectedByte));
        }
        check(21, 0xff, Ok(()));
    }

    #[test]
    fn another_length_is_refused() {
        let bytes = NOTICE.to_bytes();
        for length in 0..bytes.len() {
            let error = Notice::parse(&bytes[..length]).unwrap_err();
            let expected = ParseError::new(ParseErrorKind::UnexpectedEnd, length);
            assert_eq!(error, expected);
        }
        let mut longer = [0; Notice::LEN + 1];
        longer[..Notice::LEN].copy_from_slice(&bytes);
        let error = Notice::parse(&longer).unwrap_err();
        assert_eq!(error.kind(), ParseErrorKind::TooLong);
    }
}
