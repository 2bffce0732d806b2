//! A DER writer that fills a buffer from its end to its front.
//!
//! Lengths stand before contents in DER (X.690, 8.1.3). Written backwards, every length is known
//! when its turn comes, so nothing is measured first and no allocator is needed.

/// Writes into the tail of a buffer; [`BackWriter::finish`] returns what was written.
pub(crate) struct BackWriter<'a> {
    buffer: &'a mut [u8],
    start: usize,
}

/// The buffer is too small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const UTF8_STRING: u8 = 0x0c;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

impl<'a> BackWriter<'a> {
    pub(crate) fn new(buffer: &'a mut [u8]) -> Self {
        let start = buffer.len();
        Self { buffer, start }
    }

    /// Where the next element will end; handed to [`BackWriter::enclose`] later.
    pub(crate) fn end(&self) -> usize {
        self.start
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Full> {
        let start = self.start.checked_sub(bytes.len()).ok_or(Full)?;
        self.buffer
            .get_mut(start..self.start)
            .ok_or(Full)?
            .copy_from_slice(bytes);
        self.start = start;
        Ok(())
    }

    /// Puts tag and length before everything written since `end` was taken.
    pub(crate) fn enclose(&mut self, tag: u8, end: usize) -> Result<(), Full> {
        let length = end.checked_sub(self.start).ok_or(Full)?;
        let [.., top, high, low] = u32::try_from(length).map_err(|_| Full)?.to_be_bytes();
        match length {
            0..=0x7f => self.bytes(&[tag, low]),
            0x80..=0xff => self.bytes(&[tag, 0x81, low]),
            0x100..=0xffff => self.bytes(&[tag, 0x82, high, low]),
            0x1_0000..=0xff_ffff => self.bytes(&[tag, 0x83, top, high, low]),
            _ => Err(Full),
        }
    }

    pub(crate) fn element(&mut self, tag: u8, content: &[u8]) -> Result<(), Full> {
        let end = self.end();
        self.bytes(content)?;
        self.enclose(tag, end)
    }

    /// An INTEGER from an unsigned big-endian number: no needless zeros, never negative.
    pub(crate) fn unsigned(&mut self, number: &[u8]) -> Result<(), Full> {
        let end = self.end();
        let zeros = number.iter().take_while(|&&byte| byte == 0).count();
        let digits = number.get(zeros..).unwrap_or_default();
        self.bytes(digits)?;
        if digits.first().is_none_or(|&first| first & 0x80 != 0) {
            self.bytes(&[0])?;
        }
        self.enclose(INTEGER, end)
    }

    pub(crate) fn finish(self) -> &'a [u8] {
        let Self { buffer, start } = self;
        buffer.get(start..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_unsigned(number: &[u8], expected: &[u8]) {
        let mut buffer = [0; 8];
        let mut writer = BackWriter::new(&mut buffer);
        writer.unsigned(number).unwrap();
        assert_eq!(writer.finish(), expected);
    }

    #[test]
    fn integers_are_minimal_and_positive() {
        check_unsigned(&[], &[2, 1, 0]);
        check_unsigned(&[0, 0], &[2, 1, 0]);
        check_unsigned(&[0, 1], &[2, 1, 1]);
        check_unsigned(&[0x7f], &[2, 1, 0x7f]);
        check_unsigned(&[0x80], &[2, 2, 0, 0x80]);
    }

    #[test]
    fn lengths_take_the_shortest_form() {
        for (length, header) in [
            (0x7f, &[SEQUENCE, 0x7f][..]),
            (0x80, &[SEQUENCE, 0x81, 0x80]),
            (0xff, &[SEQUENCE, 0x81, 0xff]),
            (0x100, &[SEQUENCE, 0x82, 1, 0]),
        ] {
            let mut buffer = [0; 0x110];
            let mut writer = BackWriter::new(&mut buffer);
            writer.element(SEQUENCE, &[0; 0x100][..length]).unwrap();
            assert!(writer.finish().starts_with(header), "{length}");
        }
    }

    #[test]
    fn a_full_buffer_is_an_error() {
        let mut buffer = [0; 3];
        assert_eq!(
            BackWriter::new(&mut buffer).element(SET, &[1, 2]),
            Err(Full)
        );
    }
}
