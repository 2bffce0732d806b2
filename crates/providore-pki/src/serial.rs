//! Serial numbers: 128 random bits, so that issuing needs no counter and no lock.
//!
//! > The serial number MUST be a positive integer assigned by the CA to each certificate. \[...\]
//! > Conforming CAs MUST NOT use serialNumber values longer than 20 octets.
//!
//! — RFC 5280, 4.1.2.2. Two certificates collide after about 2^64 of them.

use core::fmt;

/// The serial number of a certificate: positive, at most 20 octets as DER.
///
/// ```
/// use providore_pki::SerialNumber;
///
/// let random = [0x9c; 16]; // from the generator of the operating system
/// let serial = SerialNumber::from_entropy(&random).ok_or("a broken generator")?;
/// assert_eq!(serial.to_string(), "9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c");
/// assert_eq!(SerialNumber::from_entropy(&[0; 16]), None);
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SerialNumber {
    // Big-endian, padded with zeros in front: numbers compare as numbers.
    bytes: [u8; Self::MAX_LEN],
}

impl SerialNumber {
    /// The longest number in bytes: 20 octets of DER, the sign included.
    pub const MAX_LEN: usize = 20;

    /// A serial number for a new certificate from 16 fresh random bytes.
    ///
    /// Returns `None` for 16 zeros: no working generator yields them.
    #[must_use]
    pub fn from_entropy(entropy: &[u8; 16]) -> Option<Self> {
        Self::from_be_bytes(entropy)
    }

    /// Reads an unsigned big-endian number, such as that of an existing certificate.
    ///
    /// Returns `None` for zero, and for a number that takes more than 20 octets as DER.
    #[must_use]
    pub fn from_be_bytes(number: &[u8]) -> Option<Self> {
        let zeros = number.iter().take_while(|&&byte| byte == 0).count();
        let digits = number.get(zeros..)?;
        let first = digits.first()?;
        // A set top bit costs a leading zero octet, else the INTEGER would be negative.
        let octets = digits.len().checked_add(usize::from(first >> 7))?;
        let mut bytes = [0; Self::MAX_LEN];
        if octets > Self::MAX_LEN {
            return None;
        }
        let padding = Self::MAX_LEN.checked_sub(digits.len())?;
        bytes.get_mut(padding..)?.copy_from_slice(digits);
        Some(Self { bytes })
    }

    /// The number, big-endian, without leading zeros.
    #[must_use]
    pub fn as_be_bytes(&self) -> &[u8] {
        let zeros = self.bytes.iter().take_while(|&&byte| byte == 0).count();
        self.bytes.get(zeros..).unwrap_or_default()
    }
}

/// Lower-case hex, two digits a byte.
impl fmt::Display for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_be_bytes()
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SerialNumber({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(number: &[u8], expected: Option<&[u8]>) {
        let serial = SerialNumber::from_be_bytes(number);
        assert_eq!(serial.as_ref().map(SerialNumber::as_be_bytes), expected);
    }

    #[test]
    fn numbers_are_positive_and_fit_20_octets() {
        check(&[], None);
        check(&[0; 30], None);
        check(&[0, 0, 1], Some(&[1]));
        check(&[0x7f; 20], Some(&[0x7f; 20]));
        check(&[0x80; 20], None);
        check(&[0x80; 19], Some(&[0x80; 19]));
        check(&[1; 21], None);
    }
}
