//! A whole content, decoded where it lies.

use core::cell::Cell;

use super::{
    ContentKey, DecodeError,
    decoder::read_header,
    record::{Delimiter, RecordCipher},
};

/// Decrypts a whole content in the buffer that holds it, and hands out what was in it.
///
/// For a device that receives what is small enough to be kept: it needs no buffer beside that.
///
/// # Errors
/// As [`Decoder::finish`](super::Decoder::finish); what is in the buffer is then to be thrown away.
pub fn decode_in_place<'b>(
    key: ContentKey<'_>,
    content: &'b mut [u8],
) -> Result<&'b [u8], DecodeError> {
    let (header, rest) = content.split_first_chunk().ok_or(DecodeError::Truncated)?;
    let (salt, size) = read_header(header, &key)?;
    if !rest.starts_with(key.id()) {
        return Err(DecodeError::OtherKey);
    }
    let mut cipher = RecordCipher::new(&key, salt)?;
    let mut start = header.len().saturating_add(key.id().len());
    let mut filled = 0_usize;
    loop {
        let end = start.saturating_add(size.get()).min(content.len());
        let record = content.get_mut(start..end).unwrap_or_default();
        let (length, delimiter) = cipher.open(record)?;
        // The content moves to the front, behind that of the records before it.
        move_down(content, start, length, filled);
        filled = filled.saturating_add(length);
        match delimiter {
            Delimiter::Last if end < content.len() => return Err(DecodeError::Extended),
            Delimiter::Last => break,
            Delimiter::More if end == content.len() => return Err(DecodeError::Truncated),
            Delimiter::More => start = end,
        }
    }
    Ok(content.get(..filled).unwrap_or_default())
}

/// `copy_within` to the front: a loop takes little of the code of what copies in both directions.
fn move_down(content: &mut [u8], start: usize, length: usize, to: usize) {
    let cells = Cell::from_mut(content).as_slice_of_cells();
    let (from, to) = (cells.get(start..), cells.get(to..));
    let pairs = to.unwrap_or_default().iter().zip(from.unwrap_or_default());
    for (to, from) in pairs.take(length) {
        to.set(from.get());
    }
}
