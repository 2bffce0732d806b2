//! What a byte may be part of. A table costs one look per byte, ranges up to ten comparisons.

/// A string, as it is.
pub(crate) const PLAIN: u8 = 1;
/// A key, behind its first byte.
pub(crate) const KEY: u8 = 2;
/// A token, behind its first byte.
pub(crate) const TOKEN: u8 = 4;
/// A field name in lower case: a token of RFC 9110 section 5.6.2 without capitals.
pub(crate) const FIELD_NAME: u8 = 8;
/// Base64.
pub(crate) const DIGIT: u8 = 16;

/// Whether the byte may be part of that.
pub(crate) fn is(byte: u8, class: u8) -> bool {
    let classes = CLASSES.get(usize::from(byte));
    classes.is_some_and(|classes| classes & class != 0)
}

#[expect(clippy::indexing_slicing, reason = "the compiler makes the table")]
static CLASSES: [u8; 128] = {
    let mut classes = [0; 128];
    let mut byte = 0_u8;
    while byte < 128 {
        classes[byte as usize] = classes_of(byte);
        byte += 1;
    }
    classes
};

const fn classes_of(byte: u8) -> u8 {
    match byte {
        b'"' | b'\\' => 0,
        b'a'..=b'z' | b'0'..=b'9' => PLAIN | KEY | TOKEN | FIELD_NAME | DIGIT,
        b'A'..=b'Z' | b'/' => PLAIN | TOKEN | DIGIT,
        b'_' | b'-' | b'.' | b'*' => PLAIN | KEY | TOKEN | FIELD_NAME,
        b'+' => PLAIN | TOKEN | FIELD_NAME | DIGIT,
        b':' => PLAIN | TOKEN,
        b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'^' | b'`' | b'|' | b'~' => {
            PLAIN | TOKEN | FIELD_NAME
        }
        b' '..=b'~' => PLAIN,
        _ => 0,
    }
}
