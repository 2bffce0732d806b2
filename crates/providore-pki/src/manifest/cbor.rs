//! As much of deterministic CBOR (RFC 8949, 4.2.1) as a manifest has.
//!
//! A reader of our own, as the general ones accept every form of a number and leave it to the
//! caller to notice: here what is not in its one form is not read.

use super::ManifestError;

/// What the first three bits of an item say (RFC 8949, 3.1).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Major {
    Unsigned = 0,
    Negative = 1,
    Bytes = 2,
    Text = 3,
    Array = 4,
    Map = 5,
    Tag = 6,
}

/// Reads items from the front.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    /// For bytes that stand at this place in the manifest.
    pub(super) fn new(rest: &'a [u8], offset: usize) -> Self {
        Self { rest, offset }
    }

    /// The argument of an item of this kind: a number, or how much follows.
    pub(super) fn head(&mut self, major: Major) -> Result<u64, ManifestError> {
        let offset = self.offset;
        let first = match self.take(1, offset)? {
            [first] => *first,
            _ => return Err(ManifestError::Truncated { offset }),
        };
        if first >> 5 != major as u8 {
            return Err(ManifestError::UnexpectedItem { offset });
        }
        let (width, least) = match first & 0x1f {
            short @ 0..=23 => return Ok(u64::from(short)),
            24 => (1, 24),
            25 => (2, 0x100),
            26 => (4, 0x1_0000),
            27 => (8, 0x1_0000_0000),
            // Reserved, or of indefinite length.
            _ => return Err(ManifestError::NotDeterministic { offset }),
        };
        let digits = self.take(width, offset)?;
        let value = digits.iter().fold(0_u64, |value, &digit| {
            value.wrapping_shl(8) | u64::from(digit)
        });
        if value < least {
            return Err(ManifestError::NotDeterministic { offset });
        }
        Ok(value)
    }

    /// The content of a byte string, and where it stands.
    pub(super) fn bytes(&mut self) -> Result<(&'a [u8], usize), ManifestError> {
        self.string(Major::Bytes)
    }

    /// A byte string of exactly this length.
    pub(super) fn exact<const N: usize>(&mut self) -> Result<&'a [u8; N], ManifestError> {
        let offset = self.offset;
        let (bytes, _) = self.bytes()?;
        bytes
            .try_into()
            .map_err(|_| ManifestError::UnexpectedItem { offset })
    }

    /// The content of a text; its grammar is the caller's.
    pub(super) fn text(&mut self) -> Result<&'a [u8], ManifestError> {
        self.string(Major::Text).map(|(text, _)| text)
    }

    /// The head of an array or a tag with this argument.
    pub(super) fn expect(&mut self, major: Major, value: u64) -> Result<(), ManifestError> {
        let offset = self.offset;
        if self.head(major)? == value {
            Ok(())
        } else {
            Err(ManifestError::UnexpectedItem { offset })
        }
    }

    /// The head of a map with this many members, or the key of the member that is next.
    pub(super) fn member(&mut self, major: Major, value: u64) -> Result<(), ManifestError> {
        let offset = self.offset;
        if self.head(major)? == value {
            Ok(())
        } else {
            Err(ManifestError::UnexpectedMember { offset })
        }
    }

    pub(super) fn finish(self) -> Result<(), ManifestError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            let offset = self.offset;
            Err(ManifestError::TrailingBytes { offset })
        }
    }

    fn string(&mut self, major: Major) -> Result<(&'a [u8], usize), ManifestError> {
        let item = self.offset;
        let length = self.head(major)?;
        let length =
            usize::try_from(length).map_err(|_| ManifestError::Truncated { offset: item })?;
        let offset = self.offset;
        Ok((self.take(length, item)?, offset))
    }

    /// The next bytes of the item that begins at `item`.
    fn take(&mut self, length: usize, item: usize) -> Result<&'a [u8], ManifestError> {
        let truncated = ManifestError::Truncated { offset: item };
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(truncated)?;
        self.offset = self.offset.checked_add(length).ok_or(truncated)?;
        self.rest = rest;
        Ok(taken)
    }
}

/// Hands the shortest head of an item to `sink`.
pub(super) fn write_head(major: Major, value: u64, sink: &mut impl FnMut(&[u8])) {
    let digits = value.to_be_bytes();
    let [.., short] = digits;
    let (information, width) = match value {
        0..=23 => (short, 0),
        24..=0xff => (0x18, 1),
        0x100..=0xffff => (0x19, 2),
        0x1_0000..=0xffff_ffff => (0x1a, 4),
        _ => (0x1b, 8),
    };
    let start = digits.len().saturating_sub(width);
    sink(&[(major as u8) << 5 | information]);
    sink(digits.get(start..).unwrap_or_default());
}

/// Hands a byte string or a text to `sink`.
pub(super) fn write_string(major: Major, content: &[u8], sink: &mut impl FnMut(&[u8])) {
    write_head(major, content.len() as u64, sink);
    sink(content);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: u64, expected: &[u8]) {
        let mut written = [0; 9];
        let mut length = 0;
        write_head(Major::Unsigned, value, &mut |bytes| {
            written[length..][..bytes.len()].copy_from_slice(bytes);
            length = length.saturating_add(bytes.len());
        });
        assert_eq!(&written[..length], expected);
        let mut reader = Reader::new(&written[..length], 0);
        assert_eq!(reader.head(Major::Unsigned), Ok(value));
        assert_eq!(reader.finish(), Ok(()));
    }

    /// RFC 8949, appendix A.
    #[test]
    fn numbers_take_their_shortest_form() {
        check(0, &[0]);
        check(23, &[0x17]);
        check(24, &[0x18, 0x18]);
        check(100, &[0x18, 0x64]);
        check(1000, &[0x19, 0x03, 0xe8]);
        check(1_000_000, &[0x1a, 0, 0x0f, 0x42, 0x40]);
        check(
            1_000_000_000_000,
            &[0x1b, 0, 0, 0, 0xe8, 0xd4, 0xa5, 0x10, 0],
        );
        check(u64::MAX, &[0x1b, 255, 255, 255, 255, 255, 255, 255, 255]);
    }

    #[test]
    fn longer_forms_and_indefinite_lengths_are_refused() {
        for bytes in [
            &[0x18, 23][..],
            &[0x19, 0, 255],
            &[0x1a, 0, 0, 255, 255],
            &[0x1b, 0, 0, 0, 0, 255, 255, 255, 255],
            &[0x1c],
            &[0x1f],
        ] {
            let refused = Reader::new(bytes, 7).head(Major::Unsigned);
            let expected = Err(ManifestError::NotDeterministic { offset: 7 });
            assert_eq!(refused, expected, "{bytes:?}");
        }
    }

    #[test]
    fn a_length_beyond_the_end_is_refused() {
        let bytes = [0x5b, 255, 255, 255, 255, 255, 255, 255, 255, 1];
        let refused = Reader::new(&bytes, 3).bytes();
        assert_eq!(refused, Err(ManifestError::Truncated { offset: 3 }));
    }
}
