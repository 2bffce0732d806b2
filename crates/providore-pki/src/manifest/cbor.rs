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
///
/// What cannot be read is `None`, and `error` says why: that takes half the code of an error that
/// is handed from call to call.
pub(super) struct Reader<'a, 'e> {
    rest: &'a [u8],
    offset: u32,
    error: &'e mut ManifestError,
}

impl<'a, 'e> Reader<'a, 'e> {
    /// For bytes that stand at this place in the manifest.
    pub(super) fn new(rest: &'a [u8], offset: u32, error: &'e mut ManifestError) -> Self {
        Self {
            rest,
            offset,
            error,
        }
    }

    /// What is left.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Nothing, for this reason.
    pub(super) fn fail<T>(&mut self, error: ManifestError) -> Option<T> {
        *self.error = error;
        None
    }

    /// Goes on only if this holds.
    pub(super) fn require(&mut self, holds: bool, error: ManifestError) -> Option<()> {
        if holds { Some(()) } else { self.fail(error) }
    }

    /// The argument of an item of this kind: a number, or how much follows.
    // Called from everywhere, as most of what follows: one copy each.
    #[inline(never)]
    pub(super) fn head(&mut self, major: Major) -> Option<u64> {
        let offset = self.offset;
        let &[first] = self.take(1, offset)? else {
            return self.fail(ManifestError::Truncated { offset });
        };
        if first >> 5 != major as u8 {
            return self.fail(ManifestError::UnexpectedItem { offset });
        }
        let (width, least) = match first & 0x1f {
            short @ 0..=23 => return Some(u64::from(short)),
            24 => (1, 24),
            25 => (2, 0x100),
            26 => (4, 0x1_0000),
            27 => (8, 0x1_0000_0000),
            // Reserved, or of indefinite length: no value is enough.
            _ => (0, 1),
        };
        let digits = self.take(width, offset)?;
        let value = digits.iter().fold(0_u64, |value, &digit| {
            value.wrapping_shl(8) | u64::from(digit)
        });
        self.require(value >= least, ManifestError::NotDeterministic { offset })?;
        Some(value)
    }

    /// The content of a byte string.
    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        self.string(Major::Bytes)
    }

    /// The content of a byte string, which is read in turn.
    pub(super) fn within(&mut self) -> Option<Reader<'a, '_>> {
        let bytes = self.bytes()?;
        let offset = self.offset.checked_sub(u32::try_from(bytes.len()).ok()?)?;
        Some(Reader::new(bytes, offset, self.error))
    }

    /// A byte string of exactly this length.
    pub(super) fn exact<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let offset = self.offset;
        match self.bytes()?.try_into() {
            Ok(bytes) => Some(bytes),
            Err(_) => self.fail(ManifestError::UnexpectedItem { offset }),
        }
    }

    /// The content of a text; its grammar is the caller's.
    pub(super) fn text(&mut self) -> Option<&'a [u8]> {
        self.string(Major::Text)
    }

    /// The head of an array or a tag with this argument.
    pub(super) fn expect(&mut self, major: Major, value: u64) -> Option<()> {
        let offset = self.offset;
        let found = self.head(major)?;
        self.require(found == value, ManifestError::UnexpectedItem { offset })
    }

    /// The head of a map with this many members.
    pub(super) fn map(&mut self, members: u8) -> Option<()> {
        self.key(Major::Map, members)
    }

    /// The key of the member that is next.
    pub(super) fn member(&mut self, key: u8) -> Option<()> {
        self.key(Major::Unsigned, key)
    }

    /// The member of this key, which is a number.
    pub(super) fn number(&mut self, key: u8) -> Option<u64> {
        self.member(key)?;
        self.head(Major::Unsigned)
    }

    #[inline(never)]
    fn key(&mut self, major: Major, value: u8) -> Option<()> {
        let offset = self.offset;
        let found = self.head(major)?;
        let error = ManifestError::UnexpectedMember { offset };
        self.require(found == u64::from(value), error)
    }

    pub(super) fn finish(mut self) -> Option<()> {
        let offset = self.offset;
        self.require(
            self.rest.is_empty(),
            ManifestError::TrailingBytes { offset },
        )
    }

    #[inline(never)]
    fn string(&mut self, major: Major) -> Option<&'a [u8]> {
        let item = self.offset;
        let length = self.head(major)?;
        // What is too long for memory is too long for the manifest.
        self.take(usize::try_from(length).unwrap_or(usize::MAX), item)
    }

    /// The next bytes of the item that begins at `item`.
    fn take(&mut self, length: usize, item: u32) -> Option<&'a [u8]> {
        let split = self.rest.split_at_checked(length);
        let (Some((taken, rest)), Some(offset)) = (split, advanced(self.offset, length)) else {
            return self.fail(ManifestError::Truncated { offset: item });
        };
        self.offset = offset;
        self.rest = rest;
        Some(taken)
    }
}

/// Where what follows stands.
fn advanced(offset: u32, length: usize) -> Option<u32> {
    offset.checked_add(u32::try_from(length).ok()?)
}

/// The shortest head of an item.
pub(super) struct Head {
    /// Ends with it.
    buffer: [u8; 9],
    start: usize,
}

impl Head {
    #[inline(never)]
    pub(super) fn new(major: Major, value: u64) -> Self {
        let digits = value.to_be_bytes();
        let [.., last] = digits;
        let (information, width) = match value {
            0..=23 => (last, 0_usize),
            24..=0xff => (0x18, 1),
            0x100..=0xffff => (0x19, 2),
            0x1_0000..=0xffff_ffff => (0x1a, 4),
            _ => (0x1b, 8),
        };
        let mut buffer = [0; 9];
        for (to, from) in buffer.iter_mut().skip(1).zip(digits) {
            *to = from;
        }
        let start = digits.len().saturating_sub(width);
        if let Some(first) = buffer.get_mut(start) {
            *first = (major as u8) << 5 | information;
        }
        Self { buffer, start }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }
}

/// Hands the shortest head of an item to `sink`.
#[cfg(any(feature = "alloc", test))]
pub(super) fn write_head(major: Major, value: u64, sink: &mut impl FnMut(&[u8])) {
    sink(Head::new(major, value).as_bytes());
}

/// Hands a byte string or a text to `sink`.
#[cfg(feature = "alloc")]
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
        let mut error = ManifestError::TooLong;
        let mut reader = Reader::new(&written[..length], 0, &mut error);
        assert_eq!(reader.head(Major::Unsigned), Some(value));
        assert_eq!(reader.finish(), Some(()));
    }

    fn refuses<T>(
        bytes: &[u8],
        read: impl FnOnce(&mut Reader<'_, '_>) -> Option<T>,
        expected: ManifestError,
    ) {
        let mut error = ManifestError::TooLong;
        assert!(read(&mut Reader::new(bytes, 7, &mut error)).is_none());
        assert_eq!(error, expected, "{bytes:?}");
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
            let expected = ManifestError::NotDeterministic { offset: 7 };
            refuses(bytes, |reader| reader.head(Major::Unsigned), expected);
        }
    }

    #[test]
    fn a_length_beyond_the_end_is_refused() {
        let bytes = [0x5b, 255, 255, 255, 255, 255, 255, 255, 255, 1];
        let expected = ManifestError::Truncated { offset: 7 };
        refuses(&bytes, |reader| reader.bytes().map(<[u8]>::len), expected);
    }
}
