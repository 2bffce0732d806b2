//! What a device brings itself: it is in every set of features, so that it is not counted.

use core::hint::black_box;

/// The server: answers, one after the other.
pub(crate) struct Script<'s>(pub(crate) &'s [&'static [u8]]);

impl Script<'_> {
    /// Head and body of the next one.
    #[inline(never)]
    pub(crate) fn answer(&mut self) -> Option<(&'static [u8], &'static [u8])> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        crate::parts(first)
    }
}

/// The status that a head begins with.
#[inline(never)]
pub(crate) fn status(head: &[u8]) -> u16 {
    let digits = head.get(9..12).unwrap_or_default();
    digits.iter().fold(0, |status: u16, digit| {
        status.wrapping_mul(10).wrapping_add(u16::from(digit & 15))
    })
}

/// As much of the rest of a body as fits.
#[inline(never)]
pub(crate) fn read(rest: &mut &'static [u8], buffer: &mut [u8]) -> usize {
    let length = buffer.len().min(rest.len());
    let (read, left) = rest.split_at_checked(length).unwrap_or_default();
    copy(buffer, read);
    *rest = left;
    length
}

/// A flash that keeps one record, and forgets the others.
pub(crate) struct Records<'c> {
    kept: &'c mut [u8],
    length: usize,
}

impl<'c> Records<'c> {
    pub(crate) fn new(kept: &'c mut [u8]) -> Self {
        Self { kept, length: 0 }
    }

    #[inline(never)]
    pub(crate) fn read<'b>(&self, is_kept: bool, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
        if !is_kept || self.length == 0 {
            return None;
        }
        copy(buffer, self.kept);
        buffer.get(..self.length)
    }

    #[inline(never)]
    pub(crate) fn write(&mut self, is_kept: bool, content: &[u8]) {
        if is_kept {
            copy(self.kept, content);
            self.length = content.len();
        }
    }
}

#[inline(never)]
fn copy(to: &mut [u8], from: &[u8]) {
    for (slot, byte) in to.iter_mut().zip(from) {
        *slot = *byte;
    }
}

/// Uses all of it once.
#[inline(never)]
pub(crate) fn boot(memory: &mut [u8]) -> Option<()> {
    let mut script = Script(black_box(&crate::ANSWERS));
    let (head, mut body) = script.answer()?;
    let (kept, buffer) = memory.split_at_mut_checked(64)?;
    let read = read(&mut body, buffer);
    black_box((status(head), read, body));
    let mut records = Records::new(kept);
    records.write(black_box(true), buffer);
    black_box(records.read(black_box(false), buffer));
    Some(())
}
